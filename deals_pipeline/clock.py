"""The clocks that are handed to whatever needs the time: the system's, and one that moves only when told."""

import time
from datetime import datetime, timedelta, timezone
from threading import Lock
from typing import Protocol


class Clock(Protocol):
    """The time in UTC, and a way to let it pass."""

    def now(self) -> datetime:
        """Return the time, aware and in UTC."""

    def sleep(self, seconds: float) -> None:
        """Return when `seconds` have passed."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Return the time, aware and in UTC."""
        return datetime.now(timezone.utc)

    def sleep(self, seconds: float) -> None:
        """Return when `seconds` have passed."""
        time.sleep(seconds)


class VirtualClock:
    """A clock that stands still except while somebody sleeps on it, and may be set, backward too."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(timezone.utc)
        self._lock = Lock()

    def now(self) -> datetime:
        """Return the time, aware and in UTC."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Move the clock `seconds` forward, at once."""
        with self._lock:
            self._now += timedelta(seconds=max(0.0, seconds))

    def set(self, now: datetime) -> None:
        """Set the clock."""
        with self._lock:
            self._now = now.astimezone(timezone.utc)
