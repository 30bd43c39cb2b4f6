"""Kills: at every side effect of a process, before, amid and after it, in turn."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from importlib import import_module
from random import Random
from typing import Any, Final, NoReturn

import pytest
import requests
from duckdb import DuckDBPyConnection

from deals_pipeline.landing import Landing
from deals_pipeline.simulator.transport import SimulatorAdapter
from deals_pipeline.token_bucket.reservation import Reservation
from deals_pipeline.warehouse import publishing
from deals_pipeline.warehouse.connection import transaction

EFFECTS: Final = ("reserve", "mark_sent", "send", "land", "settle", "look", "sync_published")
TRANSACTIONS: Final = ("load", "metrics")
PLACES: Final = (
    *(f"{when} {effect}" for effect in (*EFFECTS, *TRANSACTIONS) for when in ("before", "after")),
    *(f"amid {effect}" for effect in TRANSACTIONS),
    "amid a wait",
)


class Killed(BaseException):
    """The process ends here: nothing of it catches this."""


class Fate:
    """Decides when the process that lives is killed: now and then, at each place in turn, in an order of the seed's."""

    def __init__(self, draw: Random, now: Callable[[], datetime], die: Callable[[str], None], every: timedelta) -> None:
        self.kills: Final[Counter[str]] = Counter()
        self._draw = draw
        self._now = now
        self._die = die
        self._every = every
        self._places: list[str] = []
        self._armed: list[str] = []
        self._arm_at = now()
        self.is_off = False

    def strike(self, place: str) -> None:
        """Kill the process if it is to die here. Raises `Killed`."""
        assert place in PLACES, place
        if self._now() >= self._arm_at:
            self._arm_at = self._now() + self._every * self._draw.uniform(0.5, 1.5)
            self._places = self._places or self._draw.sample(PLACES, k=len(PLACES))
            self._armed.append(self._places.pop())
        if place in self._armed and not self.is_off:
            self._armed.remove(place)
            self.kill(place)

    def kill(self, place: str) -> NoReturn:
        """Kill the process. Raises `Killed`."""
        self.kills[place] += 1
        self._die(place)
        raise Killed(place)


class MortalAdapter(SimulatorAdapter):
    """The way to the service: a process may die before a request leaves, and before its answer comes."""

    fate: Fate

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:  # noqa: ANN401
        """Return the service's answer to one request."""
        self.fate.strike("before send")
        response = super().send(request, *arguments, **options)
        self.fate.strike("after send")
        return response


@contextmanager
def striking(fate: Fate) -> Iterator[None]:
    """Let a process die at what it does to disk and warehouse while the block lasts."""

    def around(effect: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def mortal(*arguments: Any) -> Any:  # noqa: ANN401 - whatever it takes and returns
            fate.strike(f"before {effect}")
            result = function(*arguments)
            fate.strike(f"after {effect}")
            return result

        return mortal

    def within(
        effect: str, begin: Callable[[DuckDBPyConnection], AbstractContextManager[None]]
    ) -> Callable[[DuckDBPyConnection], AbstractContextManager[None]]:
        @contextmanager
        def mortal(connection: DuckDBPyConnection) -> Iterator[None]:
            fate.strike(f"before {effect}")
            with begin(connection):
                yield
                fate.strike(f"amid {effect}")
            fate.strike(f"after {effect}")

        return mortal

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Reservation, "mark_sent", around("mark_sent", Reservation.mark_sent))
        patch.setattr(Landing, "__call__", around("land", Landing.__call__))
        patch.setattr(publishing, "_sync", around("sync_published", publishing._sync))  # noqa: SLF001 - file, then folder
        patch.setattr("deals_pipeline.warehouse.loading.transaction", within("load", transaction))
        recompute = import_module("deals_pipeline.analytics.recompute")  # a function has the same name
        patch.setattr(recompute, "transaction", within("metrics", transaction))
        yield
