"""Which products a selection shows at a minute, and in which order (D2, D3)."""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Final, TypeAlias

import numpy as np
from typing_extensions import assert_never

from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.keepa.selection import OPEN_END, DealSelection, SortType
from deals_pipeline.simulator.market.averages import is_lowest
from deals_pipeline.simulator.market.candidates import ONLY, Candidates, Rows
from deals_pipeline.simulator.market.catalogue import Catalogue
from deals_pipeline.simulator.market.deals import Deals, delta
from deals_pipeline.simulator.market.episodes import DAY
from deals_pipeline.simulator.market.kinds import ROOTS
from deals_pipeline.simulator.market.noise import Flags, Integers
from deals_pipeline.simulator.market.prices import Prices

Filter: TypeAlias = Callable[[Rows], Flags]
OFFER_TYPES_OF_NEW: Final = frozenset({PriceType.AMAZON, PriceType.NEW, PriceType.NEW_FBM_SHIPPING, PriceType.NEW_FBA})
"""The types to which "the lowest of all New offers" applies."""


class Selecting:
    """Finds the products of selections."""

    def __init__(self, products: int, prices: Prices, catalogue: Catalogue, deals: Deals) -> None:
        self._prices = prices
        self._catalogue = catalogue
        self._deals = deals
        self._candidates = Candidates(products, prices, deals)

    def matching(self, selection: DealSelection, minute: int) -> Integers:
        """Return the products that the selection shows, in its order."""
        rows = self.shown(selection, minute)
        ordered = rows.index[self._order(selection, rows)]
        return self._one_per_family(ordered) if selection.single_variation else ordered

    def category_counts(self, selection: DealSelection, minute: int) -> list[tuple[int, str, int]]:
        """Return id, name and count of the root categories, the filter by category left out (D9)."""
        everywhere = selection.model_copy(update={"include_categories": (), "exclude_categories": ()})
        index = self.shown(everywhere, minute).index
        counts = np.bincount(self._prices.kinds.root(index), minlength=len(ROOTS)).tolist()
        return [(root, name, count) for (root, name, _), count in zip(ROOTS, counts, strict=True) if count]

    def shown(self, selection: DealSelection, minute: int) -> Rows:
        """Return the products that the selection shows by their index, all variations of a family."""
        kind, date_range = int(selection.price_type), int(selection.date_range)
        if selection.is_out_of_stock:
            rows = self._candidates.sold_out(kind, date_range, minute)
        else:
            rows = self._candidates.listed(kind, date_range, minute)
            rows = rows.where(rows.percent >= selection.delta_percent_min)
        filters = (_of_ranges(selection), self._of_names(selection), self._of_now(selection))
        for admits in chain(*filters, self._of_history(selection)):
            if len(rows.index):
                rows = rows.where(admits(rows))
        return rows

    def _of_names(self, selection: DealSelection) -> Iterator[Filter]:
        """Return the filters by what products are."""
        catalogue, kinds = self._catalogue, self._prices.kinds
        included, excluded = selection.include_categories, selection.exclude_categories
        if selection.filter_erotic:
            yield lambda rows: ~kinds.is_adult(rows.index)
        if included:
            yield lambda rows: catalogue.in_categories(rows.index, included)
        if excluded:
            yield lambda rows: ~catalogue.in_categories(rows.index, excluded)
        if selection.title_search:
            keywords = selection.title_search.lower().split()
            yield lambda rows: catalogue.has_words(rows.index, keywords)

    def _of_now(self, selection: DealSelection) -> Iterator[Filter]:
        """Return the filters by what products show at a minute."""

        def current_is(price_type: int, low: int, high: int | None = None) -> Filter:
            return lambda rows: _within(self._candidates.current(rows.index, rows.crawl, price_type), low, high)

        if selection.has_reviews:
            yield current_is(PriceType.COUNT_REVIEWS, 1)
        if selection.min_rating is not None:
            yield current_is(PriceType.RATING, selection.min_rating)
        if selection.is_prime_exclusive:
            yield current_is(PriceType.PRIME_EXCL, 0)
        if selection.must_have_amazon_offer:
            yield current_is(PriceType.AMAZON, 0)
        if selection.must_not_have_amazon_offer:
            yield current_is(PriceType.AMAZON, -1, -1)
        if selection.sales_rank_range:
            low, high = selection.sales_rank_range
            yield current_is(PriceType.SALES, low, None if high == OPEN_END else high)
        if conditions := selection.warehouse_conditions:
            yield lambda rows: np.isin(self._warehouse_conditions(rows), conditions)
        if selection.is_lowest_offer and selection.price_type in OFFER_TYPES_OF_NEW:
            yield lambda rows: rows.current <= self._candidates.current(rows.index, rows.crawl, PriceType.NEW)

    def _of_history(self, selection: DealSelection) -> Iterator[Filter]:
        """Return the filters by what products showed before."""
        kind = int(selection.price_type)
        if bounds := selection.delta_last_range:
            yield lambda rows: _within(self._delta_last(rows, kind), *bounds)
        if selection.is_back_in_stock:
            yield lambda rows: self._candidates.current(rows.index, rows.crawl - DAY, kind) < 0
        if selection.is_lowest:
            yield lambda rows: self._is_lowest(rows, kind, None)
        if selection.is_lowest90:
            yield lambda rows: self._is_lowest(rows, kind, 90 * DAY)

    def _warehouse_conditions(self, rows: Rows) -> Integers:
        prices = self._candidates.current(rows.index, rows.crawl, PriceType.WAREHOUSE)
        return self._deals.warehouse_conditions(rows.index, prices)

    def _delta_last(self, rows: Rows, kind: int) -> Integers:
        before = np.maximum(rows.crawl - 1, self._prices.tracked_since(rows.index))
        return delta(self._candidates.current(rows.index, before, kind), rows.current)

    def _is_lowest(self, rows: Rows, kind: int, window: int | None) -> Flags:
        profiles = self._prices.profiles(rows.index, ONLY[kind])
        return is_lowest(self._prices, profiles, self._prices.crawls.at(rows.index, rows.crawl), window)[:, 0]

    def _one_per_family(self, ordered: Integers) -> Integers:
        """Return the first variation of each family, and the products without one."""
        family = self._catalogue.family(ordered)
        _, first = np.unique(np.where(family >= 0, family, -1 - ordered), return_index=True)
        return ordered[np.sort(first)]

    def _order(self, selection: DealSelection, rows: Rows) -> Integers:
        """Return the positions of the rows in the order of the selection: ties by ASIN, no rank last."""
        is_missing = np.zeros(len(rows.index), dtype=bool)
        match selection.sort_type:
            case SortType.AGE:
                ascending = -rows.created
            case SortType.DELTA | SortType.DELTA_INVERTED:
                ascending = -rows.delta
            case SortType.PERCENT_DELTA | SortType.PERCENT_DELTA_INVERTED:
                ascending = -rows.percent
            case SortType.SALES_RANK | SortType.SALES_RANK_INVERTED:
                ascending = self._candidates.current(rows.index, rows.crawl, PriceType.SALES)
                is_missing = ascending < 0
            case _ as never:
                assert_never(never)
        if selection.sort_type < 0:
            ascending = -ascending
        return np.lexsort((self._catalogue.sort_keys(rows.index), ascending, is_missing))


def _of_ranges(selection: DealSelection) -> Iterator[Filter]:
    """Return the filters by the values that rows hold."""
    if percents := selection.delta_percent_range:
        yield lambda rows: _within(rows.percent, *percents)
    if deltas := selection.delta_range:
        yield lambda rows: _within(rows.delta, *deltas)
    if values := selection.current_range:
        yield lambda rows: _within(rows.current, *values)


def _within(values: Integers, low: int, high: int | None = None) -> Flags:
    """Return which values lie between two bounds, both included; `None` is open."""
    is_above = values >= low
    return is_above if high is None else is_above & (values <= high)
