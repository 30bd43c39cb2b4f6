"""What an answer still says, read a second time with Python's own JSON, apart from the code under test."""

import gzip
import json
import zlib
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from deals_pipeline.keepa.requests import DealPageRequest, ProductRequest
from deals_pipeline_tests.fuzz.damage import Base, Purchase, Sent, Wire

INTEGERS: Final = ("tokensLeft", "refillIn", "refillRate", "tokensConsumed")
DEFAULTS: Final[Wire] = {"tokensConsumed": 0, "tokenFlowReduction": 0.0}
TIMESTAMPS: Final = range(1_293_840_000_000, 2**47)


@dataclass(frozen=True)
class Said:
    """What an answer says: the fields of the balance where all are in order, and the ids of the sound items.

    `items` is `None` where the envelope itself is not in order: then nothing in it has to be found.
    """

    tokens: Wire | None
    items: frozenset[str] | None


def said_by(sent: Sent) -> Said:
    """Return what an answer says, as far as anybody could read it."""
    document = _document(sent)
    if not isinstance(document, dict):
        return Said(None, None)
    tokens = _tokens(document)
    is_success = sent.status == 200 and tokens is not None and document.get("error") is None
    return Said(tokens, _items(sent.base, document) if is_success else None)


def _document(sent: Sent) -> object:
    """Return the document, `None` where there is none."""
    if sent.encoding not in ("", "identity", "gzip", "GZIP"):
        return None
    try:
        plain = gzip.decompress(sent.body) if sent.encoding.lower() == "gzip" else sent.body
        return json.loads(plain.decode(), parse_constant=_refuse, parse_float=_finite)
    except (OSError, EOFError, zlib.error, ValueError, RecursionError):
        return None


def _refuse(word: str) -> NoReturn:
    raise ValueError(word)


def _finite(text: str) -> float:
    number = float(text)
    return number if abs(number) != float("inf") else _refuse(text)


def _tokens(document: Wire) -> Wire | None:
    found: Wire = {
        name: document.get(name, DEFAULTS.get(name)) for name in ("timestamp", *INTEGERS, "tokenFlowReduction")
    }
    whole = all(type(found[name]) is int and -(2**31) <= found[name] < 2**31 for name in INTEGERS)
    in_time = type(found["timestamp"]) is int and found["timestamp"] in TIMESTAMPS
    return found if whole and in_time and type(found["tokenFlowReduction"]) in (float, int) else None


def items_of(request: Purchase, document: Wire) -> Any:  # noqa: ANN401 - whatever the document holds there
    """Return the list or table of items, or what stands in its place."""
    match request:
        case DealPageRequest():
            deals = document.get("deals")
            return deals.get("dr") if isinstance(deals, dict) else None
        case ProductRequest():
            return document.get("products")
        case _:
            found = document.get("sellers")
            return list(found.values()) if isinstance(found, dict) else None


def id_of(item: object) -> str:
    """Return the ASIN or the seller's id of an item that is as it was sent."""
    assert isinstance(item, dict)
    return str(item["asin"] if "asin" in item else item["sellerId"])


def _items(base: Base, document: Wire) -> frozenset[str] | None:
    """Return the ids of the items that are as the simulator made them."""
    true = {_text(item) for item in items_of(base.request, base.document)}
    found = items_of(base.request, document)
    if not isinstance(found, list) or document["timestamp"] != base.document["timestamp"]:
        return None
    return frozenset(id_of(item) for item in found if _text(item) in true)


def _text(item: object) -> str:
    return json.dumps(item, sort_keys=True)
