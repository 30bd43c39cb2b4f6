"""The simulated Keepa: a call comes in, a delivery goes out. No clock and no network of its own.

Order of judgement: path and method, key, parameters (400, nothing charged), balance (429), execution, cost. The balance
is asked before and charged after the execution, so calls under way together may drive it far below zero (T1).
"""

import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from http import HTTPStatus
from typing import Final

import msgspec

from deals_pipeline.keepa.requests import ProductRequest
from deals_pipeline.keepa.time import to_unix_ms
from deals_pipeline.simulator.account import TokenFields, advance, is_open, observe, refuse, spend
from deals_pipeline.simulator.endpoints import Endpoints, Refreshed, Result
from deals_pipeline.simulator.faults import Fault, Faults, Item
from deals_pipeline.simulator.store import RefreshKind, Store
from deals_pipeline.simulator.wire import Rejected, read_deal_query, read_product_query, read_seller_query

METHODS: Final[Mapping[str, tuple[str, ...]]] = {
    "/deal": ("GET", "POST"),
    "/product": ("GET",),
    "/seller": ("GET",),
    "/token": ("GET",),
}
HTML: Final = b"<html><body><h1>Something went wrong</h1></body></html>"
GZIP_LEVEL: Final = 1


@dataclass(frozen=True)
class Call:
    """A request as it arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes = b""
    accepts_gzip: bool = True


class Ending(Enum):
    """How much of a delivery reaches the client."""

    WHOLE = "whole"
    CUT = "cut"
    """The connection breaks in the middle of the body."""
    NOTHING = "nothing"
    """Not a byte comes back."""
    REFUSED = "refused"
    """The connection was never made."""


@dataclass(frozen=True)
class Delivery:
    """What goes back, `delay` after the call."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    delay: timedelta = timedelta(0)
    ending: Ending = Ending.WHOLE


@dataclass(frozen=True)
class _Answer:
    status: int
    payload: Mapping[str, object]
    kind: str = "token"
    tokens: int = 0


