import gzip
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.keepa.reading import read_reply
from deals_pipeline.keepa.replies import (
    Fatal,
    FatalCause,
    Page,
    Products,
    Reply,
    Retryable,
    RetryableCause,
    Sellers,
    Throttled,
    TokenStatus,
    WireAnswer,
)
from deals_pipeline.keepa.requests import (
    DEALS_PER_PAGE,
    PAGES_MAX,
    DealPageRequest,
    ProductRequest,
    Request,
    SellerRequest,
)
from deals_pipeline.keepa.selection import DealSelection, Domain, SortType
from deals_pipeline.keepa.tokens import TokenObservation
from deals_pipeline_tests.keepa.wire_examples import (
    PAGE,
    PRODUCTS,
    SELLERS,
    SERVER_MINUTE,
    SERVER_TIME,
    TOKEN_FIELDS,
    TOKEN_STATUS,
    VALID_ANSWERS,
    Wire,
    a_deal,
    a_product,
    a_seller,
    an_offer,
    answered,
    asin,
    deals,
    error_of,
    page_of,
    per_price_type,
    products_of,
    sellers_of,
    spoilt,
    stats,
)

REAL_PAGE = Path(__file__).parents[3] / "shared" / "data" / "keepa_deal_page.json"
TOKENS = TokenObservation(SERVER_TIME, 295, timedelta(milliseconds=24_028), 5, 0.0, 5)


def page(items: list[Any], request: DealPageRequest = PAGE) -> Page:
    reply = read_reply(request, answered(page_of(items)))
    assert isinstance(reply, Page)
    return reply


def products(items: list[Any], request: ProductRequest = PRODUCTS) -> Products:
    reply = read_reply(request, answered(products_of(items)))
    assert isinstance(reply, Products)
    return reply


# --- status and body --------------------------------------------------------------------------------------------------

HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
WHOLE = json.dumps(page_of(deals(3))).encode()
BODIES: dict[str, tuple[str, bytes]] = {
    "json": ("", WHOLE),
    "gzipped json": ("gzip", gzip.compress(WHOLE)),
    "nothing": ("", b""),
    "gzipped nothing": ("gzip", gzip.compress(b"")),
    "white space": ("", b" \r\n "),
    "html": ("", HTML),
    "gzipped html": ("gzip", gzip.compress(HTML)),
    "truncated json": ("", WHOLE[:-20]),
    "truncated gzip": ("gzip", gzip.compress(WHOLE)[:-20]),
    "gzip that is none": ("gzip", WHOLE),
    "another encoding": ("br", WHOLE),
    "not utf-8": ("", WHOLE.replace(b"timestamp", b"timest\xffmp")),
    "no utf-8 in a number's place": ("", WHOLE.replace(b'"tokensLeft": 295', b'"tokensLeft": "\xff"')),
    "utf-16": ("", WHOLE.decode().encode("utf-16")),
    "3 MB of garbage": ("", bytes(range(256)) * 12_000),
    "deeply nested": ("", b'{"deals":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "json null": ("", b"null"),
    "a json list": ("", b"[]"),
    "no token fields": ("", json.dumps({"deals": {"dr": []}}).encode()),
    "no deals": ("", json.dumps(TOKEN_FIELDS).encode()),
    "deals without a list": ("", json.dumps(TOKEN_FIELDS | {"deals": {}}).encode()),
    "deals null": ("", json.dumps(page_of([]) | {"deals": None}).encode()),
    "an error": ("", json.dumps(error_of("key unknown")).encode()),
    "an error beside an empty page": ("", json.dumps(page_of([]) | error_of("try later")).encode()),
}
CORRUPT = ("truncated gzip", "gzip that is none", "another encoding")
EMPTY = ("nothing", "gzipped nothing", "white space")
NOT_JSON = (
    "html",
    "gzipped html",
    "truncated json",
    "utf-16",
    "3 MB of garbage",
    "deeply nested",
    "json null",
    "a json list",
)
MALFORMED = (
    "not utf-8",
    "no utf-8 in a number's place",
    "no token fields",
    "no deals",
    "deals without a list",
    "deals null",
    "an error",
    "an error beside an empty page",
)
CAUSES_AT_200 = {
    body: cause
    for bodies, cause in (
        (CORRUPT, RetryableCause.CORRUPT),
        (EMPTY, RetryableCause.EMPTY),
        (NOT_JSON, RetryableCause.NOT_JSON),
        (MALFORMED, RetryableCause.MALFORMED),
    )
    for body in bodies
}
FATAL_STATUSES = {
    400: FatalCause.REJECTED,
    402: FatalCause.PAYMENT_REQUIRED,
    404: FatalCause.NOT_FOUND,
    405: FatalCause.METHOD_NOT_ALLOWED,
    204: FatalCause.UNEXPECTED_STATUS,
    302: FatalCause.UNEXPECTED_STATUS,
    418: FatalCause.UNEXPECTED_STATUS,
}


def outcome(reply: Reply) -> tuple[type[Reply], RetryableCause | FatalCause | None]:
    return type(reply), reply.cause if isinstance(reply, Retryable | Fatal) else None


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        *((200, body, (Page, None)) for body in BODIES if body not in CAUSES_AT_200),
        *((200, body, (Retryable, cause)) for body, cause in CAUSES_AT_200.items()),
        *((429, body, (Throttled, None)) for body in BODIES),
        *(
            (status, body, (Retryable, RetryableCause.SERVER_ERROR))
            for status in (500, 502, 503, 599)
            for body in BODIES
        ),
        *((status, body, (Fatal, cause)) for status, cause in FATAL_STATUSES.items() for body in BODIES),
    ],
)
def test_every_status_with_every_body_has_its_class_of_reply(
    status: int, body: str, expected: tuple[type[Reply], RetryableCause | FatalCause | None]
) -> None:
    """F12, F29: nothing but a page ends a scan, and a 429 without a body is throttled all the same."""
    reply = read_reply(PAGE, WireAnswer(status, *BODIES[body]))
    assert outcome(reply) == expected
    assert not isinstance(reply, Retryable) or reply.was_sent


