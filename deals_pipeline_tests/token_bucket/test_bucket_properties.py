"""What holds of the bucket's rules for every state, ask and time; the simulated account is the truth."""

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from deals_pipeline.keepa.time import from_unix_ms
from deals_pipeline.keepa.tokens import Cost
from deals_pipeline.simulator.account import AccountConfig, Charged, charge, observe, open_account
from deals_pipeline.token_bucket import bucket
from deals_pipeline.token_bucket.bucket import OLD, affordable_at, available_at, balance_at, decide
from deals_pipeline.token_bucket.model import Amount, Ask, BucketState, Deferred, Granted, Lane, LookFirst, TooLarge
from deals_pipeline_tests.simulation.service import as_observation
from deals_pipeline_tests.token_bucket.bucket_examples import NOW, a_state, at

START_MS = 1_772_366_400_000
RATES = st.sampled_from([1, 5, 9, 10, 20, 21, 25, 60, 1000])
MOMENTS = st.floats(-4000, 8000).map(at)


@st.composite
def states(draw: st.DrawFn, *, held: bool = True) -> BucketState:
    rate = draw(RATES)
    return replace(
        a_state(
            draw(st.integers(-20 * rate, 60 * rate)),
            rate=rate,
            refill_in=draw(st.floats(0.001, 60.5)),
            held=tuple(draw(st.lists(st.integers(0, 30 * rate), max_size=3 if held else 0))),
            reduction=draw(st.integers(0, rate)) if held else 0,
        ),
        tick=timedelta(seconds=draw(st.floats(60.3, 60.5))),
    )


@st.composite
def asks(draw: st.DrawFn, high_max: int = 70_000) -> Ask:
    return Ask(
        lane=draw(st.sampled_from(Lane)),
        cost=Cost(0, draw(st.integers(0, high_max))),
        kind="any",
        units=draw(st.integers(1, 100)),
        floor=Amount(draw(st.integers(0, 59))),
        max_deficit=Amount(draw(st.integers(0, 59))),
    )


@given(states(), asks(), MOMENTS)
def test_no_grant_can_end_below_the_deepest_deficit_or_starts_at_the_floor(
    state: BucketState, ask: Ask, now: datetime
) -> None:
    """F01, with every open hold at its highest too."""
    after, decision = bucket.reserve(state, ask, now, hold_id="new", run_id="run", purpose="test")
    if isinstance(decision, Granted):
        assert ask.cost.high <= decision.high <= state.capacity
        assert available_at(after, now) >= -ask.max_deficit.at_rate(state.refill_rate)
        assert available_at(state, now) > min(ask.floor.at_rate(state.refill_rate), state.capacity - 1)
        assert after.held == state.held + decision.high
    else:
        assert after is state


@given(states(held=False), asks())
def test_what_fits_a_full_bucket_is_granted_at_the_foreseen_tick_and_not_before(state: BucketState, ask: Ask) -> None:
    """F02, F03, F06: `affordable_at` is finite, and the first moment at which `decide` grants."""
    when = affordable_at(state, ask)
    if ask.cost.high > state.capacity:
        assert isinstance(decide(state, ask, at(0)), TooLarge)
        return
    assert when is not None
    assert decide(state, ask, when) == Granted(ask.cost.high)
    before = when - timedelta(microseconds=1)
    if before >= NOW:
        expected = LookFirst() if before - NOW >= OLD else Deferred(when, *_lack(state, ask, before))
        assert decide(state, ask, before) == expected


def _lack(state: BucketState, ask: Ask, now: datetime) -> tuple[int, int]:
    return available_at(state, now), bucket.needed_for(state, ask)


@given(states(), asks(), MOMENTS)
def test_whoever_is_deferred_is_told_a_time_to_come(state: BucketState, ask: Ask, now: datetime) -> None:
    """F07, F16: never a time that has passed, so nobody spins."""
    decision = decide(state, ask, now)
    if isinstance(decision, Deferred):
        assert decision.retry_at > now
        assert decision.available < decision.needed


@given(states(), asks(), MOMENTS, st.integers(1, 5000))
def test_more_tokens_never_turn_a_grant_into_a_refusal(state: BucketState, ask: Ask, now: datetime, more: int) -> None:
    """F03: there is no other threshold than the need of the ask."""
    assert state.observation is not None
    richer = replace(state, observation=replace(state.observation, tokens_left=state.observation.tokens_left + more))
    if isinstance(decide(state, ask, now), Granted) and available_at(richer, now) >= available_at(state, now):
        assert isinstance(decide(richer, ask, now), Granted)


@given(states(), asks(), MOMENTS, st.integers(0, 2**31 - 1), st.integers(0, 4))
def test_one_glitched_rate_among_five_moves_nothing(
    state: BucketState, ask: Ask, now: datetime, glitch: int, place: int
) -> None:
    """F09."""
    rates = (*state.rates[:place], glitch, *state.rates[place + 1 :])
    assert decide(replace(state, rates=rates), ask, now) == decide(state, ask, now)


@given(
    seed=st.integers(0, 99),
    rate=RATES,
    tokens=st.integers(-60, 60),
    calls=st.lists(st.tuples(st.integers(1, 1_500_000), st.integers(0, 12)), max_size=25),
    latency_ms=st.integers(0, 400),
)
def test_with_no_hold_open_the_ledger_equals_the_server_in_the_middle_of_every_tick(
    seed: int, rate: int, tokens: int, calls: list[tuple[int, int]], latency_ms: int
) -> None:
    """F05: after calls at any times and costs, each answered `latency_ms` late, and for an hour after the last."""
    config = AccountConfig(seed=seed, refill_rate=rate, started_at=START_MS, tokens=tokens * rate)
    account, state, now = open_account(config), BucketState(), START_MS
    for wait, ticks in [(1, 0), *calls]:
        now += wait
        outcome = charge(config, account, now, ticks * rate)
        account, cost = outcome.account, ticks * rate if isinstance(outcome, Charged) else 0
        answer = as_observation(observe(config, account, now, tokens_consumed=cost))
        asked_at, now = from_unix_ms(now), now + latency_ms
        state, _, _ = bucket.observe(state, answer, from_unix_ms(now), asked_at=asked_at)
        for _ in range(2):
            state, _, _ = bucket.observe(state, answer, from_unix_ms(now), asked_at=from_unix_ms(now))
    for tick in range(60):
        middle = now + observe(config, account, now).refill_in + 60_300 * tick + 30_000
        assert balance_at(state, from_unix_ms(middle)) == observe(config, account, middle).tokens_left


@given(states(), asks(), st.lists(st.sampled_from(["reserve", "settle", "void"]), max_size=12))
def test_every_hold_ends_once_and_what_is_held_is_what_is_open(state: BucketState, ask: Ask, steps: list[str]) -> None:
    """F13."""
    opened, ended = {hold.hold_id for hold in state.holds}, list[str]()
    for number, step in enumerate(steps):
        if step == "reserve":
            after, decision = bucket.reserve(state, ask, NOW, hold_id=f"new-{number}", run_id="run", purpose="test")
            opened |= {f"new-{number}"} if isinstance(decision, Granted) else set()
            state = after
        elif state.holds:
            hold = state.holds[number % len(state.holds)]
            end = (
                bucket.void(state, hold.hold_id, NOW)
                if step == "void"
                else bucket.settle(state, hold.hold_id, hold.high + number, NOW)
            )
            state = end[0]
            ended.append(end[1].hold.hold_id)
    assert len(ended) == len(set(ended))
    assert {hold.hold_id for hold in state.holds} == opened - set(ended)
