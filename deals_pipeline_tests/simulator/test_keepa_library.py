"""The public `keepa` client, unmodified, against the simulator: a client nobody here wrote sees what ours sees."""

from datetime import timezone
from typing import Any

import keepa
import numpy as np
import pytest
import requests

from deals_pipeline.keepa.columns import history_table
from deals_pipeline.keepa.objects import Product
from deals_pipeline.keepa.price_types import Measure, PriceType
from deals_pipeline.keepa.replies import Page, Products
from deals_pipeline.keepa.requests import DealPageRequest, ProductRequest
from deals_pipeline.keepa.selection import DateRange, DealSelection, SortType
from deals_pipeline.keepa.time import KEEPA_EPOCH, from_keepa_minutes
from deals_pipeline_tests.simulator.services import KEY, Service, make_service

THEIR_NAMES = {index: name for index, name, _ in keepa.constants.csv_indices}
UNITS_OF = {Measure.MONEY: 100, Measure.RATING: 10, Measure.RANK: 1, Measure.COUNT: 1}


@pytest.fixture(scope="module")
def service() -> Service:
    return make_service()


@pytest.fixture
def theirs(service: Service, monkeypatch: pytest.MonkeyPatch) -> keepa.Keepa:
    monkeypatch.setattr(requests, "get", service.session.get)
    return keepa.Keepa(KEY)


def query(
    theirs: keepa.Keepa, asins: tuple[str, ...], *, offers: int | None = None, stats: int | None = None
) -> dict[str, Any]:
    """Return what their client parsed, by ASIN."""
    products: list[Any] = theirs.query(list(asins), offers=offers, stats=stats, progress_bar=False)
    return {product["asin"]: product for product in products}


@pytest.fixture(scope="module")
def asins(service: Service) -> tuple[str, ...]:
    page = service.page(DealPageRequest(selection=DealSelection()))
    assert isinstance(page, Page)
    return tuple(deal.asin for deal in page.deals[:15])


def ours(service: Service, request: ProductRequest) -> dict[str, Product]:
    reply = service.products(request)
    assert isinstance(reply, Products)
    return {product.asin: product for product in reply.products}


def test_it_reads_the_token_status(service: Service, theirs: keepa.Keepa) -> None:
    theirs.update_status()
    assert theirs.tokens_left == service.balance()
    assert theirs.status.refillRate == 1_000
    assert theirs.time_to_refill >= 0


def test_it_reads_the_same_deals(service: Service, theirs: keepa.Keepa) -> None:
    selection = DealSelection(
        date_range=DateRange.MONTH, sort_type=SortType.PERCENT_DELTA, current_range=(500, 5_000), has_reviews=True
    )
    read: Any = theirs.deals(
        {
            "page": 0,
            "domainId": 1,
            "priceTypes": [2],
            "dateRange": 2,
            "sortType": 4,
            "currentRange": [500, 5000],
            "hasReviews": True,
            "isRangeEnabled": True,
            "isFilterEnabled": True,
        }
    )
    page = service.page(DealPageRequest(selection=selection))
    assert isinstance(page, Page)
    assert [deal["asin"] for deal in read["dr"]] == [deal.asin for deal in page.deals]
    assert [deal["lastUpdate"] for deal in read["dr"]] == [deal.last_update for deal in page.deals]
    assert sum(read["categoryCount"]) >= len(page.deals)


def test_its_own_models_accept_our_deals_and_products(theirs: keepa.Keepa, asins: tuple[str, ...]) -> None:
    deals: Any = theirs.deals({"page": 0, "priceTypes": [2], "dateRange": 3}, typed=True)
    assert len(deals.dr) == 150
    products: Any = theirs.query(
        list(asins), stats=90, offers=20, rating=True, buybox=True, typed=True, progress_bar=False
    )
    assert {product.asin for product in products} == set(asins)


