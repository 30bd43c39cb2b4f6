"""An answer's rows under the names of the warehouse's columns: no -1, no Keepa minutes, unknown is `None`.

Rows become Arrow tables of the types of the table they are for, so that there is one schema: the migrations (F45).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

import pyarrow as pa

from deals_pipeline import __version__
from deals_pipeline.keepa.contract import sort_value
from deals_pipeline.keepa.objects import Deal, Offer, Product, Stats, Values
from deals_pipeline.keepa.replies import Fatal, Page, Products, Reply, Retryable, Sellers
from deals_pipeline.keepa.requests import DealPageRequest, ProductRequest, SellerRequest
from deals_pipeline.keepa.selection import DateRange, DealSelection
from deals_pipeline.keepa.time import KEEPA_EPOCH_UNIX_MINUTES, MICROSECONDS_PER_MINUTE, from_keepa_minutes
from deals_pipeline.landing import Landed, Scan
from deals_pipeline.warehouse.scans import scan_id

Row: TypeAlias = dict[str, Any]

WINDOWS: Final = {
    DateRange.DAY: "day",
    DateRange.WEEK: "week",
    DateRange.MONTH: "month",
    DateRange.QUARTER: "quarter",
}


def arrow_table(rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
    """Return rows as an Arrow table; each must have exactly the columns of the schema."""
    for row in rows:
        assert row.keys() == set(schema.names), f"columns differ: {sorted(row.keys() ^ set(schema.names))}"
    return pa.Table.from_pylist(rows, schema=schema)


def file_row(landed: Landed, reply: Reply) -> Row:
    """Return the row of `landed_file`."""
    header = landed.header
    items = getattr(reply, "deals", getattr(reply, "products", getattr(reply, "sellers", ())))
    return {
        "landed_file": landed.file_id,
        "kind": header.request.kind,
        "outcome": outcome(reply),
        "detail": f"{reply.cause.value}: {reply.detail}" if isinstance(reply, Retryable | Fatal) else None,
        "run_id": header.run_id,
        "hold_id": header.hold_id,
        "bought_with": header.code_version,
        "received_at": header.received_at,
        "server_time": reply.tokens.timestamp if reply.tokens else None,
        "status": header.status,
        "tokens_consumed": reply.tokens.tokens_consumed if reply.tokens else None,
        "items": len(items),
        "quarantined": len(getattr(reply, "quarantined", ())),
        "breaches": list(getattr(reply, "breaches", ())),
        "code_version": __version__,
    }


def outcome(reply: Reply) -> str:
    """Return what came, in the words of `landed_file`."""
    return {"TokenStatus": "token status"}.get(type(reply).__name__, type(reply).__name__.lower())


def quarantine_rows(
    landed: Landed, request: DealPageRequest | ProductRequest | SellerRequest, reply: Page | Products | Sellers
) -> Iterator[Row]:
    """Yield the rows of `quarantine`."""
    domain = request.selection.domain if isinstance(request, DealPageRequest) else request.domain
    for item in reply.quarantined:
        yield {
            "landed_file": landed.file_id,
            "position": item.position,
            "kind": landed.header.request.kind,
            "domain_id": int(domain),
            "item_id": item.item_id,
            "reason": item.reason,
            "observed_at": reply.tokens.timestamp,
            "code_version": __version__,
        }


def page_row(landed: Landed, request: DealPageRequest, page: Page, scan: Scan) -> Row:
    """Return the row of `scan_page`."""
    selection = request.selection
    sort_values = [value for deal in page.deals if (value := sort_value(selection, deal)) is not None]
    return {
        "landed_file": landed.file_id,
        "scan_id": scan_id(scan, selection),
        "page": request.page,
        "observed_at": page.tokens.timestamp,
        "deals": len(page.deals) + len(page.quarantined) + page.duplicates,
        "quarantined": len(page.quarantined),
        "duplicates": page.duplicates,
        "is_last": page.is_last,
        "is_in_order": page.is_in_order,
        "first_sort_value": sort_values[0] if sort_values else None,
        "last_sort_value": sort_values[-1] if sort_values else None,
    }


def scan_row(selection: DealSelection, scan: Scan) -> Row:
    """Return what identifies a scan, of the row of `scan`; the rest follows from its pages."""
    return {
        "scan_id": scan_id(scan, selection),
        "selection": scan.selection,
        "selection_version": selection.version,
        "domain_id": int(selection.domain),
        "kind": scan.kind,
        "shard": scan.shard,
        "started_at": scan.started_at,
    }


def deal_rows(landed: Landed, page: Page, selection: DealSelection, seen_by: str | None) -> Iterator[Row]:
    """Yield the rows of `recent_deal` or `backfilled_deal`."""
    observed_at = page.tokens.timestamp
    for deal in page.deals:
        yield _deal_row(deal) | {
            "domain_id": int(selection.domain),
            "observed_at": observed_at,
            "landed_file": landed.file_id,
            "code_version": __version__,
            "first_seen": observed_at,
            "last_seen": observed_at,
            "last_seen_scan": seen_by,
        }


def _deal_row(deal: Deal) -> Row:
    row = {
        "asin": deal.asin,
        "title": deal.title,
        "parent_asin": deal.parent_asin,
        "image": deal.image_name,
        "root_category": deal.root_cat,
        "categories": deal.categories,
        "created_at": from_keepa_minutes(deal.creation_date),
        "last_update": from_keepa_minutes(deal.last_update),
        "current": deal.current,
        "current_since": [None if minute is None else _unix_microseconds(minute) for minute in deal.current_since],
        "delta_last": _known(deal.delta_last, deal.current, deal.current),
        "back_in_stock": deal.back_in_stock,
        "sales_rank_drops_30_days": deal.sales_rank_drops30,
        "sales_rank_drops_90_days": deal.sales_rank_drops90,
        "sales_rank_drops_180_days": deal.sales_rank_drops180,
        "sales_rank_drops_365_days": deal.sales_rank_drops365,
        "warehouse_condition": deal.warehouse_condition,
        "warehouse_comment": deal.warehouse_condition_comment,
    }
    for window, name in WINDOWS.items():
        average = deal.avg[window] if window < len(deal.avg) else None
        row[f"average_{name}"] = average
        for kind, windows in (("delta", deal.delta), ("delta_percent", deal.delta_percent)):
            known = _known(windows[window], deal.current, average) if window < len(windows) else None
            row[f"{kind}_{name}"] = known
    return row


def product_rows(landed: Landed, reply: Products) -> Iterator[Row]:
    """Yield the rows of `product`."""
    for product in reply.products:
        yield {
            "domain_id": product.domain_id,
            "asin": product.asin,
            "product_type": product.product_type,
            "title": product.title,
            "parent_asin": product.parent_asin,
            "root_category": product.root_category,
            "categories": product.categories,
            "manufacturer": product.manufacturer,
            "brand": product.brand,
            "author": product.author,
            "binding": product.binding,
            "number_of_pages": product.number_of_pages,
            "publication_date": product.publication_date,
            "package_weight": product.package_weight,
            "tracking_since": from_keepa_minutes(product.tracking_since),
            "last_update": from_keepa_minutes(product.last_update),
            "availability_amazon": product.availability_amazon,
            "pick_and_pack_fee": product.fba_fees.pick_and_pack_fee if product.fba_fees else None,
            "referral_fee_percentage": product.referral_fee_percentage,
            "observed_at": reply.tokens.timestamp,
            "landed_file": landed.file_id,
            "code_version": __version__,
        }


def stats_rows(landed: Landed, reply: Products) -> Iterator[Row]:
    """Yield the rows of `product_stats`."""
    for product in reply.products:
        if product.stats is not None:
            yield _stats_row(product.stats) | {
                "domain_id": product.domain_id,
                "asin": product.asin,
                "observed_at": reply.tokens.timestamp,
                "landed_file": landed.file_id,
                "code_version": __version__,
            }


def _stats_row(stats: Stats) -> Row:
    return {
        "current": stats.current,
        "average": stats.avg,
        "average_30_days": stats.avg30,
        "average_90_days": stats.avg90,
        "average_180_days": stats.avg180,
        "average_365_days": stats.avg365,
        "sales_rank_drops_30_days": stats.sales_rank_drops30,
        "sales_rank_drops_90_days": stats.sales_rank_drops90,
        "sales_rank_drops_180_days": stats.sales_rank_drops180,
        "sales_rank_drops_365_days": stats.sales_rank_drops365,
    }


def missing_rows(request: ProductRequest, reply: Products) -> Iterator[Row]:
    """Yield the rows of `missing_product`."""
    for asin in reply.missing:
        yield {"domain_id": int(request.domain), "asin": asin} | _missing(reply.tokens.timestamp)


def snapshot_rows(landed: Landed, reply: Products) -> Iterator[Row]:
    """Yield the rows of `offer_snapshot`, for an answer to a request with offers."""
    observed_at = reply.tokens.timestamp
    for product in reply.products:
        is_live = product.offers_successful is True
        yield {
            "domain_id": product.domain_id,
            "asin": product.asin,
            "is_live": is_live,
            "offers": len(_offers(product)),
            "first_observed": observed_at,
            "live_at": observed_at if is_live else None,
            "observed_at": observed_at,
            "landed_file": landed.file_id,
            "code_version": __version__,
        }


def offer_rows(landed: Landed, reply: Products) -> Iterator[Row]:
    """Yield the rows of `live_offer`; after a crawl that failed there are none."""
    for product in reply.products:
        for offer in _offers(product):
            yield {
                "domain_id": product.domain_id,
                "asin": product.asin,
                "offer_id": offer.offer_id,
                "seller_id": offer.seller_id,
                "condition": offer.condition,
                "condition_comment": offer.condition_comment,
                "price": offer.price,
                "shipping": offer.shipping,
                "is_fba": offer.is_fba,
                "is_prime": offer.is_prime,
                "is_amazon": offer.is_amazon,
                "is_shippable": offer.is_shippable,
                "is_warehouse_deal": offer.is_warehouse_deal,
                "last_seen": from_keepa_minutes(offer.last_seen),
                "observed_at": reply.tokens.timestamp,
                "landed_file": landed.file_id,
                "code_version": __version__,
            }


def _offers(product: Product) -> list[Offer]:
    """Return the live offers, each once: of two with one id the first on Amazon's page."""
    live = product.live_offers if product.offers_successful else ()
    return list({offer.offer_id: offer for offer in reversed(live)}.values())


