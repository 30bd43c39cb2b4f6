"""The life of a hold: made with a grant, ended exactly once, and what an overshoot teaches."""

from dataclasses import replace
from datetime import datetime

import pytest

from deals_pipeline.keepa.client import CONNECT_SECONDS_MAX, READ_SECONDS_MAX
from deals_pipeline.token_bucket.bucket import LIFE, HoldNotOpen, RunRevoked, available_at, reserve, settle, void
from deals_pipeline.token_bucket.ledger import PATIENCE_SECONDS
from deals_pipeline.token_bucket.model import BucketState, Granted, Outcome
from deals_pipeline_tests.token_bucket.bucket_examples import NOW, a_state, an_ask, at


def a_reserved(state: BucketState, high: int, hold_id: str = "hold", now: datetime = NOW) -> BucketState:
    state, decision = reserve(state, an_ask(high), now, hold_id=hold_id, run_id="run", purpose="test")
    assert decision == Granted(high)
    return state


def test_a_grant_keeps_a_hold_and_a_refusal_keeps_nothing() -> None:
    state = a_reserved(a_state(100), 60)
    assert (state.held, available_at(state, NOW)) == (60, 40)
    (hold,) = state.holds
    assert (hold.reserved_at, hold.expires_at, hold.high, hold.run_id) == (NOW, NOW + LIFE, 60, "run")
    assert reserve(state, an_ask(300), NOW, hold_id="other", run_id="run", purpose="test")[0] is state


@pytest.mark.parametrize(("tokens", "outcome"), [(0, Outcome.SETTLED), (60, Outcome.SETTLED), (None, Outcome.VOIDED)])
def test_a_hold_ends_exactly_once(tokens: int | None, outcome: Outcome) -> None:
    """F13: settling at 0 settles."""
    state = a_reserved(a_state(100), 60)
    state, settlement = void(state, "hold", at(1)) if tokens is None else settle(state, "hold", tokens, at(1))
    assert (settlement.outcome, settlement.tokens, settlement.resolved_at) == (outcome, tokens or 0, at(1))
    assert (state.held, available_at(state, NOW)) == (0, 100)
    with pytest.raises(HoldNotOpen, match="hold"):
        settle(state, "hold", 5, at(2))
    with pytest.raises(HoldNotOpen, match="hold"):
        void(state, "hold", at(2))


def test_a_hold_lives_longer_than_the_longest_call_and_its_settlement_take() -> None:
    """F13: an earlier end would refund what is still to be charged."""
    assert LIFE.total_seconds() > CONNECT_SECONDS_MAX + READ_SECONDS_MAX + PATIENCE_SECONDS


def test_a_revoked_run_reserves_nothing() -> None:
    """F17."""
    state = replace(a_state(100), revoked=frozenset({"run"}))
    with pytest.raises(RunRevoked, match="run"):
        reserve(state, an_ask(5), NOW, hold_id="hold", run_id="run", purpose="test")
    assert reserve(state, an_ask(5), NOW, hold_id="hold", run_id="next", purpose="test")[1] == Granted(5)


@pytest.mark.parametrize(
    ("units", "cost", "next_units", "next_high"),
    [
        (1, 5, 1, 5),
        (1, 7, 1, 7),
        (2, 7, 1, 5),
        (2, 13, 4, 28),
        (1, 10**9, 1, 20),
    ],
)
def test_a_call_that_costs_more_than_was_held_raises_the_bound_of_its_kind(
    units: int, cost: int, next_units: int, next_high: int
) -> None:
    """F01: what is absurd is believed up to four times the cost table's."""
    ask = an_ask(5 * units, kind="product", units=units)
    state, _ = reserve(a_state(300), ask, NOW, hold_id="hold", run_id="run", purpose="test")
    state, settlement = settle(state, "hold", cost, at(1))
    assert settlement.tokens == cost
    assert state.high(an_ask(5 * next_units, kind="product", units=next_units)) == next_high
    assert state.high(an_ask(5, kind="another")) == 5


def test_a_bound_once_raised_is_not_lowered_by_a_smaller_overshoot() -> None:
    state = a_reserved(a_state(300), 5)
    state, _ = settle(state, "hold", 9, NOW)
    state, _ = settle(a_reserved(replace(state, bounds={}), 5), "hold", 7, NOW)
    assert state.bounds == {"page": 7}
    both = replace(a_reserved(a_state(300), 5), bounds={"page": 9})
    assert settle(both, "hold", 7, NOW)[0].bounds == {"page": 9}
