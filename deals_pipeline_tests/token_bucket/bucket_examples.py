"""States, asks and answers for the tests of the bucket's rules: 5 tokens a tick, so capacity 300, deficit 50."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

from deals_pipeline.keepa.tokens import Cost, TokenObservation
from deals_pipeline.token_bucket.bucket import GRACE, LIFE
from deals_pipeline.token_bucket.model import Ask, BucketState, Hold, Lane, Observation, Policy

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
POLICY = Policy()
TICK = timedelta(seconds=60.3)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def after_ticks(ticks: int, refill_in: float = 30) -> datetime:
    """Return when so many ticks have been counted after an answer at `NOW`."""
    return NOW if ticks == 0 else at(refill_in) + GRACE + (ticks - 1) * TICK


def an_ask(high: int, lane: Lane = Lane.RECENT, *, kind: str = "page", units: int = 1) -> Ask:
    return Ask(lane, Cost(0, high), kind, units, POLICY.floors[lane], POLICY.max_deficit)


def a_hold(high: int, hold_id: str = "held", reserved_at: datetime = NOW, *, kind: str = "page") -> Hold:
    return Hold(
        hold_id=hold_id,
        run_id="run",
        lane=Lane.RECENT,
        purpose="test",
        kind=kind,
        units=1,
        cost=Cost(0, high),
        high=high,
        reserved_at=reserved_at,
        expires_at=reserved_at + LIFE,
    )


def a_state(
    tokens_left: int, *, rate: int = 5, refill_in: float = 30, held: tuple[int, ...] = (), reduction: int = 0
) -> BucketState:
    """Return what is known after an answer that came at `NOW`, whose server's clock is an hour ahead."""
    seen = Observation(NOW + timedelta(hours=1), NOW, tokens_left, timedelta(seconds=refill_in), reduction)
    holds = tuple(a_hold(high, f"hold-{number}") for number, high in enumerate(held))
    return BucketState(observation=seen, rates=(rate,) * 5, holds=holds)


def told(
    tokens_left: int,
    *,
    server: float = 0,
    rate: int = 5,
    refill_in: float = 30,
    reduction: float = 0.0,
    consumed: int = 0,
) -> TokenObservation:
    """Return Keepa's word; `server` is seconds by its clock after the answer of `a_state`."""
    return TokenObservation(
        timestamp=at(server) + timedelta(hours=1),
        tokens_left=tokens_left,
        refill_in=timedelta(seconds=refill_in),
        refill_rate=rate,
        token_flow_reduction=reduction,
        tokens_consumed=consumed,
    )


def doubted(state: BucketState) -> BucketState:
    assert state.observation is not None
    return replace(state, observation=replace(state.observation, doubted_at=NOW))
