"""What was asked against what came: the checks that notice a wrong belief about the API by themselves (F25, F32, F33).

An item that cannot be what was asked for (another marketplace, times that the server's own clock rules out) has a
`defect` and is quarantined. An answer that as a whole ignores a parameter has a `breach`; its items are kept.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Final

import numpy as np
from typing_extensions import assert_never

from deals_pipeline.keepa.objects import Deal, Product, Series, value_of
from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.keepa.requests import ProductRequest
from deals_pipeline.keepa.selection import OPEN_END, DealSelection, SortType
from deals_pipeline.keepa.time import from_keepa_minutes, to_keepa_minutes

CLOCK_TOLERANCE: Final = timedelta(minutes=5)
"""How far ahead of the answer's timestamp a time may lie; 36 s were measured (D6)."""
DEAL_AGE_MAX: Final = timedelta(days=100)
"""A deal's last update lies within its interval of at most 90 days."""
UNBOUNDED: Final = 2**31 - 1
PRODUCT_TYPES_WITH_HISTORY: Final = frozenset({0, 1, 2})
"""Standard, downloadable, e-book; Keepa has no prices for the other product types."""


def deal_defect(deal: Deal, server_time: datetime) -> str | None:
    """Return why the times of a deal are implausible, or `None`."""
    latest = to_keepa_minutes(server_time + CLOCK_TOLERANCE)
    earliest = to_keepa_minutes(server_time - DEAL_AGE_MAX)
    if not earliest <= deal.last_update <= latest:
        return f"lastUpdate {from_keepa_minutes(deal.last_update):%Y-%m-%d %H:%M} is implausible at the server's time"
    if not 0 <= deal.creation_date <= latest:
        return f"creationDate {deal.creation_date} is implausible at the server's time"
    return None


def product_defect(product: Product, request: ProductRequest, server_time: datetime) -> str | None:
    """Return why a product cannot be what was asked for, or `None`."""
    latest = to_keepa_minutes(server_time + CLOCK_TOLERANCE)
    if product.asin not in request.asins:
        return f"asin {product.asin} was not asked for"
    if product.domain_id != request.domain:
        return f"domainId is {product.domain_id}, asked was {int(request.domain)}"
    if product.last_update > latest:
        return "lastUpdate lies in the future of the server's clock"
    for price_type in PriceType:
        series = product.history(price_type)
        if series is not None and (reason := _series_defect(series, price_type, latest)):
            return f"csv[{int(price_type)}] {reason}"
    return None


def _series_defect(series: Series, price_type: PriceType, latest: int) -> str | None:
    if len(series.flat) % price_type.stride:
        return f"has {len(series.flat)} integers, not a multiple of {price_type.stride}"
    times = series.times(price_type)
    if not times.size:
        return None
    if np.count_nonzero(times[1:] < times[:-1]):
        return "is not in the order of time"
    if times[0] < 0 or times[-1] > latest:
        return "has times that the server's clock rules out"
    return None


def product_breaches(request: ProductRequest, products: Sequence[Product]) -> tuple[str, ...]:
    """Return the parameters that were asked for and produced nothing."""
    produced: dict[str, tuple[bool, Callable[[Product], bool]]] = {
        "stats": (request.stats is not None, lambda product: product.stats is not None),
        "history": (request.history, lambda product: product.csv is not None),
        "offers": (request.offers is not None, lambda product: product.offers is not None),
        "only-live-offers": (request.only_live_offers, partial(_has_only_live_offers, request.offers or 0)),
    }
    accessible = [product for product in products if product.product_type in PRODUCT_TYPES_WITH_HISTORY]
    return tuple(
        f"{name} had no effect on {len(without)} of {len(accessible)} products, such as {without[0].asin}"
        for name, (asked, has) in produced.items()
        if asked and (without := [product for product in accessible if not has(product)])
    )


def _has_only_live_offers(asked: int, product: Product) -> bool:
    """Return whether all offers are live, as far as their order says: it names no more than were asked for."""
    if not product.offers or not product.offers_successful:
        return True
    return len(product.offers) <= len(product.live_offers) or len(product.live_offers) >= asked


