from hypothesis import given
from hypothesis import strategies as st

from deals_pipeline.simulator.account import (
    Account,
    AccountConfig,
    Charged,
    PlanChange,
    Spend,
    advance,
    capacity_of,
    charge,
    observe,
    open_account,
)

START = 1_750_000_000_000
HOURS_2 = 7_200_000

rates = st.sampled_from([0, 1, 5, 9, 20, 60, 1000])
moments = st.integers(START, START + HOURS_2)
reductions = st.tuples(moments, st.integers(0, 70_000).map(lambda thousandths: thousandths / 1000))
requests = st.lists(st.tuples(moments, st.integers(0, 700)), max_size=40)


@st.composite
def configs(draw: st.DrawFn) -> AccountConfig:
    rate = draw(rates)
    return AccountConfig(
        seed=draw(st.integers(0, 9)),
        refill_rate=rate,
        started_at=START,
        tokens=draw(st.none() | st.integers(-400, capacity_of(rate))),
        plan_changes=tuple(draw(st.lists(st.builds(PlanChange, moments, rates), max_size=3))),
        foreign_spend=tuple(draw(st.lists(st.builds(Spend, moments, st.integers(1, 700)), max_size=5))),
        token_flow_reduction=tuple(draw(st.lists(reductions, max_size=3))),
        refill_rate_contains_reduction=draw(st.booleans()),
    )


def states(config: AccountConfig, requests: list[tuple[int, int]]) -> list[Account]:
    """Return the account after each request, in the order given: the clock may be set back between them."""
    account, seen = open_account(config), []
    for at, cost in requests:
        account = charge(config, account, at, cost).account
        seen.append(account)
    return seen


@given(configs(), requests)
def test_a_balance_is_above_its_capacity_only_between_a_downgrade_and_the_next_tick(
    config: AccountConfig, requests: list[tuple[int, int]]
) -> None:
    highest = capacity_of(max([config.refill_rate, *(change.refill_rate for change in config.plan_changes)]))
    for account in states(config, requests):
        assert account.balance <= highest
        next_tick = account.ticked_at + observe(config, account, account.ticked_at).refill_in
        ticked = advance(config, account, next_tick)
        assert ticked.tick > account.tick
        assert ticked.balance <= max(capacity_of(account.refill_rate), ticked.capacity)


@given(configs(), requests)
def test_a_request_is_executed_iff_the_balance_it_meets_is_above_zero_and_only_then_paid(
    config: AccountConfig, requests: list[tuple[int, int]]
) -> None:
    account = open_account(config)
    for at, cost in requests:
        met = observe(config, account, at).tokens_left
        outcome = charge(config, account, at, cost)
        assert isinstance(outcome, Charged) == (met > 0)
        assert outcome.account.balance == met - (cost if met > 0 else 0)
        account = outcome.account


@given(configs(), st.lists(moments, min_size=1, max_size=10))
def test_advancing_in_any_steps_equals_advancing_at_once(config: AccountConfig, steps: list[int]) -> None:
    account = open_account(config)
    for at in sorted(steps):
        account = advance(config, account, at)
    assert account == advance(config, open_account(config), max(steps))


@given(configs(), requests)
def test_every_token_is_accounted_for(config: AccountConfig, requests: list[tuple[int, int]]) -> None:
    for account in states(config, requests):
        gained = config.starting_tokens + account.refilled - account.lost
        assert gained - account.spent - account.foreign_spent == account.balance
        assert min(account.refilled, account.lost, account.carried_thousandths) >= 0


@given(configs(), requests, moments)
def test_the_next_tick_is_always_ahead_and_within_60_4_seconds(
    config: AccountConfig, requests: list[tuple[int, int]], now: int
) -> None:
    for account in states(config, requests):
        assert 0 < observe(config, account, now).refill_in <= 60_400


@given(configs(), requests, moments)
def test_a_clock_set_back_changes_nothing(config: AccountConfig, requests: list[tuple[int, int]], now: int) -> None:
    for account in states(config, requests):
        assert advance(config, account, min(now, account.ticked_at - 1)) == account
