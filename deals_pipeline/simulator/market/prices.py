"""What the price types show: their levels slot by slot, and what Keepa last saw of them at a moment.

One set of functions serves the deal, the statistics and the history of a product, so that they agree.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from deals_pipeline.keepa.price_types import Measure, PriceType
from deals_pipeline.simulator.market.crawls import Crawls, Moments
from deals_pipeline.simulator.market.episodes import DAY, GROUP_OF_TYPE, Episodes, Slots
from deals_pipeline.simulator.market.kinds import (
    ALL_TYPES,
    GAP,
    IS_CHILD,
    LEVEL,
    PARENT,
    SLOTS_PER_LEVEL,
    SPREAD,
    Kinds,
)
from deals_pipeline.simulator.market.noise import Flags, Fractions, Integers, Noise, Stream, fraction
from deals_pipeline.simulator.market.trade import SEASON_PRICES, Standing, Trade

MISSING: Final = -1
NEVER: Final = -2
BASE_CENTS: Final = (1400.0, 18_000.0)
"""The lowest and highest price of a used copy outside of episodes, seasons aside."""
DEPTH_FACTOR_LEAST: Final = 0.25
"""The deepest drop relative to the shallowest."""
DROP_NOTICED: Final = 0.25
"""By how much an average stands at least above the price of an ordinary drop."""
RANK_FACTOR: Final = 0.12
"""What a rank episode does to the rank beyond what a price episode does to a price."""
RANK_UNIT: Final = 1_000_000
"""The level of the rank in a slot without an episode; the rank itself follows from the trade."""
TRACKED_FROM: Final = 5_500_000
"""2021-06-16: the first product was tracked then, the last `TRACKED_SPREAD` later."""
TRACKED_SPREAD: Final = 850 * DAY
SHIPPING_FREE_SHARE: Final = 0.4
SHIPPING_CENTS: Final = (250, 650)
REVIEWS_SINCE: Final = 3_000_000
NEGATIVE_PULSE_SHARE: Final = 0.09
WITH_SHIPPING: Final = np.array([kind.with_shipping for kind in PriceType])
IS_PRICE: Final = np.array([kind.measure is Measure.MONEY for kind in PriceType])
SALES: Final = int(PriceType.SALES)
COUNT_NEW: Final = int(PriceType.COUNT_NEW)
COUNT_USED: Final = int(PriceType.COUNT_USED)
COUNT_NEW_FBA: Final = int(PriceType.COUNT_NEW_FBA)
COUNT_NEW_FBM: Final = int(PriceType.COUNT_NEW_FBM)
COUNTS_OF_NEW: Final = (COUNT_NEW, COUNT_NEW_FBA, COUNT_NEW_FBM)
SMALL_COUNTS: Final = (int(PriceType.COUNT_REFURBISHED), int(PriceType.COUNT_COLLECTIBLE))
EXTRA_INFO: Final = int(PriceType.EXTRA_INFO_UPDATES)
RATING: Final = int(PriceType.RATING)
COUNT_REVIEWS: Final = int(PriceType.COUNT_REVIEWS)
IS_OF_CRAWLS: Final = np.isin(ALL_TYPES, (SALES, COUNT_USED, EXTRA_INFO))
"""Types whose values move between two changes of price; their levels are factors."""


class TypeSet:
    """Some price types in ascending order, together with the parents that their values follow from."""

    def __init__(self, types: Integers) -> None:
        self.types = types
        self.wanted = np.union1d(types, PARENT[types])
        self.parents = np.searchsorted(self.wanted, PARENT[self.wanted])
        self.pick = np.searchsorted(self.wanted, types)
        self.group = GROUP_OF_TYPE[types]
        self.is_price = IS_PRICE[types]
        self.has_depth = IS_PRICE[types] | (types == SALES)
        self.is_of_crawls = IS_OF_CRAWLS[types]
        self.level, self.spread, self.gap = LEVEL[self.wanted], SPREAD[self.wanted], GAP[self.wanted]
        self.is_child = IS_CHILD[self.wanted]
        self.slots_per_level = SLOTS_PER_LEVEL[self.wanted]
        self.is_seasonal = self.slots_per_level == 1
        self.depth_factor = np.where(types == SALES, RANK_FACTOR, 1.0)

    @cached_property
    def counts(self) -> list[tuple[int, int]]:
        """Position and type of the counts and the rating, whose levels are no prices."""
        return [
            (position, kind)
            for position, kind in enumerate(self.types.tolist())
            if not IS_PRICE[kind] and not IS_OF_CRAWLS[kind]
        ]


@dataclass(frozen=True, eq=False)
class Profiles:
    """The constants of products (1-d) for a set of types: arrays (products, types) where not said otherwise."""

    index: Integers
    types: TypeSet
    has: Flags
    shipping: Integers
    """In cents; 0 for types without."""
    has_wanted: Flags
    is_best: Flags
    own_level: Fractions
    """The level of each wanted type in units of the base price."""
    drawn: Fractions
    """A uniform number per type."""
    base: Fractions
    """The base price in cents, per product."""
    new_offers: Fractions
    """A uniform number for the count of new offers, per product."""
    tracked_since: Integers
    """The first minute of the histories, per product."""


@dataclass(frozen=True, eq=False)
class Levels:
    """Item prices of slots outside and inside of their episodes: arrays (products, slots, price types)."""

    high: Fractions
    low: Fractions
    has_high: Flags
    has_low: Flags
    moves: Flags
    """Whether the slot's episode moves the type."""

    def last(self) -> "Levels":
        """Return the levels of the last slots: arrays (products, price types)."""
        return Levels(self.high[:, -1], self.low[:, -1], self.has_high[:, -1], self.has_low[:, -1], self.moves[:, -1])

    def of_only_product(self, slots: Integers, types: Integers) -> "Levels":
        """Return the levels of a single product at some positions: arrays (slots, price types)."""
        return Levels(
            self.high[0][:, types][slots],
            self.low[0][:, types][slots],
            self.has_high[0][:, types][slots],
            self.has_low[0][:, types][slots],
            self.moves[0][:, types][slots],
        )


