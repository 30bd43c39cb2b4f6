"""The largest answer of `/product`: 100 products with all 36 price types over three years, as the bytes of the wire."""

import json
from datetime import datetime, timedelta, timezone
from typing import Final

import numpy as np

from deals_pipeline import __version__
from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.keepa.replies import WireAnswer
from deals_pipeline.keepa.requests import ProductRequest
from deals_pipeline.keepa.time import to_keepa_minutes, to_unix_ms
from deals_pipeline.landing import Header, Landed, RequestRecord

NOW: Final = datetime(2026, 11, 1, 12, tzinfo=timezone.utc)
PRODUCTS: Final = 100
POINTS: Final = 700
"""How many points a series has: about one in every 37 hours of three years."""
MINUTES: Final = timedelta(days=3 * 365) // timedelta(minutes=1)
MISSING_SHARE: Final = 0.05
STATS: Final = ("current", "avg", "avg30", "avg90", "avg180", "avg365")


def wide_answer(number: int) -> Landed:
    """Return the answer about the products of this number, which no other number shares."""
    return landed(number, WireAnswer(200, "", wide_body(number)))


def wide_body(number: int) -> bytes:
    """Return its bytes."""
    draw = np.random.default_rng(number)
    tokens = {"tokensLeft": 1, "refillIn": 1, "refillRate": 5, "tokenFlowReduction": 0.0, "tokensConsumed": 100}
    products = [_product(draw, asin) for asin in _asins(number)]
    document = {"timestamp": to_unix_ms(NOW), **tokens, "products": products}
    return json.dumps(document, separators=(",", ":")).encode()


def landed(number: int, answer: WireAnswer) -> Landed:
    """Return an answer to the request of this number as if it had been landed."""
    header = Header(
        request=RequestRecord("product", {}),
        hold_id="benchmark",
        run_id="benchmark",
        code_version=__version__,
        received_at=NOW,
        server_time=NOW,
        status=answer.status,
        content_encoding=answer.content_encoding,
        is_gzipped_here=False,
        body_bytes=len(answer.body),
        body_crc32=0,
    )
    request = ProductRequest(asins=_asins(number), stats=365)
    return Landed(file_id=f"{number:05d}", header=header, request=request, answer=answer)


def _asins(number: int) -> tuple[str, ...]:
    return tuple(f"{number:05d}{each:05d}" for each in range(PRODUCTS))


def _product(draw: np.random.Generator, asin: str) -> dict[str, object]:
    csv = [_series(draw, PriceType(kind)) if kind in set(PriceType) else None for kind in range(36)]
    stats = dict.fromkeys(STATS, draw.integers(-1, 9_000, 36).tolist()) | {"salesRankDrops30": 7}
    told = {"asin": asin, "domainId": 1, "title": f"Title {asin}", "productType": 0}
    seen = to_keepa_minutes(NOW) - 60
    return {**told, "trackingSince": seen - MINUTES, "lastUpdate": seen, "stats": stats, "csv": csv}


def _series(draw: np.random.Generator, kind: PriceType) -> list[int]:
    """Return one history, flat: values that change, of which some are missing."""
    flat = np.empty((POINTS, kind.stride), dtype=np.int64)
    flat[:, 0] = to_keepa_minutes(NOW) - 60 - MINUTES + np.sort(draw.choice(MINUTES, POINTS, replace=False))
    flat[:, 1:] = draw.integers(300, 9_000, (POINTS, kind.stride - 1))
    flat[draw.random(POINTS) < MISSING_SHARE, 1:] = -1
    return [int(value) for value in flat.ravel()]
