"""The transport to Keepa: one call, one attempt, one hold. Retries belong to the caller.

The API key enters here, at the transport, and leaves only in the URL of the call itself: it is in no reply, log record,
exception or landed answer (F66).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from time import monotonic
from typing import Final, Protocol, TypeAlias, overload
from urllib.parse import urlsplit

import requests
import urllib3
from pydantic import SecretStr

from deals_pipeline import __version__
from deals_pipeline.keepa.key import KeyAuth, redact_logs, without_key
from deals_pipeline.keepa.reading import read_reply
from deals_pipeline.keepa.replies import (
    Failure,
    Page,
    Products,
    Reply,
    Retryable,
    RetryableCause,
    Sellers,
    TokenStatus,
    WireAnswer,
)
from deals_pipeline.keepa.requests import DealPageRequest, ProductRequest, Request, SellerRequest, TokenStatusRequest

KEEPA_URL: Final = "https://api.keepa.com"
CONNECT_SECONDS_MAX: Final = 10.0
READ_SECONDS_MAX: Final = 90.0
"""A batch with offers was measured to take up to 63 s (P8)."""
ANSWER_SECONDS_MAX: Final = 120.0
"""How long an answer may drip in, byte by byte."""
CHUNK_BYTES: Final = 65_536
ENCODINGS: Final[Mapping[str, str]] = {"": "", "identity": "", "gzip": "gzip"}


class Hold(Protocol):
    """Tokens reserved for one request; the client spends no other way (F11)."""

    @property
    def hold_id(self) -> str:
        """The id under which the bucket keeps it."""

    @property
    def request(self) -> Request:
        """The request that it was made for."""

    def mark_sent(self) -> None:
        """Record, before the first byte leaves, that from now on it may be charged. Raises when it was sent before."""


class HoldMismatch(ValueError):
    """A request was to be sent on a hold that was made for another."""


Land: TypeAlias = Callable[[Request, Hold, WireAnswer], None]
"""Puts an answer on disk before anything else looks at it (F44)."""


class KeepaClient:
    """Sends requests to Keepa, or to a simulator at `url`, and returns what came as a closed result.

    `session` may carry an adapter of its own (the simulator's, in tests); `land` sees each answer first. Makes no
    connection until the first call. Raises `ValueError` for a `url` that is no plain http(s) address.
    """

    def __init__(
        self,
        key: SecretStr,
        *,
        url: str = KEEPA_URL,
        session: requests.Session | None = None,
        land: Land | None = None,
        read_seconds_max: float = READ_SECONDS_MAX,
        answer_seconds_max: float = ANSWER_SECONDS_MAX,
    ) -> None:
        if not _is_plain(url):
            raise ValueError("url: allowed is http(s)://host[:port][/path], without a user or a query")
        if not re.fullmatch(r"[A-Za-z0-9._~-]+", key.get_secret_value()):
            raise ValueError("key: allowed are the 64 letters and digits that Keepa shows in your account, no spaces")
        self._url = url.rstrip("/")
        self._key = key
        self._session = session or requests.Session()
        self._session.headers["User-Agent"] = f"deals_pipeline/{__version__}"
        self._session.headers["Accept-Encoding"] = "gzip"
        self._land = land
        self._timeout = (CONNECT_SECONDS_MAX, read_seconds_max)
        self._answer_seconds_max = answer_seconds_max
        redact_logs()

    def __repr__(self) -> str:
        return f"KeepaClient({self._url})"

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    @overload
    def send(self, request: DealPageRequest, hold: Hold) -> Page | Failure: ...
    @overload
    def send(self, request: ProductRequest, hold: Hold) -> Products | Failure: ...
    @overload
    def send(self, request: SellerRequest, hold: Hold) -> Sellers | Failure: ...
    def send(self, request: Request, hold: Hold) -> Reply:
        """Make one attempt at a request on the hold that was made for it.

        Raises `HoldMismatch` before anything is sent when the hold is for another request, and whatever `land` raises.
        """
        if hold.request != request:
            raise HoldMismatch(f"hold {hold.hold_id} is for {hold.request!r}, to be sent was {request!r}")
        answer = self._exchange(request, hold.mark_sent)
        if isinstance(answer, Retryable):
            return answer
        if self._land is not None:
            self._land(request, hold, answer)
        return read_reply(request, answer)

    def token_status(self) -> TokenStatus | Failure:
        """Ask for the balance, which is free and takes no hold; only when an old observation matters (T7)."""
        request = TokenStatusRequest()
        answer = self._exchange(request, lambda: None)
        if isinstance(answer, Retryable):
            return answer
        reply = read_reply(request, answer)
        if isinstance(reply, Page | Products | Sellers):
            raise TypeError(f"a token status was read as {type(reply).__name__}")
        return reply

    def _exchange(self, request: Request, mark_sent: Callable[[], None]) -> WireAnswer | Retryable:
        wire = request.wire()
        mark_sent()
        try:
            with self._session.request(
                wire.method,
                self._url + wire.path,
                params=dict(wire.query),
                json=wire.body,
                auth=KeyAuth(self._key),
                timeout=self._timeout,
                stream=True,
                allow_redirects=False,
                hooks={"response": _without_location},
            ) as response:
                body = b"".join(_chunks(response.raw, monotonic() + self._answer_seconds_max))
                answer = WireAnswer(response.status_code, _encoding(response), body)
                return without_key(answer, self._key)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as failure:
            return _not_answered(failure)


def _is_plain(url: str) -> bool:
    try:
        parts = urlsplit(url)
        has_address = parts.hostname is not None and parts.port != 0
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and has_address and not (parts.query or parts.fragment or parts.username)


def _without_location(response: requests.Response, **_: object) -> None:
    """Keep `requests` from preparing the redirect, for which it would read the body and parse any address."""
    response.headers.pop("Location", None)


def _chunks(raw: urllib3.BaseHTTPResponse, deadline: float) -> Iterator[bytes]:
    """Yield the body as it came over the wire; raises `ReadTimeout` at the deadline."""
    while chunk := raw.read1(CHUNK_BYTES, decode_content=False):
        yield chunk
        if monotonic() > deadline:
            raise requests.ReadTimeout


def _encoding(response: requests.Response) -> str:
    """Name what a body is encoded with as we know it, never as the server spells it."""
    return ENCODINGS.get(response.headers.get("Content-Encoding", "").lower(), "unsupported")


def _not_answered(failure: Exception) -> Retryable:
    """Classify an exception by its kinds alone: its text would carry the URL, and the URL the key."""
    kinds = {type(cause) for cause in _causes(failure)}
    detail = " < ".join(sorted(kind.__name__ for kind in kinds))
    unsent = (
        urllib3.exceptions.NewConnectionError,
        urllib3.exceptions.ConnectTimeoutError,
        urllib3.exceptions.LocationValueError,
        requests.ConnectTimeout,
        requests.exceptions.InvalidURL,
    )
    timed_out = (requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError)
    if any(issubclass(kind, unsent) for kind in kinds):
        return Retryable(RetryableCause.NOT_CONNECTED, detail, was_sent=False, tokens=None)
    if any(issubclass(kind, timed_out) for kind in kinds):
        return Retryable(RetryableCause.TIMED_OUT, detail, was_sent=True, tokens=None)
    return Retryable(RetryableCause.CONNECTION_LOST, detail, was_sent=True, tokens=None)


def _causes(failure: BaseException) -> list[BaseException]:
    """Return an exception and all that it wraps, but not what its caller was handling when it was raised."""
    found: list[BaseException] = []
    pending: list[object] = [failure]
    while pending:
        cause = pending.pop()
        if isinstance(cause, BaseException) and cause not in found:
            found.append(cause)
            pending += [*cause.args, getattr(cause, "reason", None), cause.__cause__]
    return found
