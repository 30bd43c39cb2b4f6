"""Puts what a reference takes into a warehouse, and reads back what the SQL made of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from typing import Any, TypeVar

from duckdb import DuckDBPyConnection

from deals_pipeline.analytics import recompute
from deals_pipeline.config import Intervals, Marketplace
from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.warehouse.arriving import Row, arrow_table
from deals_pipeline_tests.analytics.reference import (
    DealMetrics,
    DealPage,
    History,
    Known,
    LiveOffer,
    OfferDrop,
    Offers,
    Product,
    ProductSales,
    Results,
    Seller,
    Stats,
    Values,
)

PRICE_TYPES = 34
US = Marketplace.model_validate({"name": "US"})
ORIGIN: Row = {"landed_file": "file", "code_version": "0"}

USED_HISTORIES = "price_history WHERE price_type IN (2, 3, 12)"
WINDOWS = ("day", "week", "month", "quarter")
LATELY = timedelta(days=7)
FOREVER = datetime.max.replace(tzinfo=timezone.utc)

Part = TypeVar("Part", DealMetrics, DealPage, LiveOffer, OfferDrop, Offers, Product, ProductSales, Seller)


def store(connection: DuckDBPyConnection, deals: Mapping[str, Known], marketplace: Marketplace = US) -> None:
    """Store deals by their ASINs, as if their answers had been loaded."""
    domain_id = int(marketplace.name)
    identified = [({"domain_id": domain_id, "asin": asin} | ORIGIN, deal) for asin, deal in deals.items()]
    products = [(key, deal.product) for key, deal in identified if deal.product]
    offers = [(key, deal.offers) for key, deal in identified if deal.offers]
    sellers = {seller_id: seller for deal in deals.values() for seller_id, seller in deal.sellers.items()}
    rows: dict[str, Iterable[Row]] = {
        "recent_deal": (key | _deal_row(deal.page) for key, deal in identified),
        "product": (key | _product_row(product) for key, product in products),
        "product_stats": (key | _stats_row(product, product.stats) for key, product in products if product.stats),
        "price_history": (key | row for key, product in products for row in _history_rows(product)),
        "offer_snapshot": (key | _snapshot_row(offer) for key, offer in offers),
        "live_offer": (key | row for key, offer in offers for row in _offer_rows(offer)),
        "seller": ({"domain_id": domain_id} | _seller_row(seller_id, seller) for seller_id, seller in sellers.items()),
    }
    for table, found in rows.items():
        add(connection, table, list(found))


def add(connection: DuckDBPyConnection, table: str, rows: Sequence[Row]) -> None:
    """Add rows to a table; columns that they do not name are NULL."""
    schema = connection.table(table).limit(0).to_arrow_table().schema
    complete = [dict.fromkeys(schema.names) | row for row in rows]
    connection.register("some_rows", arrow_table(complete, schema))
    connection.execute(f"INSERT INTO {table} BY NAME FROM some_rows")
    connection.unregister("some_rows")


def recomputed(connection: DuckDBPyConnection, *marketplaces: Marketplace) -> dict[str, Results]:
    """Compute all metrics of what is stored, and return them by ASIN."""
    recompute(connection, marketplaces or (US,), Intervals(), 1000.0)
    drops: dict[str, list[OfferDrop]] = {}
    for asin, drop in _rows(connection, "offer_drop", OfferDrop, "dropped_at"):
        drops.setdefault(asin, []).append(drop)
    sales = dict(_rows(connection, "product_sales", ProductSales, "asin"))
    return {
        asin: Results(drops=drops.get(asin, []), sales=sales.get(asin), metrics=metrics)
        for asin, metrics in _rows(connection, "deal_metrics", DealMetrics, "asin")
    }


def known(connection: DuckDBPyConnection) -> dict[str, Known]:
    """Return what a warehouse knows of its deals, by ASIN."""
    products = {row["asin"]: row for row in _dicts(connection, "product")}
    stats = {row["asin"]: row for row in _dicts(connection, "product_stats")}
    histories = {(row["asin"], row["price_type"]): row for row in _dicts(connection, USED_HISTORIES)}
    snapshots = {row["asin"]: row for row in _dicts(connection, "offer_snapshot")}
    offers = list(_dicts(connection, "live_offer"))
    deals = list(_dicts(connection, "deal"))
    newest_sighting = max((row["last_seen"] for row in deals), default=None)
    sellers = {row["seller_id"]: _chosen(Seller, row) for row in _dicts(connection, "seller")}

    def history(asin: str, kind: PriceType) -> History:
        row = histories.get((asin, kind))
        return list(zip(row["times"], row["values"], strict=True)) if row else []

    def product(asin: str) -> Product | None:
        if asin not in products:
            return None
        windows = {
            name: {PriceType(index): value for index, value in enumerate(stats[asin][name] or ())}
            for name in ("current", "average_30_days", "average_180_days", "average_365_days")
            if asin in stats
        }
        return _chosen(
            Product,
            products[asin],
            used_counts=history(asin, PriceType.COUNT_USED),
            ranks=history(asin, PriceType.SALES),
            used_prices=history(asin, PriceType.USED),
            stats=Stats(**windows) if windows else None,
        )

    return {
        row["asin"]: Known(
            page=_chosen(
                DealPage,
                row,
                is_seen_lately=newest_sighting - row["last_seen"] <= LATELY,
                used_averages=tuple(row[f"used_average_{window}_cents"] for window in WINDOWS),
            ),
            product=product(row["asin"]),
            offers=_chosen(
                Offers,
                snapshots[row["asin"]],
                crawled_at=min(
                    snapshots[row["asin"]]["observed_at"],
                    max((offer["last_seen"] for offer in offers if offer["asin"] == row["asin"]), default=FOREVER),
                ),
                live=tuple(_chosen(LiveOffer, offer) for offer in offers if offer["asin"] == row["asin"]),
            )
            if row["asin"] in snapshots
            else None,
            sellers=sellers,
        )
        for row in deals
    }


def _chosen(kind: type[Part], row: Row, **others: Any) -> Part:  # noqa: ANN401 - the fields' values
    """Return a part of what is known from the columns of its fields' names."""
    names = [each.name for each in fields(kind) if each.name not in others]
    return kind(**{name: row[name] for name in names}, **others)


