"""The deal objects of `/deal`, as they travel (D8, D10)."""

from collections import OrderedDict
from threading import Lock
from typing import Final

import msgspec
import numpy as np

from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.simulator.market.averages import averages
from deals_pipeline.simulator.market.catalogue import NO_CATEGORY, Catalogue
from deals_pipeline.simulator.market.crawls import Moments
from deals_pipeline.simulator.market.episodes import DAY
from deals_pipeline.simulator.market.kinds import ALL_TYPES, ROOT_IDS, SLOTS_PER_LEVEL
from deals_pipeline.simulator.market.noise import Integers, Noise, Stream, fraction
from deals_pipeline.simulator.market.prices import COUNT_USED, EXTRA_INFO, SALES, Levels, Prices, Profiles, TypeSet
from deals_pipeline.simulator.market.words import WAREHOUSE_COMMENTS

DEAL_TYPES: Final = TypeSet(ALL_TYPES[:34])
"""A deal's arrays have 34 entries: they lack the counts of new offers by fulfilment."""
WINDOWS: Final = np.array([2, 7, 30, 90]) * DAY
"""The windows of a deal's averages by date range; the day is in fact 48 hours (Keepa's documentation of `avg`)."""
RANK_DROP_WINDOWS: Final = np.array([30, 90, 180, 365]) * DAY
CREATED_LATE_SHARE: Final = 0.007
"""The share of episodes whose creation date runs ahead of the last update (D6)."""
CREATED_LATE_MINUTES: Final = 2
DEALS_CACHED: Final = 16_384
ENCODER: Final = msgspec.json.Encoder()
DECODER: Final = msgspec.json.Decoder(dict[str, object])
LIGHTNING: Final = int(PriceType.LIGHTNING_DEAL)
LIGHTNING_AFTER: Final = 30 * DAY
LIGHTNING_SHARE: Final = 0.5
LIGHTNING_MINUTES: Final = 360
WAREHOUSE: Final = int(PriceType.WAREHOUSE)


def delta(average: Integers, current: Integers) -> Integers:
    """Return average minus current, positive for a drop, 0 where either is missing."""
    return np.where((average >= 0) & (current >= 0), average - current, 0)


def delta_percent(average: Integers, current: Integers) -> Integers:
    """Return the delta in whole percent of the average, rounded towards zero."""
    return np.trunc(delta(average, current) * 100 / np.maximum(average, 1)).astype(np.int64)


