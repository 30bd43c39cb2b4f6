"""What a product is, for ever: its root category and product type, and which price types it has at all."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.simulator.market.noise import Flags, Fractions, Integers, Noise, Stream, fraction

BOOKS: Final = 283155
UNKNOWN_CATEGORY: Final = 9223372036854775807
ROOTS: Final = (
    (BOOKS, "Books", 0.70),
    (5174, "CDs & Vinyl", 0.07),
    (2625373011, "Movies & TV", 0.06),
    (228013, "Tools & Home Improvement", 0.04),
    (7141123011, "Clothing, Shoes & Jewelry", 0.03),
    (1055398, "Home & Kitchen", 0.03),
    (15684181, "Automotive", 0.02),
    (172282, "Electronics", 0.02),
    (1064954, "Office Products", 0.01),
    (468642, "Video Games", 0.01),
    (165793011, "Toys & Games", 0.005),
    (UNKNOWN_CATEGORY, "?", 0.005),
)
"""Id, name and share of the root categories; ids and names from a real page (D9)."""
ROOT_IDS: Final = np.array([root for root, _, _ in ROOTS])
ROOT_NAMES: Final = tuple(name for _, name, _ in ROOTS)
ROOT_BOUNDS: Final = np.cumsum([share for _, _, share in ROOTS])[:-1]
PRODUCT_TYPE_BOUNDS: Final = (0.985, 0.990, 0.995, 0.997, 0.999)
"""Cumulative shares of the product types 0 to 4, standard to invalid; 5 is a variation parent."""
PRODUCT_TYPE_WITH_DATA_MAX: Final = 2


@dataclass(frozen=True)
class TypeFacts:
    """How common a price type is, and how its value follows from another's.

    `share` of the products (of those that have `parent`) have it; `gap` is the share of slots in which it is out of
    stock. A value is the parent's, raised by up to `spread`; a type without a parent costs `level` to `level + spread`
    times the product's base price.
    """

    share: float
    parent: int | None = None
    gap: float = 0.0
    level: float = 1.0
    spread: float = 0.0
    slots: int = 1
    """How many slots a level lasts."""


NEW, USED, COLLECTIBLE, REFURBISHED, RATING = 1, 2, 5, 6, 16
TYPE_FACTS: Final[dict[int, TypeFacts]] = {
    PriceType.AMAZON: TypeFacts(0.35, NEW, 0.2, spread=0.15),
    PriceType.NEW: TypeFacts(0.92, None, 0.15, 1.3, 0.6),
    PriceType.USED: TypeFacts(0.97, None, 0.04, 1.0, 0.0),
    PriceType.SALES: TypeFacts(0.95),
    PriceType.LISTPRICE: TypeFacts(0.75, None, 0.15, 1.7, 0.8, slots=6),
    PriceType.COLLECTIBLE: TypeFacts(0.30, None, 0.2, 1.8, 1.5),
    PriceType.REFURBISHED: TypeFacts(0.06, None, 0.3, 1.1, 0.3),
    PriceType.NEW_FBM_SHIPPING: TypeFacts(0.60, NEW, 0.2, spread=0.12),
    PriceType.LIGHTNING_DEAL: TypeFacts(0.02, None, 0.97, 0.9, 0.3),
    PriceType.WAREHOUSE: TypeFacts(0.08, USED, 0.4, spread=0.3),
    PriceType.NEW_FBA: TypeFacts(0.45, NEW, 0.3, spread=0.2),
    PriceType.COUNT_NEW: TypeFacts(1.0, NEW),
    PriceType.COUNT_USED: TypeFacts(1.0, USED),
    PriceType.COUNT_REFURBISHED: TypeFacts(1.0, REFURBISHED),
    PriceType.COUNT_COLLECTIBLE: TypeFacts(1.0, COLLECTIBLE),
    PriceType.EXTRA_INFO_UPDATES: TypeFacts(1.0),
    PriceType.RATING: TypeFacts(0.85, slots=6),
    PriceType.COUNT_REVIEWS: TypeFacts(1.0, RATING),
    PriceType.BUY_BOX_SHIPPING: TypeFacts(0.8, NEW, 0.15, spread=0.1),
    PriceType.USED_NEW_SHIPPING: TypeFacts(1.0, USED, 0.5, spread=0.5),
    PriceType.USED_VERY_GOOD_SHIPPING: TypeFacts(1.0, USED, 0.3, spread=0.35),
    PriceType.USED_GOOD_SHIPPING: TypeFacts(1.0, USED, 0.15, spread=0.25),
    PriceType.USED_ACCEPTABLE_SHIPPING: TypeFacts(1.0, USED, 0.4, spread=0.2),
    PriceType.COLLECTIBLE_NEW_SHIPPING: TypeFacts(0.4, COLLECTIBLE, 0.4, spread=0.5),
    PriceType.COLLECTIBLE_VERY_GOOD_SHIPPING: TypeFacts(0.5, COLLECTIBLE, 0.3, spread=0.4),
    PriceType.COLLECTIBLE_GOOD_SHIPPING: TypeFacts(0.5, COLLECTIBLE, 0.3, spread=0.3),
    PriceType.COLLECTIBLE_ACCEPTABLE_SHIPPING: TypeFacts(0.3, COLLECTIBLE, 0.4, spread=0.3),
    PriceType.REFURBISHED_SHIPPING: TypeFacts(0.8, REFURBISHED, 0.1, spread=0.1),
    PriceType.EBAY_NEW_SHIPPING: TypeFacts(0.15, None, 0.3, 1.5, 0.8),
    PriceType.EBAY_USED_SHIPPING: TypeFacts(0.22, None, 0.3, 0.9, 0.5),
    PriceType.TRADE_IN: TypeFacts(0.3, None, 0.5, 0.1, 0.1, slots=3),
    PriceType.RENT: TypeFacts(0.08, None, 0.4, 0.4, 0.2),
    PriceType.BUY_BOX_USED_SHIPPING: TypeFacts(0.93, USED, 0.1, spread=0.06),
    PriceType.PRIME_EXCL: TypeFacts(0.03, NEW, 0.3, spread=0.05),
    PriceType.COUNT_NEW_FBA: TypeFacts(1.0, NEW),
    PriceType.COUNT_NEW_FBM: TypeFacts(1.0, NEW),
}
ALL_TYPES: Final = np.arange(len(TYPE_FACTS))
SHARE: Final = np.array([facts.share for facts in TYPE_FACTS.values()])
PARENT: Final = np.array([kind if facts.parent is None else facts.parent for kind, facts in TYPE_FACTS.items()])
GAP: Final = np.array([facts.gap for facts in TYPE_FACTS.values()])
LEVEL: Final = np.array([facts.level for facts in TYPE_FACTS.values()])
SPREAD: Final = np.array([facts.spread for facts in TYPE_FACTS.values()])
SLOTS_PER_LEVEL: Final = np.array([facts.slots for facts in TYPE_FACTS.values()])
IS_CHILD: Final = PARENT != ALL_TYPES
BEST_USED_TYPES: Final = np.array([19, 20, 21, 22])
BEST_USED_BOUNDS: Final = (0.1, 0.35, 0.8)
ADULT_SHARE: Final = 0.01
BEST_IS_AMAZON_SHARE: Final = 0.4
BEST_IS_FBA_SHARE: Final = 0.6


@dataclass(frozen=True, eq=False)
class TypeTraits:
    """Constants of (product, price type) pairs: arrays of shape (products, price types)."""

    has: Flags
    is_best: Flags
    """Whether this child of New or Used is the one that makes the parent's price."""
    level: Fractions
    """A uniform number for the level of the type."""
    shipping: Fractions
    """Another, for the shipping price."""


