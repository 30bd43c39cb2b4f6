"""Deals made of few words: what is known of one, in days before now, and what must follow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import TypeAlias

from deals_pipeline.config import Marketplace
from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline_tests.analytics.reference import DealPage, History, Known, LiveOffer, Offers, Product, Seller, Stats
from deals_pipeline_tests.analytics.stored import US

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)
SELLER = "A2L77EE7U53NWQ"
AMAZON, USED, RANK, COUNT = PriceType.AMAZON, PriceType.USED, PriceType.SALES, PriceType.COUNT_USED
Records: TypeAlias = Mapping[int, int | None] | Mapping[float, int | None] | Sequence[tuple[float, int | None]]
"""Values by the days before now at which they began to hold."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """A deal, and the columns that it must have; `sale_prices` are of all drops, oldest first, `-` where no sale is."""

    known: Known
    marketplace: Marketplace = US
    sale_prices: Sequence[int | str | None] | None = None
    confirmed_by: Sequence[str | None] | None = None
    confirmed_at: Sequence[datetime | None] | None = None
    is_sane: Sequence[bool | None] | None = None
    sales: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, object] = field(default_factory=dict)


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def day(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}T12:00:00+00:00")


def history(records: Records) -> History:
    pairs: list[tuple[float, int | None]] = [*records.items()] if isinstance(records, Mapping) else [*records]
    return [(ago(days), value) for days, value in sorted(pairs, key=lambda pair: -pair[0])]


def product(ranks: Records = (), used_prices: Records = (), used_counts: Records = ()) -> Product:
    """Return a product by its histories; the order of records of one time is kept."""
    return Product(
        observed_at=NOW,
        ranks=history(ranks),
        used_prices=history(used_prices),
        used_counts=history(used_counts),
    )


def sold(*sales: tuple[datetime, int | None]) -> Product:
    """Return a product of which copies were sold, for the price of the minute before."""
    counts: list[tuple[datetime, int | None]] = []
    ranks: list[tuple[datetime, int | None]] = []
    prices: list[tuple[datetime, int | None]] = []
    for time, price in sorted(sales, key=lambda sale: sale[0]):
        counts += [(time - MINUTE, 10), (time, 9)]
        ranks += [(time - MINUTE, 500_000), (time, 300_000)]
        prices += [(time - MINUTE, price)]
    return replace(product(), used_counts=counts, ranks=ranks, used_prices=prices)


def sold_at(*prices: int | None) -> Product:
    """Return a product of which copies were sold, each in a month of its own, the last of them lately."""
    return sold(*((ago(25 + 31 * number), price) for number, price in enumerate(prices)))


def page(used_cents: int | None = 2000, **fields: object) -> DealPage:
    """Return a page that no condition rejects."""
    values: dict[str, object] = {
        "observed_at": ago(0.01),
        "used_averages": (2100, 3000, 2500, None),
        "sales_rank_drops_365_days": 5,
        "used_since": ago(2),
    }
    return DealPage(used_cents=used_cents, **values | fields)  # type: ignore[arg-type]


def deal(product: Product | None = None, /, **fields: object) -> Known:
    """Return a deal with that page."""
    return Known(page=page(**fields), product=product)  # type: ignore[arg-type]


def offer(offer_id: int = 1, **fields: object) -> LiveOffer:
    values: dict[str, object] = {"seller_id": SELLER, "condition": 4, "price": 1500, "shipping": 399, "is_fba": False}
    return LiveOffer(offer_id=offer_id, **values | fields)  # type: ignore[arg-type]


def offered(
    *live: LiveOffer,
    to: Known | None = None,
    days_ago: float = 1,
    crawled_days_ago: float | None = None,
    first_days_ago: float | None = None,
    is_live: bool = True,
) -> Known:
    """Return a deal whose offers were bought, crawled at that moment and for the first time if not told."""
    offers = Offers(
        observed_at=ago(days_ago),
        crawled_at=ago(days_ago if crawled_days_ago is None else crawled_days_ago),
        first_observed=ago(days_ago if first_days_ago is None else first_days_ago),
        is_live=is_live,
        live=live,
    )
    return replace(to or deal(sold_at(5000, 5000)), offers=offers)


def rated(percent: int | None, count: int | None) -> Known:
    seller, seller_id = Seller(observed_at=NOW, rating_percent=percent, rating_count=count), f"A{percent}X{count}"
    return replace(offered(offer(seller_id=seller_id)), sellers={seller_id: seller})


def with_stats(product: Product, **windows: Mapping[PriceType, int | None]) -> Product:
    """Return the product with statistics: `current`, `average_30_days` …"""
    return replace(product, stats=Stats(**windows))
