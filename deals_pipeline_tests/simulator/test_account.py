import math
import random
import time
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any

import pytest

from deals_pipeline.simulator.account import (
    TICK_MS_MAX,
    TICK_MS_MIN,
    Account,
    AccountConfig,
    Charged,
    PlanChange,
    Refused,
    Spend,
    advance,
    charge,
    is_open,
    observe,
    open_account,
    refuse,
    spend,
    tick_length_ms,
)

START = 1_750_000_000_000
MINUTE = 60_000
DAY = 1_440 * MINUTE
RATES = (5, 9, 20, 60, 1000)
SEED = 7


a_config = partial(AccountConfig, seed=SEED, refill_rate=5, started_at=START)


def tick_times_as_a_client_sees_them(until: int) -> list[int]:
    """Walk from tick to tick by nothing but `refillIn`."""
    config = a_config()
    account, now, times = open_account(config), START, []
    while (now := now + observe(config, account, now).refill_in) <= until:
        times.append(now)
        account = advance(config, account, now)
    return times


@pytest.fixture(scope="module")
def thirty_days_of_ticks() -> list[int]:
    return tick_times_as_a_client_sees_them(START + 30 * DAY)


def reference_balances(config: AccountConfig, ticks: list[int], requests: list[tuple[int, int]]) -> list[int]:
    """Replay an account the obvious way and return its balance after each tick and after each request."""
    updates = range(START, START + 31 * DAY, 5 * MINUTE)
    moments = [(change.at, 0, "plan", change.refill_rate) for change in config.plan_changes]
    moments += [(at, 1, "update", 0) for at in updates]
    moments += [(at, 2, "tick", 0) for at in ticks]
    moments += [(other.at, 3, "foreign", other.tokens) for other in config.foreign_spend]
    moments += [(at, 4, "look", 0) for at in ticks]
    moments += [(at, 5, "request", cost) for at, cost in requests]
    rate, balance = config.refill_rate, 60 * config.refill_rate
    reduction, pending, balances = Fraction(0), Fraction(0), []
    for at, _, what, value in sorted(moments, key=lambda moment: moment[:2]):
        if what == "plan":
            rate = value
        elif what == "update":
            reduction = Fraction(str(max([(0, 0.0), *(r for r in config.token_flow_reduction if r[0] <= at)])[1]))
        elif what == "tick":
            pending += max(Fraction(0), rate - reduction)
            balance = min(60 * rate, balance + math.floor(pending))
            pending -= math.floor(pending)
        elif balance > 0:
            balance -= value
        if what in {"look", "request"}:
            balances.append(balance)
    return balances


@pytest.mark.parametrize("refill_rate", RATES)
def test_thirty_virtual_days_equal_the_reference_model_tick_for_tick(
    refill_rate: int, thirty_days_of_ticks: list[int]
) -> None:
    ticks, end = thirty_days_of_ticks, START + 30 * DAY
    rng = random.Random(refill_rate)

    def moment() -> int:
        return rng.choice([rng.randrange(START, end), rng.choice(ticks)])

    config = a_config(
        refill_rate=refill_rate,
        plan_changes=tuple(PlanChange(moment(), rng.choice((0, *RATES))) for _ in range(12)),
        foreign_spend=tuple(Spend(moment(), rng.randint(1, 20 * refill_rate)) for _ in range(2_000)),
        token_flow_reduction=tuple((moment(), rng.randrange(2_000 * refill_rate) / 1000) for _ in range(300)),
    )
    requests = [(moment(), rng.randint(0, 30 * refill_rate)) for _ in range(3_000)]
    moments = [(at, "look", 0) for at in ticks] + [(at, "request", cost) for at, cost in requests]
    account, balances = open_account(config), []
    for at, what, cost in sorted(moments, key=lambda moment: moment[:2]):
        is_request = what == "request"
        account = charge(config, account, at, cost).account if is_request else advance(config, account, at)
        balances.append(account.balance)
    assert len(ticks) > 42_900
    assert balances == reference_balances(config, ticks, requests)
    assert account.lost > 0
    assert account.refused > 0