def test_an_answer_to_another_kind_of_request_is_malformed() -> None:
    """F29: a page is not read as products, nor products as a page."""
    for request, _ in VALID_ANSWERS[:2]:
        for other, answer in VALID_ANSWERS[:3]:
            if type(other) is not type(request):
                reply = read_reply(request, answered(answer))
                assert outcome(reply) == (Retryable, RetryableCause.MALFORMED)


@pytest.mark.parametrize("status", [200, 400, 402, 429, 500])
def test_the_balance_is_read_from_every_json_answer_errors_included(status: int) -> None:
    """T5, F12: a 429 is information."""
    reply = read_reply(PAGE, answered(page_of([]), status))
    assert reply.tokens == TOKENS


@pytest.mark.parametrize("status", [400, 402, 404, 405])
def test_a_fatal_reply_carries_the_message_of_keepa(status: int) -> None:
    """F32: the offending field is named."""
    reply = read_reply(PAGE, answered(error_of("dateRange 30 is invalid"), status))
    assert isinstance(reply, Fatal)
    assert "dateRange 30 is invalid" in reply.detail


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *((field, None) for field in ("timestamp", "tokensLeft", "refillIn", "refillRate")),
        *((field, "5") for field in ("timestamp", "tokensLeft", "refillIn", "refillRate", "tokensConsumed")),
        *((field, 2**31) for field in ("tokensLeft", "refillIn", "refillRate", "tokensConsumed")),
        *(("timestamp", value) for value in (0, -1, 10**13 * 30, 10**30, SERVER_MINUTE, [1])),
        ("tokensLeft", 1.5),
        ("tokenFlowReduction", "much"),
    ],
)
def test_an_answer_whose_token_fields_are_wrong_has_no_balance_and_is_no_page(field: str, value: object) -> None:
    """F05, F33: an observation is typed, and its time is one that a server can have."""
    spoilt_answer = page_of(deals(1)) | {field: value}
    assert outcome(read_reply(PAGE, answered(spoilt_answer))) == (Retryable, RetryableCause.MALFORMED)
    assert read_reply(PAGE, answered(spoilt_answer, 429)) == Throttled(None)


@pytest.mark.parametrize("tokens_left", [0, -350])
def test_a_balance_of_zero_or_below_is_a_balance(tokens_left: int) -> None:
    """F13: 0 is a value."""
    reply = read_reply(TOKEN_STATUS, answered(TOKEN_FIELDS | {"tokensLeft": tokens_left}))
    assert isinstance(reply, TokenStatus)
    assert reply.tokens.tokens_left == tokens_left


# --- pages ------------------------------------------------------------------------------------------------------------


def a_page_of(count: int, *, malformed: int = 0, repeated: int = 0) -> list[Any]:
    items: list[Any] = deals(count - malformed - repeated)
    return [*items, *[None] * malformed, *items[:repeated]]


@pytest.mark.parametrize(
    ("items", "is_last"),
    [
        ([], True),
        (a_page_of(1), True),
        (a_page_of(149), True),
        (a_page_of(150), False),
        (a_page_of(150, malformed=1), False),
        (a_page_of(150, repeated=2), False),
        (a_page_of(150, malformed=150), False),
        (a_page_of(149, malformed=3, repeated=3), True),
    ],
    ids=["none", "1", "149", "150", "1 malformed", "2 repeated", "all malformed", "149 with both"],
)
def test_only_a_page_that_keepa_sent_short_is_the_last(items: list[Any], is_last: bool) -> None:
    """F29: counted before anything is put aside."""
    assert page(items).is_last is is_last


