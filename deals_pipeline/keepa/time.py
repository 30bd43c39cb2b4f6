"""Keepa's clock: whole minutes since 2011-01-01 UTC, and Unix milliseconds on each answer.

Source: fact P1 of docs/keepa_api.md, `unix_minutes = keepa_minutes + 21_564_000`.
"""

from datetime import datetime, timedelta, timezone
from typing import Final

import numpy as np
from numpy.typing import NDArray

KEEPA_EPOCH: Final = datetime(2011, 1, 1, tzinfo=timezone.utc)
UNIX_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
KEEPA_EPOCH_UNIX_MINUTES: Final = 21_564_000
MICROSECONDS_PER_MINUTE: Final = 60_000_000


def from_keepa_minutes(minutes: int) -> datetime:
    """Return the UTC time of a Keepa minute."""
    return KEEPA_EPOCH + timedelta(minutes=minutes)


def to_keepa_minutes(time: datetime) -> int:
    """Return the Keepa minute that holds `time`, which must be aware."""
    return (time - KEEPA_EPOCH) // timedelta(minutes=1)


def from_unix_ms(milliseconds: int) -> datetime:
    """Return the UTC time of a Unix time in milliseconds."""
    return UNIX_EPOCH + timedelta(milliseconds=milliseconds)


def to_unix_ms(time: datetime) -> int:
    """Return the Unix time in whole milliseconds of `time`, which must be aware."""
    return (time - UNIX_EPOCH) // timedelta(milliseconds=1)


def keepa_minutes_to_unix_microseconds(minutes: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return Unix microseconds, the unit of Arrow's and DuckDB's timestamps, of an array of Keepa minutes."""
    return (minutes.astype(np.int64) + KEEPA_EPOCH_UNIX_MINUTES) * MICROSECONDS_PER_MINUTE