def sort_value(selection: DealSelection, deal: Deal) -> int | None:
    """Return the value that orders a selection's deals, so that each page ascends; `None` has no place (D2)."""
    match selection.sort_type:
        case SortType.AGE:
            return -deal.creation_date
        case SortType.SALES_RANK | SortType.SALES_RANK_INVERTED:
            value = value_of(deal.current, PriceType.SALES)
            return value if value is None or selection.sort_type > 0 else -value
        case SortType.DELTA | SortType.DELTA_INVERTED:
            value = _windowed(deal.delta, selection)
        case SortType.PERCENT_DELTA | SortType.PERCENT_DELTA_INVERTED:
            value = _windowed(deal.delta_percent, selection)
        case _ as never:
            assert_never(never)
    return value if value is None or selection.sort_type < 0 else -value


def in_order(selection: DealSelection, deals: Iterable[Deal]) -> bool:
    """Return whether the deals stand in the order that was asked for."""
    values = [value for deal in deals if (value := sort_value(selection, deal)) is not None]
    return all(earlier <= later for earlier, later in pairwise(values))


def selection_breaches(selection: DealSelection, deals: Sequence[Deal]) -> tuple[str, ...]:
    """Return the filters of a selection that some deal does not pass, as far as a deal shows it."""
    return tuple(
        f"{name} is not met by {len(outside)} of {len(deals)} deals, such as {outside[0].asin}"
        for name, admits in _filters(selection).items()
        if (outside := [deal for deal in deals if not admits(deal)])
    )


def _filters(selection: DealSelection) -> dict[str, Callable[[Deal], bool]]:
    kind = selection.price_type
    ranges: dict[str, tuple[tuple[int, int] | None, Callable[[Deal], int | None]]] = {
        "deltaPercentRange": (
            selection.delta_percent_range or _listed_from(selection),
            lambda deal: _windowed(deal.delta_percent, selection),
        ),
        "deltaRange": (selection.delta_range, lambda deal: _windowed(deal.delta, selection)),
        "deltaLastRange": (selection.delta_last_range, lambda deal: value_of(deal.delta_last, kind)),
        "currentRange": (selection.current_range, lambda deal: value_of(deal.current, kind)),
        "salesRankRange": (_closed(selection.sales_rank_range), lambda deal: value_of(deal.current, PriceType.SALES)),
        "minRating": (
            None if selection.min_rating is None else (selection.min_rating, UNBOUNDED),
            lambda deal: value_of(deal.current, PriceType.RATING),
        ),
    }
    included, excluded = frozenset(selection.include_categories), frozenset(selection.exclude_categories)
    choices: dict[str, tuple[bool, Callable[[Deal], bool]]] = {
        "includeCategories": (bool(included), lambda deal: not included.isdisjoint(_categories(deal))),
        "excludeCategories": (bool(excluded), lambda deal: excluded.isdisjoint(_categories(deal))),
        "mustHaveAmazonOffer": (selection.must_have_amazon_offer, _has_amazon_offer),
        "mustNotHaveAmazonOffer": (selection.must_not_have_amazon_offer, lambda deal: not _has_amazon_offer(deal)),
        "warehouseConditions": (
            bool(selection.warehouse_conditions),
            lambda deal: deal.warehouse_condition in selection.warehouse_conditions,
        ),
    }
    return {name: partial(_is_within, bounds, value) for name, (bounds, value) in ranges.items() if bounds} | {
        name: admits for name, (is_on, admits) in choices.items() if is_on
    }


def _is_within(bounds: tuple[int, int], value_in: Callable[[Deal], int | None], deal: Deal) -> bool:
    low, high = bounds
    value = value_in(deal)
    return value is not None and low <= value <= high


def _listed_from(selection: DealSelection) -> tuple[int, int] | None:
    """Return the drop from which on Keepa lists a deal; what is out of stock has no price that could have dropped."""
    return None if selection.is_out_of_stock else (selection.delta_percent_min, UNBOUNDED)


def _closed(ranks: tuple[int, int] | None) -> tuple[int, int] | None:
    return (ranks[0], UNBOUNDED) if ranks and ranks[1] == OPEN_END else ranks


def _categories(deal: Deal) -> tuple[int, ...]:
    return (deal.root_cat, *deal.categories)


def _has_amazon_offer(deal: Deal) -> bool:
    return value_of(deal.current, PriceType.AMAZON) is not None


def _windowed(windows: Sequence[Sequence[int]], selection: DealSelection) -> int | None:
    window = windows[selection.date_range] if selection.date_range < len(windows) else ()
    return window[selection.price_type] if selection.price_type < len(window) else None
