"""What befalls one world: everything that a seed decides before the first event."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from functools import cached_property
from itertools import accumulate, pairwise, takewhile
from random import Random
from typing import Final

from deals_pipeline.keepa.time import to_unix_ms
from deals_pipeline.simulator.account import AccountConfig, PlanChange, capacity_of
from deals_pipeline.simulator.faults import Fault, Faults

RATES: Final = (5, 9, 10, 20, 21, 25, 60, 200, 1000)
START: Final = datetime(2026, 3, 1, tzinfo=timezone.utc)
LENGTH: Final = timedelta(days=2)
HOUR_MS: Final = 3_600_000
HALF_TICK_MS: Final = 30_000


class Trouble(Enum):
    """What goes wrong on our side of the network, beside the simulator's faults on the other."""

    PLAN_CHANGES = "plan changes"
    FLOW_REDUCTION = "flow reduction"
    CLOCK_JUMPS = "clock jumps"
    """The local clock is set, forward and back, by up to two hours."""
    CRASHES = "crashes"
    """A process dies between reserving and settling, at any point, and comes back later."""
    RESTARTS = "restarts"
    """All processes die at once."""
    ERRORS = "errors"
    """What comes between sending and settling raises."""
    REPEATS = "repeats"
    """An answer is delivered twice, at once or later."""
    OVERTAKING = "overtaking"
    """The way back takes up to 20 s, so that answers overtake each other."""
    OVERSHOOT = "overshoot"
    """A request costs more than the cost table says."""
    QUIET_HOURS = "quiet hours"
    """Nobody has work for hours."""


@dataclass(frozen=True)
class Scenario:
    """A world before it starts; two equal ones unfold alike.

    In a planned world one planner decides whose turn it is, as in production; else each lane asks for itself.
    """

    seed: int
    config: AccountConfig
    faults: Faults
    troubles: frozenset[Trouble]
    is_planned: bool
    clock_jumps: tuple[tuple[int, int], ...]
    """(Unix ms, ms by which the local clock is off from then on)."""
    restarts: tuple[int, ...]
    quiet: tuple[tuple[int, int], ...]

    @classmethod
    def of_seed(cls, seed: int, length: timedelta = LENGTH) -> "Scenario":
        """Return the world of a seed, with a random half of all faults and troubles."""
        draw = Random(f"scenario {seed}")
        start, end = to_unix_ms(START), to_unix_ms(START + length)
        faults = Faults.of_seed(seed, share=draw.choice((0.02, 0.05, 0.1)))
        troubles = frozenset(draw.sample(list(Trouble), k=len(Trouble) // 2))
        rate = draw.choice(RATES)
        plan_changes = tuple(PlanChange(at, draw.choice(RATES[:-2])) for at in _moments(draw, start, end, 16))
        plan_changes = plan_changes if Trouble.PLAN_CHANGES in troubles else ()
        lowest = min([rate, *(change.refill_rate for change in plan_changes)])
        return cls(
            seed=seed,
            config=AccountConfig(
                seed=seed,
                refill_rate=rate,
                started_at=start,
                tokens=draw.choice((None, 0, -3 * rate, draw.randint(-9 * rate, capacity_of(rate)))),
                plan_changes=plan_changes,
                foreign_spend=faults.foreign_spend(START, START + length, lowest),
                token_flow_reduction=tuple(
                    (at, draw.randint(0, 600 * lowest) / 1000) for at in _moments(draw, start, end, 12)
                )
                if Trouble.FLOW_REDUCTION in troubles
                else (),
                refill_rate_contains_reduction=draw.random() < 0.5,
            ),
            faults=faults,
            troubles=troubles,
            is_planned=draw.random() < 0.7,
            clock_jumps=tuple(
                (at, round(draw.choice((2, 60, 600, 7200)) * 1000 * draw.uniform(-1, 1)))
                for at in _moments(draw, start, end, 8)
            )
            if Trouble.CLOCK_JUMPS in troubles
            else (),
            restarts=tuple(_moments(draw, start, end, 10)) if Trouble.RESTARTS in troubles else (),
            quiet=tuple((at, at + draw.randint(1, 3 * HOUR_MS)) for at in _moments(draw, start, end, 12))
            if Trouble.QUIET_HOURS in troubles
            else (),
        )

    @property
    def has_foreign_spend(self) -> bool:
        """Whether another program spends from the same key."""
        return Fault.FOREIGN_SPEND in self.faults.kinds

    @cached_property
    def server_clock_jumps(self) -> tuple[tuple[int, int], ...]:
        """(Unix ms, ms by which the server's clock jumps then): each hour, if it does at all."""
        hours = [START + timedelta(hours=hour) for hour in range(LENGTH // timedelta(hours=1) + 1)]
        skews = [self.faults.skew_ms(hour) for hour in hours]
        jumps = (after - before for before, after in pairwise(skews))
        return tuple((to_unix_ms(hour), jump) for hour, jump in zip(hours[1:], jumps, strict=True) if jump)

    @property
    def server_clock_set_back(self) -> tuple[int, ...]:
        """When the server's clock is set back."""
        return tuple(at for at, jump in self.server_clock_jumps if jump < 0)

    @property
    def ticks_miscounted_max(self) -> int:
        """How many ticks the server's clock hides or feigns: one for each jump of more than half a tick."""
        return sum(abs(jump) > HALF_TICK_MS for _, jump in self.server_clock_jumps)

    def __str__(self) -> str:
        kinds = sorted(kind.value for kind in (*self.faults.kinds, *self.troubles))
        mode = "planned" if self.is_planned else "every lane for itself"
        return f"seed {self.seed}: {self.config.refill_rate} a tick, {mode}; {', '.join(kinds)}"


def _moments(draw: Random, start: int, end: int, every_hours: float) -> list[int]:
    gaps = (round(draw.expovariate(1 / (every_hours * HOUR_MS))) + 1 for _ in range(10_000))
    return list(takewhile(lambda at: at < end, accumulate(gaps, initial=start)))[1:]
