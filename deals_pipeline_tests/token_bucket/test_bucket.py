"""The rules of grants and holds, as tables of (time, what is known, ask, decision)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from deals_pipeline.keepa.tokens import Cost
from deals_pipeline.token_bucket.bucket import (
    LIFE,
    affordable_at,
    available_at,
    balance_at,
    decide,
    needed_for,
)
from deals_pipeline.token_bucket.model import (
    Amount,
    Ask,
    BucketState,
    Deferred,
    Granted,
    Lane,
    LookFirst,
    Policy,
    TooLarge,
)
from deals_pipeline_tests.token_bucket.bucket_examples import NOW, a_state, after_ticks, an_ask, at, doubted

RECENT, HISTORY, OFFERS, BACKFILL = Lane.RECENT, Lane.HISTORY, Lane.OFFERS, Lane.BACKFILL


@pytest.mark.parametrize(
    ("lane", "tokens", "high", "needed"),
    [
        (RECENT, 1, 5, None),
        (RECENT, 0, 5, 1),
        (RECENT, -1, 5, 1),
        (RECENT, 1, 51, None),
        (RECENT, 1, 52, 2),
        (RECENT, 249, 300, 250),
        (RECENT, 250, 300, None),
        (HISTORY, 10, 1, 11),
        (HISTORY, 11, 1, None),
        (HISTORY, 11, 62, 12),
        (OFFERS, 20, 12, 21),
        (OFFERS, 21, 12, None),
        (BACKFILL, 30, 5, 31),
        (BACKFILL, 31, 5, None),
    ],
)
def test_a_call_is_granted_above_its_lanes_floor_if_it_cannot_end_below_the_deepest_deficit(
    lane: Lane, tokens: int, high: int, needed: int | None
) -> None:
    """F01, F03: floors are 0, 10, 20, 30 at 5 a tick, the deepest deficit is 50; there is no other threshold."""
    decision = decide(a_state(tokens), an_ask(high, lane), at(1))
    if needed is None:
        assert decision == Granted(high)
    else:
        assert isinstance(decision, Deferred)
        assert (decision.available, decision.needed) == (tokens, needed)


@pytest.mark.parametrize(
    ("seconds", "balance"),
    [
        (0, 10),
        (30.4, 10),
        (30.5, 15),
        (90.7, 15),
        (90.8, 20),
        (3600, 10 + 5 * 60),
        (1e6, 300),
        (-1, 10),
        (-1e6, 10),
    ],
)
def test_the_balance_grows_by_whole_ticks_up_to_the_capacity_and_never_shrinks_when_time_runs_backwards(
    seconds: float, balance: int
) -> None:
    """F05, F06: the first tick 30 s after the answer, then each 60.3 s, half a second late."""
    assert balance_at(a_state(10), at(seconds)) == min(300, balance)


@pytest.mark.parametrize(
    ("seconds", "tokens", "high", "decision"),
    [
        (0, 0, 5, Deferred(after_ticks(1), 0, 1)),
        (30, 0, 5, Deferred(after_ticks(1), 0, 1)),
        (31, 0, 5, Granted(5)),
        (200, -20, 5, Deferred(after_ticks(5), -5, 1)),
        (299, -50, 5, Deferred(after_ticks(11), -25, 1)),
        (300, -50, 5, LookFirst()),
        (-1, 0, 5, LookFirst()),
        (-1, 300, 5, LookFirst()),
        (-9e5, 300, 5, LookFirst()),
        (900, 0, 5, Granted(5)),
        (1, 300, 301, TooLarge(301, 300)),
        (300, 300, 301, LookFirst()),
    ],
)
def test_nothing_is_refused_on_an_old_word_and_nothing_decided_on_one_from_the_future(
    seconds: float, tokens: int, high: int, decision: object
) -> None:
    """F06: time runs backwards in three rows."""
    assert decide(a_state(tokens), an_ask(high), at(seconds)) == decision


@pytest.mark.parametrize("known", [0, 1, 2])
def test_nothing_is_decided_before_three_answers_have_told_the_rate(known: int) -> None:
    """F09: a first answer with a wrong rate must neither widen the deficit nor refuse a request for good."""
    state = replace(a_state(300), rates=(50_000, 5, 5)[:known])
    assert decide(state, an_ask(5), at(1)) == LookFirst()
    assert decide(replace(state, rates=(50_000, 5, 5)), an_ask(5), at(1)) == Granted(5)


def test_before_the_first_answer_nothing_is_known() -> None:
    state = BucketState()
    assert decide(state, an_ask(5), NOW) == LookFirst()
    assert (balance_at(state, NOW), available_at(state, NOW), affordable_at(state, an_ask(5))) == (0, 0, None)


def test_after_a_429_without_a_word_nothing_is_granted_until_keepa_has_been_asked() -> None:
    """F12: it may be a proxy's, or the depth of the deficit is unknown; either way a look is free."""
    assert decide(doubted(a_state(300)), an_ask(5), at(1)) == LookFirst()