@pytest.mark.parametrize("offers", [None, 20])
def test_its_parsed_histories_equal_ours_value_for_value(
    service: Service, theirs: keepa.Keepa, asins: tuple[str, ...], offers: int | None
) -> None:
    read = query(theirs, asins, offers=offers)
    products = ours(service, ProductRequest(asins=asins, offers=offers))
    rows = {(row["asin"], row["price_type"]): row for row in history_table(products.values()).to_pylist()}
    compared = 0
    for asin in asins:
        for kind in PriceType:
            series = read[asin]["data"].get(THEIR_NAMES[kind])
            row = rows.get((asin, int(kind)))
            if series is None:
                assert row is None or not row["times"]
                continue
            assert row is not None
            times = [time.replace(tzinfo=timezone.utc) for time in read[asin]["data"][f"{THEIR_NAMES[kind]}_time"]]
            assert row["times"] == times
            wire = products[asin].history(kind)
            assert wire is not None
            expected = _as_they_parse(products[asin], kind)
            np.testing.assert_allclose(np.asarray(series, dtype=float), expected)
            compared += len(expected)
    assert compared > 5_000


def _as_they_parse(product: Product, kind: PriceType) -> "np.typing.NDArray[np.float64]":
    """Return our history in their units: dollars with shipping added, negative sums missing, counts as they are."""
    series = product.history(kind)
    assert series is not None
    shipping = series.shipping(kind)
    values = series.values(kind).astype(float) + (0 if shipping is None else shipping)
    if kind.measure in (Measure.MONEY, Measure.RATING):
        values = np.where(values < 0, np.nan, values / UNITS_OF[kind.measure])
    return values


def test_its_parsed_statistics_equal_ours(service: Service, theirs: keepa.Keepa, asins: tuple[str, ...]) -> None:
    products = ours(service, ProductRequest(asins=asins, stats=365))
    compared = 0
    for asin, product in query(theirs, asins, stats=365).items():
        stats = products[asin].stats
        assert stats is not None
        for name in ("current", "avg30", "avg90", "avg180", "avg365"):
            for kind in PriceType:
                values = getattr(stats, name)
                value = values[kind] if kind < len(values) else None
                parsed = product["stats_parsed"].get(name, {}).get(THEIR_NAMES[kind])
                assert (parsed is None) == (value is None)
                if value is not None:
                    assert parsed == pytest.approx(value / UNITS_OF[kind.measure])
                    compared += 1
        assert product["stats_parsed"]["salesRankDrops90"] == stats.sales_rank_drops90
    assert compared > 300


def test_it_reads_the_same_offers(service: Service, theirs: keepa.Keepa, asins: tuple[str, ...]) -> None:
    products = ours(service, ProductRequest(asins=asins, offers=20))
    compared = 0
    for asin, product in query(theirs, asins, offers=20).items():
        live = products[asin].live_offers
        order = product["liveOffersOrder"]
        assert [offer.offer_id for offer in live] == [product["offers"][position]["offerId"] for position in order]
        for offer, position in zip(live, order, strict=True):
            times, prices = keepa.convert_offer_history(  # type: ignore[no-untyped-call]
                product["offers"][position]["offerCSV"]
            )
            assert times[-1] == from_keepa_minutes(offer.offer_csv[-3]).replace(tzinfo=None)
            if offer.price is not None and offer.shipping is not None:
                assert prices[-1] == pytest.approx((offer.price + offer.shipping) / 100)
                compared += 1
    assert compared > 30


def test_it_reads_the_same_sellers(service: Service, theirs: keepa.Keepa, asins: tuple[str, ...]) -> None:
    products = ours(service, ProductRequest(asins=asins[:3], offers=20))
    seller_ids = sorted({offer.seller_id for product in products.values() for offer in product.live_offers})[:10]
    read: dict[str, Any] = theirs.seller_query(seller_ids)
    assert sorted(read) == seller_ids
    assert all(seller["trackedSince"].replace(tzinfo=timezone.utc) > KEEPA_EPOCH for seller in read.values())
