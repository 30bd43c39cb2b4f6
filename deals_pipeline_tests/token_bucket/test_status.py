"""What the status tells: computed when asked, from state and record alone."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from deals_pipeline.token_bucket.ledger import Record, Spend
from deals_pipeline.token_bucket.model import Amount, BucketState, Lane, Observation, Policy
from deals_pipeline.token_bucket.status import BucketStatus, status
from deals_pipeline_tests.token_bucket.bucket_examples import a_hold

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
POLICY = Policy(max_deficit=Amount(minutes=10), floors={lane: Amount(minutes=0) for lane in Lane})


def told(tokens_left: int, record: Record | None = None, *, rate: int = 5, policy: Policy = POLICY) -> BucketStatus:
    """Return the status at a moment at which Keepa has just said how many tokens are left."""
    seen = Observation(NOW, NOW, tokens_left, timedelta(seconds=30), reduction=0)
    return status(BucketState(observation=seen, rates=(rate,) * 5), record or Record(), policy, NOW)


@pytest.mark.parametrize(
    ("tokens_left", "deficit", "is_too_deep"), [(300, 0, False), (0, 0, False), (-50, 50, False), (-51, 51, True)]
)
def test_a_deficit_is_too_deep_when_no_request_of_ours_may_make_it(
    tokens_left: int, deficit: int, is_too_deep: bool
) -> None:
    """F08: halted is computed on read."""
    seen = told(tokens_left)
    assert (seen.balance, seen.available, seen.deficit, seen.is_too_deep) == (
        tokens_left,
        tokens_left,
        deficit,
        is_too_deep,
    )
    assert (seen.capacity, seen.max_deficit, seen.refill_rate) == (300, 50, 5)


def test_what_is_held_for_a_call_is_no_deficit() -> None:
    """F08: of a call under way, Keepa may have taken the tokens already."""
    seen = Observation(NOW, NOW, 35, timedelta(seconds=30), reduction=0)
    state = BucketState(observation=seen, rates=(5,) * 5, holds=(a_hold(100),))
    found = status(state, Record(), POLICY, NOW)
    assert (found.balance, found.held, found.deficit, found.is_too_deep) == (35, 100, 0, False)


def test_each_lane_is_told_when_it_may_spend_next() -> None:
    policy = replace(POLICY, floors={**POLICY.floors, Lane.BACKFILL: Amount(minutes=6)})
    seen = told(4, policy=policy)
    assert seen.affordable_at[Lane.RECENT] == NOW
    backfill = seen.affordable_at[Lane.BACKFILL]
    assert backfill is not None
    assert timedelta(minutes=5) < backfill - NOW < timedelta(minutes=6)


def test_without_a_refill_no_time_is_promised() -> None:
    """F09."""
    assert set(told(-5, rate=0).affordable_at.values()) == {None}


def test_before_the_first_observation_nothing_is_known() -> None:
    unknown = status(BucketState(), Record(), POLICY, NOW)
    assert (unknown.observed_at, unknown.balance, unknown.capacity) == (None, 0, 0)
    assert set(unknown.affordable_at.values()) == {None}


def test_an_observation_from_before_the_clock_was_set_back_is_none() -> None:
    """F17: who plans by it would wait until the clock is again where it was."""
    seen = Observation(NOW + timedelta(hours=3), NOW + timedelta(hours=3), -5, timedelta(seconds=30), reduction=0)
    assert status(BucketState(seen, (5,) * 5), Record(), POLICY, NOW).observed_at is None


def test_spend_is_told_by_lane_run_and_purpose_and_the_rest_is_foreign() -> None:
    """F14: every token that left is a settled call's, or foreign."""
    spends = (
        Spend("recent", "run-1", "scan", calls=3, tokens=15, unknown=0, overshoots=0),
        Spend("history", "run-1", "history", calls=2, tokens=40, unknown=1, overshoots=1),
        Spend("history", "run-2", "history", calls=1, tokens=7, unknown=0, overshoots=0),
    )
    seen = told(100, Record(spends=spends, left=100, lost=9, throttled=2))
    assert seen.spent_by_lane == {"recent": 15, "history": 47}
    assert seen.spent_by_run == {"run-1": 55, "run-2": 7}
    assert seen.spent_by_purpose == {"scan": 15, "history": 47}
    assert (seen.foreign, seen.unknown_calls, seen.overshoots, seen.lost, seen.throttled) == (38, 1, 1, 9, 2)


def test_tokens_that_are_settled_before_they_are_seen_to_leave_are_not_negative_foreign_spend() -> None:
    spends = (Spend("recent", "run-1", "scan", calls=1, tokens=5, unknown=0, overshoots=0),)
    assert told(100, Record(spends=spends, left=0)).foreign == 0
