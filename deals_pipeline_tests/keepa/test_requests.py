import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.keepa.requests import (
    DealPageRequest,
    ProductRequest,
    Request,
    SellerRequest,
    TokenStatusRequest,
    WireRequest,
)
from deals_pipeline.keepa.selection import DateRange, DealSelection, Domain, SortType
from deals_pipeline.keepa.tokens import Cost
from deals_pipeline_tests.keepa.wire_examples import PAGE, PRODUCTS, SELLERS, TOKEN_STATUS, asin

ONE = ("B000000000",)
SWITCHES = {
    "is_lowest": "isLowest",
    "is_lowest90": "isLowest90",
    "is_lowest_offer": "isLowestOffer",
    "is_back_in_stock": "isBackInStock",
    "is_out_of_stock": "isOutOfStock",
    "has_reviews": "hasReviews",
    "filter_erotic": "filterErotic",
    "single_variation": "singleVariation",
    "is_prime_exclusive": "isPrimeExclusive",
    "must_have_amazon_offer": "mustHaveAmazonOffer",
    "must_not_have_amazon_offer": "mustNotHaveAmazonOffer",
}


def asins(count: int) -> tuple[str, ...]:
    return tuple(asin(number) for number in range(count))


# --- what cannot be built ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "fields", "field", "value", "allowed"),
    [
        (DealSelection, {"domain": 7}, "domain", "7", "1, 2, 3, 4, 5, 6, 8, 9, 10, 11 or 12"),
        (DealSelection, {"domain": "1"}, "domain", "'1'", "allowed is an integer"),
        (DealSelection, {"domain": True}, "domain", "True", "allowed is an integer"),
        (DealSelection, {"price_type": 36}, "price_type", "36", "33, 34 or 35"),
        (
            DealSelection,
            {"price_type": PriceType.LISTPRICE},
            "price_type",
            "LISTPRICE",
            "allowed are AMAZON, NEW, USED",
        ),
        (DealSelection, {"date_range": 4}, "date_range", "4", "0, 1, 2 or 3"),
        (DealSelection, {"date_range": 30}, "date_range", "30", "0, 1, 2 or 3"),
        (DealSelection, {"date_range": False}, "date_range", "False", "allowed is an integer"),
        (DealSelection, {"sort_type": 0}, "sort_type", "0", "1, 2, 3, 4, -2, -3 or -4"),
        (DealSelection, {"sort_type": -1}, "sort_type", "-1", "1, 2, 3, 4, -2, -3 or -4"),
        (DealSelection, {"sort_type": 4.0}, "sort_type", "4.0", "allowed is an integer"),
        (DealSelection, {"include_categories": (-1,)}, "include_categories", "-1", "greater than or equal to 0"),
        (DealSelection, {"exclude_categories": ("5",)}, "exclude_categories", "'5'", "valid integer"),
        (DealSelection, {"current_range": (500, 100)}, "current_range", "500, 100", "low <= high"),
        (DealSelection, {"current_range": (-1, 100)}, "current_range", "-1", "greater than or equal to 0"),
        (DealSelection, {"current_range": (1, 2.5)}, "current_range", "2.5", "valid integer"),
        (DealSelection, {"current_range": (1,)}, "current_range", "(1,)", "Field required"),
        (DealSelection, {"delta_range": (2, 1)}, "delta_range", "2, 1", "low <= high"),
        (DealSelection, {"delta_last_range": (2, 1)}, "delta_last_range", "2, 1", "low <= high"),
        (DealSelection, {"delta_percent_range": (9, 80)}, "delta_percent_range", "[9, 80]", "at least 10 for USED"),
        (DealSelection, {"delta_percent_range": (80, 20)}, "delta_percent_range", "80, 20", "low <= high"),
        (
            DealSelection,
            {"price_type": PriceType.SALES, "delta_percent_range": (79, 99)},
            "delta_percent_range",
            "[79, 99]",
            "at least 80 for SALES",
        ),
        (DealSelection, {"sales_rank_range": (5000, 100)}, "sales_rank_range", "5000, 100", "low <= high"),
        (DealSelection, {"sales_rank_range": (0, -2)}, "sales_rank_range", "-2", "greater than or equal to -1"),
        (DealSelection, {"min_rating": 51}, "min_rating", "51", "less than or equal to 50"),
        (DealSelection, {"min_rating": 4.5}, "min_rating", "4.5", "valid integer"),
        (DealSelection, {"title_search": ""}, "title_search", "''", "at least 1 character"),
        (DealSelection, {"title_search": "x" * 401}, "title_search", "xxx", "at most 400 characters"),
        (DealSelection, {"warehouse_conditions": (6,)}, "warehouse_conditions", "6", "less than or equal to 5"),
        (DealSelection, {"is_lowest": 1}, "is_lowest", "1", "valid boolean"),
        (
            DealSelection,
            {"must_have_amazon_offer": True, "must_not_have_amazon_offer": True},
            "must_have_amazon_offer",
            "True",
            "allowed is one of the two",
        ),
        (DealSelection, {"deltaPercentRange": (10, 20)}, "deltaPercentRange", "(10, 20)", "not permitted"),
        (DealPageRequest, {"selection": DealSelection(), "page": 67}, "page", "67", "less than or equal to 66"),
        (DealPageRequest, {"selection": DealSelection(), "page": -1}, "page", "-1", "greater than or equal to 0"),
        (DealPageRequest, {"selection": DealSelection(), "page": True}, "page", "True", "valid integer"),
        (ProductRequest, {"asins": ()}, "asins", "()", "at least 1 item"),
        (ProductRequest, {"asins": asins(101)}, "asins", "101", "at most 100"),
        (ProductRequest, {"asins": asins(21), "offers": 20}, "asins", "21", "at most 20"),
        (ProductRequest, {"asins": ("b000000000",)}, "asins", "'b000000000'", "^[A-Z0-9]{10}$"),
        (ProductRequest, {"asins": ("B00000000",)}, "asins", "'B00000000'", "^[A-Z0-9]{10}$"),
        (ProductRequest, {"asins": ("B000000000\n",)}, "asins", "B000000000\\n", "^[A-Z0-9]{10}$"),
        (ProductRequest, {"asins": ONE * 2}, "asins", "B000000000", "allowed is each once"),
        (ProductRequest, {"asins": ONE, "domain": 7}, "domain", "7", "1, 2, 3, 4, 5, 6, 8, 9, 10, 11 or 12"),
        (ProductRequest, {"asins": ONE, "stats": 0}, "stats", "0", "greater than or equal to 1"),
        (ProductRequest, {"asins": ONE, "days": 0}, "days", "0", "greater than or equal to 1"),
        (ProductRequest, {"asins": ONE, "days": "90"}, "days", "'90'", "valid integer"),
        (ProductRequest, {"asins": ONE, "offers": 19}, "offers", "19", "greater than or equal to 20"),
        (ProductRequest, {"asins": ONE, "offers": 101}, "offers", "101", "less than or equal to 100"),
        (ProductRequest, {"asins": ONE, "update": -2}, "update", "-2", "greater than or equal to -1"),
        (ProductRequest, {"asins": ONE, "history": 1}, "history", "1", "valid boolean"),
        (ProductRequest, {"asins": ONE, "only_live_offers": True}, "only_live_offers", "True", "together with offers"),
        (ProductRequest, {"asins": ONE, "stock": True}, "stock", "True", "together with offers"),
        (ProductRequest, {"asins": ONE, "only-live-offers": True}, "only-live-offers", "True", "not permitted"),
        (SellerRequest, {"seller_ids": ()}, "seller_ids", "()", "at least 1 item"),
        (SellerRequest, {"seller_ids": asins(101)}, "seller_ids", "101", "at most 100"),
        (SellerRequest, {"seller_ids": ("a-b",)}, "seller_ids", "'a-b'", "[A-Z0-9]{8,20}"),
        (SellerRequest, {"seller_ids": ("A2L77EE7U53NWQ",) * 2}, "seller_ids", "A2L77EE7U53NWQ", "each once"),
    ],
    ids=str,
)
def test_a_request_outside_the_documented_ranges_cannot_be_built_and_says_why(
    kind: type[BaseModel], fields: dict[str, Any], field: str, value: str, allowed: str
) -> None:
    """F32: the field, the value and what is allowed are named."""
    with pytest.raises(ValidationError) as refusal:
        kind(**fields)
    for part in (field, value, allowed):
        assert part in str(refusal.value)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (DealSelection, {"sales_rank_range": (5000, -1), "min_rating": 0, "current_range": (0, 0)}),
        (DealSelection, {"price_type": PriceType.SALES, "delta_percent_range": (80, 99)}),
        (DealSelection, {"delta_percent_range": (10, 10), "delta_range": (-500, -100), "warehouse_conditions": (0, 5)}),
        (DealPageRequest, {"selection": DealSelection(), "page": 66}),
        (ProductRequest, {"asins": asins(100), "stats": 1, "days": 1, "update": -1}),
        (ProductRequest, {"asins": asins(20), "offers": 100, "stock": True, "only_live_offers": True, "update": 0}),
        (SellerRequest, {"seller_ids": asins(100)}),
    ],
    ids=str,
)
def test_a_request_at_the_ends_of_the_documented_ranges_can_be_built(
    kind: type[BaseModel], fields: dict[str, Any]
) -> None:
    """F32."""
    built = kind(**fields)
    assert {name: getattr(built, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("request_", "field"),
    [(PAGE, "page"), (PAGE.selection, "sort_type"), (PRODUCTS, "asins"), (SELLERS, "seller_ids")],
)
def test_a_request_cannot_be_changed_once_built(request_: BaseModel, field: str) -> None:
    """F02, F32: what was validated and priced is what is sent."""
    with pytest.raises(ValidationError, match="frozen"):
        setattr(request_, field, getattr(request_, field))


def test_equal_requests_are_equal_and_hash_alike() -> None:
    assert DealPageRequest(selection=DealSelection()) == PAGE
    assert hash(DealPageRequest(selection=DealSelection())) == hash(PAGE)


# --- the wire ---------------------------------------------------------------------------------------------------------

PLAIN_SELECTION = {
    "domainId": 1,
    "priceTypes": [2],
    "dateRange": 3,
    "sortType": 1,
    "isFilterEnabled": True,
    "isRangeEnabled": True,
}


@pytest.mark.parametrize(
    ("fields", "on_the_wire"),
    [
        ({}, {}),
        ({"domain": Domain.DE, "price_type": PriceType.NEW_FBA}, {"domainId": 3, "priceTypes": [10]}),
        (
            {"date_range": DateRange.DAY, "sort_type": SortType.PERCENT_DELTA_INVERTED},
            {"dateRange": 0, "sortType": -4},
        ),
        (
            {"include_categories": (283155, 2**62), "exclude_categories": (3139,)},
            {"includeCategories": [283155, 2**62], "excludeCategories": [3139]},
        ),
        (
            {"current_range": (0, 0), "delta_range": (-5, 5), "delta_last_range": (1, 2)},
            {"currentRange": [0, 0], "deltaRange": [-5, 5], "deltaLastRange": [1, 2]},
        ),
        (
            {"delta_percent_range": (50, 90), "sales_rank_range": (0, -1), "min_rating": 0},
            {"deltaPercentRange": [50, 90], "salesRankRange": [0, -1], "minRating": 0},
        ),
        (
            {"title_search": "samsung galaxy", "warehouse_conditions": (2, 3)},
            {"titleSearch": "samsung galaxy", "warehouseConditions": [2, 3]},
        ),
        *(({name: True}, {wire_name: True}) for name, wire_name in SWITCHES.items()),
        (dict.fromkeys(SWITCHES, False), {}),
    ],
    ids=str,
)
def test_a_deal_page_is_posted_under_the_names_of_keepa_with_filters_that_are_off_left_out(
    fields: dict[str, Any], on_the_wire: dict[str, Any]
) -> None:
    """F32: integers travel as integers."""
    wire = DealPageRequest(selection=DealSelection(**fields), page=7).wire()
    assert (wire.path, wire.method, wire.query) == ("/deal", "POST", {})
    assert wire.body is not None
    assert json.dumps(wire.body, sort_keys=True) == json.dumps(
        PLAIN_SELECTION | on_the_wire | {"page": 7}, sort_keys=True
    )


def test_every_switch_of_a_selection_is_in_the_table_of_this_test() -> None:
    flags = {name for name, field in DealSelection.model_fields.items() if field.default is False}
    assert flags == SWITCHES.keys()


@pytest.mark.parametrize(
    ("fields", "query"),
    [
        ({}, {"history": 1}),
        ({"domain": Domain.BR, "history": False}, {"domain": 12, "history": 0}),
        ({"stats": 90, "days": 365}, {"history": 1, "stats": 90, "days": 365}),
        ({"update": 0}, {"history": 1, "update": 0}),
        ({"update": -1}, {"history": 1, "update": -1}),
        ({"buybox": True, "rating": True}, {"history": 1, "buybox": 1, "rating": 1}),
        ({"historical_variations": True}, {"history": 1, "historical-variations": 1}),
        (
            {"offers": 20, "only_live_offers": True, "stock": True},
            {"history": 1, "offers": 20, "only-live-offers": 1, "stock": 1},
        ),
    ],
    ids=str,
)
def test_products_are_asked_for_with_integers_only_under_hyphened_names(
    fields: dict[str, Any], query: dict[str, int]
) -> None:
    """F32: a misspelt parameter would be ignored in silence (P3), a True is no integer."""
    wire = ProductRequest(asins=asins(2), **fields).wire()
    assert wire == WireRequest("/product", {"domain": 1, "asin": "B000000000,B000000001", **query})
    assert wire.method == "GET"
    assert not [name for name, value in wire.query.items() if isinstance(value, bool)]


@pytest.mark.parametrize(
    ("request_", "wire"),
    [
        (
            SellerRequest(domain=Domain.GB, seller_ids=asins(2)),
            ("/seller", {"domain": 2, "seller": ",".join(asins(2))}),
        ),
        (TokenStatusRequest(), ("/token", {})),
    ],
    ids=["seller", "token"],
)
def test_sellers_and_the_balance_are_asked_for_by_get(
    request_: SellerRequest | TokenStatusRequest, wire: tuple[str, dict[str, str | int]]
) -> None:
    assert request_.wire() == WireRequest(*wire)
    assert request_.wire().method == "GET"


# --- the cost ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, "product"),
        ({"stats": 365, "days": 90}, "product"),
        ({"update": 5}, "product"),
        ({"update": 0}, "product update=0"),
        ({"update": -1}, "product update=-1"),
        ({"offers": 20, "only_live_offers": True, "update": 1}, "product offers=20"),
        ({"offers": 20, "update": 24}, "product offers=20"),
        ({"offers": 40, "stock": True}, "product offers=40 stock"),
        ({"buybox": True, "rating": True}, "product buybox rating"),
    ],
    ids=str,
)
def test_products_that_can_cost_alike_are_of_one_kind(fields: dict[str, Any], kind: str) -> None:
    """F01: what one call costs too much raises what is held for all that are like it."""
    assert ProductRequest(asins=ONE, **fields).kind == kind


