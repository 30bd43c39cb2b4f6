"""What befalls one world of the whole pipeline: everything that a seed decides before the first event."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from itertools import accumulate, takewhile
from random import Random
from typing import Final

from deals_pipeline.keepa.time import from_unix_ms, to_unix_ms
from deals_pipeline.simulator.account import AccountConfig, PlanChange
from deals_pipeline.simulator.faults import Fault, Faults

START: Final = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
RATES: Final = (5, 20, 60)
LIES: Final = (Fault.SORTS_BY_ANOTHER_KEY, Fault.IGNORES_A_PARAMETER)
"""What makes every answer lie about the selection: one world in three has one of them."""
FAULTY: Final = 0.04
FAULTY_SHORT: Final = 0.12
PAUSE_MAX: Final = timedelta(hours=1)
TURNS: Final = 3
"""How many tables a world deletes before the next one's turn begins."""
KILLED_EVERY: Final = timedelta(hours=2)
LONG: Final = timedelta(days=1)
HOUR_MS: Final = 3_600_000


class Deletion(Enum):
    """A state that somebody deletes; what was landed is never deleted, it is what was paid for."""

    WAREHOUSE = "the warehouse"
    TABLE = "the rows of a table of the warehouse"
    LEDGER = "the ledger"
    RECORDS = "the rows of a table of the ledger"
    PUBLISHED = "the published folder"


@dataclass(frozen=True)
class Deleted:
    """A deletion at a time; `number` picks the table in turn, so that some worlds delete each, `draw` all else."""

    at: datetime
    what: Deletion
    number: int
    draw: float


@dataclass(frozen=True)
class Scenario:
    """A world before it starts; two equal ones unfold alike."""

    seed: int
    length: timedelta
    products: int
    """How many products the market has; a tenth of them is listed by the watched selection."""
    config: AccountConfig
    faults: Faults
    deletions: tuple[Deleted, ...]
    roll_overs: tuple[datetime, ...]
    """When a new version of the code is installed."""
    by_hand: tuple[datetime, ...]
    """When somebody starts a run that waits for tokens."""

    @property
    def pause(self) -> timedelta:
        """How long it is at most from one step to the next: sensors tick oftener, this is cheaper and harder.

        The bucket holds an hour of refill.
        """
        return min(PAUSE_MAX, self.length / 20)

    @property
    def killed_every(self) -> timedelta:
        """How often a process is killed."""
        return min(KILLED_EVERY, self.length / 20)

    @classmethod
    def of_seed(cls, seed: int, length: timedelta) -> "Scenario":
        """Return the world of a seed. Each has every momentary fault; a short one has its share of the rest too."""
        draw = Random(f"soak {seed}")
        start, end = to_unix_ms(START), to_unix_ms(START + length)
        kinds = frozenset(Fault) - frozenset(LIES) | frozenset(draw.choice([(), (), *((lie,) for lie in LIES)]))
        faults = Faults(seed, kinds, FAULTY if length > LONG else FAULTY_SHORT)
        rare = min(1.0, length / timedelta(days=10))
        """The rarest things come some times in each world."""
        kinds_deleted = draw.sample(list(Deletion), k=len(Deletion))
        moments = _moments(draw, start, end, 60 * rare)
        return cls(
            seed=seed,
            length=length,
            products=1_600 if length > LONG else 400,
            config=AccountConfig(
                seed=seed,
                refill_rate=5,
                started_at=start,
                tokens=draw.choice((None, 0, -20)),
                plan_changes=tuple(PlanChange(at, draw.choice(RATES)) for at in _moments(draw, start, end, 96 * rare)),
                foreign_spend=faults.foreign_spend(START, START + length, 1),
                token_flow_reduction=tuple(
                    (at, draw.randint(0, 1500) / 1000) for at in _moments(draw, start, end, 72 * rare)
                ),
                refill_rate_contains_reduction=draw.random() < 0.5,
            ),
            faults=faults,
            deletions=tuple(
                Deleted(
                    from_unix_ms(at),
                    kinds_deleted[number % len(Deletion)],
                    seed * TURNS + number // len(Deletion),
                    draw.random(),
                )
                for number, at in enumerate(moments)
            ),
            roll_overs=tuple(from_unix_ms(at) for at in _moments(draw, start, end, 48 * rare)),
            by_hand=tuple(from_unix_ms(at) for at in _moments(draw, start, end, 18)),
        )

    def __str__(self) -> str:
        kinds = ", ".join(sorted(kind.value for kind in self.faults.kinds))
        return f"seed {self.seed}, {self.length / timedelta(days=1):g} days; {kinds}"


def _moments(draw: Random, start: int, end: int, every_hours: float) -> list[int]:
    gaps = (round(draw.expovariate(1 / (every_hours * HOUR_MS))) + 1 for _ in range(10_000))
    return list(takewhile(lambda at: at < end, accumulate(gaps, initial=start)))[1:]
