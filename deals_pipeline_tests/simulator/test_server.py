"""The protocol of the simulated service: what is rejected, what passes in silence, caches, pages, the balance."""

import json
from datetime import timedelta
from typing import Any

import pytest

from deals_pipeline.keepa.client import KEEPA_URL
from deals_pipeline.keepa.objects import value_of
from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.keepa.replies import Fatal, FatalCause, Page, Products, Sellers, Throttled, TokenStatus
from deals_pipeline.keepa.requests import DealPageRequest, ProductRequest, SellerRequest
from deals_pipeline.keepa.selection import DealSelection, Domain, SortType
from deals_pipeline_tests.simulator.services import KEY, START, Service, make_service

NEWEST = DealPageRequest(selection=DealSelection(sort_type=SortType.AGE))


@pytest.fixture(scope="module")
def service() -> Service:
    return make_service()


def ask(service: Service, method: str, path: str, **query: object) -> tuple[int, dict[str, Any]]:
    query.setdefault("key", KEY)
    parameters = {name: str(value) for name, value in query.items() if name != "json" and value is not None}
    answer = service.session.request(method, KEEPA_URL + path, params=parameters, json=query.get("json"), timeout=100)
    return answer.status_code, answer.json()


def select(service: Service, **selection: object) -> tuple[int, dict[str, Any]]:
    return ask(service, "GET", "/deal", selection=json.dumps(selection))


@pytest.mark.parametrize(
    ("selection", "named"),
    [
        ({"page": "0"}, "page '0'"),
        ({"page": -1}, "page -1"),
        ({"dateRange": 30}, "date_range 30"),
        ({"dateRange": "1"}, "date_range '1'"),
        ({"sortType": 0}, "sort_type 0"),
        ({"sortType": -1}, "sort_type -1"),
        ({"domainId": 7}, "domain 7"),
        ({"priceTypes": [1, 2]}, "priceTypes [1, 2]"),
        ({"priceTypes": [99]}, "price_type 99"),
        ({"deltaPercentRange": [5, 90]}, "delta_percent_range [5, 90]"),
        ({"priceTypes": [3], "deltaPercentRange": [50, 90]}, "at least 80"),
        ({"currentRange": [500, 100]}, "[500, 100]"),
        ({"currentRange": [500]}, "current_range.1"),
        ({"currentRange": ["1", "2"]}, "current_range.0 '1'"),
        ({"salesRankRange": [0.5, 10]}, "sales_rank_range.0 0.5"),
        ({"includeCategories": ["283155"]}, "include_categories.0 '283155'"),
        ({"minRating": 60}, "min_rating 60"),
        ({"isLowest": "yes"}, "is_lowest 'yes'"),
    ],
    ids=str,
)
def test_a_selection_out_of_range_is_rejected_by_name_and_costs_nothing(
    service: Service, selection: dict[str, object], named: str
) -> None:
    before = service.balance()
    status, answer = select(service, **selection)
    assert status == 400
    assert named in json.dumps(answer["error"])
    assert answer["tokensConsumed"] == 0
    assert service.balance() == before


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"asin": None}, "asin"),
        ({"offers": 19}, "offers 19"),
        ({"offers": 101}, "offers 101"),
        ({"offers": "many"}, "offers 'many'"),
        ({"update": -2}, "update -2"),
        ({"history": 2}, "history '2'"),
        ({"domain": 7}, "domain 7"),
        ({"asin": ",".join(f"{number:010}" for number in range(101))}, "at most 100"),
        ({"asin": ",".join(f"{number:010}" for number in range(21)), "offers": 20}, "at most 20"),
    ],
    ids=str,
)
def test_a_product_query_out_of_range_is_rejected_by_name(
    service: Service, query: dict[str, object], named: str
) -> None:
    status, answer = ask(service, "GET", "/product", **({"asin": "0000000000"} | query))
    assert status == 400
    assert named in json.dumps(answer["error"]).replace('\\"', "'")


def test_unknown_names_pass_in_silence(service: Service) -> None:
    status, answer = select(service, page=0, priceTypes=[2], sortTyp=99, deltaPercent=[1, 2])
    assert status == 200
    assert "error" not in answer
    assert ask(service, "GET", "/product", asin="0000000000", only_live_offers=7, stat="x")[0] == 200


