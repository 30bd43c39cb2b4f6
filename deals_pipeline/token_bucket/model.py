"""The values of the token bucket: observations, holds, asks, decisions. Integers and UTC, no behaviour."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, TypeAlias

from deals_pipeline.keepa.tokens import Cost

TICK: Final = timedelta(seconds=60.3)
"""The length of a refill tick until it has been learned (T3)."""
CAPACITY_TICKS: Final = 60
"""Tokens older than an hour expire (T4)."""


class Lane(Enum):
    """Who asks: each lane leaves the tokens below its floor to the lanes before it."""

    RECENT = "recent"
    HISTORY = "history"
    OFFERS = "offers"
    BACKFILL = "backfill"
    AD_HOC = "ad_hoc"


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of tokens that scales with the plan: so many minutes of refill, or `tokens` where that is given."""

    minutes: int
    tokens: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.minutes < CAPACITY_TICKS:
            raise ValueError(f"minutes {self.minutes}: allowed is 0 to {CAPACITY_TICKS - 1}")
        if self.tokens is not None and self.tokens < 0:
            raise ValueError(f"tokens {self.tokens}: allowed is at least 0")

    def at_rate(self, refill_rate: int) -> int:
        """Return the tokens at a refill rate."""
        return self.minutes * refill_rate if self.tokens is None else self.tokens


@dataclass(frozen=True, slots=True)
class Policy:
    """What each lane may do: the floor that it keeps above, and how deep any request may drive the balance."""

    max_deficit: Amount = Amount(minutes=10)
    floors: Mapping[Lane, Amount] = field(
        default_factory=lambda: {
            Lane.RECENT: Amount(minutes=0),
            Lane.HISTORY: Amount(minutes=2),
            Lane.OFFERS: Amount(minutes=4),
            Lane.BACKFILL: Amount(minutes=6),
            Lane.AD_HOC: Amount(minutes=0),
        }
    )

    def __post_init__(self) -> None:
        if missing := [lane.value for lane in Lane if lane not in self.floors]:
            raise ValueError(f"floors lack {', '.join(missing)}: every lane needs one")


@dataclass(frozen=True, slots=True)
class Ask:
    """A request for tokens: the cost of one call, for `units` like things of one `kind`, under a lane's rules.

    `kind` names requests whose cost per unit is alike, so that an overshoot of one teaches the bound of the next.
    """

    lane: Lane
    cost: Cost
    kind: str
    units: int
    floor: Amount
    max_deficit: Amount

    def __post_init__(self) -> None:
        if self.units < 1:
            raise ValueError(f"units {self.units}: allowed is at least 1")


@dataclass(frozen=True, slots=True)
class Observation:
    """What Keepa said of the balance: `server_time` by its clock, `received_at` by ours.

    `reduction` is the refill that tracked products take, in tokens per tick. Whether the rate on the wire contains it
    is not known (T8): it is taken off, which errs on the safe side, and the next observation tells the truth.
    """

    server_time: datetime
    received_at: datetime
    tokens_left: int
    refill_in: timedelta
    reduction: int
    doubted_at: datetime | None = None
    """When something came, by our clock, that contradicts it: a call made since then tells the truth of it."""

    @property
    def is_doubted(self) -> bool:
        """Whether Keepa is asked before the next grant."""
        return self.doubted_at is not None


@dataclass(frozen=True, slots=True)
class Hold:
    """Tokens kept for one call until it is settled or voided, or until an observation from after its life."""

    hold_id: str
    run_id: str
    lane: Lane
    purpose: str
    kind: str
    units: int
    cost: Cost
    """What the call costs by the cost table."""
    high: int
    """The most it can cost, by what was learned since too: this is what is held."""
    reserved_at: datetime
    expires_at: datetime


class Outcome(Enum):
    """How a hold ended; each ends exactly once."""

    SETTLED = "settled"
    VOIDED = "voided"
    """Nothing was sent, or nothing was charged."""
    EXPIRED = "expired"
    """Nobody said; the balance itself has told since."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """The end of a hold; `tokens` is what the call cost, `None` where nobody knows."""

    hold: Hold
    outcome: Outcome
    tokens: int | None
    resolved_at: datetime


@dataclass(frozen=True, slots=True)
class Flow:
    """What an observation says about the time since the one before.

    `left` tokens left the bucket, by whomever; `lost` is refill that the full bucket did not take. `left` may be
    negative where a tick was foreseen a moment late; the sums over time are right.
    """

    observed_at: datetime
    tokens_left: int
    refill_rate: int
    left: int
    lost: int


@dataclass(frozen=True, slots=True)
class BucketState:
    """All that is known of an account, and all that is kept: no counter, no mode.

    `rates` are the refill rates seen last, oldest first; `bounds` the learned cost per unit by kind of request;
    `revoked` the runs that were given up on.
    """

    observation: Observation | None = None
    rates: tuple[int, ...] = ()
    tick: timedelta = TICK
    holds: tuple[Hold, ...] = ()
    bounds: Mapping[str, int] = field(default_factory=dict)
    revoked: frozenset[str] = frozenset()

    @property
    def refill_rate(self) -> int:
        """Tokens per tick: the median of the rates seen last, so that one glitch moves nothing (F09)."""
        return sorted(self.rates)[(len(self.rates) - 1) // 2] if self.rates else 0

    @property
    def refill(self) -> int:
        """Tokens that a tick brings us."""
        return max(0, self.refill_rate - (self.observation.reduction if self.observation else 0))

    @property
    def capacity(self) -> int:
        """The most tokens that refill can bring (T4)."""
        return CAPACITY_TICKS * self.refill_rate

    @property
    def held(self) -> int:
        """The most that the open holds can still cost."""
        return sum(hold.high for hold in self.holds)

    def high(self, ask: Ask) -> int:
        """Return the most an ask can cost, by the cost table and by what was learned since."""
        return max(ask.cost.high, ask.units * self.bounds.get(ask.kind, 0))


@dataclass(frozen=True, slots=True)
class Granted:
    """The call may be made now; `high` tokens are to be held for it."""

    high: int


@dataclass(frozen=True, slots=True)
class Deferred:
    """The call must wait: `needed` tokens have to be available, `available` are; that is so at `retry_at`."""

    retry_at: datetime
    available: int
    needed: int


@dataclass(frozen=True, slots=True)
class LookFirst:
    """What is known is too old to refuse on: ask for the balance, which is free, and decide again (F06)."""


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The call can cost more than a full bucket holds: it must be split (F02)."""

    high: int
    capacity: int


Decision: TypeAlias = Granted | Deferred | LookFirst | TooLarge
