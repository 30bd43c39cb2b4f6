"""The plan of what is kept fresh: the most valuable most often, as the refill allows (F37)."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deals_pipeline.analytics.freshness import INTERVAL_MAX, RefreshPlan, plan_refreshes, refreshes_per_day

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
WEIGHTS = st.lists(st.floats(1, 100_000), min_size=1, max_size=60).map(np.array)
INTERVALS = st.integers(60, 43_200).map(lambda minutes: timedelta(minutes=minutes))


def a_day(plan: RefreshPlan, weight: float) -> float:
    """Return how often a day a product of this weight is bought again by the plan, however seldom."""
    return DAY / max(plan.interval, timedelta(minutes=min(1e9, plan.minutes_per_weight / weight)))


@given(WEIGHTS, st.floats(0.01, 2000), INTERVALS)
def test_the_refreshes_add_up_to_what_the_tokens_pay_for_or_to_what_all_want(
    weights: np.ndarray, per_day: float, interval: timedelta
) -> None:
    plan = plan_refreshes(weights, per_day, interval)
    planned = sum(a_day(plan, weight) for weight in weights)
    assert planned == pytest.approx(min(per_day, plan.wanted_per_day), rel=1e-3)
    assert plan.fresh + plan.rarer + plan.never == len(weights)


@given(WEIGHTS, st.floats(0.1, 2000), INTERVALS)
def test_the_more_valuable_is_never_bought_again_less_often(
    weights: np.ndarray, per_day: float, interval: timedelta
) -> None:
    plan = plan_refreshes(weights, per_day, interval)
    rates = [a_day(plan, weight) for weight in sorted(weights)]
    assert rates == sorted(rates)


@given(WEIGHTS, st.floats(0, 2000), st.floats(0, 2000), INTERVALS)
def test_more_refill_makes_nothing_rarer(weights: np.ndarray, per_day: float, more: float, interval: timedelta) -> None:
    """F15."""
    one, other = (plan_refreshes(weights, each, interval) for each in (per_day, per_day + more))
    assert other.minutes_per_weight <= one.minutes_per_weight * (1 + 1e-9)
    assert other.never <= one.never
    assert other.fresh >= one.fresh


def test_without_a_refill_nothing_is_planned_and_nothing_divides() -> None:
    """F09."""
    plan = plan_refreshes(np.array([100.0, 500.0]), 0, DAY)
    assert (plan.fresh, plan.rarer, plan.never) == (0, 0, 2)
    assert refreshes_per_day(0, 40, 0, 0) == 0


def test_without_products_there_is_nothing_to_plan() -> None:
    plan = plan_refreshes(np.array([]), 100, DAY)
    assert (plan.fresh, plan.rarer, plan.never, plan.wanted_per_day) == (0, 0, 0, 0)


def test_what_would_be_bought_again_after_a_month_is_not_kept_fresh() -> None:
    plan = plan_refreshes(np.array([100_000.0, 1.0]), 1.0, DAY)
    assert (plan.fresh, plan.rarer, plan.never) == (0, 1, 1)
    assert plan.minutes_per_weight > INTERVAL_MAX / timedelta(minutes=1)


def test_histories_get_what_the_others_leave_and_their_share_at_least() -> None:
    assert refreshes_per_day(5, 40, others_per_day=1000, new_per_day=200) == 7200 - 1000 - 200
    assert refreshes_per_day(5, 40, others_per_day=7000, new_per_day=200) == 7200 * 0.4 - 200
    assert refreshes_per_day(5, 40, others_per_day=7000, new_per_day=9000) == 0
