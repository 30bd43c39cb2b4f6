"""What the service answers when it executes a request: the payload, its cost, and what it crawled for it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from threading import Lock
from typing import Final

from deals_pipeline.keepa.requests import DEALS_PER_PAGE, DEALS_PER_SELECTION_MAX, ProductRequest
from deals_pipeline.keepa.selection import DealSelection, Domain
from deals_pipeline.keepa.time import from_unix_ms, to_keepa_minutes
from deals_pipeline.simulator.market.market import Market
from deals_pipeline.simulator.market.noise import Integers
from deals_pipeline.simulator.pricing import ProductFacts, offers_are_known, product_price, unknown_price
from deals_pipeline.simulator.store import RefreshKind
from deals_pipeline.simulator.wire import DealQuery, SellerQuery

TOKENS_PER_DEAL_PAGE: Final = 5
RATING_AGE_MAX: Final = timedelta(days=14)
STOCK_AGE_MAX: Final = timedelta(days=7)
REFRESH_FAILS: Final = 0.02
"""How often a refresh of the offers fails; the cost is then 1."""
RESULT_CACHED: Final = timedelta(seconds=120)

Refreshed = Callable[[RefreshKind, str], int | None]
"""When (Unix ms) a request last made the service crawl something of an ASIN."""


@dataclass(frozen=True)
class Result:
    """An executed request: the payload beside the token fields, the tokens it cost, what it crawled, by ASIN."""

    payload: Mapping[str, object]
    tokens: int
    crawled: Mapping[RefreshKind, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Matched:
    at: datetime
    indices: Integers
    categories: list[tuple[int, str, int]]


class Endpoints:
    """The service's data: one market a domain, and the results of deal queries of the last two minutes (D4)."""

    def __init__(self, seed: int, products: int, *, listed_share: float = 0.4) -> None:
        self.seed, self.products, self.listed_share = seed, products, listed_share
        self._markets: dict[Domain, Market] = {}
        self._matched: dict[DealSelection, _Matched] = {}
        self._lock = Lock()

    def market(self, domain: Domain) -> Market:
        """Return the market of a domain."""
        with self._lock:
            if domain not in self._markets:
                self._markets[domain] = Market(
                    self.seed, self.products, domain=int(domain), listed_share=self.listed_share
                )
            return self._markets[domain]

    def deal_page(self, query: DealQuery, now: datetime) -> Result:
        """Return a page of deals; the page after the last is empty and costs as much (D1)."""
        matched, is_cached = self._match(query.selection, now)
        start = query.page * DEALS_PER_PAGE
        shown = matched.indices[:DEALS_PER_SELECTION_MAX][start : start + DEALS_PER_PAGE]
        deals = {
            "dr": self.market(query.selection.domain).deals(shown, matched.at),
            "drDateIndex": [],
            "categoryIds": [category for category, _, _ in matched.categories],
            "categoryNames": [name for _, name, _ in matched.categories],
            "categoryCount": [count for _, _, count in matched.categories],
        }
        return Result({"deals": deals, "dealsCached": is_cached}, TOKENS_PER_DEAL_PAGE)

    def _match(self, selection: DealSelection, now: datetime) -> tuple[_Matched, bool]:
        with self._lock:
            fresh = {key: matched for key, matched in self._matched.items() if _is_fresh(matched, now)}
            self._matched = fresh
        if selection in fresh:
            return fresh[selection], True
        market = self.market(selection.domain)
        matched = _Matched(now, market.matching(selection, now), market.category_counts(selection, now))
        with self._lock:
            self._matched[selection] = matched
        return matched, False

    def product_page(
        self, asked: ProductRequest | None, served: ProductRequest | None, refreshed: Refreshed, now: datetime
    ) -> Result:
        """Return products, ordered by ASIN and not as asked (P7): charged as `asked`, filled as `served`."""
        if asked is None or served is None:
            return Result({"products": []}, 0)
        market = self.market(asked.domain)
        tokens = 0
        products: list[Mapping[str, object]] = []
        crawled: dict[RefreshKind, list[str]] = {}
        for asin in sorted(asked.asins):
            index = market.index_of(asin)
            if index is None:
                tokens += unknown_price(asked).tokens
                continue
            facts = _facts(market, index, refreshed, now, refresh_succeeds=self._refresh_succeeds(asin, now))
            price = product_price(asked, facts)
            tokens += price.tokens
            for kind in price.crawled:
                crawled.setdefault(kind, []).append(asin)
            products.append(_product(market, index, served, facts, price.crawled, now))
        return Result({"products": products}, tokens, {kind: tuple(asins) for kind, asins in crawled.items()})

    def _refresh_succeeds(self, asin: str, now: datetime) -> bool:
        return Random(f"refresh {self.seed} {asin} {now:%Y%m%d%H}").random() >= REFRESH_FAILS

    def seller_page(self, query: SellerQuery, now: datetime) -> Result:
        """Return sellers by id, the unknown left out, and one token for each that is found."""
        market = self.market(query.domain)
        known = {seller_id: market.seller(seller_id, now) for seller_id in query.seller_ids}
        sellers = {seller_id: seller for seller_id, seller in known.items() if seller is not None}
        return Result({"sellers": sellers}, len(sellers))


