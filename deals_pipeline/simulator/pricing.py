"""What the service charges for one ASIN, by the cost table of docs/keepa_api.md."""

from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Final

from deals_pipeline.keepa.requests import OFFERS_PER_OFFER_PAGE, TOKENS_PER_OFFER_PAGE, ProductRequest
from deals_pipeline.simulator.store import RefreshKind

TOKENS_PER_PRODUCT: Final = 1
TOKENS_FOR_KNOWN_OFFERS: Final = 5
TOKENS_FOR_BUYBOX: Final = 2
TOKENS_FOR_STOCK: Final = 2
HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True)
class ProductFacts:
    """What the price of a product depends on: the ages of its data, its live offers, whether a refresh succeeds."""

    product_age: timedelta
    offers_age: timedelta
    rating_is_stale: bool
    stock_is_stale: bool
    live_offers: int
    has_parent: bool
    refresh_succeeds: bool


@dataclass(frozen=True)
class Price:
    """The tokens of one ASIN, and what was crawled for them."""

    tokens: int
    crawled: frozenset[RefreshKind]


def unknown_price(request: ProductRequest) -> Price:
    """Return what a well-formed ASIN costs that Keepa does not know: nothing with `update=-1`."""
    tokens = 0 if request.update == -1 else TOKENS_PER_PRODUCT
    return Price(tokens + (TOKENS_FOR_BUYBOX if tokens and _pays_buybox(request) else 0), frozenset())


def product_price(request: ProductRequest, facts: ProductFacts) -> Price:
    """Return what a product costs."""
    tokens, crawled = _offers_price(request, facts) if request.offers else (TOKENS_PER_PRODUCT, set[RefreshKind]())
    if _pays_buybox(request):
        tokens += TOKENS_FOR_BUYBOX
    if request.update is not None and request.update >= 0 and facts.product_age >= request.update * HOUR:
        crawled.add("product")
    if request.update == 0 and facts.product_age < HOUR:
        tokens += 1
    if request.rating and facts.rating_is_stale:
        tokens += 1
        crawled.add("rating")
    if request.stock and facts.stock_is_stale:
        tokens += TOKENS_FOR_STOCK
        crawled.add("stock")
    if request.historical_variations and facts.has_parent:
        tokens += 1
    return Price(tokens, frozenset(crawled))


def offers_are_known(request: ProductRequest, facts: ProductFacts) -> bool:
    """Return whether `update` leaves the offers as they were last crawled."""
    if request.update is None or request.update == 0:
        return False
    return request.update < 0 or facts.offers_age < request.update * HOUR


def _offers_price(request: ProductRequest, facts: ProductFacts) -> tuple[int, set[RefreshKind]]:
    if offers_are_known(request, facts):
        return TOKENS_FOR_KNOWN_OFFERS, set()
    if not facts.refresh_succeeds:
        return TOKENS_PER_PRODUCT, set()
    pages_asked = ceil((request.offers or 0) / OFFERS_PER_OFFER_PAGE)
    pages_found = max(1, ceil(facts.live_offers / OFFERS_PER_OFFER_PAGE))
    return TOKENS_PER_OFFER_PAGE * min(pages_asked, pages_found), {"offers", "product"}


def _pays_buybox(request: ProductRequest) -> bool:
    return request.buybox and request.offers is None
