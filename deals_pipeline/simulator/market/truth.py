"""What the simulated market knows and Keepa's users do not: the true sales, and what a selection exposed when."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.keepa.time import from_keepa_minutes, to_keepa_minutes
from deals_pipeline.simulator.market.prices import Prices, TypeSet
from deals_pipeline.simulator.market.trade import Event

USED = TypeSet(np.array([int(PriceType.USED)]))


@dataclass(frozen=True)
class Sale:
    """One used copy sold: when, and for which item price in cents."""

    at: datetime
    price_cents: int


@dataclass(frozen=True)
class Exposure:
    """A deal in one state that a selection showed: `last_update` is in Keepa minutes, as on the wire."""

    asin: str
    last_update: int
    first_seen: datetime
    last_seen: datetime


def sales(prices: Prices, index: int, start: datetime, end: datetime) -> list[Sale]:
    """Return the used copies of a product that were sold from `start` on and before `end`, oldest first."""
    product = np.array([index])
    first, last = (np.array([to_keepa_minutes(time)]) for time in (start, end))
    length, origin = prices.trade.pace(product)
    numbers = np.arange((first - origin)[0] // length[0], (last - origin)[0] // length[0] + 1)
    turns = prices.trade.turns(product, numbers)
    times = turns.at[(turns.event == Event.USED_SALE) & (turns.at >= first) & (turns.at < last)]
    moments = prices.crawls.at(np.broadcast_to(product, times.shape), times)
    profiles = prices.profiles(moments.index, USED)
    paid = prices.current(profiles, moments)[:, 0]
    return [
        Sale(from_keepa_minutes(time), price)
        for time, price in zip(times.tolist(), paid.tolist(), strict=True)
        if price >= 0
    ]
