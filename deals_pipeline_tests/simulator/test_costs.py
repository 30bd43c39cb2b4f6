"""Every row of the cost table: the simulator charges it, and the `Cost` of the request contains it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from deals_pipeline.keepa.replies import Page, Products
from deals_pipeline.keepa.requests import DealPageRequest, ProductRequest, Request, SellerRequest, TokenStatusRequest
from deals_pipeline.keepa.selection import DealSelection, Domain
from deals_pipeline.simulator.pricing import ProductFacts, product_price, unknown_price
from deals_pipeline_tests.simulator.services import Service, make_service

ASIN = "0000000000"
FACTS = ProductFacts(
    product_age=timedelta(hours=5),
    offers_age=timedelta(hours=30),
    rating_is_stale=False,
    stock_is_stale=False,
    live_offers=7,
    has_parent=False,
    refresh_succeeds=True,
)


def asked(**parameters: object) -> ProductRequest:
    return ProductRequest.model_validate({"asins": (ASIN,), **parameters})


@pytest.mark.parametrize(
    ("row", "request_", "facts", "tokens"),
    [
        ("product", asked(), FACTS, 1),
        ("stats, history, days are free", asked(stats=365, history=False, days=30), FACTS, 1),
        ("one offer page", asked(offers=20), FACTS, 6),
        ("only-live-offers is free", asked(offers=20, only_live_offers=True), FACTS, 6),
        ("two offer pages", asked(offers=20), replace(FACTS, live_offers=11), 12),
        ("offers stop at what was asked", asked(offers=20), replace(FACTS, live_offers=95), 12),
        ("five offer pages", asked(offers=50), replace(FACTS, live_offers=41), 30),
        ("ten offer pages", asked(offers=100), replace(FACTS, live_offers=400), 60),
        ("no offers found", asked(offers=20), replace(FACTS, live_offers=0), 6),
        ("the refresh failed", asked(offers=20), replace(FACTS, refresh_succeeds=False), 1),
        ("offers crawled lately", asked(offers=20, update=48), FACTS, 5),
        ("offers crawled too long ago", asked(offers=20, update=24), FACTS, 6),
        ("offers, never refreshed", asked(offers=20, update=-1), FACTS, 5),
        ("live data of an old product", asked(update=0), FACTS, 1),
        ("live data of a fresh product", asked(update=0), replace(FACTS, product_age=timedelta(minutes=59)), 2),
        ("live offers of a fresh product", asked(offers=20, update=0), replace(FACTS, product_age=timedelta(0)), 7),
        ("buybox", asked(buybox=True), FACTS, 3),
        ("buybox is ignored with offers", asked(buybox=True, offers=20), FACTS, 6),
        ("rating, fresh", asked(rating=True), FACTS, 1),
        ("rating, stale", asked(rating=True), replace(FACTS, rating_is_stale=True), 2),
        ("stock, fresh", asked(stock=True, offers=20), FACTS, 6),
        ("stock, stale", asked(stock=True, offers=20), replace(FACTS, stock_is_stale=True), 8),
        ("historical variations of an only child", asked(historical_variations=True), FACTS, 1),
        ("historical variations", asked(historical_variations=True), replace(FACTS, has_parent=True), 2),
        (
            "all at once",
            asked(offers=100, update=0, buybox=True, rating=True, stock=True, historical_variations=True),
            ProductFacts(timedelta(0), timedelta(0), True, True, 400, True, True),
            65,
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_product_costs_what_the_table_says(
    row: str, request_: ProductRequest, facts: ProductFacts, tokens: int
) -> None:
    assert product_price(request_, facts).tokens == tokens, row
    assert tokens in request_.cost, row


def test_an_unknown_asin_costs_nothing_only_when_no_update_was_asked_for() -> None:
    assert unknown_price(asked()).tokens == 1
    assert unknown_price(asked(update=-1)).tokens == 0
    assert 0 in asked(update=-1).cost
    assert 0 not in asked().cost


@pytest.fixture(scope="module")
def service() -> Service:
    return make_service()


@pytest.fixture(scope="module")
def asins(service: Service) -> tuple[str, ...]:
    page = service.page(DealPageRequest(selection=DealSelection()))
    assert isinstance(page, Page)
    return tuple(deal.asin for deal in page.deals)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"stats": 365, "history": False},
        {"days": 90},
        {"offers": 20},
        {"offers": 20, "only_live_offers": True, "update": 24},
        {"offers": 100, "stock": True, "rating": True},
        {"update": 0},
        {"update": -1},
        {"buybox": True},
        {"rating": True},
        {"historical_variations": True},
    ],
    ids=str,
)
def test_the_server_charges_products_within_their_cost(
    service: Service, asins: tuple[str, ...], parameters: dict[str, object]
) -> None:
    for asin in asins[:30]:
        request = ProductRequest.model_validate({"asins": (asin,), **parameters})
        assert service.charged(request) in request.cost
    batch = ProductRequest.model_validate({"asins": asins[:20], **parameters})
    assert service.charged(batch) in batch.cost


def test_the_server_charges_a_deal_page_five_also_behind_the_last(service: Service) -> None:
    for page in (0, 1, 66):
        request = DealPageRequest(selection=DealSelection(), page=page)
        assert service.charged(request) == 5
        assert 5 in request.cost


def test_the_server_charges_each_found_seller_once(service: Service, asins: tuple[str, ...]) -> None:
    products = service.products(ProductRequest(asins=asins[:10], offers=20))
    assert isinstance(products, Products)
    known = sorted({offer.seller_id for product in products.products for offer in product.live_offers})[:5]
    request = SellerRequest(seller_ids=(*known, "AUNKNOWNSELLER"))
    assert service.charged(request) == len(known)
    assert len(known) in request.cost


def test_the_token_status_is_free(service: Service) -> None:
    assert service.charged(TokenStatusRequest()) == 0


def test_malformed_and_unknown_asins_are_not_charged_without_an_update(service: Service) -> None:
    before = service.balance()
    answer = service.session.get("https://api.keepa.com/product?key=k&domain=1&asin=nonsense,,b00000000x", timeout=5)
    assert answer.status_code == 200
    assert answer.json()["products"] == []
    assert service.balance() == before
    assert service.charged(ProductRequest(asins=("ZZZZZZZZZZ",), update=-1)) == 0


def test_a_second_fetch_of_fresh_offers_costs_five_when_update_allows_it() -> None:
    service = make_service()
    page = service.page(DealPageRequest(selection=DealSelection()))
    assert isinstance(page, Page)
    asins = tuple(deal.asin for deal in page.deals[:10])
    first = ProductRequest(asins=asins, offers=20, update=0)
    service.charged(first)
    service.pass_time(hours=2)
    assert service.charged(ProductRequest(asins=asins, offers=20, update=3)) in range(40, 51)
    assert service.charged(ProductRequest(asins=asins, offers=20, update=1)) > 50


def test_offers_of_twenty_cost_between_six_and_twelve_and_somewhat_below_eight_on_average() -> None:
    service = make_service(tokens=60_000)
    page = service.page(DealPageRequest(selection=DealSelection()))
    assert isinstance(page, Page)
    costs = [service.charged(ProductRequest(asins=(deal.asin,), offers=20)) for deal in page.deals]
    assert set(costs) <= {1, 6, 12}
    assert 6.3 <= sum(costs) / len(costs) <= 8.5


@pytest.mark.parametrize("domain", list(Domain))
def test_every_marketplace_has_products_and_deals(service: Service, domain: Domain) -> None:
    request: Request = DealPageRequest(selection=DealSelection(domain=domain))
    assert service.charged(request) == 5
    page = service.page(DealPageRequest(selection=DealSelection(domain=domain)))
    assert isinstance(page, Page)
    assert page.deals