class Kinds:
    """The constants of products, pure functions of their index."""

    def __init__(self, noise: Noise) -> None:
        self._noise = noise

    def root(self, index: Integers) -> Integers:
        """Return the positions of the products' root categories in `ROOTS`."""
        return np.searchsorted(ROOT_BOUNDS, fraction(self._noise.words(Stream.KIND, index)), side="right")

    def is_book(self, index: Integers) -> Flags:
        """Return which products are books and named by an ISBN."""
        return fraction(self._noise.words(Stream.KIND, index)) < ROOTS[0][2]

    def product_type(self, index: Integers) -> Integers:
        """Return Keepa's product types; above 2 there are neither prices nor ranks."""
        drawn = fraction(self._noise.words(Stream.KIND, index), 1)
        return np.searchsorted(PRODUCT_TYPE_BOUNDS, drawn, side="right")

    def is_adult(self, index: Integers) -> Flags:
        """Return which products are for adults only."""
        return fraction(self._noise.words(Stream.KIND, index), 2) < ADULT_SHARE

    def has(self, index: Integers, price_type: Integers) -> Flags:
        """Return which products have a price type that has no parent, `index` and `price_type` of one shape."""
        word = self._noise.words(Stream.HAS_TYPE, index, price_type)
        return (fraction(word) < SHARE[price_type]) & (self.product_type(index) <= PRODUCT_TYPE_WITH_DATA_MAX)

    def traits(self, index: Integers, types: Integers) -> TypeTraits:
        """Return the constants of each product (1-d) and each of `types`, which must hold its own parents."""
        column = index[:, None]
        word = self._noise.words(Stream.HAS_TYPE, column, types)
        drawn = fraction(word)
        has = (drawn < SHARE[types]) & (self.product_type(index) <= PRODUCT_TYPE_WITH_DATA_MAX)[:, None]
        best = self._noise.words(Stream.KIND, index, np.array([1]))
        best_used = BEST_USED_TYPES[np.searchsorted(BEST_USED_BOUNDS, fraction(best), side="right")]
        best_new = np.where(
            self.has(index, np.array([0])) & (fraction(best, 1) < BEST_IS_AMAZON_SHARE),
            int(PriceType.AMAZON),
            np.where(
                self.has(index, np.array([10])) & (fraction(best, 2) < BEST_IS_FBA_SHARE),
                int(PriceType.NEW_FBA),
                int(PriceType.NEW_FBM_SHIPPING),
            ),
        )
        is_best = (types == best_used[:, None]) | (types == best_new[:, None])
        has |= is_best
        parents = np.searchsorted(types, PARENT[types])
        return TypeTraits(has & has[:, parents], is_best, fraction(word, 1), fraction(word, 2))