def test_a_misspelt_only_live_offers_is_ignored(service: Service) -> None:
    page = service.page(NEWEST)
    assert isinstance(page, Page)
    asins = ",".join(deal.asin for deal in page.deals[:20])

    def offers(**query: object) -> int:
        _, answer = ask(service, "GET", "/product", asin=asins, offers=100, **query)
        return sum(len(product["offers"]) for product in answer["products"])

    assert offers(only_live_offers=1) == offers()
    assert offers(**{"only-live-offers": 1}) < offers()


def test_get_and_post_answer_the_same_deals(service: Service) -> None:
    selection = {"page": 1, "domainId": 1, "priceTypes": [2], "dateRange": 3, "sortType": 4}
    _, by_get = ask(service, "GET", "/deal", selection=json.dumps(selection))
    _, by_post = ask(service, "POST", "/deal", json=selection)
    assert by_get["deals"] == by_post["deals"]


def test_a_bare_price_type_and_filters_that_are_off_are_accepted(service: Service) -> None:
    status, answer = select(service, priceTypes=2, minRating=-1, titleSearch=None, dateRange=4, salesRankRange=None)
    assert status == 200
    assert answer["deals"]


def test_switches_turn_ranges_and_filters_off(service: Service) -> None:
    def count(**selection: object) -> int:
        _, answer = select(service, priceTypes=[2], dateRange=3, **selection)
        return len(answer["deals"]["dr"])

    assert count(currentRange=[1, 2]) == 0
    assert count(currentRange=[1, 2], isRangeEnabled=False) == 150
    assert count(hasReviews=True, titleSearch="no such words") == 0
    assert count(hasReviews=True, titleSearch="no such words", isFilterEnabled=False) == 150


@pytest.mark.parametrize(
    ("method", "path", "key", "status"),
    [
        ("GET", "/nothing", KEY, 404),
        ("POST", "/product", KEY, 405),
        ("DELETE", "/deal", KEY, 405),
        ("GET", "/token", "", 402),
        ("GET", "/token/", KEY, 200),
    ],
)
def test_paths_methods_and_keys_are_judged(service: Service, method: str, path: str, key: str, status: int) -> None:
    seen, answer = ask(service, method, path, key=key)
    assert seen == status
    assert {
        "timestamp",
        "tokensLeft",
        "refillIn",
        "refillRate",
        "tokenFlowReduction",
        "tokensConsumed",
    } <= answer.keys()


def test_an_unknown_key_pays_nothing_and_is_fatal() -> None:
    service = make_service()
    service.server.keys = frozenset({"another-key"})
    reply = service.page(NEWEST)
    assert isinstance(reply, Fatal)
    assert reply.cause is FatalCause.PAYMENT_REQUIRED


def test_an_empty_bucket_answers_429_with_the_balance_and_token_status_still_works() -> None:
    service = make_service(refill_rate=5, tokens=0)
    reply = service.page(NEWEST)
    assert isinstance(reply, Throttled)
    assert reply.tokens is not None
    assert (reply.tokens.tokens_left, reply.tokens.tokens_consumed, reply.tokens.refill_rate) == (0, 0, 5)
    status = service.client.token_status()
    assert isinstance(status, TokenStatus)
    assert status.tokens.tokens_left == 0
    service.clock.sleep(reply.tokens.refill_in.total_seconds())
    assert isinstance(service.page(NEWEST), Page)
    assert service.balance() == 0


def test_a_positive_balance_executes_whatever_it_costs_and_a_deep_deficit_refills() -> None:
    service = make_service(refill_rate=5, tokens=1)
    page = make_service().page(NEWEST)
    assert isinstance(page, Page)
    asins = tuple(deal.asin for deal in page.deals[:20])
    reply = service.products(ProductRequest(asins=asins, offers=20))
    assert isinstance(reply, Products)
    assert service.balance() == 1 - reply.tokens.tokens_consumed < -100
    service.pass_time(hours=1)
    assert service.balance() > 0


def test_a_result_is_cached_for_two_minutes_and_then_shifts() -> None:
    service = make_service(tokens=60_000)

    def listed() -> tuple[list[str], object]:
        _, answer = select(service, priceTypes=[2], dateRange=3, sortType=1)
        return [deal["asin"] for deal in answer["deals"]["dr"]], answer["dealsCached"]

    first, cached = listed()
    assert not cached
    service.pass_time(seconds=119)
    assert listed() == (first, True)
    service.pass_time(seconds=1)
    second, cached = listed()
    assert not cached
    service.pass_time(hours=1)
    third, _ = listed()
    assert third != first
    assert len(set(third) & set(first)) > 75
    assert len(set(second) & set(first)) > 140