def test_the_last_page_that_keepa_shows_is_the_last_however_long() -> None:
    """F28: there is no page to go on with."""
    assert page(a_page_of(150), DealPageRequest(selection=PAGE.selection, page=PAGES_MAX - 1)).is_last
    assert DEALS_PER_PAGE == 150


def test_a_deal_that_came_twice_is_kept_once_with_its_newest_observation() -> None:
    """F30."""
    times = {"early": SERVER_MINUTE - 60, "late": SERVER_MINUTE - 10}
    for order in (("early", "late"), ("late", "early"), ("late", "late")):
        reply = page([a_deal(7, title=title, lastUpdate=times[title]) for title in order] + [a_deal(8)])
        assert (reply.deals[0].asin, reply.deals[0].title) == (asin(7), "late")
        assert (len(reply.deals), reply.duplicates, reply.quarantined) == (2, 1, ())


DEAL_FIELDS_SPOILT: list[tuple[list[str | int], object]] = [
    (["asin"], None),
    (["asin"], "B00000000"),
    (["asin"], "B00000000\u0660"),
    (["asin"], "B000000001\n"),
    (["asin"], 5),
    (["title"], 5),
    (["warehouseCondition"], 1000),
    (["parentAsin"], 5),
    (["rootCat"], None),
    (["rootCat"], "5"),
    (["rootCat"], 10**30),
    (["categories"], None),
    (["categories"], [None]),
    (["categories"], 5),
    (["image"], [-1]),
    (["image"], [0x110000]),
    (["image"], "x.jpg"),
    (["creationDate"], None),
    (["creationDate"], "7513610"),
    (["creationDate"], 10**30),
    (["creationDate"], -(10**12)),
    (["creationDate"], SERVER_MINUTE + 6),
    (["lastUpdate"], None),
    (["lastUpdate"], 10**12),
    (["lastUpdate"], -(10**12)),
    (["lastUpdate"], 1.5),
    (["current"], None),
    (["current"], {"2": 5}),
    (["current", 2], "1500"),
    (["current", 2], 15.5),
    (["current", 2], 2**31),
    (["current", 2], 10**30),
    (["current", 2], [1]),
    (["currentSince"], "x"),
    (["currentSince", 2], 10**30),
    (["deltaLast"], None),
    (["deltaLast", 2], None),
    (["deltaLast", 2], -(10**18)),
    (["avg"], None),
    (["avg", 3], None),
    (["avg", 3, 2], "x"),
    (["avg", 3, 2], 10**18),
    (["delta"], [1, 2, 3]),
    (["delta", 3, 2], None),
    (["delta", 3, 2], 10**18),
    (["deltaPercent", 3], "x"),
    (["deltaPercent", 3, 2], 10**18),
    (["backInStock"], [0]),
    (["salesRankDrops30"], "x"),
    (["salesRankDrops365"], 10**18),
    (["warehouseCondition"], "x"),
    (["warehouseConditionComment"], 5),
]


@pytest.mark.parametrize(("path", "value"), DEAL_FIELDS_SPOILT, ids=str)
def test_a_malformed_deal_is_put_aside_with_its_reason_and_the_rest_is_kept(
    path: list[str | int], value: object
) -> None:
    """F53."""
    reply = page([a_deal(0), spoilt(a_deal(1), path, value), a_deal(2)])
    assert [deal.asin for deal in reply.deals] == [asin(0), asin(2)]
    [aside] = reply.quarantined
    assert aside.position == 1
    assert str(path[0]) in aside.reason
    assert path == ["asin"] or aside.item_id == asin(1)


@pytest.mark.parametrize("item", [None, 5, "B000000001", [], {}, [a_deal(1)], True], ids=repr)
def test_an_item_that_is_no_deal_at_all_is_put_aside(item: object) -> None:
    """F53."""
    reply = page([a_deal(0), item, a_deal(2)])
    assert [deal.asin for deal in reply.deals] == [asin(0), asin(2)]
    assert [(aside.position, aside.item_id) for aside in reply.quarantined] == [(1, None)]
    assert reply.quarantined[0].reason


def test_a_deal_whose_title_is_not_utf8_is_put_aside_and_the_rest_is_kept() -> None:
    """F53."""
    body = json.dumps(page_of([a_deal(0), a_deal(1, title="TITLE")])).encode().replace(b"TITLE", b"\xff\xfe")
    reply = read_reply(PAGE, WireAnswer(200, "", body))
    assert isinstance(reply, Page)
    assert [deal.asin for deal in reply.deals] == [asin(0)]
    assert [(aside.position, aside.item_id) for aside in reply.quarantined] == [(1, asin(1))]


