"""Virtual time: events in their order, and nothing between them."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

Event = Callable[[], object]


class Timeline:
    """What is still to happen. `now` is the true time in Unix ms; `advance` is called before each event."""

    def __init__(self, now: int, advance: Callable[[], None]) -> None:
        self.now = now
        self._advance = advance
        self._events: list[tuple[int, int, Event]] = []
        self._order = count()

    def at(self, at: int, event: Event) -> None:
        """Let something happen at a time, after whatever was to happen then before."""
        heappush(self._events, (max(at, self.now), next(self._order), event))

    def after(self, delay_ms: int, event: Event) -> None:
        """Let something happen after a time."""
        self.at(self.now + max(0, delay_ms), event)

    def unfold(self, until: int) -> None:
        """Let happen what is to happen until a time, which it then is."""
        while self._events and self._events[0][0] <= until:
            self.now, _, event = heappop(self._events)
            self._advance()
            event()
        self.now = until
        self._advance()