def _is_fresh(matched: _Matched, now: datetime) -> bool:
    return timedelta(0) <= now - matched.at < RESULT_CACHED


def _facts(market: Market, index: int, refreshed: Refreshed, now: datetime, *, refresh_succeeds: bool) -> ProductFacts:
    asin = market.asin(index)

    def age(kind: RefreshKind, natural: datetime) -> timedelta:
        at = refreshed(kind, asin)
        return now - (natural if at is None else max(natural, from_unix_ms(at)))

    def is_stale(kind: RefreshKind, naturally: bool, age_max: timedelta) -> bool:
        at = refreshed(kind, asin)
        return naturally and (at is None or now - from_unix_ms(at) > age_max)

    return ProductFacts(
        product_age=age("product", market.last_crawl(index, now)),
        offers_age=age("offers", market.last_offers_crawl(index, now)),
        rating_is_stale=is_stale("rating", market.rating_is_stale(index, now), RATING_AGE_MAX),
        stock_is_stale=is_stale("stock", market.stock_is_stale(index, now), STOCK_AGE_MAX),
        live_offers=market.live_offer_count(index, now),
        has_parent=market.product_head(index, now)["parentAsin"] is not None,
        refresh_succeeds=refresh_succeeds,
    )


def _product(
    market: Market,
    index: int,
    request: ProductRequest,
    facts: ProductFacts,
    crawled: Iterable[RefreshKind],
    now: datetime,
) -> dict[str, object]:
    product = market.product_head(index, now)
    if "product" in crawled:
        product["lastUpdate"] = to_keepa_minutes(now)
    if request.history:
        product["csv"] = market.history(
            index,
            now,
            days=request.days,
            with_offers=request.offers is not None,
            with_rating=request.rating,
            with_buybox=request.buybox,
        )
    else:
        product["csv"] = None
    product["stats"] = None if request.stats is None else market.stats(index, now, request.stats)
    if request.offers is not None:
        succeeded = facts.refresh_succeeds or offers_are_known(request, facts)
        live_only = request.only_live_offers and succeeded
        crawled_at = now if "offers" in crawled else now - facts.offers_age
        offers, live_order = market.offers(index, crawled_at, live_only=live_only)
        live_order = live_order[: request.offers]
        if live_only:  # none beyond those that were asked for
            offers, live_order = [offers[position] for position in live_order], list(range(len(live_order)))
        product |= {"offers": offers, "liveOffersOrder": live_order, "offersSuccessful": succeeded}
    return product