def test_unknown_fields_and_absent_optional_ones_are_no_defect() -> None:
    deal = a_deal(0, aFieldOfTomorrow={"x": [1]})
    for optional in ("title", "image", "backInStock", "warehouseCondition", "salesRankDrops30", "categories"):
        del deal[optional]
    assert len(page([deal]).deals) == 1


def test_whatever_is_negative_is_missing_but_a_difference_keeps_its_sign() -> None:
    """F51: -1 is no price, no rank and no count."""
    deal = page(
        [
            a_deal(
                current=list(range(-34, 0)),
                currentSince=[-1] * 34,
                avg=[[-2] * 34] * 4,
                salesRankDrops30=-1,
                salesRankDrops90=-1,
                salesRankDrops180=-2,
                salesRankDrops365=-1,
                warehouseCondition=-1,
            )
        ]
    ).deals[0]
    assert set(deal.current) | set(deal.current_since) | {value for window in deal.avg for value in window} == {None}
    assert (deal.sales_rank_drops30, deal.sales_rank_drops90) == (None, None)
    assert (deal.sales_rank_drops180, deal.sales_rank_drops365, deal.warehouse_condition) == (None, None, None)
    assert deal.delta_last[PriceType.NEW] == -20
    assert {window[PriceType.NEW] for window in deal.delta} == {-300}
    assert {window[PriceType.NEW] for window in deal.delta_percent} == {-40}


def test_a_zero_is_a_value_and_not_missing() -> None:
    """F13, F51."""
    deal = page([a_deal(current=[0] * 34, salesRankDrops30=0)]).deals[0]
    assert set(deal.current) == {0}
    assert deal.sales_rank_drops30 == 0


ELEVEN_YEARS = 11 * 365 * 1440
UNIX_MINUTE = SERVER_MINUTE + 21_564_000


@pytest.mark.parametrize(
    ("times", "sound"),
    [
        ({"lastUpdate": SERVER_MINUTE + 5}, True),
        ({"lastUpdate": SERVER_MINUTE + 6}, False),
        ({"lastUpdate": SERVER_MINUTE - 99 * 1440}, True),
        ({"lastUpdate": SERVER_MINUTE - 101 * 1440}, False),
        ({"lastUpdate": SERVER_MINUTE - ELEVEN_YEARS, "creationDate": SERVER_MINUTE - ELEVEN_YEARS}, False),
        ({"lastUpdate": UNIX_MINUTE, "creationDate": UNIX_MINUTE}, False),
        ({"lastUpdate": 0}, False),
        ({"creationDate": SERVER_MINUTE + 5}, True),
        ({"creationDate": SERVER_MINUTE + 6}, False),
        ({"creationDate": SERVER_MINUTE - ELEVEN_YEARS}, True),
        ({"creationDate": SERVER_MINUTE, "lastUpdate": SERVER_MINUTE - 1}, True),
    ],
    ids=str,
)
def test_a_deal_whose_times_the_servers_clock_rules_out_is_put_aside(times: Wire, sound: bool) -> None:
    """F33: a wrong epoch shows itself; 36 s ahead of the answer's timestamp do occur (D6)."""
    reply = page([a_deal(0), a_deal(1, **times)])
    assert (len(reply.deals) == 2) is sound
    assert sound or "implausible" in reply.quarantined[0].reason


def test_an_order_is_not_verified_by_a_page_of_which_nothing_was_readable() -> None:
    """F25, F33: a head scan that stops early needs evidence."""
    reply = page([a_deal(number, lastUpdate=0) for number in range(150)])
    assert not reply.is_in_order
    assert page([]).is_in_order


# --- what was asked against what came ---------------------------------------------------------------------------------

ORDERED_FIELDS: dict[SortType, list[dict[str, Any]]] = {
    SortType.AGE: [{"creationDate": SERVER_MINUTE - minutes} for minutes in (1, 5, 5, 900)],
    SortType.DELTA: [{"delta": [[0] * 34] * 3 + [per_price_type(0, {PriceType.USED: v})]} for v in (900, 50, 50, -3)],
    SortType.PERCENT_DELTA: [
        {"deltaPercent": [[0] * 34] * 3 + [per_price_type(0, {PriceType.USED: v})]} for v in (90, 50, 50, 10)
    ],
    SortType.SALES_RANK: [{"current": per_price_type(-1, {PriceType.SALES: v})} for v in (1, 50, -1, 50, 900)],
}


@pytest.mark.parametrize("sort_type", SortType, ids=lambda sort_type: sort_type.name)
def test_the_order_that_was_asked_for_is_verified_on_the_deals_that_came(sort_type: SortType) -> None:
    """F25: a page in the order is told from the same page reversed."""
    request = DealPageRequest(selection=DealSelection(sort_type=sort_type))
    forward = [a_deal(number, **fields) for number, fields in enumerate(ORDERED_FIELDS[SortType(abs(int(sort_type)))])]
    asked, inverse = (forward, forward[::-1]) if sort_type > 0 else (forward[::-1], forward)
    assert page(asked, request).is_in_order
    assert not page(inverse, request).is_in_order
    assert page(asked[:1], request).is_in_order


