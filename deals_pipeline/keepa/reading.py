"""From the bytes of an answer to its reply: a pure function, so that a landed answer can be read again at no cost.

Items that do not decode, or that cannot be what was asked for, are put aside with their reason; the rest is kept (F53).
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct
from typing_extensions import assert_never

from deals_pipeline.keepa.contract import (
    deal_defect,
    in_order,
    product_breaches,
    product_defect,
    selection_breaches,
)
from deals_pipeline.keepa.objects import Deal, Number, Product, Seller, UnparsedProduct, decode_series
from deals_pipeline.keepa.replies import (
    Corrupt,
    Failure,
    Fatal,
    FatalCause,
    Page,
    Products,
    Quarantined,
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
    TokenStatusRequest,
)
from deals_pipeline.keepa.time import from_keepa_minutes, from_unix_ms, to_unix_ms
from deals_pipeline.keepa.tokens import TokenObservation
from deals_pipeline.showing import shown

Item = TypeVar("Item", bound=Struct)
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89aAbB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
"""An escape in a JSON text: of a character beyond 16 bits, of half of one, or any other."""
DETAIL_CHARACTERS_MAX: Final = 400

FATAL_CAUSES: Final[Mapping[int, FatalCause]] = {
    HTTPStatus.BAD_REQUEST: FatalCause.REJECTED,
    HTTPStatus.PAYMENT_REQUIRED: FatalCause.PAYMENT_REQUIRED,
    HTTPStatus.NOT_FOUND: FatalCause.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED: FatalCause.METHOD_NOT_ALLOWED,
}


class _Tokens(Struct):
    timestamp: Annotated[int, Meta(ge=to_unix_ms(from_keepa_minutes(0)), le=to_unix_ms(from_keepa_minutes(2**31 - 1)))]
    tokens_left: Number
    refill_in: Number
    refill_rate: Number
    token_flow_reduction: float = 0.0
    tokens_consumed: Number = 0


class _Envelope(Struct, rename="camel"):
    timestamp: Raw = Raw(b"null")
    tokens_left: Raw = Raw(b"null")
    refill_in: Raw = Raw(b"null")
    refill_rate: Raw = Raw(b"null")
    token_flow_reduction: Raw = Raw(b"0.0")
    tokens_consumed: Raw = Raw(b"0")
    error: Raw = Raw(b"null")
    deals: Raw = Raw(b"null")
    products: Raw = Raw(b"")
    sellers: Raw = Raw(b"null")


class _Deals(Struct):
    dr: list[Raw]


class _Error(Struct):
    type: str = ""
    message: str = ""
    details: str | None = None


class _Identity(Struct, rename="camel"):
    asin: str | None = None
    seller_id: str | None = None


_envelope = msgspec.json.Decoder(_Envelope)
_deal = msgspec.json.Decoder(Deal)
_product = msgspec.json.Decoder(Product, dec_hook=decode_series)
_unparsed_products = msgspec.json.Decoder(list[UnparsedProduct] | None)
_seller = msgspec.json.Decoder(Seller)
_deals = msgspec.json.Decoder(_Deals)
_sellers = msgspec.json.Decoder(dict[str, Raw] | None)
_items = msgspec.json.Decoder(list[Raw] | None)
_identified = msgspec.json.Decoder(_Identity)
_told_tokens = msgspec.json.Decoder(_Tokens)
_told_error = msgspec.json.Decoder(_Error | None)


def read_reply(request: Request, answer: WireAnswer) -> Reply:
    """Return what an answer to `request` says, checked against what was asked for. Never raises on bad bytes."""
    envelope = _open(answer)
    if isinstance(envelope, RetryableCause):
        if answer.status == HTTPStatus.OK:
            return _retryable(envelope, f"{len(answer.body)} bytes", None)
        return _read_failure(answer.status, "", None)
    tokens, error = _tokens(envelope), _error(envelope)
    if answer.status != HTTPStatus.OK:
        return _read_failure(answer.status, error, tokens)
    if tokens is None or error:
        return _retryable(RetryableCause.MALFORMED, error or "no token fields", tokens)
    try:
        return _read_success(request, envelope, tokens)
    except UNREADABLE as malformed:
        return _retryable(RetryableCause.MALFORMED, str(malformed), tokens)


def _open(answer: WireAnswer) -> _Envelope | RetryableCause:
    try:
        content = answer.content
        return _decode(content) if content.strip() else RetryableCause.EMPTY
    except Corrupt:
        return RetryableCause.CORRUPT
    except UNREADABLE:
        return RetryableCause.NOT_JSON


def _decode(content: bytes) -> _Envelope:
    try:
        return _envelope.decode(content)
    except UNREADABLE:
        return _envelope.decode(_without_half_characters(content))


def _without_half_characters(content: bytes) -> bytes:
    """Return a JSON text in which a title that was cut within a character makes no whole answer unreadable (F53)."""
    return ESCAPE.sub(lambda escape: rb"\ufffd" if escape["lone"] else escape[0], content)


def _read_failure(status: int, error: str, tokens: TokenObservation | None) -> Failure:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Throttled(tokens)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _retryable(RetryableCause.SERVER_ERROR, f"HTTP {status}", tokens)
    return Fatal(FATAL_CAUSES.get(status, FatalCause.UNEXPECTED_STATUS), error or f"HTTP {status}", tokens)


def _retryable(cause: RetryableCause, detail: str, tokens: TokenObservation | None) -> Retryable:
    return Retryable(cause, detail, was_sent=True, tokens=tokens)


def _read_success(request: Request, envelope: _Envelope, tokens: TokenObservation) -> Reply:
    match request:
        case DealPageRequest():
            return _read_page(request, _deals.decode(envelope.deals).dr, tokens)
        case ProductRequest():
            return _read_products(request, envelope.products, tokens)
        case SellerRequest():
            found = _sellers.decode(envelope.sellers) or {}
            return _read_sellers(request, list(found.values()), tokens)
        case TokenStatusRequest():
            return TokenStatus(tokens)
        case _ as never:
            assert_never(never)


def _read_page(request: DealPageRequest, items: list[Raw], tokens: TokenObservation) -> Page:
    readable, quarantined = _read_items(_deal, items)
    sound: list[Deal] = []
    for position, deal in readable:
        if reason := deal_defect(deal, tokens.timestamp):
            quarantined.append(Quarantined(position, deal.asin, reason))
        else:
            sound.append(deal)
    newest: dict[str, Deal] = {}
    for deal in sound:
        if deal.asin not in newest or deal.last_update > newest[deal.asin].last_update:
            newest[deal.asin] = deal
    return Page(
        tokens=tokens,
        deals=tuple(newest.values()),
        quarantined=tuple(quarantined),
        breaches=selection_breaches(request.selection, sound),
        duplicates=len(sound) - len(newest),
        is_last=len(items) < DEALS_PER_PAGE or request.page == PAGES_MAX - 1,
        is_in_order=(bool(sound) or not items) and in_order(request.selection, sound),
    )


def _read_products(request: ProductRequest, items: Raw, tokens: TokenObservation) -> Products:
    readable, quarantined = _read_product_items(items)
    sound: dict[str, Product] = {}
    for position, product in readable:
        reason = product_defect(product, request, tokens.timestamp)
        if product.asin in sound:
            reason = f"asin {product.asin} came twice"
        if reason:
            quarantined.append(Quarantined(position, product.asin, reason))
        else:
            sound[product.asin] = product
    came = sound.keys() | {item.item_id for item in quarantined}
    return Products(
        tokens=tokens,
        products=tuple(sound.values()),
        missing=tuple(asin for asin in request.asins if asin not in came),
        quarantined=tuple(quarantined),
        breaches=product_breaches(request, tuple(sound.values())),
    )


def _read_sellers(request: SellerRequest, items: list[Raw], tokens: TokenObservation) -> Sellers:
    readable, quarantined = _read_items(_seller, items)
    sound: list[Seller] = []
    for position, seller in readable:
        if seller.seller_id not in request.seller_ids:
            quarantined.append(Quarantined(position, seller.seller_id, "it was not asked for"))
        elif seller.domain_id != request.domain:
            quarantined.append(Quarantined(position, seller.seller_id, f"domainId is {seller.domain_id}"))
        else:
            sound.append(seller)
    came = {seller.seller_id for seller in sound} | {item.item_id for item in quarantined}
    missing = tuple(seller_id for seller_id in request.seller_ids if seller_id not in came)
    return Sellers(tokens, tuple(sound), missing, tuple(quarantined))


def _read_product_items(items: Raw) -> tuple[list[tuple[int, Product]], list[Quarantined]]:
    """Read all at once, and only where that fails one by one, to tell which is wrong and why."""
    try:
        return list(enumerate(item.parsed() for item in _unparsed_products.decode(items) or [])), []
    except (*UNREADABLE, ValueError):
        return _read_items(_product, _items.decode(items) or [])


def _read_items(
    decoder: msgspec.json.Decoder[Item], items: list[Raw]
) -> tuple[list[tuple[int, Item]], list[Quarantined]]:
    read = [(position, _read_item(decoder, position, raw)) for position, raw in enumerate(items)]
    readable = [(position, item) for position, item in read if not isinstance(item, Quarantined)]
    return readable, [item for _, item in read if isinstance(item, Quarantined)]


def _read_item(decoder: msgspec.json.Decoder[Item], position: int, raw: Raw) -> Item | Quarantined:
    try:
        return decoder.decode(raw)
    except UNREADABLE as malformed:
        return Quarantined(position, _identity(raw), str(malformed))


def _identity(raw: Raw) -> str | None:
    try:
        identity = _identified.decode(raw)
    except UNREADABLE:
        return None
    return identity.asin or identity.seller_id


def _tokens(envelope: _Envelope) -> TokenObservation | None:
    try:
        told = {name: getattr(envelope, name) for name in _Tokens.__struct_fields__}
        wire = _told_tokens.decode(msgspec.json.encode(told))
        return TokenObservation(
            timestamp=from_unix_ms(wire.timestamp),
            tokens_left=wire.tokens_left,
            refill_in=timedelta(milliseconds=wire.refill_in),
            refill_rate=wire.refill_rate,
            token_flow_reduction=wire.token_flow_reduction,
            tokens_consumed=wire.tokens_consumed,
        )
    except UNREADABLE:
        return None


def _error(envelope: _Envelope) -> str:
    try:
        error = _told_error.decode(envelope.error)
    except UNREADABLE:
        return ""
    text = " ".join(part for part in (error.type, error.message, error.details) if part) if error else ""
    return shown(text[:DETAIL_CHARACTERS_MAX])