@pytest.mark.parametrize(
    ("request_", "cost"),
    [
        (TOKEN_STATUS, Cost(0, 0)),
        (PAGE, Cost(5, 5)),
        (DealPageRequest(selection=DealSelection(), page=66), Cost(5, 5)),
        (SellerRequest(seller_ids=asins(3)), Cost(0, 3)),
        (ProductRequest(asins=ONE), Cost(1, 1)),
        (ProductRequest(asins=asins(100)), Cost(100, 100)),
        (ProductRequest(asins=ONE, stats=90, days=365, history=False), Cost(1, 1)),
        (ProductRequest(asins=ONE, update=24), Cost(1, 1)),
        (ProductRequest(asins=ONE, update=0), Cost(1, 2)),
        (ProductRequest(asins=ONE, update=-1), Cost(0, 1)),
        (ProductRequest(asins=ONE, buybox=True), Cost(3, 3)),
        (ProductRequest(asins=ONE, rating=True), Cost(1, 2)),
        (ProductRequest(asins=ONE, historical_variations=True), Cost(1, 2)),
        (ProductRequest(asins=ONE, offers=20), Cost(1, 12)),
        (ProductRequest(asins=ONE, offers=21), Cost(1, 18)),
        (ProductRequest(asins=ONE, offers=100), Cost(1, 60)),
        (ProductRequest(asins=ONE, offers=20, only_live_offers=True), Cost(1, 12)),
        (ProductRequest(asins=ONE, offers=20, update=4), Cost(1, 12)),
        (ProductRequest(asins=ONE, offers=20, update=0), Cost(1, 13)),
        (ProductRequest(asins=ONE, offers=20, update=-1), Cost(0, 12)),
        (ProductRequest(asins=ONE, offers=20, buybox=True), Cost(1, 12)),
        (ProductRequest(asins=ONE, offers=20, rating=True), Cost(1, 13)),
        (ProductRequest(asins=ONE, offers=20, stock=True), Cost(1, 14)),
        (ProductRequest(asins=asins(20), offers=20, stock=True, rating=True, update=0), Cost(20, 320)),
    ],
    ids=repr,
)
def test_a_request_knows_what_it_may_cost_by_the_cost_table(request_: Request, cost: Cost) -> None:
    """F01."""
    assert request_.cost == cost


