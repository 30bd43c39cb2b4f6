"""What clients send, read as Keepa reads it: unknown names pass in silence, wrong values are rejected (F32).

Beyond our own requests this accepts what other clients send: GET with `selection=`, a bare `priceTypes`, `-1` for a
filter that is off, the undocumented `dateRange` 4, malformed ASINs (P7).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec
from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel

from deals_pipeline.keepa.requests import ProductRequest
from deals_pipeline.keepa.selection import DateRange, DealSelection, Domain

Model = TypeVar("Model", bound=BaseModel)

DATE_RANGE_UNDOCUMENTED: Final = 4
SELECTION_NAMES: Final[Mapping[str, str]] = {
    to_camel(name): name for name in DealSelection.model_fields if name not in ("domain", "price_type")
} | {"domainId": "domain", "priceTypes": "price_type"}
RANGE_NAMES: Final = frozenset(name for name in SELECTION_NAMES if name.endswith("Range") and name != "dateRange")
UNSWITCHED_NAMES: Final = frozenset(
    {"domainId", "priceTypes", "dateRange", "sortType", "includeCategories", "excludeCategories"}
)
ASIN: Final = re.compile(r"[A-Z0-9]{10}")
SELLERS_PER_REQUEST_MAX: Final = 100
ON_OFF: Final[Mapping[str, bool]] = {"1": True, "true": True, "0": False, "false": False}

_selection = msgspec.json.Decoder(dict[str, object])


class Rejected(ValueError):
    """A request that Keepa answers with 400; the message names the parameter, the value and what is allowed."""


@dataclass(frozen=True)
class DealQuery:
    """A page of a selection, which may lie behind the last."""

    selection: DealSelection
    page: int


@dataclass(frozen=True)
class SellerQuery:
    """Sellers to look up by id."""

    domain: Domain
    seller_ids: tuple[str, ...]


def read_deal_query(query: Mapping[str, str], body: bytes) -> DealQuery:
    """Return the deal page that a GET (`selection` in the query) or a POST (JSON body) asks for."""
    text = body or query.get("selection", "").encode()
    try:
        selection = _selection.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as malformed:
        raise Rejected(f"selection: {malformed}; allowed is a JSON object") from malformed
    page = selection.get("page", 0)
    if type(page) is not int or page < 0:
        raise Rejected(f"page {page!r}: allowed is an integer of at least 0")
    return DealQuery(_read_selection({"domainId": _integer(query, "domain", 1)} | selection), page)


def _read_selection(wire: Mapping[str, object]) -> DealSelection:
    values = {
        SELECTION_NAMES[name]: value
        for name, value in wire.items()
        if name in SELECTION_NAMES and value is not None and _is_enabled(name, wire)
    }
    price_types = values.get("price_type", [0])
    if isinstance(price_types, list):
        if len(price_types) != 1:
            raise Rejected(f"priceTypes {price_types}: allowed is exactly one")
        values["price_type"] = price_types[0]
    if values.get("min_rating") == -1:
        del values["min_rating"]
    if values.get("date_range") == DATE_RANGE_UNDOCUMENTED:
        values["date_range"] = DateRange.QUARTER
    for name in ("domain", "price_type", "date_range", "sort_type"):
        if name in values and type(values[name]) is not int and not isinstance(values[name], DateRange):
            raise Rejected(f"{name} {values[name]!r}: allowed is an integer")
    return _validated(DealSelection, values)


def _is_enabled(name: str, wire: Mapping[str, object]) -> bool:
    """Return whether the switches of a selection leave a filter on; a switch that is absent is on."""
    if name in UNSWITCHED_NAMES:
        return True
    return wire.get("isRangeEnabled" if name in RANGE_NAMES else "isFilterEnabled") is not False


def read_product_query(query: Mapping[str, str]) -> ProductRequest | None:
    """Return the products that a query asks for, `None` when no ASIN of it is well-formed."""
    if not query.get("asin"):
        raise Rejected("asin: allowed is a list of ASINs, separated by commas")
    asked = tuple(dict.fromkeys(query["asin"].split(",")))
    well_formed = tuple(asin for asin in asked if ASIN.fullmatch(asin))
    offers = _optional_integer(query, "offers")
    if not well_formed:
        return None
    return _validated(
        ProductRequest,
        {
            "domain": _integer(query, "domain", 1),
            "asins": well_formed,
            "stats": _optional_integer(query, "stats"),
            "history": _on(query, "history", default=True),
            "days": _optional_integer(query, "days"),
            "offers": offers,
            "only_live_offers": offers is not None and _on(query, "only-live-offers"),
            "update": _optional_integer(query, "update"),
            "buybox": _on(query, "buybox"),
            "rating": _on(query, "rating"),
            "stock": offers is not None and _on(query, "stock"),
            "historical_variations": _on(query, "historical-variations"),
        },
    )


def read_seller_query(query: Mapping[str, str]) -> SellerQuery:
    """Return the sellers that a query asks for."""
    seller_ids = tuple(dict.fromkeys(query.get("seller", "").split(",")))
    if seller_ids == ("",) or len(seller_ids) > SELLERS_PER_REQUEST_MAX:
        raise Rejected(
            f"seller has {len(seller_ids)} ids: allowed are 1 to {SELLERS_PER_REQUEST_MAX}, separated by commas"
        )
    return SellerQuery(read_domain(query), seller_ids)


def read_domain(query: Mapping[str, str]) -> Domain:
    """Return the marketplace that a query names, by default amazon.com."""
    number = _integer(query, "domain", 1)
    try:
        return Domain(number)
    except ValueError as unknown:
        raise Rejected(f"domain {number}: allowed are {', '.join(str(int(each)) for each in Domain)}") from unknown


def _validated(model: type[Model], values: Mapping[str, object]) -> Model:
    try:
        return model.model_validate(values)
    except ValidationError as invalid:
        first = invalid.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise Rejected(f"{place} {first['input']!r}: {first['msg']}" if place else first["msg"]) from invalid


def _integer(query: Mapping[str, str], name: str, default: int) -> int:
    value = _optional_integer(query, name)
    return default if value is None else value


def _optional_integer(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"-?[0-9]{1,10}", text):
        raise Rejected(f"{name} {text!r}: allowed is an integer")
    return int(text)


def _on(query: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    text = query.get(name)
    if text is None:
        return default
    if text.lower() not in ON_OFF:
        raise Rejected(f"{name} {text!r}: allowed is 0 or 1")
    return ON_OFF[text.lower()]