def test_the_order_is_that_of_the_interval_and_price_type_asked_for() -> None:
    """F25."""
    other = [a_deal(n, deltaPercent=[[v] * 34] * 3 + [[25] * 34]) for n, v in enumerate((10, 90))]
    for date_range, in_order in ((0, False), (2, False), (3, True)):
        selection = DealSelection(sort_type=SortType.PERCENT_DELTA, date_range=date_range)
        assert page(other, DealPageRequest(selection=selection)).is_in_order is in_order


def with_current(**values: int) -> Wire:
    return {"current": per_price_type(-1, {PriceType[name]: value for name, value in values.items()})}


def with_used(field: str, value: int) -> Wire:
    row = per_price_type(0, {PriceType.USED: value})
    return {field: row if field == "deltaLast" else [row] * 4}


FILTERS: list[tuple[str, dict[str, Any], Wire, Wire]] = [
    ("deltaPercentRange", {}, with_used("deltaPercent", 10), with_used("deltaPercent", 9)),
    (
        "deltaPercentRange",
        {"delta_percent_range": (20, 50)},
        with_used("deltaPercent", 50),
        with_used("deltaPercent", 51),
    ),
    ("deltaRange", {"delta_range": (100, 900)}, with_used("delta", 100), with_used("delta", 99)),
    ("deltaLastRange", {"delta_last_range": (-5, 900)}, with_used("deltaLast", -5), with_used("deltaLast", -6)),
    ("currentRange", {"current_range": (100, 900)}, with_current(USED=900), with_current(USED=901)),
    ("currentRange", {"current_range": (0, 900)}, with_current(USED=0), with_current(USED=-1)),
    ("salesRankRange", {"sales_rank_range": (1, 500)}, with_current(SALES=500), with_current(SALES=501)),
    ("salesRankRange", {"sales_rank_range": (1, -1)}, with_current(SALES=10**9), with_current(SALES=-1)),
    ("minRating", {"min_rating": 40}, with_current(RATING=40), with_current(RATING=39)),
    ("minRating", {"min_rating": 0}, with_current(RATING=0), with_current(RATING=-1)),
    ("includeCategories", {"include_categories": (3139,)}, {}, {"categories": [1], "rootCat": 2}),
    ("includeCategories", {"include_categories": (283155, 8)}, {"categories": []}, {"rootCat": 10}),
    ("excludeCategories", {"exclude_categories": (9,)}, {}, {"categories": [3139, 9]}),
    ("excludeCategories", {"exclude_categories": (9,)}, {}, {"rootCat": 9}),
    ("mustHaveAmazonOffer", {"must_have_amazon_offer": True}, with_current(AMAZON=0), with_current(AMAZON=-1)),
    ("mustNotHaveAmazonOffer", {"must_not_have_amazon_offer": True}, {}, with_current(AMAZON=1999)),
    (
        "warehouseConditions",
        {"warehouse_conditions": (2, 3)},
        {"warehouseCondition": 3},
        {"warehouseCondition": 4},
    ),
]


@pytest.mark.parametrize(("name", "asked", "passing", "failing"), FILTERS, ids=[f"{f[0]} {f[1]}" for f in FILTERS])
def test_a_filter_without_effect_is_a_breach_that_names_it_and_the_deals_are_kept(
    name: str, asked: dict[str, Any], passing: Wire, failing: Wire
) -> None:
    """F32: a parameter that Keepa ignored is noticed on the answer."""
    request = DealPageRequest(selection=DealSelection(**asked))
    assert page([a_deal(0, **passing)], request).breaches == ()
    reply = page([a_deal(0, **passing), a_deal(1, **failing)], request)
    assert reply.breaches == (f"{name} is not met by 1 of 2 deals, such as {asin(1)}",)
    assert (len(reply.deals), reply.quarantined) == (2, ())


def test_every_filter_that_a_deal_can_show_is_in_the_table_of_this_test() -> None:
    everything: dict[str, Any] = {}
    for _, asked, _, _ in FILTERS:
        everything |= asked
    del everything["must_not_have_amazon_offer"]
    bare: Wire = {"current": [], "delta": [], "deltaPercent": [], "deltaLast": [], "warehouseCondition": None}
    request = DealPageRequest(selection=DealSelection(**everything))
    breaches = page([a_deal(0, **bare, rootCat=9, categories=[])], request).breaches
    assert {breach.split()[0] for breach in breaches} | {"mustNotHaveAmazonOffer"} == {name for name, *_ in FILTERS}