PRODUCT_REQUESTS = st.builds(
    lambda count, options: ProductRequest(asins=asins(count), **options),
    st.integers(1, 20),
    st.fixed_dictionaries(
        {"offers": st.none() | st.integers(20, 100)},
        optional={
            "update": st.integers(-1, 3),
            "buybox": st.booleans(),
            "rating": st.booleans(),
            "historical_variations": st.booleans(),
            "stats": st.integers(1, 365),
        },
    ),
) | st.builds(lambda count: ProductRequest(asins=asins(count)), st.integers(1, 100))
REQUESTS_AND_BALANCES = PRODUCT_REQUESTS.flatmap(
    lambda request: st.tuples(
        st.just(request),
        st.builds(
            lambda asins, rest: asins * request.cost_per_asin.high + rest, st.integers(-3, 130), st.integers(0, 60)
        ),
    )
)


@given(REQUESTS_AND_BALANCES)
def test_the_affordable_asins_are_the_most_that_the_tokens_pay_for(
    request_and_balance: tuple[ProductRequest, int],
) -> None:
    """F01, F02: the size of a batch is derived, never a constant."""
    request_, tokens = request_and_balance
    count = request_.asins_affordable(tokens)
    high = request_.cost_per_asin.high
    assert 0 <= count <= request_.asins_max
    assert count == 0 or count * high <= tokens
    assert count == request_.asins_max or (count + 1) * high > tokens


@given(REQUESTS_AND_BALANCES)
def test_a_split_keeps_every_asin_in_order_in_pieces_that_are_affordable(
    request_and_balance: tuple[ProductRequest, int],
) -> None:
    """F02: a larger unit is split; what fits at no size is an error, not an endless wait."""
    request_, tokens = request_and_balance
    if tokens < request_.cost_per_asin.high:
        message = f"tokens {tokens}: allowed is at least {request_.cost_per_asin.high}"
        with pytest.raises(ValueError, match=re.escape(message)):
            request_.split(tokens)
        return
    pieces = request_.split(tokens)
    assert [one for piece in pieces for one in piece.asins] == list(request_.asins)
    for piece in pieces:
        assert 0 < len(piece.asins) <= piece.asins_max
        assert piece.cost.high <= tokens
        assert piece == ProductRequest(**request_.model_dump() | {"asins": piece.asins})
