"""Keepa's word on the balance: which of two is the newer, what becomes of holds, what absurd values do."""

from dataclasses import replace
from datetime import timedelta

import pytest

from deals_pipeline.token_bucket.bucket import (
    LIFE,
    TICK_MAX,
    affordable_at,
    available_at,
    balance_at,
    decide,
    doubt,
    observe,
)
from deals_pipeline.token_bucket.model import BucketState, Deferred, Outcome
from deals_pipeline_tests.token_bucket.bucket_examples import NOW, a_hold, a_state, an_ask, at, told

TAKEN, IGNORED, DOUBTED = "taken", "ignored", "doubted"


@pytest.mark.parametrize(
    ("asked", "received", "server", "tokens", "effect"),
    [
        # one call after the other: the server's clock does not matter
        (1, 2, 2, 95, TAKEN),
        (1, 2, -3600, 95, TAKEN),
        (1, 2, -3600, 300, TAKEN),
        (0, 2, -1, 95, TAKEN),
        # calls that overlapped: the server's clock tells which answer is the newer
        (-1, 2, 1, 95, TAKEN),
        (-1, 2, 0.001, 104, TAKEN),
        (-1, 2, -1, 105, IGNORED),
        (-1, 2, 0, 100, IGNORED),
        (-60, 31, -31, 105, IGNORED),
        # unless the answers contradict each other: then its clock was set
        (-1, 2, -1, 99, DOUBTED),
        (-1, 2, 0, 95, DOUBTED),
        (-1, 2, 1, 106, DOUBTED),
        # our own clock was set back, before the call or while it was under way
        (-9, -8, 1, 95, TAKEN),
        (-9, -8, -1, 95, TAKEN),
        (1, -8, 1, 95, TAKEN),
        (1, -8, -1, 105, IGNORED),
    ],
)
def test_the_newest_word_counts_whatever_the_order_of_arrival(
    asked: float, received: float, server: float, tokens: int, effect: str
) -> None:
    """F05: known is an answer of 100 tokens, received at 0 s."""
    before = a_state(100)
    after, flow, _ = observe(before, told(tokens, server=server), at(received), asked_at=at(asked))
    assert after.observation is not None
    assert (flow is not None) is (effect == TAKEN)
    assert after.observation.is_doubted is (effect == DOUBTED)
    assert after.observation.tokens_left == (tokens if effect == TAKEN else 100)
    if effect == IGNORED:
        assert after is before


def test_the_same_answer_twice_is_one_answer() -> None:
    """F05: of two deliveries, the later one comes when its call is long over."""
    answer = told(95, server=1)
    once, _, _ = observe(a_state(100), answer, at(2), asked_at=at(1))
    twice, flow, _ = observe(once, answer, at(20), asked_at=at(1))
    assert twice is once
    assert flow is None


def test_doubt_is_not_ended_by_an_answer_to_a_call_made_before_it() -> None:
    """F05: of three calls under way the newest was not believed, and the oldest comes last."""
    state, _, _ = observe(a_state(100), told(160, server=20), at(21), asked_at=at(-1))
    assert state.observation is not None
    assert state.observation.is_doubted
    late, flow, _ = observe(state, told(98, server=10), at(22), asked_at=at(9))
    assert late is state
    assert flow is None
    for asked, received in ((21, 23), (23, 24), (9, 20)):  # at last, later, and after our clock was set back
        after, _, _ = observe(state, told(60, server=23), at(received), asked_at=at(asked))
        assert after.observation is not None
        assert (after.observation.is_doubted, after.observation.tokens_left) == (False, 60)


def test_doubt_lasts_until_the_next_word() -> None:
    """F08: it is no mode."""
    state = doubt(a_state(100), at(1))
    assert state.observation is not None
    assert state.observation.is_doubted
    assert available_at(state, at(1)) == 100
    after, _, _ = observe(state, told(7), at(2), asked_at=at(1))
    assert after.observation is not None
    assert not after.observation.is_doubted
    assert doubt(BucketState(), at(1)) == BucketState()


@pytest.mark.parametrize(
    ("rates", "believed"),
    [
        ((5,), 5),
        ((5, 500), 5),
        ((500, 5), 5),
        ((5, 5, 500), 5),
        ((5, 5, 0, 5, 500), 5),
        ((5, 5, 5, 20, 20), 5),
        ((5, 5, 20, 20, 20), 20),
        ((20, 20, 5, 5, 5), 5),
    ],
)
def test_the_rate_is_the_lower_median_of_five_so_a_glitch_moves_nothing_and_a_plan_counts_from_the_third_answer(
    rates: tuple[int, ...], believed: int
) -> None:
    """F09."""
    state = BucketState()
    for number, rate in enumerate(rates):
        state, _, _ = observe(state, told(10, rate=rate), at(number), asked_at=at(number))
    assert state.refill_rate == believed
    assert state.capacity == 60 * believed


@pytest.mark.parametrize("rate", [0, -1, 1, 2**31 - 1, -(2**31)])
@pytest.mark.parametrize("refill_in", [-(2**31) / 1000, -5, 0, 0.001, 60, 2**31 / 1000])
@pytest.mark.parametrize("tokens_left", [-(2**31), -1, 0, 1, 2**31 - 1])
@pytest.mark.parametrize("reduction", [-1e300, 0.0, 0.5, 1e300, float("nan"), float("inf")])
def test_absurd_values_survive(rate: int, refill_in: float, tokens_left: int, reduction: float) -> None:
    """F09, F28: whatever fits the wire is taken in, decided on and overcome by the next sound answer."""
    absurd = told(tokens_left, rate=rate, refill_in=refill_in, reduction=reduction)
    state = BucketState()
    for number in range(5):
        state, flow, _ = observe(state, absurd, at(number), asked_at=at(number))
        assert flow is not None
    for seconds in (5, 400, 9e6):
        assert decide(state, an_ask(240), at(seconds)) is not None
        assert balance_at(state, at(seconds)) >= min(tokens_left, 0)
    when = affordable_at(state, an_ask(5))
    assert when is None or when >= NOW
    for number in range(5, 10):
        state, _, _ = observe(state, told(250), at(number), asked_at=at(number))
    assert (state.refill_rate, state.refill, available_at(state, at(10))) == (5, 5, 250)