class Deals:
    """Makes deal objects."""

    def __init__(self, noise: Noise, prices: Prices, catalogue: Catalogue) -> None:
        self._noise = noise
        self._prices = prices
        self._catalogue = catalogue
        self._lock = Lock()
        self._cache: OrderedDict[tuple[int, int], bytes] = OrderedDict()

    def created(self, moments: Moments) -> Integers:
        """Return the creation dates that deals show: when their price came into being, but for a few (D6)."""
        word = self._noise.words(Stream.DETAIL, moments.index, moments.slots.number)
        is_late = fraction(word) < CREATED_LATE_SHARE
        return np.where(is_late, moments.crawl + CREATED_LATE_MINUTES, self._prices.crawls.changed(moments))

    def wire(self, index: Integers, minute: int) -> list[dict[str, object]]:
        """Return the deal objects of products; one is constant from a crawl to the next, so its JSON is kept."""
        moments = self._prices.crawls.at(index, np.full(len(index), minute))
        with self._lock:
            return [DECODER.decode(row) for row in self._encoded(moments)]

    def _encoded(self, moments: Moments) -> list[bytes]:
        keys = list(zip(moments.index.tolist(), moments.crawl.tolist(), strict=True))
        missing = np.array([position for position, key in enumerate(keys) if key not in self._cache], dtype=np.int64)
        if len(missing):
            made = self._made(moments.taken(missing))
            self._cache.update(zip((keys[position] for position in missing), map(ENCODER.encode, made), strict=True))
        rows = [self._cache[key] for key in keys]
        for key in keys:
            self._cache.move_to_end(key)
        while len(self._cache) > DEALS_CACHED:
            self._cache.popitem(last=False)
        return rows

    def _made(self, moments: Moments) -> list[dict[str, object]]:
        index, crawl = moments.index, moments.crawl
        prices, crawls = self._prices, self._prices.crawls
        profiles = prices.profiles(index, DEAL_TYPES)
        standing = prices.trade.standing(index, crawl)
        earlier = np.stack((crawl, crawl - DAY + 1, standing.ranked_since, standing.counted_since)) - 1
        before = crawls.at(np.tile(index, len(earlier)), np.maximum(earlier, profiles.tracked_since).ravel())
        previous, yesterday = (
            prices.landed(profiles, before.taken(slice(part * len(index), (part + 1) * len(index))))
            for part in range(2)
        )
        moved = crawls.next_crawl_after(before).reshape(earlier.shape)
        slots = prices.episodes.slots(index[:, None], moments.slots.number[:, None] + np.arange(-1, 1))
        levels = prices.levels(profiles, slots)
        items = prices.seen(DEAL_TYPES, moments, levels.last(), standing)
        current = np.where(items >= 0, items + profiles.shipping, items)
        average = averages(prices, profiles, moments, WINDOWS).value
        begin = np.maximum(crawl[:, None] - RANK_DROP_WINDOWS, profiles.tracked_since[:, None])
        drops = np.where(profiles.has[:, [SALES]], prices.trade.sales_since(index, crawl, begin), 0)
        numbers = index.tolist()
        columns = {
            "asin": self._catalogue.asins(index),
            "title": [self._catalogue.title(number) for number in numbers],
            "rootCat": ROOT_IDS[prices.kinds.root(index)].tolist(),
            "categories": [
                [category for category in row if category != NO_CATEGORY]
                for row in self._catalogue.categories(index).tolist()
            ],
            "image": [list(self._catalogue.image(number).encode()) for number in numbers],
            "creationDate": self.created(moments).tolist(),
            "lastUpdate": crawl.tolist(),
            "current": current.tolist(),
            "currentSince": self._since(profiles, moments, levels, moved[2], moved[3]).tolist(),
            "deltaLast": delta(previous, current).tolist(),
            "backInStock": ((yesterday < 0) & (current >= 0) & DEAL_TYPES.is_price).tolist(),
            "avg": average.tolist(),
            "delta": delta(average, current[:, None, :]).tolist(),
            "deltaPercent": delta_percent(average, current[:, None, :]).tolist(),
        }
        for position, days in enumerate((RANK_DROP_WINDOWS // DAY).tolist()):
            columns[f"salesRankDrops{days}"] = drops[:, position].tolist()
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        self._put_rare(rows, profiles, current)
        return rows

    def _since(
        self, profiles: Profiles, moments: Moments, levels: Levels, ranked: Integers, counted: Integers
    ) -> Integers:
        """Return from when on each current value has held, -1 where there never was one.

        `levels` are those of the slot before and of the present one; `ranked` and `counted` are the crawls that saw the
        last move of rank and used count. A value that a new slot happens to repeat is dated from that slot, a used
        count that outlived a gap from before the gap.
        """
        slots, phases = moments.slots, moments.phases
        length, origin = (part[:, None] for part in self._prices.episodes.pace(profiles.index))
        level_slots = SLOTS_PER_LEVEL[DEAL_TYPES.types]
        since = origin + slots.number[:, None] // level_slots * level_slots * length
        has_begun = phases.is_episode | (phases.start == slots.fall)
        last = levels.last()
        is_moved = last.moves & has_begun[:, None] & (DEAL_TYPES.has_depth | (last.has_low != last.has_high))
        changed = np.where(is_moved, self._prices.crawls.changed(moments)[:, None], 0)
        came_or_went = np.where(levels.has_high[:, 0] != last.has_high, slots.start[:, None], 0)
        since = np.maximum(since, changed)
        for kind, moved in ((SALES, ranked), (COUNT_USED, counted)):
            since[:, kind] = np.maximum(moved, np.maximum(changed, came_or_went)[:, kind])
        since[:, EXTRA_INFO] = moments.crawl
        return np.where(profiles.has, np.maximum(since, profiles.tracked_since[:, None]), -1)

    def _put_rare(self, rows: list[dict[str, object]], profiles: Profiles, current: Integers) -> None:
        """Add what is the same in most deals."""
        index = profiles.index
        word = self._noise.words(Stream.DETAIL, index, np.array([-1]))
        had_lightning = (profiles.has[:, LIGHTNING] & (fraction(word) < LIGHTNING_SHARE)).tolist()
        lightning_ends = (profiles.tracked_since + LIGHTNING_AFTER).tolist()
        conditions = self.warehouse_conditions(index, current[:, WAREHOUSE]).tolist()
        families = self._catalogue.family(index).tolist()
        for row, family, had, ends, condition in zip(
            rows, families, had_lightning, lightning_ends, conditions, strict=True
        ):
            row["lightningStart"] = ends - LIGHTNING_MINUTES if had else 0
            row["lightningEnd"] = ends if had else 0
            row["warehouseCondition"] = condition
            row["warehouseConditionComment"] = WAREHOUSE_COMMENTS.get(condition)
            row["dateIntervalIndex"] = 0
            row["flags"] = None
            if family >= 0:
                row["parentAsin"] = self._catalogue.parent_asin(family)

    def warehouse_conditions(self, index: Integers, warehouse: Integers) -> Integers:
        """Return the conditions of the cheapest warehouse deals by their prices, 0 where there is none."""
        drawn = fraction(self._noise.words(Stream.DETAIL, index, np.array([-2])))
        return np.where(warehouse >= 0, 2 + (4 * drawn).astype(np.int64), 0)
