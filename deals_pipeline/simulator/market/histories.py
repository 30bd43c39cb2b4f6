"""The histories of one product: `csv` of `/product` (P2), the state at every crawl with equal neighbours left out."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from deals_pipeline.keepa.price_types import Needs, PriceType
from deals_pipeline.simulator.market.kinds import ALL_TYPES
from deals_pipeline.simulator.market.noise import Integers
from deals_pipeline.simulator.market.prices import IS_OF_CRAWLS, MISSING, WITH_SHIPPING, Prices, Profiles, TypeSet

EVERY_TYPE: Final = TypeSet(ALL_TYPES)
MOVING: Final = TypeSet(ALL_TYPES[IS_OF_CRAWLS])
STEADY: Final = TypeSet(ALL_TYPES[~IS_OF_CRAWLS])


@dataclass(frozen=True, eq=False)
class Series:
    """One price type's values from `times` on, money without shipping; -1 is missing."""

    times: Integers
    values: Integers


def history(prices: Prices, profiles: Profiles, minute: int) -> list[Series | None]:
    """Return the histories of the one product of `profiles`, of all types, up to `minute`; `None`: it never had any."""
    since = int(profiles.tracked_since[0])
    crawls, slots = prices.crawls.all_of(profiles.index, since, minute)
    levels = prices.levels(profiles, slots.expanded(0))
    slot = crawls.slots.number - slots.number[0]
    times = np.maximum(crawls.crawl, since)
    is_turn = np.ones(len(times), dtype=bool)
    is_turn[1:] = (crawls.phases.start[1:] != crawls.phases.start[:-1]) | (crawls.step[1:] != crawls.step[:-1])
    turns = crawls.taken(is_turn)
    course = prices.trade.course(profiles.index, crawls.crawl)
    steady = prices.seen(STEADY, turns, levels.of_only_product(slot[is_turn], STEADY.types), None)
    moving = prices.seen(MOVING, crawls, levels.of_only_product(slot, MOVING.types), course)
    series: list[Series | None] = [None] * len(ALL_TYPES)
    for types, values, when in ((STEADY, steady, times[is_turn]), (MOVING, moving, times)):
        is_new = np.ones(values.shape, dtype=bool)
        is_new[1:] = values[1:] != values[:-1]
        for position, kind in enumerate(types.types.tolist()):
            if profiles.has[0, kind]:
                keep = is_new[:, position]
                series[kind] = Series(when[keep], values[keep, position])
    return series


def csv(
    series: list[Series | None], shipping: Integers, begin: int, offered: frozenset[Needs]
) -> list[list[int] | None]:
    """Return histories as they travel, from `begin` on, with the types that the parameters `offered` produce (P2)."""
    return [
        _flat(part, PriceType(kind), int(shipping[kind]), begin) if part and PriceType(kind).needs in offered else None
        for kind, part in enumerate(series)
    ]


def _flat(series: Series, kind: PriceType, shipping: int, begin: int) -> list[int] | None:
    first = int(np.searchsorted(series.times, begin))
    times, values = series.times[first:], series.values[first:]
    columns = [times, values]
    if WITH_SHIPPING[kind]:
        columns.append(np.where(values >= 0, shipping, MISSING))
    return np.stack(columns, axis=1).ravel().tolist() or None