@pytest.mark.parametrize(
    ("asked", "breached"),
    [
        ({}, []),
        ({"sort_type": SortType.PERCENT_DELTA}, []),
        ({"sort_type": SortType.PERCENT_DELTA, "delta_percent_range": (81, 100)}, ["deltaPercentRange"]),
        ({"price_type": PriceType.NEW}, ["deltaPercentRange"]),
        ({"include_categories": (1,)}, ["includeCategories"]),
        ({"current_range": (0, 2098)}, ["currentRange"]),
    ],
    ids=str,
)
@pytest.mark.skipif(not REAL_PAGE.exists(), reason="the real answer of May 2025 is not beside this repository")
def test_a_real_page_is_read_whole_and_breaches_only_what_it_was_not_asked_for(
    asked: dict[str, Any], breached: list[str]
) -> None:
    """F25, F32, F53: on a real answer."""
    request = DealPageRequest(selection=DealSelection(**asked))
    reply = read_reply(request, WireAnswer(200, "", REAL_PAGE.read_bytes()))
    assert isinstance(reply, Page)
    assert (len(reply.deals), reply.quarantined, reply.duplicates, reply.is_last) == (150, (), 0, False)
    assert [breach.split()[0] for breach in reply.breaches] == breached
    assert (reply.tokens.tokens_left, reply.tokens.tokens_consumed) == (295, 5)
    assert all(deal.image_name and deal.image_name.endswith(".jpg") for deal in reply.deals if deal.image)


@pytest.mark.skipif(not REAL_PAGE.exists(), reason="the real answer of May 2025 is not beside this repository")
@pytest.mark.parametrize("sort_type", SortType, ids=lambda sort_type: sort_type.name)
def test_a_real_page_is_in_order_for_the_percent_delta_only(sort_type: SortType) -> None:
    """F25: the belief that cost eight months, on a real answer."""
    request = DealPageRequest(selection=DealSelection(sort_type=sort_type))
    reply = read_reply(request, WireAnswer(200, "", REAL_PAGE.read_bytes()))
    assert isinstance(reply, Page)
    assert reply.is_in_order is (sort_type is SortType.PERCENT_DELTA)


# --- products ---------------------------------------------------------------------------------------------------------

LATEST = SERVER_MINUTE + 5
PRODUCT_FIELDS_SPOILT: list[tuple[list[str | int], object, str]] = [
    (["asin"], None, "asin"),
    (["domainId"], "1", "domainId"),
    (["domainId"], None, "domainId"),
    (["productType"], "x", "productType"),
    (["productType"], 1000, "productType"),
    (["title"], 5, "title"),
    (["rootCategory"], 10**30, "rootCategory"),
    (["categories"], [None], "categories"),
    (["trackingSince"], None, "trackingSince"),
    (["trackingSince"], -(10**12), "trackingSince"),
    (["lastUpdate"], "x", "lastUpdate"),
    (["lastUpdate"], 10**12, "lastUpdate"),
    (["lastUpdate"], LATEST + 1, "lastUpdate lies in the future"),
    (["lastUpdate"], UNIX_MINUTE, "lastUpdate lies in the future"),
    (["numberOfPages"], 10**18, "numberOfPages"),
    (["publicationDate"], "2020", "publicationDate"),
    (["fbaFees"], [], "fbaFees"),
    (["fbaFees", "pickAndPackFee"], "x", "pickAndPackFee"),
    (["referralFeePercentage"], "x", "referralFeePercentage"),
    (["stats"], {"current": None}, "stats.current"),
    (["stats"], {"current": [10**18]}, "stats.current"),
    (["csv"], 5, "csv"),
    (["csv", 0], "1,2", "csv"),
    (["csv", 0], {"0": 1}, "csv"),
    (["csv", 0], [1, "2"], "csv"),
    (["csv", 0], [1, None], "csv"),
    (["csv", 0], [1, 2.5], "csv"),
    (["csv", 0], [[1, 2]], "csv"),
    (["csv", 0], [1, 2**31], "csv"),
    (["csv", 0], [1, -(10**30)], "csv"),
    (["csv", 0], [1, 100, 2], "csv[0] has 3 integers, not a multiple of 2"),
    (["csv", 7], [1, 100], "csv[7] has 2 integers, not a multiple of 3"),
    (["csv", 0], [20, 100, 10, 100], "csv[0] is not in the order of time"),
    (["csv", 7], [20, 100, 0, 10, 100, 0], "csv[7] is not in the order of time"),
    (["csv", 0], [-5, 100], "csv[0] has times that the server's clock rules out"),
    (["csv", 0], [1, 100, LATEST + 1, 100], "csv[0] has times that the server's clock rules out"),
    (["csv", 0], [UNIX_MINUTE, 100], "csv[0] has times that the server's clock rules out"),
    (["offers"], [None], "offers"),
    (["offers"], ["x"], "offers"),
    (["offers"], [an_offer(offerCSV=[1, "x", 0])], "offerCSV"),
    (["offers"], [an_offer(sellerId=None)], "sellerId"),
    (["liveOffersOrder"], ["x"], "liveOffersOrder"),
]