class _Refusal(Exception):
    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class KeepaServer:
    """A Keepa service on a market, an account and faults; safe to share between threads.

    `keys` are the API keys that have a plan, `None` lets any key in. The account is in `store`, which may be a file
    that several processes share.
    """

    endpoints: Endpoints
    store: Store
    faults: Faults = field(default_factory=Faults)
    keys: frozenset[str] | None = None

    def deliver(self, call: Call, now: datetime) -> Delivery:
        """Answer a call that arrives at `now`, with whatever fault strikes it on its way."""
        with self.store.transaction() as transaction:
            number = transaction.next_request_number()
        fault = self.faults.strike(number)
        if fault is Fault.CONNECTION_REFUSED:
            return Delivery(HTTPStatus.SERVICE_UNAVAILABLE, {}, b"", ending=Ending.REFUSED)
        if fault is Fault.PROXY_THROTTLED:
            return _html(HTTPStatus.TOO_MANY_REQUESTS, HTML if self.faults.coin(number) else b"")
        if fault is Fault.BAD_GATEWAY and self.faults.coin(number):
            return _html(HTTPStatus.BAD_GATEWAY, HTML)
        if fault is Fault.SERVER_ERROR and self.faults.coin(number):
            answer = _Answer(HTTPStatus.INTERNAL_SERVER_ERROR, _error("internalServerError", "before execution"))
        else:
            answer = self._answer(call, now)
        delay = timedelta(milliseconds=self.faults.delay_ms(number, answer.kind))
        if fault is Fault.BAD_GATEWAY:
            return replace(_html(HTTPStatus.BAD_GATEWAY, HTML), delay=delay)
        if fault is Fault.SERVER_ERROR and answer.status == HTTPStatus.OK:
            error = _error("internalServerError", "after execution")
            answer = replace(answer, status=HTTPStatus.INTERNAL_SERVER_ERROR, payload=error)
        payload = self._spoil(fault, number, answer.payload)
        fields = self._token_fields(fault, number, answer, now, delay)
        return _strike(fault, _encode(call, answer.status, fields.wire() | payload, delay))

    def _answer(self, call: Call, now: datetime) -> _Answer:
        try:
            execute, kind = self._admit(call, now)
        except Rejected as rejected:
            return _Answer(HTTPStatus.BAD_REQUEST, _error("invalidParameter", str(rejected)))
        except _Refusal as refusal:
            return _Answer(refusal.status, _error(refusal.status.name, str(refusal)))
        if kind == "token":
            return _Answer(HTTPStatus.OK, {})
        with self.store.transaction() as transaction:
            transaction.account = advance(self.store.config, transaction.account, to_unix_ms(now))
            if not is_open(transaction.account):
                transaction.account = refuse(transaction.account)
                return _Answer(HTTPStatus.TOO_MANY_REQUESTS, _error("notEnoughTokens", "the bucket is empty"))
        result = execute()
        with self.store.transaction() as transaction:
            account = advance(self.store.config, transaction.account, to_unix_ms(now))
            transaction.account = spend(account, result.tokens)
            for what, asins in result.crawled.items():
                transaction.mark_refreshed(what, asins, to_unix_ms(now))
        return _Answer(HTTPStatus.OK, result.payload, kind, result.tokens)

    def _admit(self, call: Call, now: datetime) -> tuple[Callable[[], Result], str]:
        """Return how to execute a call and what kind it is; raises `Rejected` or `_Refusal`."""
        path = "/" + call.path.strip("/")
        if path not in METHODS:
            raise _Refusal(HTTPStatus.NOT_FOUND, f"{path}: allowed are {', '.join(METHODS)}")
        if call.method not in METHODS[path]:
            raise _Refusal(HTTPStatus.METHOD_NOT_ALLOWED, f"{call.method}: allowed is {' or '.join(METHODS[path])}")
        key = call.query.get("key", "")
        if not key or (self.keys is not None and key not in self.keys):
            raise _Refusal(HTTPStatus.PAYMENT_REQUIRED, "key: allowed is a key with a plan")
        match path:
            case "/deal":
                deals = read_deal_query(call.query, call.body)
                deals = replace(deals, selection=self.faults.believed(deals.selection))
                return lambda: self.endpoints.deal_page(deals, now), "deal"
            case "/product":
                asked = read_product_query(call.query)
                served = asked and self.faults.honoured(asked)
                kind = "offers" if asked and asked.offers else "product"
                return lambda: self.endpoints.product_page(asked, served, self._refreshed(asked), now), kind
            case "/seller":
                sellers = read_seller_query(call.query)
                return lambda: self.endpoints.seller_page(sellers, now), "seller"
            case _:
                return lambda: Result({}, 0), "token"

    def _refreshed(self, request: ProductRequest | None) -> Refreshed:
        kinds: tuple[RefreshKind, ...] = ("offers", "product", "rating", "stock")
        with self.store.transaction() as transaction:
            known = {
                (kind, asin): transaction.refreshed(kind, asin)
                for asin in (request.asins if request else ())
                for kind in kinds
            }
        return lambda kind, asin: known[kind, asin]

    def _token_fields(
        self, fault: Fault | None, number: int, answer: _Answer, now: datetime, delay: timedelta
    ) -> TokenFields:
        with self.store.transaction() as transaction:
            account = transaction.account
        took_ms = delay // timedelta(milliseconds=1)
        fields = observe(
            self.store.config,
            account,
            to_unix_ms(now) + took_ms,
            tokens_consumed=answer.tokens,
            processing_time_in_ms=took_ms,
        )
        fields = replace(fields, timestamp=fields.timestamp + self.faults.skew_ms(now))
        return self.faults.glitch(number, fields) if fault is Fault.RATE_GLITCH else fields

    def _spoil(self, fault: Fault | None, number: int, payload: Mapping[str, object]) -> dict[str, object]:
        spoilt = dict(payload)
        if fault is Fault.DUPLICATES:
            _change_items(spoilt, lambda items: self.faults.duplicate(number, items))
        if fault is Fault.DIRTY_ITEMS:
            _change_items(spoilt, lambda items: self.faults.soil(number, items))
        return spoilt


def _change_items(payload: dict[str, object], change: Callable[[list[Item]], Sequence[object]]) -> None:
    """Replace the items of a page of deals or products."""
    match payload:
        case {"deals": {"dr": list() as items, **others}}:
            payload["deals"] = {"dr": change(items), **others}
        case {"products": list() as items}:
            payload["products"] = change(items)


def _strike(fault: Fault | None, delivery: Delivery) -> Delivery:
    match fault:
        case Fault.LOST_ANSWER:
            return replace(delivery, ending=Ending.NOTHING)
        case Fault.CONNECTION_RESET:
            return replace(delivery, ending=Ending.CUT)
        case Fault.TRUNCATED_BODY:
            return replace(delivery, body=delivery.body[: len(delivery.body) // 2])
        case Fault.EMPTY_BODY:
            return replace(_html(delivery.status, b""), delay=delivery.delay)
        case Fault.HTML_BODY:
            return replace(_html(delivery.status, HTML), delay=delivery.delay)
        case _:
            return delivery


def _encode(call: Call, status: int, payload: Mapping[str, object], delay: timedelta) -> Delivery:
    body = msgspec.json.encode(payload)
    headers = {"Content-Type": "application/json;charset=UTF-8"}
    if call.accepts_gzip:
        headers["Content-Encoding"] = "gzip"
        body = gzip.compress(body, GZIP_LEVEL, mtime=0)
    return Delivery(status, headers, body, delay)


def _html(status: int, body: bytes) -> Delivery:
    return Delivery(status, {"Content-Type": "text/html"}, body)


def _error(kind: str, message: str) -> dict[str, object]:
    return {"error": {"type": kind, "message": message, "details": ""}}
