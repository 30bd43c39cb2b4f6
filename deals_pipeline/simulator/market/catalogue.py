"""The catalogue of the simulated market: ASINs, titles, categories, families of variations, images."""

import string
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np

from deals_pipeline.simulator.market.asins import Asins
from deals_pipeline.simulator.market.kinds import BOOKS, ROOT_IDS, ROOTS, UNKNOWN_CATEGORY, Kinds
from deals_pipeline.simulator.market.noise import Flags, Integers, Noise, Stream, fraction
from deals_pipeline.simulator.market.words import (
    ADJECTIVES,
    EDITIONS,
    FORMS,
    NOUNS,
    OTHER_FORMS,
    RARE_TITLES,
)

CATEGORIES_PER_ROOT: Final = 40
CATEGORIES_PER_PRODUCT_MAX: Final = 5
BOOK_CATEGORIES: Final = (
    1000, 1, 2, 4, 9, 10, 17, 20, 21, 25, 26, 28, 49, 75, 86, 1064, 1525, 1809, 1860, 1871, 2024, 2331, 2356, 2425,
    2624, 2650, 2657, 2665, 2683, 2697, 2702, 2709, 2712, 2804, 2874, 3110, 3139, 3285, 4016, 4310,
)  # fmt: skip
"""Sub categories of books from a real page; those of the other roots are numbered."""
NO_CATEGORY: Final = -1
FAMILY_SIZE: Final = 4
FAMILY_SHARE: Final = 0.08
RARE_TITLE_SHARE: Final = 0.06
IMAGE_CHARACTERS: Final = string.ascii_letters + string.digits + "+-"
TITLES_CACHED: Final = 20_000


def _sub_categories() -> Integers:
    table = np.empty((len(ROOTS), CATEGORIES_PER_ROOT), dtype=np.int64)
    for position, root in enumerate(ROOT_IDS.tolist()):
        numbered = 11_000_001 + 100_000 * position + 37 * np.arange(CATEGORIES_PER_ROOT)
        table[position] = BOOK_CATEGORIES if root == BOOKS else numbered
    return table


SUB_CATEGORIES: Final = _sub_categories()


class Catalogue:
    """The names of a market's products: a pure function of (noise, index)."""

    def __init__(self, noise: Noise, kinds: Kinds, products: int) -> None:
        self._noise = noise
        self._kinds = kinds
        self._products = products
        self._asins = Asins(noise)
        self.title = lru_cache(TITLES_CACHED)(self._title)

    def asin(self, index: int) -> str:
        """Return the ASIN of a product."""
        return self.asins(np.array([index]))[0]

    def asins(self, indices: Integers) -> list[str]:
        """Return the ASINs of products."""
        are_books = self._kinds.is_book(indices).tolist()
        return [self._asins.asin(index, is_book) for index, is_book in zip(indices.tolist(), are_books, strict=True)]

    def index_of(self, asin: str) -> int | None:
        """Return the index of the product with this ASIN, or `None`."""
        found = self._asins.index_of(asin)
        if found is None or found[0] >= self._products:
            return None
        index, is_book = found
        return index if bool(self._kinds.is_book(np.array([index]))[0]) == is_book else None

    def sort_keys(self, indices: Integers) -> Integers:
        """Return integers in the order of the products' ASINs."""
        return self._asins.sort_keys(indices, self._kinds.is_book(indices))

    def family(self, indices: Integers) -> Integers:
        """Return the number of each product's family of variations, -1 for the many without."""
        family = indices // FAMILY_SIZE
        return np.where(fraction(self._noise.words(Stream.FAMILY, family)) < FAMILY_SHARE, family, -1)

    def parent_asin(self, family: int) -> str:
        """Return the ASIN of a family of variations."""
        return self._asins.parent(family)

    def categories(self, indices: Integers) -> Integers:
        """Return the products' sub categories: an array (products, 5), filled up with -1."""
        root = self._kinds.root(indices)[:, None]
        positions = np.arange(CATEGORIES_PER_PRODUCT_MAX)
        word = self._noise.words(Stream.CATEGORY, indices[:, None], positions)
        first = (fraction(word[:, :1]) ** 2 * CATEGORIES_PER_ROOT).astype(np.int64)
        step = 1 + (fraction(word[:, :1], 1) * 7).astype(np.int64)
        count = 1 + (fraction(word[:, :1], 2) ** 2 * CATEGORIES_PER_PRODUCT_MAX).astype(np.int64)
        table = SUB_CATEGORIES[root, (first + step * positions) % CATEGORIES_PER_ROOT]
        return np.where((positions < count) & (ROOT_IDS[root] != UNKNOWN_CATEGORY), table, NO_CATEGORY)

    def in_categories(self, indices: Integers, wanted: Sequence[int]) -> Flags:
        """Return which products are listed in a category: below a root, or directly in a sub category (D3)."""
        roots = np.isin(ROOT_IDS[self._kinds.root(indices)], wanted)
        return roots | np.isin(self.categories(indices), wanted).any(axis=1)

    def has_words(self, indices: Integers, words: Sequence[str]) -> Flags:
        """Return which products have all of some lower-case words in their titles."""
        titles = (self.title(index).lower() for index in indices.tolist())
        return np.array([all(word in title for word in words) for title in titles], dtype=bool)

    def image(self, index: int) -> str:
        """Return the file name of the product's main image."""
        number = self._noise.number(Stream.DETAIL, index)
        middle = (IMAGE_CHARACTERS[number >> shift & 63] for shift in range(0, 48, 6))
        return f"{(41, 51, 61, 71)[number >> 62]}{''.join(middle)}L.jpg"

    def _title(self, index: int) -> str:
        number = self._noise.number(Stream.TITLE, index)
        rare, form, adjective, noun, other_noun, edition, volume = (number >> 9 * part & 511 for part in range(7))
        if rare < RARE_TITLE_SHARE * 512:
            return RARE_TITLES[form % len(RARE_TITLES)].format(v=1 + volume)
        is_book = bool(self._kinds.is_book(np.array([index]))[0])
        forms = FORMS if is_book else OTHER_FORMS
        return forms[form % len(forms)].format(
            a=ADJECTIVES[adjective % len(ADJECTIVES)],
            n=NOUNS[noun % len(NOUNS)],
            m=NOUNS[other_noun % len(NOUNS)],
            e=EDITIONS[edition % len(EDITIONS)],
            v=1 + volume % 12,
        )
