"""What is really so in a world: its time, its account, its calls, and what of that the ledger cannot know yet."""

from collections import deque
from datetime import datetime
from random import Random
from typing import Final

from deals_pipeline.keepa.time import from_unix_ms, to_unix_ms
from deals_pipeline_tests.simulation.knowledge import Knowledge
from deals_pipeline_tests.simulation.scenario import START, Scenario
from deals_pipeline_tests.simulation.service import Call, Cause, Service
from deals_pipeline_tests.simulation.timeline import Timeline
from deals_pipeline_tests.simulation.watcher import Violation

LOG_LINES: Final = 40


class Reality:
    """The truth, which no process sees. Chance comes from the seed alone."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario: Final = scenario
        self.draw: Final = Random(f"world {scenario.seed}")
        self.service: Final = Service(scenario)
        self.timeline: Final = Timeline(to_unix_ms(START), self._advance)
        self.knowledge: Final = Knowledge()
        self.calls: Final[dict[str, Call]] = {}
        self.log: Final[deque[str]] = deque(maxlen=LOG_LINES)
        self.episode = 0
        """How often the balance came back above 0."""
        self._clock_is_off = 0
        self._under_way: list[Call] = []
        self._in_flight: list[Call] = []

    @property
    def now(self) -> int:
        """Return the true time in Unix ms."""
        return self.timeline.now

    def local_time(self) -> datetime:
        """Return the time by the local clock."""
        return from_unix_ms(self.now + self._clock_is_off)

    @property
    def balance(self) -> int:
        """Return the true balance."""
        return self.service.account.balance

    @property
    def is_informed(self) -> bool:
        """Whether nothing has happened that the ledger cannot know yet."""
        return self.knowledge.is_complete

    @property
    def under_way(self) -> list[Call]:
        """Return the calls that can still be charged."""
        self._under_way = [call for call in self._under_way if not call.is_over]
        return self._under_way

    @property
    def outstanding(self) -> int:
        """Return the most that the calls under way can still be charged."""
        return sum(call.high for call in self.under_way)

    def add(self, call: Call) -> None:
        """Note a call that was granted."""
        self.calls[call.hold_id] = call
        self._under_way.append(call)
        self._in_flight.append(call)

    def say(self, line: str) -> None:
        """Note what happened, for whoever reads of a violation."""
        self.log.append(f"{from_unix_ms(self.now):%d %H:%M:%S.%f} [{self.balance}] {line}")

    def fail(self, invariant: str, message: str) -> None:
        """Raise the violation of an invariant, with what led to it."""
        story = "\n  ".join(self.log)
        raise Violation(f"{invariant}: {message}\nin the world of {self.scenario}\n  {story}")

    def _advance(self) -> None:
        before = self.service.account
        self.service.advance(self.now)
        after = self.service.account
        was_served = after.foreign_spent != before.foreign_spent
        if was_served:
            self.surprise(Cause.FOREIGN_SPEND)
        if after.refill_rate != before.refill_rate:
            self.surprise(Cause.PLAN_CHANGE)
        if before.balance > after.capacity >= after.balance:
            self.surprise(Cause.CUT_OFF)
        if after.reduction_thousandths != before.reduction_thousandths:
            self.surprise(Cause.FLOW_REDUCTION)
        self.episode += before.balance <= 0 and (was_served or after.balance > 0)

    @property
    def slack(self) -> int:
        """Return by how many tokens an informed ledger may be wrong: a tick, after the server's clock was set back."""
        is_set_back = Cause.SERVER_CLOCK_SET_BACK in self.knowledge.unknown
        return self.service.account.refill_rate if is_set_back else 0

    def surprise(self, cause: Cause) -> None:
        """Note something that the ledger cannot know."""
        self.say(cause.text)
        self._in_flight = [call for call in self._in_flight if call.is_in_flight]
        self.knowledge.surprise(cause, self.now, self._in_flight)

    def set_clock(self, off: int) -> None:
        """Set the local clock, so many ms off the truth."""
        self.say(f"the local clock is set from {self._clock_is_off} to {off} ms off")
        self._clock_is_off = off
        self.surprise(Cause.CLOCK_JUMP)


class WorldClock:
    """The local clock of a world."""

    def __init__(self, reality: Reality) -> None:
        self._reality = reality

    def now(self) -> datetime:
        return self._reality.local_time()

    def sleep(self, seconds: float) -> None:
        raise AssertionError(f"nobody sleeps in a world, not even {seconds} s")