def _dicts(connection: DuckDBPyConnection, relation: str) -> Iterator[Row]:
    found = connection.execute(f"FROM {relation}")
    names = [column[0] for column in found.description]
    yield from (dict(zip(names, row, strict=True)) for row in found.fetchall())


def _rows(connection: DuckDBPyConnection, table: str, kind: type[Part], order: str) -> Iterator[tuple[str, Part]]:
    columns = ", ".join(each.name for each in fields(kind))
    for row in _dicts(connection, f"(SELECT asin, {columns} FROM {table}) ORDER BY {order}"):
        yield row.pop("asin"), kind(**row)


def _deal_row(page: DealPage) -> Row:
    current: Values = {PriceType.USED: page.used_cents}
    seen_at = page.observed_at if page.is_seen_lately else page.observed_at - LATELY - timedelta(days=1)
    averages = dict(zip(WINDOWS, page.used_averages, strict=False))
    return {
        "root_category": 283_155,
        "categories": [],
        "created_at": page.observed_at,
        "last_update": page.observed_at,
        "current": _listed(current),
        "current_since": [page.used_since if kind is PriceType.USED else None for kind in _kinds()],
        "delta_last": _listed({}),
        **{f"average_{window}": _listed({PriceType.USED: average}) for window, average in averages.items()},
        "back_in_stock": [False] * PRICE_TYPES,
        "sales_rank_drops_365_days": page.sales_rank_drops_365_days,
        "observed_at": page.observed_at,
        "first_seen": seen_at,
        "last_seen": seen_at,
    }


def _product_row(product: Product) -> Row:
    return {
        "product_type": 0,
        "root_category": 283_155,
        "tracking_since": product.observed_at,
        "last_update": product.observed_at,
        "pick_and_pack_fee": product.pick_and_pack_fee,
        "referral_fee_percentage": product.referral_fee_percentage,
        "observed_at": product.observed_at,
    }


def _stats_row(product: Product, stats: Stats) -> Row:
    return {
        "current": _listed(stats.current),
        "average_30_days": _listed(stats.average_30_days),
        "average_180_days": _listed(stats.average_180_days),
        "average_365_days": _listed(stats.average_365_days),
        "observed_at": product.observed_at,
    }


def _history_rows(product: Product) -> Iterator[Row]:
    histories: dict[PriceType, History] = {
        PriceType.USED: product.used_prices,
        PriceType.SALES: product.ranks,
        PriceType.COUNT_USED: product.used_counts,
    }
    for kind, history in histories.items():
        if history:
            yield {
                "price_type": int(kind),
                "times": [time for time, _ in history],
                "values": [value for _, value in history],
                "observed_at": product.observed_at,
            }


def _snapshot_row(offers: Offers) -> Row:
    times = {"observed_at": offers.observed_at, "first_observed": offers.first_observed}
    return times | {"is_live": offers.is_live, "offers": len(offers.live)}


def _offer_rows(offers: Offers) -> Iterator[Row]:
    for offer in offers.live:
        yield {
            "offer_id": offer.offer_id,
            "seller_id": offer.seller_id,
            "condition": offer.condition,
            "price": offer.price,
            "shipping": offer.shipping,
            "is_fba": offer.is_fba,
            "is_prime": False,
            "is_amazon": False,
            "is_shippable": True,
            "is_warehouse_deal": False,
            "last_seen": offers.crawled_at,
            "observed_at": offers.observed_at,
        }


def _seller_row(seller_id: str, seller: Seller) -> Row:
    times = dict.fromkeys(("tracked_since", "last_update", "observed_at"), seller.observed_at)
    return (
        ORIGIN
        | times
        | {
            "seller_id": seller_id,
            "rating_percent": seller.rating_percent,
            "rating_count": seller.rating_count,
        }
    )


def _kinds() -> list[PriceType]:
    return list(PriceType)[:PRICE_TYPES]


def _listed(values: Values) -> list[int | None]:
    return [values.get(kind) for kind in _kinds()]