@pytest.mark.parametrize(
    ("held", "tokens", "high", "decision"),
    [
        ((), 200, 200, Granted(200)),
        ((100,), 200, 150, Granted(150)),
        ((100,), 200, 151, Deferred(after_ticks(1), 100, 101)),
        ((100, 100), 200, 5, Deferred(after_ticks(1), 0, 1)),
        ((250,), 200, 5, Deferred(after_ticks(11), -50, 1)),
        ((250,), 300, 200, Deferred(NOW + LIFE, 50, 150)),
    ],
)
def test_open_holds_count_at_their_highest_cost(
    held: tuple[int, ...], tokens: int, high: int, decision: object
) -> None:
    """F05, F13: where holds alone keep an ask from fitting, it is worth another try when the first of them ends."""
    assert decide(a_state(tokens, held=held), an_ask(high), at(1)) == decision


def test_a_hold_past_its_life_asks_for_a_look_before_anything_is_refused_for_its_sake() -> None:
    state = a_state(60, held=(50,), refill_in=59)
    overdue = replace(state, holds=(replace(state.holds[0], expires_at=at(20)),))
    assert isinstance(decide(overdue, an_ask(100), at(19)), Deferred)
    assert decide(overdue, an_ask(100), at(20)) == LookFirst()
    assert decide(overdue, an_ask(5), at(20)) == Granted(5)


@pytest.mark.parametrize("tokens", [-50, 0, 1, 300])
def test_a_rate_of_0_neither_divides_nor_spins(tokens: int) -> None:
    """F09."""
    state, ask = a_state(tokens, rate=0), an_ask(5)
    assert decide(state, ask, at(1)) == (Granted(5) if tokens >= 5 else Deferred(at(301), tokens, 5))
    assert decide(a_state(0, rate=5, reduction=9), ask, at(1)) == Deferred(at(301), 0, 1)


def test_tracked_products_take_their_part_of_the_refill() -> None:
    """T8: whether the rate contains it is not known, so it is taken off."""
    assert balance_at(a_state(0, reduction=2), at(31)) == 3
    assert balance_at(a_state(0, reduction=7), at(3600)) == 0


def test_after_a_downgrade_the_balance_falls_to_the_capacity_at_the_next_tick() -> None:
    """T4."""
    state = a_state(1000)
    assert [balance_at(state, at(seconds)) for seconds in (0, 30, 31, 9999)] == [1000, 1000, 300, 300]


@pytest.mark.parametrize("rate", [1, 5, 9, 21, 60, 1000])
@pytest.mark.parametrize("lane", Lane)
def test_whatever_fits_a_full_bucket_is_affordable_in_the_end(rate: int, lane: Lane) -> None:
    """F02."""
    ask = Ask(lane, Cost(0, 60 * rate), "page", 1, Amount(59), Amount(0))
    state = a_state(-9 * rate, rate=rate)
    assert needed_for(state, ask) <= state.capacity
    when = affordable_at(state, ask)
    assert when is not None
    assert decide(state, ask, when) == Granted(60 * rate)


def test_a_floor_above_the_capacity_leaves_room_for_the_last_token() -> None:
    """F02."""
    ask = Ask(RECENT, Cost(0, 5), "page", 1, Amount(0, tokens=10_000), Amount(10))
    assert decide(a_state(300), ask, at(1)) == Granted(5)
    assert isinstance(decide(a_state(299), ask, at(1)), Deferred)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Amount(minutes=60), "minutes 60: allowed is 0 to 59"),
        (lambda: Amount(minutes=-1), "minutes -1: allowed is 0 to 59"),
        (lambda: Amount(minutes=0, tokens=-1), "tokens -1: allowed is at least 0"),
        (lambda: Policy(floors={Lane.RECENT: Amount(0)}), "floors lack history, offers, backfill, ad_hoc"),
        (lambda: an_ask(5, units=0), "units 0: allowed is at least 1"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_with_what_is_allowed(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=message):
        make()


def test_an_amount_scales_with_the_plan_unless_it_is_given_in_tokens() -> None:
    """F09."""
    assert [Amount(minutes=10).at_rate(rate) for rate in (0, 5, 20)] == [0, 50, 200]
    assert [Amount(minutes=10, tokens=7).at_rate(rate) for rate in (0, 5, 20)] == [7, 7, 7]


def test_a_tick_that_is_due_is_not_counted_before_its_half_second_of_grace() -> None:
    """T3: a tick's length varies by 0.2 s."""
    state = a_state(0)
    assert isinstance(decide(state, an_ask(5), after_ticks(1) - timedelta(milliseconds=1)), Deferred)
    assert decide(state, an_ask(5), after_ticks(1)) == Granted(5)
