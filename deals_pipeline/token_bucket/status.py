"""What an operator wants to know of the bucket, computed from state and record when asked (F08, F14, F23)."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from deals_pipeline.keepa.tokens import Cost
from deals_pipeline.token_bucket.bucket import affordable_at, available_at, balance_at
from deals_pipeline.token_bucket.ledger import Record
from deals_pipeline.token_bucket.model import Ask, BucketState, Lane, Policy


@dataclass(frozen=True, slots=True)
class BucketStatus:
    """The bucket at a moment, and what happened in the window before it. All amounts are tokens.

    The `deficit` is what Keepa's word is below 0. What is held is not part of it: a call that is charged before its
    answer is here would count twice, and no grant of ours leads below `-max_deficit` anyway.
    `affordable_at` is when each lane may spend its next token, `None` where no refill is foreseen. `foreign` left the
    bucket and belongs to no settled call; `unknown_calls` are calls of ours that nobody answered, whose cost is in it.
    """

    at: datetime
    observed_at: datetime | None
    balance: int
    available: int
    held: int
    deficit: int
    max_deficit: int
    refill_rate: int
    capacity: int
    affordable_at: Mapping[Lane, datetime | None]
    spent_by_lane: Mapping[str, int]
    spent_by_run: Mapping[str, int]
    spent_by_purpose: Mapping[str, int]
    foreign: int
    unknown_calls: int
    overshoots: int
    lost: int
    throttled: int

    @property
    def is_too_deep(self) -> bool:
        """Whether the deficit is larger than any request of ours may make it."""
        return self.deficit > self.max_deficit


def status(state: BucketState, record: Record, policy: Policy, now: datetime) -> BucketStatus:
    """Return the status of a bucket at `now`, with what `record` says of its window."""
    by_lane: Counter[str] = Counter()
    by_run: Counter[str] = Counter()
    by_purpose: Counter[str] = Counter()
    for spend in record.spends:
        by_lane[spend.lane] += spend.tokens
        by_run[spend.run_id] += spend.tokens
        by_purpose[spend.purpose] += spend.tokens
    available, balance = available_at(state, now), balance_at(state, now)
    return BucketStatus(
        at=now,
        observed_at=_observed_at(state, now),
        balance=balance,
        available=available,
        held=state.held,
        deficit=max(0, -balance),
        max_deficit=policy.max_deficit.at_rate(state.refill_rate),
        refill_rate=state.refill_rate,
        capacity=state.capacity,
        affordable_at={lane: _next(state, policy, lane, now) for lane in Lane},
        spent_by_lane=dict(by_lane),
        spent_by_run=dict(by_run),
        spent_by_purpose=dict(by_purpose),
        foreign=max(0, record.left - sum(by_lane.values())),
        unknown_calls=sum(spend.unknown for spend in record.spends),
        overshoots=sum(spend.overshoots for spend in record.spends),
        lost=record.lost,
        throttled=record.throttled,
    )


def _observed_at(state: BucketState, now: datetime) -> datetime | None:
    """Return when Keepa last said the balance, `None` where it did not, or where our clock has been set back since."""
    seen = state.observation
    return seen.received_at if seen is not None and seen.received_at <= now else None


def _next(state: BucketState, policy: Policy, lane: Lane, now: datetime) -> datetime | None:
    ask = Ask(lane, Cost(1, 1), "any", 1, policy.floors[lane], policy.max_deficit)
    at = affordable_at(state, ask)
    return None if at is None else max(at, now)
