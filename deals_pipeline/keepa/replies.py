"""The closed result of a call: success by kind of request, or throttled, retryable, fatal (F29)."""

import gzip
import zlib
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from deals_pipeline.keepa.objects import Deal, Product, Seller
from deals_pipeline.keepa.tokens import TokenObservation


class Corrupt(ValueError):
    """The bytes of an answer do not decompress."""


@dataclass(frozen=True, slots=True)
class WireAnswer:
    """An answer as it came: the body still compressed when `content_encoding` says so."""

    status: int
    content_encoding: str
    body: bytes = field(repr=False)

    @property
    def content(self) -> bytes:
        """The body, decompressed anew each time, for it is large; raises `Corrupt`."""
        if self.content_encoding not in ("gzip", ""):
            raise Corrupt(f"content encoding {self.content_encoding!r}: allowed are gzip and none")
        try:
            return gzip.decompress(self.body) if self.content_encoding == "gzip" else self.body
        except (OSError, EOFError, zlib.error) as broken:
            raise Corrupt("the body is not whole gzip") from broken


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An item of an answer that is put aside: its position there, its id where it has one, and why."""

    position: int
    item_id: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page of deals, each ASIN once with its newest observation.

    `is_last` holds when Keepa sent fewer than 150, whatever became of them here, or shows no page after it;
    `is_in_order` when they came in the order that was asked for; `breaches` names parameters that had no effect.
    """

    tokens: TokenObservation
    deals: tuple[Deal, ...]
    quarantined: tuple[Quarantined, ...]
    breaches: tuple[str, ...]
    duplicates: int
    is_last: bool
    is_in_order: bool


@dataclass(frozen=True, slots=True)
class Products:
    """Products by ASIN in the order they came; `missing` were asked for and did not come (P7)."""

    tokens: TokenObservation
    products: tuple[Product, ...]
    missing: tuple[str, ...]
    quarantined: tuple[Quarantined, ...]
    breaches: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sellers:
    """Sellers by id; `missing` are unknown to Keepa."""

    tokens: TokenObservation
    sellers: tuple[Seller, ...]
    missing: tuple[str, ...]
    quarantined: tuple[Quarantined, ...]


@dataclass(frozen=True, slots=True)
class TokenStatus:
    """The balance, asked for by itself."""

    tokens: TokenObservation


@dataclass(frozen=True, slots=True)
class Throttled:
    """The bucket is empty; nothing was charged (T6). The body may have been anything, then `tokens` is `None`."""

    tokens: TokenObservation | None


class RetryableCause(Enum):
    """Why a call gave nothing although the same call may succeed later."""

    NOT_CONNECTED = "no connection"
    TIMED_OUT = "the answer did not come in time"
    CONNECTION_LOST = "the connection was lost"
    CORRUPT = "the body does not decompress"
    EMPTY = "the body is empty"
    NOT_JSON = "the body is not JSON"
    MALFORMED = "the body lacks what every such answer has"
    SERVER_ERROR = "the server failed"


@dataclass(frozen=True, slots=True)
class Retryable:
    """The call gave nothing, another may. Unless `was_sent` is false it may have been charged."""

    cause: RetryableCause
    detail: str
    was_sent: bool
    tokens: TokenObservation | None


class FatalCause(Enum):
    """Why the same call can never succeed."""

    REJECTED = "the request was rejected as invalid"
    PAYMENT_REQUIRED = "the API key has no plan or is unknown"
    NOT_FOUND = "there is no such path"
    METHOD_NOT_ALLOWED = "the method is not allowed"
    UNEXPECTED_STATUS = "the status is none that Keepa documents"


@dataclass(frozen=True, slots=True)
class Fatal:
    """The call is wrong and must not be repeated; `detail` is Keepa's own message."""

    cause: FatalCause
    detail: str
    tokens: TokenObservation | None


Failure: TypeAlias = Throttled | Retryable | Fatal
Reply: TypeAlias = Page | Products | Sellers | TokenStatus | Failure