def seller_rows(landed: Landed, reply: Sellers) -> Iterator[Row]:
    """Yield the rows of `seller`."""
    for seller in reply.sellers:
        yield {
            "domain_id": seller.domain_id,
            "seller_id": seller.seller_id,
            "name": seller.seller_name,
            "rating_percent": seller.current_rating,
            "rating_count": seller.current_rating_count,
            "ratings_last_30_days": seller.ratings_last30_days,
            "has_fba": seller.has_fba,
            "ships_from_china": seller.ships_from_china,
            "tracked_since": from_keepa_minutes(seller.tracked_since),
            "last_update": from_keepa_minutes(seller.last_update),
            "observed_at": reply.tokens.timestamp,
            "landed_file": landed.file_id,
            "code_version": __version__,
        }


def missing_seller_rows(request: SellerRequest, reply: Sellers) -> Iterator[Row]:
    """Yield the rows of `missing_seller`."""
    for seller_id in reply.missing:
        yield {"domain_id": int(request.domain), "seller_id": seller_id} | _missing(reply.tokens.timestamp)


def _missing(at: datetime) -> Row:
    return {"times": 1, "first_missing": at, "last_missing": at}


def _known(differences: Sequence[int], now: Values, before: Values | None) -> list[int | None]:
    """Return differences where both sides are known: Keepa sends -1 for the others (F51)."""
    return [
        None if value is None or reference is None else difference
        for difference, value, reference in zip(differences, now, before or (), strict=False)
    ]


def _unix_microseconds(minute: int) -> int:
    return (minute + KEEPA_EPOCH_UNIX_MINUTES) * MICROSECONDS_PER_MINUTE