def test_the_pages_of_a_scan_hold_every_deal_once_and_the_short_page_is_the_last() -> None:
    service = make_service()
    asins: list[str] = []
    for page in range(67):
        reply = service.page(DealPageRequest(selection=DealSelection(), page=page))
        assert isinstance(reply, Page)
        assert not reply.quarantined
        assert not reply.breaches
        assert reply.is_in_order
        asins += [deal.asin for deal in reply.deals]
        if reply.is_last:
            break
    truth = service.server.endpoints.market(DealSelection().domain).matching(DealSelection(), START)
    assert len(asins) == len(set(asins)) == len(truth)


def test_a_selection_shows_ten_thousand_deals_at_most() -> None:
    service = make_service(products=60_000)
    last = service.page(DealPageRequest(selection=DealSelection(), page=66))
    assert isinstance(last, Page)
    assert len(last.deals) == 10_000 - 66 * 150
    assert last.is_last
    market = service.server.endpoints.market(DealSelection().domain)
    assert len(market.matching(DealSelection(), service.clock.now())) > 10_000


def test_products_come_in_another_order_and_unknown_ones_are_missing(service: Service) -> None:
    page = service.page(NEWEST)
    assert isinstance(page, Page)
    asins = tuple(deal.asin for deal in page.deals[:40])
    reply = service.products(ProductRequest(asins=(*asins, "B0ZZZZZZZZ"), stats=365))
    assert isinstance(reply, Products)
    assert reply.missing == ("B0ZZZZZZZZ",)
    assert [product.asin for product in reply.products] != list(asins)
    assert {product.asin for product in reply.products} == set(asins)
    assert not reply.quarantined
    assert not reply.breaches


def test_deals_out_of_stock_have_no_price_and_breach_nothing(service: Service) -> None:
    page = service.page(DealPageRequest(selection=DealSelection(is_out_of_stock=True)))
    assert isinstance(page, Page)
    assert page.deals
    assert all(value_of(deal.current, PriceType.USED) is None for deal in page.deals)
    assert not page.breaches


def test_sellers_of_offers_are_found_and_unknown_ones_are_missing(service: Service) -> None:
    page = service.page(NEWEST)
    assert isinstance(page, Page)
    products = service.products(
        ProductRequest(asins=tuple(deal.asin for deal in page.deals[:5]), offers=20, only_live_offers=True)
    )
    assert isinstance(products, Products)
    known = sorted({offer.seller_id for product in products.products for offer in product.live_offers})
    reply = service.sellers(SellerRequest(seller_ids=(*known, "AUNKNOWNSELLER")))
    assert isinstance(reply, Sellers)
    assert [seller.seller_id for seller in reply.sellers] == known
    assert reply.missing == ("AUNKNOWNSELLER",)


def test_live_offers_are_no_more_than_were_asked_for_the_cheapest_first(service: Service) -> None:
    market = service.server.endpoints.market(Domain.US)
    crowded = [market.asin(index) for index in range(200) if market.live_offer_count(index, START) > 20][:5]
    reply = service.products(ProductRequest(asins=tuple(crowded), offers=20, only_live_offers=True))
    assert isinstance(reply, Products)
    live = [product.live_offers for product in reply.products if product.offers_successful]
    assert [len(offers) for offers in live] == [20] * len(live)
    assert live
    for offers in live:
        landed = [(offer.price or 0) + (offer.shipping or 0) for offer in offers]
        assert landed == sorted(landed)
    assert not reply.breaches


def test_the_world_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    pages = [make_service(seed=seed).page(NEWEST) for seed in (5, 5, 6)]
    assert all(isinstance(page, Page) for page in pages)
    first, same, other = ([deal.asin for deal in page.deals] for page in pages if isinstance(page, Page))
    assert first == same != other


def test_time_moves_the_deals_and_not_what_is_recorded() -> None:
    service = make_service()
    page = service.page(NEWEST)
    assert isinstance(page, Page)
    request = ProductRequest(asins=tuple(deal.asin for deal in page.deals[:10]))
    earlier = service.products(request)
    service.pass_time(days=2)
    later = service.products(request)
    assert isinstance(earlier, Products)
    assert isinstance(later, Products)
    for before, after in zip(earlier.products, later.products, strict=True):
        for old, new in zip(before.csv or (), after.csv or (), strict=True):
            if old is not None:
                assert new is not None
                assert new.flat[: len(old.flat)].tolist() == old.flat.tolist()
    assert later.tokens.timestamp - earlier.tokens.timestamp == timedelta(days=2)