@pytest.mark.parametrize("refill_in", [-5, 0, 61, 2**31 / 1000])
def test_a_time_to_the_next_tick_that_cannot_be_counts_as_a_whole_tick(refill_in: float) -> None:
    """F12: to count a tick too early costs a 429."""
    state, _, _ = observe(a_state(0), told(0, refill_in=refill_in), at(1), asked_at=at(1))
    assert balance_at(state, at(1) + TICK_MAX) == 0
    assert balance_at(state, at(1) + TICK_MAX + timedelta(seconds=0.5)) == 5


@pytest.mark.parametrize(
    ("server_gaps", "tick"),
    [
        ([60.3] * 9, 60.3),
        ([60.2, 60.4, 60.2], 60.4),
        ([60.45, 60.2], 60.45),
        ([181.2], 60.4),
        ([61.0, 90.0, 3.0, -60.0], 60.3),
        ([60.3 + 30], 60.3),
        ([60.4 * 121], 60.3),
        ([0.0, 0.0], 60.3),
    ],
)
def test_the_longest_believable_tick_is_learned_from_the_servers_clock(server_gaps: list[float], tick: float) -> None:
    """T3, F12: 60.0 to 60.5 s; late is harmless."""
    state, server = a_state(10), 0.0
    for number, gap in enumerate(server_gaps, start=1):
        server += gap
        state, _, _ = observe(state, told(10, server=server), at(number), asked_at=at(number))
    assert state.tick.total_seconds() == pytest.approx(tick, abs=1e-5)


def test_an_answer_from_after_a_holds_life_ends_it_and_an_earlier_one_does_not() -> None:
    """F13: whatever the call cost, that balance contains it."""
    state = replace(a_state(100), holds=(a_hold(60, "dead", at(0)), a_hold(9, "alive", at(1))))
    just_before, _, none = observe(state, told(40), NOW + LIFE - timedelta(microseconds=1), asked_at=at(9))
    assert none == ()
    assert just_before.held == 69
    after, _, (settlement,) = observe(just_before, told(40), NOW + LIFE, asked_at=NOW + LIFE)
    assert (settlement.outcome, settlement.tokens, settlement.hold.hold_id) == (Outcome.EXPIRED, None, "dead")
    assert [hold.hold_id for hold in after.holds] == ["alive"]


def test_time_alone_ends_no_hold() -> None:
    """F13: a timer would refund what was charged."""
    state = a_state(100, held=(60,))
    assert available_at(state, NOW + 2 * LIFE) == balance_at(state, NOW + 2 * LIFE) - 60


def test_an_ignored_answer_ends_no_hold() -> None:
    state = replace(a_state(100), holds=(a_hold(60, "dead", at(-300)),))
    assert observe(state, told(200, server=-1), at(1), asked_at=at(-1))[0].held == 60


def test_no_hold_lives_longer_than_a_life_from_now_when_the_clock_is_set_back() -> None:
    state = replace(a_state(100), holds=(a_hold(60, "held", at(0)),))
    after, _, _ = observe(state, told(40), at(-7200), asked_at=at(-7200))
    assert after.holds[0].expires_at == at(-7200) + LIFE


@pytest.mark.parametrize(
    ("server", "tokens", "left", "lost"),
    [
        (5, 95, 5, 0),
        (29.9, 100, 0, 0),
        (30.1, 105, 0, 0),
        (91, 110, 0, 0),
        (91, 60, 50, 0),
        (30 + 60.3 * 59.5, 300, 0, 100),
        (30 + 60.3 * 59.5, 280, 20, 100),
        (-60.3, 95, 0, 0),
    ],
)
def test_a_flow_tells_what_left_the_bucket_and_what_it_could_not_take(
    server: float, tokens: int, left: int, lost: int
) -> None:
    """F14: counted by the server's clock, whose ticks are exact; known is an answer of 100, 30 s before a tick."""
    refill_in = (30 - server) % 60.3
    answer = told(tokens, server=server, refill_in=refill_in)
    _, flow, _ = observe(a_state(100), answer, at(max(server, 0)), asked_at=at(max(server, 0)))
    assert flow is not None
    assert (flow.left, flow.lost) == (left, lost)


def test_the_first_word_says_nothing_of_what_was_before() -> None:
    _, flow, _ = observe(BucketState(), told(100), NOW, asked_at=NOW)
    assert flow is not None
    assert (flow.left, flow.lost, flow.tokens_left, flow.refill_rate) == (0, 0, 100, 5)


def test_a_tick_between_two_answers_is_not_taken_for_tokens_from_nowhere() -> None:
    """F14: the tick at 30 s is counted half a second late for decisions, on time for the record."""
    answer = told(105, server=30.2, refill_in=60.1)
    _, flow, _ = observe(a_state(100), answer, at(30.3), asked_at=at(30))
    assert flow is not None
    assert flow.left == 0


def test_a_word_in_deficit_gives_an_exact_time() -> None:
    """F12: a 429 that says how deep the bucket is."""
    state, _, _ = observe(a_state(100), told(-12, refill_in=10), at(1), asked_at=at(0))
    decision = decide(state, an_ask(5), at(1))
    assert decision == Deferred(at(11.5) + 2 * state.tick, -12, 1)
