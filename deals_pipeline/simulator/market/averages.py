"""Averages, presence and lowest values over windows, from the levels of the slots that a window touches.

Keepa computes them when it updates a product, so windows end at the last crawl and the values hold until the next.
Amounts and times are whole numbers, so a mean does not depend on how many products are computed together.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from deals_pipeline.simulator.market.crawls import STEP_RISE, Moments
from deals_pipeline.simulator.market.episodes import Slots
from deals_pipeline.simulator.market.noise import Flags, Integers
from deals_pipeline.simulator.market.prices import (
    COUNT_USED,
    EXTRA_INFO,
    MISSING,
    NEVER,
    RANK_UNIT,
    SALES,
    Levels,
    Prices,
    Profiles,
)
from deals_pipeline.simulator.market.trade import RANK_AFTER_SALE

PULSE_MEAN: Final = 6.5
"""The mean of the values of type 15 that are not negative."""


@dataclass(frozen=True, eq=False)
class Averages:
    """Means over windows, shipping included: arrays (products, windows, price types)."""

    value: Integers
    """The mean over the time with a value, -1 if there was none, -2 if the product never has one."""
    present_minutes: Integers
    """How long there was a value."""


def averages(prices: Prices, profiles: Profiles, moments: Moments, windows: Integers) -> Averages:
    """Return the averages over the last `windows` minutes before the last crawl, within the time of tracking."""
    index, types, minute = profiles.index, profiles.types, moments.crawl
    begin = np.maximum(minute[:, None] - windows, profiles.tracked_since[:, None])
    slots = _slots_since(prices, index, begin.min(axis=1), minute)
    levels = prices.levels(profiles, slots)
    changed = prices.crawls.changed(moments)
    is_low = moments.phases.is_low
    settled = np.where(is_low, changed, minute)[:, None]

    columns, end = slots.expanded(1), minute[:, None, None]
    total = np.minimum(columns.end, end) - np.maximum(columns.start, begin[:, :, None])
    low_before = columns.low_minutes(begin[:, :, None])
    low = slots.low_minutes(minute[:, None])[:, None, :] - low_before
    low_settled = slots.low_minutes(settled)[:, None, :] - low_before
    minutes = np.maximum(0.0, np.concatenate((total, low, low_settled), axis=2))

    has_high = levels.has_high.astype(np.float64)
    high_price, low_price = levels.high + profiles.shipping[:, None, :], _mean_low(profiles, slots, levels)
    weights = np.concatenate((has_high, -(has_high * levels.moves), levels.has_low & levels.moves), axis=1)
    amounts = weights * np.concatenate((high_price, high_price, low_price), axis=1)
    sums = minutes @ np.concatenate((weights, amounts), axis=2)
    weight, amount = sums[:, :, : len(types.types)], sums[:, :, len(types.types) :]

    last = levels.last()
    value = prices.seen(types, moments, last, None) + profiles.shipping
    value = np.where(types.is_of_crawls, last.low, value)
    moved = is_low[:, None] & last.moves & last.has_low
    now = minute[:, None] - np.maximum(begin, changed[:, None])
    weight += now[:, :, None] * moved[:, None, :]
    amount += now[:, :, None] * (moved * value)[:, None, :]
    mean = amount / np.maximum(weight, 1)
    mean[:, :, types.types == EXTRA_INFO] *= PULSE_MEAN
    if SALES in types.types or COUNT_USED in types.types:
        means = prices.trade.means(index, minute, begin)
        mean[:, :, types.types == SALES] *= means.rank[:, :, None] / RANK_UNIT
        mean[:, :, types.types == COUNT_USED] *= means.used_count[:, :, None]
    mean = np.where(weight >= 1, mean, MISSING)
    return Averages(
        value=np.where(profiles.has[:, None, :], np.rint(mean), NEVER).astype(np.int64),
        present_minutes=weight.astype(np.int64),
    )


def is_lowest(prices: Prices, profiles: Profiles, moments: Moments, window: int | None) -> Flags:
    """Return whether values are the lowest of the last `window` minutes, or with `None` since tracking began.

    An episode's first price is its lowest, so the slots decide; of an episode that reaches into the window from
    before, the first price counts although it may be older.
    """
    begin = profiles.tracked_since
    if window is not None:
        begin = np.maximum(begin, moments.crawl - window)
    slots = _slots_since(prices, profiles.index, begin, moments.crawl)
    levels = prices.levels(profiles, slots)
    begin, end = begin[:, None], moments.crawl[:, None]
    recovered = slots.rise + slots.low
    was_high = (
        ((slots.start <= end) & (slots.rise > begin))
        | ((slots.fall <= end) & (slots.end > begin))
        | ((slots.cycle > 0) & (recovered <= end) & (recovered < slots.fall) & (slots.fall > begin))
    )
    was_low = (slots.rise <= end) & (slots.fall > begin)
    was_at_all = (slots.start <= end) & (slots.end > begin)
    is_high = levels.has_high & np.where(levels.moves, was_high[:, :, None], was_at_all[:, :, None])
    is_low = levels.has_low & levels.moves & was_low[:, :, None]
    lowest = np.minimum(np.where(is_high, levels.high, np.inf), np.where(is_low, levels.low, np.inf)).min(axis=1)
    is_rank = profiles.types.types == SALES
    best_rank = prices.trade.rank_level(profiles.index)[:, None] * RANK_AFTER_SALE
    lowest = np.where(is_rank, np.rint(lowest * best_rank / RANK_UNIT), lowest)
    current = prices.current(profiles, moments)
    result: Flags = (current >= 0) & (current <= lowest)
    return result


def _slots_since(prices: Prices, index: Integers, begin: Integers, minute: Integers) -> Slots:
    """Return the slots from `begin` to `minute`, as many for each product as the one with most needs."""
    length, origin = prices.episodes.pace(index)
    last = (minute - origin) // length
    count = int((last - (begin - origin) // length).max(initial=0)) + 1
    return prices.episodes.slots(index[:, None], last[:, None] + np.arange(1 - count, 1))


def _mean_low(profiles: Profiles, slots: Slots, levels: Levels) -> "np.typing.NDArray[np.float64]":
    """Return the mean low prices, whole cents with shipping: later prices of an episode stand above its first."""
    first = (slots.step_every - slots.step_offset) * slots.crawl_every
    later_share = np.maximum(0, 1 - first / (slots.fall - slots.rise))
    rise = np.where(profiles.types.is_price, 1 + (STEP_RISE / 2) * later_share[:, :, None], 1.0)
    return np.rint(levels.low * rise) + profiles.shipping[:, None, :]
