"""The `stats` object of one product (P4): averages as its deal shows them, extremes of the histories in its `csv`."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.simulator.market.averages import averages
from deals_pipeline.simulator.market.crawls import Moments
from deals_pipeline.simulator.market.episodes import DAY
from deals_pipeline.simulator.market.histories import Series
from deals_pipeline.simulator.market.prices import IS_PRICE, MISSING, SALES, Prices, Profiles

FIXED_DAYS: Final = (30, 90, 180, 365)
HIDDEN_RANK_MODULUS: Final = 61
"""One product in so many has a rank in `csv` but none in `stats.current` (P4)."""
COUNT_TYPES: Final = [
    int(kind)
    for kind in (
        PriceType.COUNT_NEW,
        PriceType.COUNT_USED,
        PriceType.COUNT_REFURBISHED,
        PriceType.COUNT_COLLECTIBLE,
    )
]
Extreme = list[int] | None
"""[time, value], or `None` where there never was a value."""


def statistics(
    prices: Prices, profiles: Profiles, moments: Moments, histories: list[Series | None], days: int
) -> dict[str, object]:
    """Return the statistics of one product over the last `days` days and the fixed windows."""
    crawl = int(moments.crawl[0])
    windows = np.array([days, *FIXED_DAYS]) * DAY
    begin = np.maximum(crawl - windows, profiles.tracked_since[0])
    means = averages(prices, profiles, moments, windows)
    average = np.maximum(means.value[0], MISSING)
    drops = prices.trade.sales_since(profiles.index, moments.crawl, begin[None, :])[0] * profiles.has[0, SALES]
    missing = 100 - np.rint(100 * means.present_minutes[0] / np.maximum(1, crawl - begin)[:, None])
    missing = np.where(IS_PRICE & profiles.has[0], missing, MISSING).astype(np.int64)
    current = prices.landed(profiles, moments)[0]
    shown = current.copy()
    if profiles.index[0] % HIDDEN_RANK_MODULUS == 0:
        shown[SALES] = MISSING
    of_types = [
        _Extremes.of(series, int(shipping), begin.tolist())
        for series, shipping in zip(histories, profiles.shipping[0], strict=True)
    ]
    stats: dict[str, object] = {
        "current": shown.tolist(),
        "avg": average[0].tolist(),
        "atIntervalStart": [extremes.at_start for extremes in of_types],
        "min": [extremes.lowest for extremes in of_types],
        "max": [extremes.highest for extremes in of_types],
        "minInInterval": [extremes.lowest_in_interval for extremes in of_types],
        "maxInInterval": [extremes.highest_in_interval for extremes in of_types],
        "isLowest": [
            value >= 0 and value == _value(one.lowest) for value, one in zip(current.tolist(), of_types, strict=True)
        ],
        "isLowest90": [
            value >= 0 and value == _value(one.lowest90) for value, one in zip(current.tolist(), of_types, strict=True)
        ],
        "outOfStockPercentageInInterval": missing[0].tolist(),
        "outOfStockPercentage30": missing[1].tolist(),
        "outOfStockPercentage90": missing[2].tolist(),
        "lightningDealInfo": None,
        "totalOfferCount": int(np.maximum(0, current[list(COUNT_TYPES)]).sum()),
        "retrievedOfferCount": -1,
        "stockPerCondition3rdFBA": None,
        "stockPerConditionFBM": None,
        "stockAmazon": -2,
        "stockBuyBox": -2,
        "buyBoxPrice": -2,
        "buyBoxShipping": -2,
    }
    for position, window_days in enumerate(FIXED_DAYS):
        stats[f"avg{window_days}"] = average[1 + position].tolist()
        stats[f"salesRankDrops{window_days}"] = int(drops[1 + position])
    amazon = histories[PriceType.AMAZON]
    for position, window_days in ((1, 30), (2, 90)):
        stats[f"outOfStockCountAmazon{window_days}"] = _sold_out(amazon, int(begin[position]))
    return stats


@dataclass(frozen=True)
class _Extremes:
    """The lowest and highest landed values of a history, ever and in windows up to now."""

    lowest: Extreme = None
    highest: Extreme = None
    lowest_in_interval: Extreme = None
    highest_in_interval: Extreme = None
    lowest90: Extreme = None
    at_start: int = MISSING

    @classmethod
    def of(cls, series: Series | None, shipping: int, begin: list[int]) -> "_Extremes":
        """Find the extremes; `begin` are the starts of the interval asked for and of the fixed windows."""
        if series is None:
            return cls()
        landed = np.where(series.values >= 0, series.values + shipping, MISSING)
        ever = Series(series.times, landed)
        inside, inside90 = _since(ever, begin[0]), _since(ever, begin[1 + FIXED_DAYS.index(90)])
        return cls(
            _extreme(ever, 1),
            _extreme(ever, -1),
            _extreme(inside, 1),
            _extreme(inside, -1),
            _extreme(inside90, 1),
            int(inside.values[0]),
        )


def _since(series: Series, begin: int) -> Series:
    """Return a history from `begin` on, the value that held at `begin` first."""
    first = max(0, int(np.searchsorted(series.times, begin, side="right")) - 1)
    return Series(np.maximum(series.times[first:], begin), series.values[first:])


def _extreme(series: Series, sign: int) -> Extreme:
    present = np.flatnonzero(series.values >= 0)
    if not len(present):
        return None
    position = present[np.argmin(sign * series.values[present])]
    return [int(series.times[position]), int(series.values[position])]


def _value(extreme: Extreme) -> int | None:
    return None if extreme is None else extreme[1]


def _sold_out(series: Series | None, begin: int) -> int:
    """Return how often a price went missing since `begin`."""
    if series is None:
        return 0
    gone = (series.values[1:] < 0) & (series.values[:-1] >= 0) & (series.times[1:] > begin)
    return int(gone.sum())