class Prices:
    """The values of a market's products: a pure function of (noise, listed share, product, time)."""

    def __init__(self, noise: Noise, listed_share: float) -> None:
        self._noise = noise
        self.kinds = Kinds(noise)
        self.episodes = Episodes(noise, self.kinds, listed_share)
        self.crawls = Crawls(noise, self.episodes)
        self.trade = Trade(noise)
        share = self.episodes.listed_share
        self._depth_factor = min(0.7, (1 - share) / (1 + DROP_NOTICED - share))

    def profiles(self, index: Integers, types: TypeSet) -> Profiles:
        """Return the constants of products."""
        traits = self.kinds.traits(index, types.wanted)
        word = self._noise.words(Stream.PRICE, index)
        lowest, highest = BASE_CENTS
        least, most = SHIPPING_CENTS
        drawn = traits.shipping[:, types.pick]
        cents = np.rint(least + (most - least) * (drawn - SHIPPING_FREE_SHARE) / (1 - SHIPPING_FREE_SHARE))
        ships = WITH_SHIPPING[types.types] & (drawn >= SHIPPING_FREE_SHARE)
        return Profiles(
            index=index,
            types=types,
            has=traits.has[:, types.pick],
            shipping=np.where(ships, cents, 0).astype(np.int64),
            has_wanted=traits.has,
            is_best=traits.is_best,
            own_level=types.level + types.spread * traits.level,
            drawn=traits.level[:, types.pick],
            base=lowest * (highest / lowest) ** ((fraction(word) + fraction(word, 1)) / 2),
            new_offers=fraction(word, 2),
            tracked_since=TRACKED_FROM + (fraction(word, 3) * TRACKED_SPREAD).astype(np.int64) // 2 * 2,
        )

    def tracked_since(self, index: Integers) -> Integers:
        """Return the minute from which each product has a history."""
        return (
            TRACKED_FROM
            + (fraction(self._noise.words(Stream.PRICE, index), 3) * TRACKED_SPREAD).astype(np.int64) // 2 * 2
        )

    def levels(self, profiles: Profiles, slots: Slots) -> Levels:
        """Return the levels of `slots`, whose arrays are (products, slots); all are whole numbers."""
        types, index = profiles.types, profiles.index
        number = slots.number[:, :, None] // types.slots_per_level
        word = self._noise.words(Stream.LEVEL, index[:, None, None], number, types.wanted)
        drawn = fraction(word)
        season = SEASON_PRICES * self.trade.season(index[:, None], slots.start)
        base = (1 + season[:, :, None] * types.is_seasonal) * (profiles.base[:, None] * profiles.own_level)[:, None, :]
        is_best = profiles.is_best[:, None, :]
        high = base * (0.9 + 0.2 * drawn)
        raised = types.spread * (0.03 + drawn)
        raised *= ~is_best
        raised += 1
        high = np.where(types.is_child, high[:, :, types.parents] * raised, high)[:, :, types.pick]
        in_stock = (fraction(word, 1) >= types.gap) | is_best
        has = profiles.has_wanted[:, None, :]
        has_low = (has & (in_stock | ~types.is_child))[:, :, types.pick]
        has_high = (has & in_stock & in_stock[:, :, types.parents])[:, :, types.pick]
        high[:, :, types.is_of_crawls] = np.where(types.types[types.is_of_crawls] == SALES, RANK_UNIT, 1)
        self._put_counts(high, profiles, slots, drawn)
        factor = self._depth_factor * (DEPTH_FACTOR_LEAST + (1 - DEPTH_FACTOR_LEAST) * slots.depth)
        low = high * np.where(types.has_depth, factor[:, :, None] * types.depth_factor, 1.0)
        high, low = (np.maximum(1.0, np.rint(part)) for part in (high, low))
        moves = slots.exists[:, :, None] & (slots.group[:, :, None] == types.group)
        return Levels(high, low, has_high, has_low, moves)

    def current(self, profiles: Profiles, moments: Moments) -> Integers:
        """Return what Keepa last saw, item prices without shipping: an array (products, price types)."""
        standing = None
        if profiles.types.is_of_crawls.any():
            standing = self.trade.standing(moments.index, moments.crawl)
        return self.seen(profiles.types, moments, self.levels(profiles, moments.slots.expanded(1)).last(), standing)

    def landed(self, profiles: Profiles, moments: Moments) -> Integers:
        """Return the current values with shipping, as deals and statistics show them."""
        items = self.current(profiles, moments)
        return np.where(items >= 0, items + profiles.shipping, items)

    def seen(self, types: TypeSet, moments: Moments, levels: Levels, standing: Standing | None) -> Integers:
        """Return the values of moments from their slots' levels, (moments, price types), and their trade.

        Without `standing` the values of `IS_OF_CRAWLS` remain factors.
        """
        is_low = levels.moves & moments.phases.is_low[:, None]
        present = np.where(is_low, levels.has_low, levels.has_high)
        low = levels.low * np.where(types.is_price, self.crawls.step_factor(moments)[:, None], 1.0)
        value = np.where(is_low, low, levels.high)
        if standing is not None:
            pulse = self.pulse(moments.index, moments.crawl, moments.crawl_number)
            of_crawls = {SALES: standing.rank / RANK_UNIT, COUNT_USED: standing.used_count, EXTRA_INFO: pulse}
            for kind, factor in of_crawls.items():
                value[:, types.types == kind] *= factor[:, None]
        return np.where(present, np.rint(value), MISSING).astype(np.int64)

    def pulse(self, index: Integers, crawl: Integers, crawl_number: Integers) -> Integers:
        """Return the value of type 15, which moves at every crawl and is sometimes far below zero (D10)."""
        word = self._noise.words(Stream.PULSE, index, crawl)
        wave = 2 * (fraction(word) * 6).astype(np.int64) + crawl_number % 2
        return np.where(fraction(word, 1) < NEGATIVE_PULSE_SHARE, -3 - wave, 1 + wave)

    def _put_counts(self, high: Fractions, profiles: Profiles, slots: Slots, drawn: Fractions) -> None:
        """Replace the levels of counts and ratings, in place."""
        types = profiles.types
        for position, kind in types.counts:
            now, ever = drawn[:, :, types.pick[position]], profiles.drawn[:, position, None]
            if kind in SMALL_COUNTS:
                value = 1 + np.floor(3 * now)
            elif kind == RATING:
                value = np.floor(32 + 18 * ever**0.6 + 1.5 * now)
            elif kind == COUNT_REVIEWS:
                value = 1 + np.floor(0.3 * 1500**ever * (slots.start - REVIEWS_SINCE) / (365 * DAY))
            else:
                word = self._noise.words(Stream.LEVEL, profiles.index[:, None], slots.number, np.array([COUNT_NEW]))
                offers = 1 + np.floor((0.8 + 9 * profiles.new_offers[:, None] ** 4) * (0.5 + fraction(word)))
                by_amazon = np.floor(offers * fraction(word, 2))
                value = {COUNT_NEW: offers, COUNT_NEW_FBA: by_amazon}.get(kind, offers - by_amazon)
            high[:, :, position] = value
