"""Valid objects and answers as Keepa sends them, to be spoilt one field at a time."""

import copy
import gzip
import json
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any, TypeAlias

from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.keepa.replies import WireAnswer
from deals_pipeline.keepa.requests import DealPageRequest, ProductRequest, Request, SellerRequest, TokenStatusRequest
from deals_pipeline.keepa.selection import DealSelection

Wire: TypeAlias = dict[str, Any]

SERVER_TIME = datetime(2025, 6, 1, 12, 0, tzinfo=timezone.utc)
SERVER_MS = 1_748_779_200_000
SERVER_MINUTE = SERVER_MS // 60_000 - 21_564_000
DEAL_PRICE_TYPES = 34
CSV_PRICE_TYPES = 36
TOKEN_FIELDS: Wire = {
    "timestamp": SERVER_MS,
    "tokensLeft": 295,
    "refillIn": 24_028,
    "refillRate": 5,
    "tokenFlowReduction": 0.0,
    "tokensConsumed": 5,
    "processingTimeInMs": 586,
}
SELLER_ID = "A2L77EE7U53NWQ"


def asin(number: int) -> str:
    return f"B{number:09d}"


PAGE = DealPageRequest(selection=DealSelection())
PRODUCTS = ProductRequest(asins=(asin(0), asin(1), asin(2)))
SELLERS = SellerRequest(seller_ids=(SELLER_ID,))
TOKEN_STATUS = TokenStatusRequest()


def per_price_type(default: int, values: dict[PriceType, int]) -> list[int]:
    return [values.get(kind, default) for kind in list(PriceType)[:DEAL_PRICE_TYPES]]


def a_deal(number: int = 0, **fields: object) -> Wire:
    """Return a deal that passes the default selection; a higher number was found earlier."""
    delta = per_price_type(0, {PriceType.USED: 500, PriceType.NEW: -300})
    delta_percent = per_price_type(0, {PriceType.USED: 25, PriceType.NEW: -40})
    deal: Wire = {
        "asin": asin(number),
        "title": "Airick Flies High \u2013 a <b>story</b>",
        "rootCat": 283_155,
        "categories": [3139, 3285],
        "image": [52, 49, 46, 106, 112, 103],
        "creationDate": SERVER_MINUTE - 60 - number,
        "lastUpdate": SERVER_MINUTE - 30,
        "current": per_price_type(
            -1,
            {PriceType.USED: 1500, PriceType.SALES: 50_000, PriceType.RATING: 45, PriceType.NEW_FBA: -2},
        ),
        "currentSince": per_price_type(-1, {PriceType.USED: SERVER_MINUTE - 90}),
        "deltaLast": per_price_type(0, {PriceType.USED: 100, PriceType.NEW: -20}),
        "avg": [per_price_type(-2, {PriceType.USED: 2000}) for _ in range(4)],
        "delta": [list(delta) for _ in range(4)],
        "deltaPercent": [list(delta_percent) for _ in range(4)],
        "backInStock": [False] * DEAL_PRICE_TYPES,
        "salesRankDrops30": 1,
        "salesRankDrops90": 2,
        "salesRankDrops180": 3,
        "salesRankDrops365": 7,
        "warehouseCondition": 0,
        "warehouseConditionComment": None,
        "dateIntervalIndex": 0,
        "lightningStart": 0,
        "lightningEnd": 0,
        "flags": None,
    }
    return deal | fields


def deals(count: int) -> list[Wire]:
    return [a_deal(number) for number in range(count)]


def a_product(number: int = 0, **fields: object) -> Wire:
    csv: list[list[int] | None] = [None] * CSV_PRICE_TYPES
    csv[PriceType.AMAZON] = [SERVER_MINUTE - 3000, 1999, SERVER_MINUTE - 2000, -1]
    csv[PriceType.NEW_FBM_SHIPPING] = [SERVER_MINUTE - 3000, 1500, 399, SERVER_MINUTE - 2000, -1, -1]
    product: Wire = {
        "asin": asin(number),
        "domainId": 1,
        "productType": 0,
        "title": "Airick Flies High",
        "rootCategory": 283_155,
        "categories": [3139],
        "trackingSince": SERVER_MINUTE - 400_000,
        "lastUpdate": SERVER_MINUTE - 30,
        "availabilityAmazon": -1,
        "numberOfPages": 320,
        "publicationDate": 20_200_131,
        "packageWeight": 250,
        "fbaFees": {"pickAndPackFee": 350},
        "referralFeePercentage": 15.0,
        "csv": csv,
    }
    return product | fields


def stats(**fields: object) -> Wire:
    return {"current": [1999, -1, 1500], "avg": [-1, 2100, 1600], "salesRankDrops30": 4, **fields}


def an_offer(number: int = 1, **fields: object) -> Wire:
    offer: Wire = {
        "offerId": number,
        "sellerId": SELLER_ID,
        "condition": 2,
        "lastSeen": SERVER_MINUTE - 10,
        "isFBA": True,
        "offerCSV": [SERVER_MINUTE - 90, 1500, 399, SERVER_MINUTE - 10, 1400, 0],
    }
    return offer | fields


def a_seller(**fields: object) -> Wire:
    seller: Wire = {
        "sellerId": SELLER_ID,
        "domainId": 1,
        "sellerName": "Warehouse",
        "trackedSince": SERVER_MINUTE - 400_000,
        "lastUpdate": SERVER_MINUTE - 30,
        "currentRating": 92,
        "currentRatingCount": 1000,
        "ratingsLast30Days": 12,
        "hasFBA": True,
    }
    return seller | fields


def page_of(items: Sequence[object], **fields: object) -> Wire:
    return TOKEN_FIELDS | {"deals": {"dr": list(items), "categoryIds": []}, "dealsCached": False} | fields


def products_of(items: Sequence[object], **fields: object) -> Wire:
    return TOKEN_FIELDS | {"products": list(items)} | fields


def sellers_of(*sellers: Wire) -> Wire:
    return TOKEN_FIELDS | {"sellers": {seller["sellerId"]: seller for seller in sellers}}


def error_of(message: str) -> Wire:
    return TOKEN_FIELDS | {"tokensConsumed": 0, "error": {"type": "invalid", "message": message, "details": ""}}


VALID_ANSWERS: tuple[tuple[Request, Wire], ...] = (
    (PAGE, page_of(deals(3))),
    (PRODUCTS, products_of([a_product(number, stats=stats(), offers=[an_offer(), 3]) for number in range(3)])),
    (SELLERS, sellers_of(a_seller())),
    (TOKEN_STATUS, TOKEN_FIELDS),
)


def answered(document: object, status: int = 200) -> WireAnswer:
    """Return a JSON document as an answer, gzipped like Keepa's."""
    return WireAnswer(status, "gzip", gzip.compress(json.dumps(document).encode(), compresslevel=1))


def spoilt(document: Wire, path: Sequence[str | int], value: object) -> Wire:
    """Return a copy of a document with the value at `path` replaced."""
    copied = copy.deepcopy(document)
    place: Any = copied
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copied