@pytest.mark.parametrize(("path", "value", "reason"), PRODUCT_FIELDS_SPOILT, ids=str)
def test_a_malformed_product_is_put_aside_with_its_reason_and_the_rest_is_kept(
    path: list[str | int], value: object, reason: str
) -> None:
    """F33, F53."""
    reply = products([a_product(0), spoilt(a_product(1), path, value), a_product(2)])
    assert [product.asin for product in reply.products] == [asin(0), asin(2)]
    [aside] = reply.quarantined
    assert aside.position == 1
    assert reason in aside.reason
    if path != ["asin"]:
        assert aside.item_id == asin(1)
        assert reply.missing == ()


@pytest.mark.parametrize("item", [None, 5, [], {}, "B000000001"], ids=repr)
def test_an_item_that_is_no_product_at_all_is_put_aside_and_its_asin_is_missing(item: object) -> None:
    """F53."""
    reply = products([a_product(0), item, a_product(2)])
    assert [aside.position for aside in reply.quarantined] == [1]
    assert reply.missing == (asin(1),)


def test_products_are_joined_by_asin_in_whatever_order_and_number_they_come() -> None:
    """P7."""
    reply = products([a_product(2), a_product(0)])
    assert [product.asin for product in reply.products] == [asin(2), asin(0)]
    assert reply.missing == (asin(1),)
    assert products([]).missing == PRODUCTS.asins


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (a_product(9), f"asin {asin(9)} was not asked for"),
        (a_product(1, domainId=3), "domainId is 3, asked was 1"),
        (a_product(0), f"asin {asin(0)} came twice"),
    ],
)
def test_a_product_that_cannot_be_what_was_asked_for_is_put_aside(item: Wire, reason: str) -> None:
    """F32, F53."""
    reply = products([a_product(0), item])
    assert [product.asin for product in reply.products] == [asin(0)]
    assert [aside.reason for aside in reply.quarantined] == [reason]


def test_the_negatives_of_a_product_are_missing() -> None:
    """F51, P5."""
    spoilt_product = a_product(
        0,
        stats=stats(salesRankDrops30=-1),
        fbaFees={"pickAndPackFee": -1},
        referralFeePercentage=-1,
        numberOfPages=-1,
        publicationDate=-1,
        packageWeight=-1,
        offers=[an_offer(offerCSV=[1, -1, -1]), an_offer(offerCSV=[])],
    )
    product = products([spoilt_product]).products[0]
    assert product.stats is not None
    assert (product.stats.current, product.stats.avg) == ((1999, None, 1500), (None, 2100, 1600))
    assert (product.stats.sales_rank_drops30, product.stats.avg90) == (None, None)
    assert product.fba_fees is not None
    assert product.fba_fees.pick_and_pack_fee is None
    assert (product.referral_fee_percentage, product.number_of_pages) == (None, None)
    assert (product.publication_date, product.package_weight) == (None, None)
    assert [(offer.price, offer.shipping) for offer in product.offers or () if not isinstance(offer, int)] == [
        (None, None)
    ] * 2


def test_the_live_offers_are_the_objects_at_the_positions_that_keepa_names() -> None:
    """F58, P3: integers among the offers and positions beyond them are left out."""
    offers = [an_offer(1), 5, an_offer(2, offerCSV=[1, 900, -1])]
    product = products([a_product(0, offers=offers, liveOffersOrder=[2, 1, 0, 7, -1])]).products[0]
    assert [(offer.offer_id, offer.price, offer.shipping) for offer in product.live_offers] == [
        (2, 900, None),
        (1, 1400, 0),
    ]


def test_a_history_that_is_absent_is_none_and_an_empty_one_is_empty() -> None:
    product = products([a_product(0, csv=[None, []])]).products[0]
    assert product.history(PriceType.AMAZON) is None
    empty = product.history(PriceType.NEW)
    assert empty is not None
    assert len(empty.values(PriceType.NEW)) == 0
    assert product.history(PriceType.COUNT_NEW_FBM) is None


LIVE = {"offers": [an_offer(1)], "offersSuccessful": True, "liveOffersOrder": [0]}


