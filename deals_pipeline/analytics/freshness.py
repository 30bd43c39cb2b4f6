"""How often each product's history is bought again: the most valuable most often, as the refill allows (F37).

What a deal is expected to bring, compared to the others of its marketplace, earns it a part of the refreshes, up to one
in every interval. So the plan is a single number, the minutes a refresh takes per unit of weight, and changes smoothly
with the refill (F09).
"""

from dataclasses import dataclass
from datetime import timedelta
from math import inf
from typing import Final

import numpy as np
from numpy.typing import NDArray

INTERVAL_MAX: Final = timedelta(days=30)
"""What would be bought again less often than this is not kept fresh at all."""
DAY: Final = timedelta(days=1)
MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class RefreshPlan:
    """How many tracked products are bought again in every `interval`, how many less often, and how many never.

    A product of weight w is due every `minutes_per_weight / w` minutes, no oftener than `interval`, and not at all
    where that is longer than 30 days. `refreshes_per_day` is what the tokens pay for, `wanted_per_day` what all want.
    """

    interval: timedelta
    refreshes_per_day: float
    wanted_per_day: float
    minutes_per_weight: float
    fresh: int
    rarer: int
    never: int


def refreshes_per_day(refill_rate: int, share_percent: int, others_per_day: int, new_per_day: int) -> float:
    """Return how many histories of 1 token the refill buys again a day, after those of new deals.

    That is what is left by the other classes of work and by other programs, and the share of histories at least.
    """
    refill_per_day = refill_rate * (DAY / MINUTE)
    tokens = max(refill_per_day - others_per_day, refill_per_day * share_percent / 100)
    return max(0.0, tokens - new_per_day)


def plan_refreshes(weights: NDArray[np.float64], per_day: float, interval: timedelta) -> RefreshPlan:
    """Return the plan for products of these weights, all positive, with so many refreshes `per_day`."""
    minutes_per_weight = _minutes_per_weight(weights, per_day, interval)
    minutes = np.maximum(minutes_per_weight / weights, interval / MINUTE)
    never = int(np.count_nonzero(minutes > INTERVAL_MAX / MINUTE))
    fresh = int(np.count_nonzero(minutes <= interval / MINUTE))
    wanted = len(weights) * (DAY / interval)
    return RefreshPlan(interval, per_day, wanted, minutes_per_weight, fresh, len(weights) - fresh - never, never)


def _minutes_per_weight(weights: NDArray[np.float64], per_day: float, interval: timedelta) -> float:
    """Return the pace at which the refreshes of all, the best at most once an interval, add up to `per_day`."""
    oftenest = DAY / interval
    if len(weights) * oftenest <= per_day:
        return 0.0
    if per_day <= 0:
        return inf
    falling = np.sort(weights)[::-1]
    heavier = np.arange(len(falling))
    rest = np.cumsum(falling[::-1])[::-1]
    pace = (per_day - heavier * oftenest) / rest  # refreshes a day and weight, where the `heavier` ones get the most
    first = int(np.argmax(pace * falling <= oftenest))
    with np.errstate(over="ignore", divide="ignore"):  # next to nothing a day is nothing a day
        return float(DAY / MINUTE / pace[first])
