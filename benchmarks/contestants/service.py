"""The simulated service as all contestants meet it: it writes down every request that it executes, for the referee.

It is kinder than Keepa in one thing: it takes up to 100 ASINs with `offers` in a call, since January and the `keepa`
library send 50 and 100.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeAlias, cast

from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.keepa.requests import ASINS_PER_REQUEST_MAX, ASINS_PER_REQUEST_WITH_OFFERS_MAX, ProductRequest
from deals_pipeline.simulator.endpoints import Endpoints, Refreshed, Result
from deals_pipeline.simulator.pricing import ProductFacts, product_price
from deals_pipeline.simulator.server import Call, KeepaServer
from deals_pipeline.simulator.wire import Rejected, read_product_query

Item: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ShownDeal:
    """A deal on a page: `last_update` in Keepa minutes, the used price now in cents, negative where there is none."""

    asin: str
    last_update: int
    used_cents: int


@dataclass(frozen=True, slots=True)
class PageRead:
    """A page of deals, and what it cost."""

    at: datetime
    tokens: int
    deals: tuple[ShownDeal, ...]


@dataclass(frozen=True, slots=True)
class ProductsRead:
    """An answer with products, how many, which of them came with their history and with live offers, and its cost."""

    at: datetime
    tokens: int
    products: int
    with_offers: bool
    histories: tuple[str, ...]
    offers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SellersRead:
    """An answer with sellers, and what it cost."""

    at: datetime
    tokens: int


Executed: TypeAlias = PageRead | ProductsRead | SellersRead


class LeanEndpoints(Endpoints):
    """Endpoints whose products have no bodies, for contestants who read none: making them takes time and no tokens.

    They crawl and charge as others do, for requests whose price depends on the live offers alone.
    """

    def product_page(
        self,
        asked: ProductRequest | None,
        served: ProductRequest | None,  # noqa: ARG002
        refreshed: Refreshed,  # noqa: ARG002
        now: datetime,
    ) -> Result:
        """Return the ASINs of products that exist."""
        assert asked is not None, "these contestants ask for products that a page showed"
        switched = (asked.update is not None, asked.rating, asked.stock, asked.buybox, asked.historical_variations)
        assert not any(switched), "the price depends on what is not computed here"
        market = self.market(asked.domain)
        indices = {asin: market.index_of(asin) for asin in sorted(asked.asins)}
        prices = {
            asin: product_price(
                asked,
                ProductFacts(
                    product_age=timedelta(0),
                    offers_age=timedelta(0),
                    rating_is_stale=False,
                    stock_is_stale=False,
                    live_offers=market.live_offer_count(index, now) if asked.offers else 0,
                    has_parent=False,
                    refresh_succeeds=self._refresh_succeeds(asin, now),
                ),
            )
            for asin, index in indices.items()
            if index is not None
        }
        kinds = {kind for price in prices.values() for kind in price.crawled}
        crawled = {kind: tuple(asin for asin, price in prices.items() if kind in price.crawled) for kind in kinds}
        tokens = sum(price.tokens for price in prices.values())
        return Result({"products": [{"asin": asin, "csv": None} for asin in prices]}, tokens, crawled)


@dataclass
class Service(KeepaServer):
    """A Keepa service that remembers what it executed, in order."""

    executed: list[Executed] = field(default_factory=list)

    def _admit(self, call: Call, now: datetime) -> tuple[Callable[[], Result], str]:
        path = "/" + call.path.strip("/")
        if path == "/product" and (asked := self._products(call)) is not None:
            _, kind = super()._admit(_narrowed(call), now)

            def execute() -> Result:
                result = self.endpoints.product_page(asked, asked, self._refreshed(asked), now)
                self.executed.append(_products_read(asked, result, now))
                return result

            return execute, kind
        admitted, kind = super()._admit(call, now)

        def execute_as_it_is() -> Result:
            result = admitted()
            if path == "/deal":
                self.executed.append(_page_read(result, now))
            elif path == "/seller":
                self.executed.append(SellersRead(now, result.tokens))
            return result

        return execute_as_it_is, kind

    def _products(self, call: Call) -> ProductRequest | None:
        """Return the request for up to 100 products, with `offers` or without."""
        asins = tuple(dict.fromkeys(call.query.get("asin", "").split(",")))
        if len(asins) > ASINS_PER_REQUEST_MAX:
            raise Rejected(f"asin has {len(asins)}: allowed are {ASINS_PER_REQUEST_MAX}")
        asked = read_product_query(_narrowed(call).query)
        return asked and asked.model_copy(update={"asins": asins})


def _narrowed(call: Call) -> Call:
    """Return the call for no more products than Keepa takes with `offers`."""
    asins = call.query.get("asin", "").split(",")[:ASINS_PER_REQUEST_WITH_OFFERS_MAX]
    return replace(call, query={**call.query, "asin": ",".join(asins)})


def _page_read(result: Result, now: datetime) -> PageRead:
    deals = cast("Mapping[str, list[Item]]", result.payload["deals"])["dr"]
    return PageRead(now, result.tokens, tuple(_shown(deal) for deal in deals))


def _shown(deal: Item) -> ShownDeal:
    current = cast("list[int]", deal["current"])
    return ShownDeal(str(deal["asin"]), cast("int", deal["lastUpdate"]), current[PriceType.USED])


def _products_read(asked: ProductRequest, result: Result, now: datetime) -> ProductsRead:
    products = cast("list[Item]", result.payload["products"])
    asins = tuple(str(product["asin"]) for product in products)
    answered = {str(product["asin"]) for product in products if product.get("offersSuccessful")}
    offers = tuple(sorted(answered | set(result.crawled.get("offers", ())))) if asked.offers else ()
    return ProductsRead(
        now, result.tokens, len(asins), asked.offers is not None, asins if asked.history else (), offers
    )