def test_ticks_take_60_2_to_60_4_seconds_and_drift_through_the_minute(thirty_days_of_ticks: list[int]) -> None:
    lengths = [b - a for a, b in zip([START, *thirty_days_of_ticks], thirty_days_of_ticks, strict=False)]
    assert (min(lengths), max(lengths)) == (60_200, 60_400)
    assert abs(sum(lengths) / len(lengths) - 60_300) < 2
    assert {at // 1000 % 60 for at in thirty_days_of_ticks} == set(range(60))


def test_two_seeds_tick_at_different_times() -> None:
    assert [tick_length_ms(1, k) for k in range(1, 9)] != [tick_length_ms(2, k) for k in range(1, 9)]


FIRST_TICK = START + tick_length_ms(SEED, 1)
SECOND_TICK = FIRST_TICK + tick_length_ms(SEED, 2)
THIRD_TICK = SECOND_TICK + tick_length_ms(SEED, 3)


@pytest.mark.parametrize(
    ("tokens", "moments"),
    [
        pytest.param(
            1,
            [(START, 300, True, -299), (START + 1, 1, False, -299), (SECOND_TICK, 1, False, -289)],
            id="T1: one token buys any request, and the deficit is paid off by the refill",
        ),
        pytest.param(
            -350,
            [(START + 69 * TICK_MS_MIN, 5, False, -10), (START + 72 * TICK_MS_MAX, 6, True, 4)],
            id="T2: a deep deficit has no lasting penalty",
        ),
        pytest.param(
            0,
            [(START, 1, False, 0), (FIRST_TICK - 1, 1, False, 0), (FIRST_TICK, 1, True, 4)],
            id="T1, T3: zero is empty until the very millisecond of the tick",
        ),
        pytest.param(
            5,
            [(START, 5, True, 0), (START + 1, 0, False, 0)],
            id="T1: spent to exactly zero is empty, even for a request that costs nothing (F13)",
        ),
        pytest.param(
            298,
            [(FIRST_TICK, 0, True, 300), (START + DAY, 0, True, 300)],
            id="T4: full is sixty times the rate",
        ),
        pytest.param(
            100,
            [(SECOND_TICK, 50, True, 60), (START, 10, True, 50), (SECOND_TICK, 0, True, 50), (THIRD_TICK, 0, True, 55)],
            id="a clock set back refills nothing, and nothing is refilled twice",
        ),
    ],
)
def test_a_request_is_executed_iff_the_balance_is_above_zero(
    tokens: int, moments: list[tuple[int, int, bool, int]]
) -> None:
    config = a_config(tokens=tokens)
    account, seen = open_account(config), []
    for at, cost, _, _ in moments:
        outcome = charge(config, account, at, cost)
        account = outcome.account
        seen.append((at, cost, isinstance(outcome, Charged), account.balance))
    assert seen == moments


@pytest.mark.parametrize(
    ("changes", "balances"),
    [
        pytest.param(
            {"plan_changes": (PlanChange(START + 9, 20),)}, [300, 320, 340, 360], id="T9: an upgrade at the next tick"
        ),
        pytest.param(
            {"plan_changes": (PlanChange(FIRST_TICK, 2),)}, [300, 120, 120, 120], id="a downgrade cuts at the next tick"
        ),
        pytest.param(
            {"tokens": 7, "plan_changes": (PlanChange(START, 0), PlanChange(SECOND_TICK, 5))},
            [7, 0, 5, 10],
            id="no plan for one tick",
        ),
        pytest.param({"foreign_spend": (Spend(FIRST_TICK - 1, 5),)}, [300, 300, 300, 300], id="T10: before the tick"),
        pytest.param({"foreign_spend": (Spend(FIRST_TICK, 5),)}, [300, 295, 300, 300], id="T10: after the tick"),
        pytest.param(
            {"tokens": 0, "foreign_spend": (Spend(FIRST_TICK, 5),), "plan_changes": (PlanChange(FIRST_TICK, 20),)},
            [0, 15, 35, 55],
            id="at one instant: the plan, then the tick, then the spending",
        ),
        pytest.param(
            {"tokens": 1, "foreign_spend": (Spend(START, 50), Spend(START + 1, 50))},
            [-49, -44, -39, -34],
            id="T10: other programs are refused like us",
        ),
        pytest.param(
            {"tokens": 0, "token_flow_reduction": ((START, 3.6),)}, [0, 1, 2, 4], id="T8: fractions are carried"
        ),
        pytest.param({"tokens": 0, "token_flow_reduction": ((START, 9.0),)}, [0, 0, 0, 0], id="T8: it takes no more"),
    ],
)
def test_scheduled_events_reach_the_balance_at_their_time(changes: dict[str, Any], balances: list[int]) -> None:
    config = a_config(**changes)
    account, seen = open_account(config), []
    for now in (START, FIRST_TICK, SECOND_TICK, THIRD_TICK):
        account = advance(config, account, now)
        seen.append(account.balance)
    assert seen == balances


def test_a_reduction_is_noticed_at_the_next_five_minute_update() -> None:
    config = a_config(token_flow_reduction=((START + 1, 1.25), (START + 5 * MINUTE + 1, 0.0)))
    account = open_account(config)
    seen = {
        minutes: observe(config, account, START + minutes * MINUTE).token_flow_reduction for minutes in (0, 4, 5, 9, 10)
    }
    assert seen == {0: 0.0, 4: 0.0, 5: 1.25, 9: 1.25, 10: 0.0}


@pytest.mark.parametrize(("contains", "rate"), [(False, 5), (True, 3)])
def test_the_rate_on_the_wire_may_or_may_not_contain_the_reduction_and_the_balance_does_not_care(
    contains: bool, rate: int
) -> None:
    config = a_config(tokens=0, token_flow_reduction=((START, 1.25),), refill_rate_contains_reduction=contains)
    fields = observe(config, open_account(config), THIRD_TICK)
    assert (fields.refill_rate, fields.tokens_left) == (rate, 11)


def test_an_observation_holds_exactly_the_token_fields_of_an_answer() -> None:
    config = a_config(tokens=-3, token_flow_reduction=((START, 0.5),))
    fields = observe(config, open_account(config), FIRST_TICK + 200, tokens_consumed=6, processing_time_in_ms=41)
    assert fields.wire() == {
        "timestamp": FIRST_TICK + 200,
        "tokensLeft": 1,
        "refillIn": SECOND_TICK - FIRST_TICK - 200,
        "refillRate": 5,
        "tokenFlowReduction": 0.5,
        "tokensConsumed": 6,
        "processingTimeInMs": 41,
    }


def test_an_observation_by_a_clock_set_back_still_promises_a_tick_within_60_4_seconds() -> None:
    config = a_config()
    account = advance(config, open_account(config), START + DAY)
    assert TICK_MS_MIN <= observe(config, account, START).refill_in <= TICK_MS_MAX


def test_admission_and_payment_in_two_steps_equal_a_charge() -> None:
    config = a_config(tokens=3)
    account = advance(config, open_account(config), FIRST_TICK)
    assert is_open(account)
    paid = spend(account, 12)
    assert Charged(paid) == charge(config, open_account(config), FIRST_TICK, 12)
    assert not is_open(paid)
    assert Refused(refuse(paid)) == charge(config, paid, FIRST_TICK, 1)


def test_a_refused_request_costs_nothing_and_is_counted() -> None:
    config = a_config(tokens=-1)
    before = open_account(config)
    assert charge(config, before, START, 5) == Refused(replace(before, refused=1))


def test_a_negative_cost_is_an_error() -> None:
    with pytest.raises(ValueError, match="tokens is -1; allowed: >= 0"):
        spend(open_account(a_config()), -1)


def test_an_account_without_a_plan_neither_divides_nor_spins() -> None:
    config = a_config(refill_rate=0)
    account = open_account(config)
    assert observe(config, account, START + DAY).wire().items() >= {"refillRate": 0, "tokensLeft": 0}.items()
    assert isinstance(charge(config, account, START + DAY, 1), Refused)


def test_thirty_days_at_once_take_less_than_a_fifth_of_a_second() -> None:
    config = a_config()
    started = time.process_time()
    account = advance(config, open_account(config), START + 30 * DAY)
    assert time.process_time() - started < 0.2
    assert account.tick > 42_900


def test_the_start_is_a_full_bucket_unless_said_otherwise() -> None:
    assert open_account(a_config(refill_rate=20)) == Account(balance=1200, refill_rate=20, ticked_at=START)
    assert open_account(a_config(refill_rate=20, tokens=-5)).balance == -5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": "x"}, "seed is 'x'; allowed: an integer"),
        ({"refill_rate": -1}, "refill_rate is -1; allowed: an integer >= 0"),
        ({"refill_rate": 2.5}, "refill_rate is 2.5; allowed: an integer >= 0"),
        ({"refill_rate": True}, "refill_rate is True; allowed: an integer >= 0"),
        ({"tokens": 301}, "tokens is 301; allowed: an integer <= 300 (60 x refill_rate)"),
        (
            {"plan_changes": (PlanChange(START, 5), PlanChange(START - 1, 5))},
            f"plan_changes[1].at is {START - 1}; allowed: an integer >= {START} (started_at)",
        ),
        (
            {"plan_changes": (PlanChange(START, -5),)},
            "plan_changes[0].refill_rate is -5; allowed: an integer >= 0",
        ),
        ({"foreign_spend": (Spend(START, 0),)}, "foreign_spend[0].tokens is 0; allowed: an integer >= 1"),
        (
            {"token_flow_reduction": ((START, 0.0005),)},
            "token_flow_reduction[0][1] is 0.0005; allowed: tokens per tick >= 0 with at most three decimals",
        ),
        (
            {"token_flow_reduction": ((START, math.nan),)},
            "token_flow_reduction[0][1] is nan; allowed: tokens per tick >= 0 with at most three decimals",
        ),
    ],
)
def test_a_config_that_cannot_be_names_the_field_its_value_and_what_is_allowed(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match="allowed") as raised:
        a_config(**changes)
    assert str(raised.value) == message
