"""Landed answers for tests: made from examples of the wire, or bought from a simulated service."""

import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from deals_pipeline.keepa.replies import Page, Products
from deals_pipeline.keepa.requests import DealPageRequest, ProductRequest, Request, SellerRequest
from deals_pipeline.keepa.selection import DealSelection
from deals_pipeline.keepa.time import to_keepa_minutes, to_unix_ms
from deals_pipeline.landing import REQUESTS, Header, Landed, Landing, RequestRecord, Scan
from deals_pipeline.simulator.faults import Fault, Faults
from deals_pipeline_tests.keepa.wire_examples import (
    SERVER_TIME,
    Wire,
    a_deal,
    a_product,
    a_seller,
    answered,
    page_of,
    products_of,
    sellers_of,
)
from deals_pipeline_tests.simulator.services import Service, make_service

SELECTION = DealSelection()
UNCOMPARED = {"migration", "write_probe", "price_type", "filled_table"}
COMPUTED = {"marketplace", "offer_drop", "product_sales", "deal_metrics"}
"""Tables that no answer fills."""
UNKNOWN_SELLER = "A000000UNKNOWN"


def a_scan(number: int = 0, **fields: Any) -> Scan:  # noqa: ANN401 (passed on)
    """Return the scan that began `number` hours after the first."""
    values: dict[str, Any] = {"selection": "recent", "kind": "full", "started_at": hours(number)}
    return Scan(**values | fields)


def hours(number: float) -> datetime:
    return SERVER_TIME + timedelta(hours=number)


def minute(time: datetime) -> int:
    return to_keepa_minutes(time)


def landed(
    request: Request,
    document: object,
    *,
    at: datetime = SERVER_TIME,
    name: str = "",
    scan: Scan | None = None,
    status: int = 200,
) -> Landed:
    answer = answered(document, status)
    (kind,) = (name for name, type_ in REQUESTS.items() if type(request) is type_)
    record = RequestRecord(kind, {})
    header = Header(
        request=record,
        hold_id="hold-1",
        run_id="run-1",
        code_version="0",
        received_at=at,
        server_time=None,
        status=status,
        content_encoding="gzip",
        is_gzipped_here=False,
        body_bytes=len(answer.body),
        body_crc32=0,
        scan=scan,
    )
    file_id = name or f"{zlib.crc32(answer.body + repr((request, scan)).encode()):08x}"
    return Landed(file_id=file_id, header=header, request=request, answer=answer)


def a_page(
    deals: Sequence[object],
    *,
    at: datetime = SERVER_TIME,
    number: int = 0,
    scan: Scan | None = None,
    selection: DealSelection = SELECTION,
    name: str = "",
) -> Landed:
    """Return a landed page as Keepa's clock stood at `at`."""
    document = page_of(deals, timestamp=to_unix_ms(at))
    return landed(DealPageRequest(selection=selection, page=number), document, at=at, scan=scan, name=name)


def deals(first: int, count: int, at: datetime = SERVER_TIME, **fields: object) -> list[Wire]:
    return [a_deal(number, lastUpdate=minute(at) - 30, **fields) for number in range(first, first + count)]


def some_products(
    numbers: Sequence[int], *, at: datetime = SERVER_TIME, asked: Sequence[str] = (), name: str = "", **fields: object
) -> Landed:
    request_fields = {key: fields.pop(key) for key in ("days",) if key in fields}
    products = [a_product(number, **fields) for number in numbers]
    request = ProductRequest(asins=(*(each["asin"] for each in products), *asked), **request_fields)
    return landed(request, products_of(products, timestamp=to_unix_ms(at)), name=name)


def some_offers(
    offers: Mapping[int, Sequence[Wire] | None],
    *,
    at: datetime = SERVER_TIME,
    asked: Sequence[str] = (),
    name: str = "",
) -> Landed:
    """Return landed products by number with their live offers, `None` where Keepa's crawl failed."""
    products = [
        a_product(
            number,
            offers=list(live or ()),
            liveOffersOrder=list(range(len(live or ()))),
            offersSuccessful=live is not None,
        )
        for number, live in offers.items()
    ]
    asins = (*(each["asin"] for each in products), *asked)
    request = ProductRequest(asins=asins, offers=20, only_live_offers=True)
    return landed(request, products_of(products, timestamp=to_unix_ms(at)), name=name)


def some_sellers(
    ids: Sequence[str], *, at: datetime = SERVER_TIME, asked: Sequence[str] = (), name: str = "", **fields: object
) -> Landed:
    sellers = sellers_of(*(a_seller(sellerId=each, **fields) for each in ids))
    request = SellerRequest(seller_ids=(*ids, *asked))
    return landed(request, sellers | {"timestamp": to_unix_ms(at)}, name=name)


def scanned(service: Service, landing: Landing, selection: DealSelection, scan: Scan) -> list[str]:
    """Read all pages of a selection; return the ASINs that were listed."""
    asins: list[str] = []
    with landing.reading(scan):
        for number in range(67):
            page = service.page(DealPageRequest(selection=selection, page=number))
            assert isinstance(page, Page), page
            asins += [deal.asin for deal in page.deals]
            if page.is_last:
                return asins
            service.pass_time(minutes=5)
    raise AssertionError("no page was the last")


def buy(root: Path) -> Service:
    """Land two scans of a feed, one of a shard; products, offers and sellers twice; and answers that give nothing."""
    dirty = Faults(kinds=frozenset({Fault.DIRTY_ITEMS, Fault.DUPLICATES}), share=0.5)
    service = make_service(products=1_000, faults=dirty)
    landing = Landing(root, "run-1", service.clock)
    service.client._land = landing  # noqa: SLF001
    shard = DealSelection(current_range=(0, 1500))
    for kind in ("full", "head"):
        scan = Scan(selection="recent", kind=kind, started_at=service.clock.now())
        asins = scanned(service, landing, SELECTION, scan)
        request = ProductRequest(asins=tuple(dict.fromkeys(asins))[:4], stats=90)
        service.products(request)
        with_offers = service.products(request.model_copy(update={"offers": 20, "only_live_offers": True}))
        assert isinstance(with_offers, Products)
        sellers = {offer.seller_id for product in with_offers.products for offer in product.live_offers}
        service.sellers(SellerRequest(seller_ids=(*sorted(sellers)[:20], UNKNOWN_SELLER)))
        service.pass_time(hours=3)
    scanned(service, landing, shard, Scan(selection="wide", kind="shard", shard="0", started_at=service.clock.now()))
    service.server.faults = Faults(kinds=frozenset({Fault.SERVER_ERROR}), share=1.0)
    service.page(DealPageRequest(selection=SELECTION))
    return service


def contents(connection: DuckDBPyConnection) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of all tables, sorted."""
    names = [name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
    return {
        name: connection.execute(f"FROM {name} ORDER BY ALL").fetchall() for name in names if name not in UNCOMPARED
    }