@pytest.mark.parametrize(
    ("name", "asked", "obeyed", "ignored"),
    [
        ("stats", {"stats": 90}, {"stats": stats()}, {}),
        ("history", {}, {"csv": []}, {"csv": None}),
        ("offers", {"offers": 20}, {"offers": []}, {}),
        (
            "only-live-offers",
            {"offers": 20, "only_live_offers": True},
            LIVE,
            LIVE | {"offers": [an_offer(1), an_offer(2)]},
        ),
    ],
)
def test_a_parameter_without_effect_on_a_product_is_a_breach_that_names_it(
    name: str, asked: dict[str, Any], obeyed: Wire, ignored: Wire
) -> None:
    """F32: a misspelt parameter is ignored in silence (P3)."""
    request = ProductRequest(asins=PRODUCTS.asins, **asked)
    assert products([a_product(0, **obeyed)], request).breaches == ()
    reply = products([a_product(0, **obeyed), a_product(1, **ignored)], request)
    assert reply.breaches == (f"{name} had no effect on 1 of 2 products, such as {asin(1)}",)
    assert len(reply.products) == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"productType": 3, "csv": None},
        {"productType": 4, "csv": None},
        {"productType": 5, "csv": None},
    ],
    ids=str,
)
def test_a_product_of_a_type_without_data_breaches_nothing(fields: Wire) -> None:
    assert products([a_product(0, **fields)]).breaches == ()


def test_historical_offers_after_a_failed_refresh_breach_nothing() -> None:
    """The cost table: 1 token, and historical offers are returned."""
    request = ProductRequest(asins=PRODUCTS.asins, offers=20, only_live_offers=True)
    stale = {"offers": [an_offer(1), an_offer(2)], "offersSuccessful": False}
    assert products([a_product(0, **stale)], request).breaches == ()


def test_more_live_offers_than_were_asked_for_are_no_breach() -> None:
    """The order of live offers names no more than these."""
    request = ProductRequest(asins=PRODUCTS.asins, offers=20, only_live_offers=True)
    offers = [an_offer(number) for number in range(27)]
    many = {"offers": offers, "offersSuccessful": True, "liveOffersOrder": list(range(20))}
    assert products([a_product(0, **many)], request).breaches == ()
    fewer = many | {"liveOffersOrder": list(range(19))}
    assert products([a_product(0, **fewer)], request).breaches


# --- sellers ----------------------------------------------------------------------------------------------------------


def test_sellers_are_read_and_the_unknown_ones_listed() -> None:
    request = SellerRequest(seller_ids=("A2L77EE7U53NWQ", "ATVPDKIKX0DER"))
    reply = read_reply(request, answered(sellers_of(a_seller(currentRating=-1))))
    assert isinstance(reply, Sellers)
    assert reply.missing == ("ATVPDKIKX0DER",)
    assert [(seller.seller_id, seller.current_rating) for seller in reply.sellers] == [("A2L77EE7U53NWQ", None)]
    assert reply.quarantined == ()


@pytest.mark.parametrize(
    ("seller", "reason"),
    [
        (a_seller(sellerId="ATVPDKIKX0DER"), "was not asked for"),
        (a_seller(domainId=3), "domainId is 3"),
        (a_seller(currentRating="x"), "currentRating"),
        (a_seller(trackedSince=-(10**12)), "trackedSince"),
    ],
)
def test_a_seller_that_cannot_be_what_was_asked_for_is_put_aside(seller: Wire, reason: str) -> None:
    """F53."""
    reply = read_reply(SELLERS, answered(sellers_of(seller)))
    assert isinstance(reply, Sellers)
    assert reply.sellers == ()
    assert reason in reply.quarantined[0].reason


@pytest.mark.parametrize("sellers", [None, {}])
def test_no_seller_found_is_an_answer_with_all_missing(sellers: object) -> None:
    reply = read_reply(SELLERS, answered(TOKEN_FIELDS | {"sellers": sellers}))
    assert isinstance(reply, Sellers)
    assert reply.missing == SELLERS.seller_ids


def test_the_domain_of_a_product_is_compared_with_the_one_asked_for() -> None:
    """F32."""
    request: Request = ProductRequest(domain=Domain.DE, asins=(asin(0),))
    reply = read_reply(request, answered(products_of([a_product(0, domainId=3)])))
    assert isinstance(reply, Products)
    assert len(reply.products) == 1


@pytest.mark.parametrize("half", [r"\ud83d", r"\udcda\ud83d", r"\\\uD83D"])
def test_a_title_that_is_cut_within_a_character_spoils_no_answer(half: str) -> None:
    """F53: JSON may name half a character, which no text can hold."""
    text = json.dumps(page_of([a_deal(0, title="HALF"), a_deal(1, title="\\ud83d \U0001f4da")]))
    reply = read_reply(PAGE, WireAnswer(200, "", text.replace("HALF", half).encode()))
    assert isinstance(reply, Page)
    assert not reply.quarantined
    cut, whole = reply.deals
    assert (cut.title or "").endswith("\ufffd")
    assert whole.title == "\\ud83d \U0001f4da"
