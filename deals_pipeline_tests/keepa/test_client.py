import gzip
import inspect
import json
import socket
import time
from collections.abc import Mapping
from typing import Any

import pytest
import requests
import urllib3
from pydantic import SecretStr
from requests.adapters import HTTPAdapter

from deals_pipeline.keepa import client as client_module
from deals_pipeline.keepa.client import HoldMismatch, KeepaClient
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
from deals_pipeline.keepa.requests import DealPageRequest, ProductRequest, Request, SellerRequest
from deals_pipeline_tests.keepa.conftest import KEY, Connect, Landing, RecordedHold, Serve
from deals_pipeline_tests.keepa.misbehaving_server import Behaviour, Exchange, whole, zipped
from deals_pipeline_tests.keepa.wire_examples import (
    PAGE,
    TOKEN_FIELDS,
    VALID_ANSWERS,
    Wire,
    a_product,
    deals,
    error_of,
    page_of,
    products_of,
)

DOCUMENT = page_of(deals(3))
ZIPPED = zipped(DOCUMENT)
PLAIN = json.dumps(DOCUMENT).encode()
GZIP = "Content-Encoding: gzip"


def chunked(body: bytes, *headers: str) -> bytes:
    head = ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Connection: close", *headers]
    pieces = [body[start : start + 100] for start in range(0, len(body), 100)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return "\r\n".join(head).encode() + b"\r\n\r\n" + framed + b"0\r\n\r\n"


def send(client: KeepaClient, request: DealPageRequest = PAGE) -> Reply:
    return client.send(request, RecordedHold(request))


# --- success ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "landed"),
    [
        (whole(200, ZIPPED, GZIP), WireAnswer(200, "gzip", ZIPPED)),
        (whole(200, ZIPPED, "content-encoding: GZIP"), WireAnswer(200, "gzip", ZIPPED)),
        (whole(200, PLAIN), WireAnswer(200, "", PLAIN)),
        (whole(200, PLAIN, "Content-Encoding: identity"), WireAnswer(200, "", PLAIN)),
        (chunked(PLAIN), WireAnswer(200, "", PLAIN)),
        (chunked(ZIPPED, GZIP), WireAnswer(200, "gzip", ZIPPED)),
        (b"HTTP/1.0 200 OK\r\n\r\n" + PLAIN, WireAnswer(200, "", PLAIN)),
    ],
    ids=["gzip", "GZIP", "plain", "identity", "chunked", "chunked gzip", "until the connection closes"],
)
def test_a_page_is_read_and_its_bytes_are_landed_as_they_came(
    serve: Serve, connect: Connect, raw: bytes, landed: WireAnswer
) -> None:
    """F44."""
    landing = Landing()
    reply = send(connect(serve(lambda exchange: exchange.send(raw)).url, land=landing))
    assert isinstance(reply, Page)
    assert len(reply.deals) == 3
    assert landing.answers == [landed]


@pytest.mark.parametrize(
    ("request_", "document", "kind"),
    [(*example, kind) for example, kind in zip(VALID_ANSWERS[:3], (Page, Products, Sellers), strict=True)],
    ids=["page", "products", "sellers"],
)
def test_each_kind_of_request_gets_its_kind_of_reply(
    serve: Serve,
    connect: Connect,
    request_: DealPageRequest | ProductRequest | SellerRequest,
    document: Wire,
    kind: type[Reply],
) -> None:
    client = connect(serve(lambda exchange: exchange.answer(200, zipped(document), GZIP)).url)
    hold = RecordedHold(request_)
    match request_:
        case DealPageRequest():
            assert isinstance(client.send(request_, hold), kind)
        case ProductRequest():
            assert isinstance(client.send(request_, hold), kind)
        case SellerRequest():
            assert isinstance(client.send(request_, hold), kind)


def test_a_deal_page_is_posted_as_json_with_the_key_in_the_query(serve: Serve, connect: Connect) -> None:
    server = serve(lambda exchange: exchange.answer(200, ZIPPED, GZIP))
    send(connect(server.url + "/"))
    [request] = server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == f"POST /deal?key={KEY} HTTP/1.1"
    assert {"Accept-Encoding: gzip", "Content-Type: application/json"} <= set(lines)
    assert json.loads(body) == PAGE.wire().body


def test_products_are_asked_for_by_get_with_the_key_last(serve: Serve, connect: Connect) -> None:
    """F32: as they stand on the wire."""
    server = serve(lambda exchange: exchange.answer(200, zipped(products_of([a_product()]))))
    request = ProductRequest(asins=("B000000000",), offers=20, only_live_offers=True, update=-1)
    connect(server.url).send(request, RecordedHold(request))
    target = server.requests[0].split(b" ")[1].decode()
    assert target == "/product?domain=1&asin=B000000000&history=1&offers=20&update=-1&only-live-offers=1&key=" + KEY


def test_the_balance_is_asked_for_without_a_hold_and_without_landing(serve: Serve, connect: Connect) -> None:
    """F06, T7."""
    landing = Landing()
    server = serve(lambda exchange: exchange.answer(200, zipped(TOKEN_FIELDS), GZIP))
    reply = connect(server.url, land=landing).token_status()
    assert isinstance(reply, TokenStatus)
    assert reply.tokens.tokens_left == 295
    assert landing.answers == []
    assert server.requests[0].startswith(f"GET /token?key={KEY} ".encode())


def test_a_client_that_is_made_connects_to_nothing(serve: Serve, connect: Connect) -> None:
    """F19."""
    server = serve(lambda exchange: exchange.answer(200, ZIPPED))
    connect(server.url)
    assert server.connections == 0


def test_every_call_has_time_outs_and_asks_the_session_for_nothing_else() -> None:
    """F19."""
    asked: list[Mapping[str, Any]] = []

    class Spy(HTTPAdapter):
        def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override] # noqa: ANN401
            del request
            asked.append(options)
            raise requests.ConnectTimeout

    with requests.Session() as session:
        session.mount("http://", Spy())
        client = KeepaClient(SecretStr(KEY), url="http://keepa.invalid", session=session)
        replies = [send(client), client.token_status()]
    assert replies == [Retryable(RetryableCause.NOT_CONNECTED, "ConnectTimeout", was_sent=False, tokens=None)] * 2
    assert [options["timeout"] for options in asked] == [(10.0, 90.0)] * 2


# --- failure ----------------------------------------------------------------------------------------------------------


def reset_at_once(exchange: Exchange) -> None:
    exchange.reset()


def close_at_once(_: Exchange) -> None:
    pass


def reset_in_the_body(exchange: Exchange) -> None:
    exchange.send(whole(200, ZIPPED, GZIP)[:-50])
    exchange.reset()


def close_in_the_body(exchange: Exchange) -> None:
    exchange.send(whole(200, ZIPPED, GZIP)[:-50])


def close_in_a_chunk(exchange: Exchange) -> None:
    exchange.send(chunked(PLAIN)[:-150])


def send_a_wrong_chunk(exchange: Exchange) -> None:
    exchange.send(chunked(b"").partition(b"\r\n\r\n")[0] + b"\r\n\r\nxyz\r\nabc\r\n")


def close_in_the_head(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Le")


def send_no_http(exchange: Exchange) -> None:
    exchange.send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


def stay_silent(exchange: Exchange) -> None:
    exchange.fall_silent()


def fall_silent_in_the_body(exchange: Exchange) -> None:
    exchange.send(whole(200, ZIPPED, GZIP)[:-50])
    exchange.fall_silent()


def answering(status: int, body: bytes, *headers: str) -> Behaviour:
    return lambda exchange: exchange.answer(status, body, *headers)


ERROR = zipped(error_of("dateRange 30 is invalid"))
LOST, TIMED_OUT = RetryableCause.CONNECTION_LOST, RetryableCause.TIMED_OUT
UNANSWERED: dict[str, tuple[Behaviour, RetryableCause]] = {
    "reset before the answer": (reset_at_once, LOST),
    "closed before the answer": (close_at_once, LOST),
    "closed in the head": (close_in_the_head, RetryableCause.EMPTY),
    "reset in the body": (reset_in_the_body, LOST),
    "closed in the body": (close_in_the_body, LOST),
    "closed in a chunk": (close_in_a_chunk, LOST),
    "a chunk that is none": (send_a_wrong_chunk, LOST),
    "no HTTP": (send_no_http, LOST),
    "silent": (stay_silent, TIMED_OUT),
    "silent in the body": (fall_silent_in_the_body, TIMED_OUT),
}
ANSWERED: dict[str, tuple[Behaviour, type[Reply], RetryableCause | FatalCause | None]] = {
    "truncated gzip": (answering(200, ZIPPED[:-50], GZIP), Retryable, RetryableCause.CORRUPT),
    "gzip that is none": (answering(200, PLAIN, GZIP), Retryable, RetryableCause.CORRUPT),
    "another encoding": (answering(200, ZIPPED, "Content-Encoding: br"), Retryable, RetryableCause.CORRUPT),
    "empty": (answering(200, b""), Retryable, RetryableCause.EMPTY),
    "html": (answering(200, b"<html></html>"), Retryable, RetryableCause.NOT_JSON),
    "400": (answering(400, ERROR, GZIP), Fatal, FatalCause.REJECTED),
    "402": (answering(402, ERROR, GZIP), Fatal, FatalCause.PAYMENT_REQUIRED),
    "404": (answering(404, b""), Fatal, FatalCause.NOT_FOUND),
    "405": (answering(405, ERROR, GZIP), Fatal, FatalCause.METHOD_NOT_ALLOWED),
    "429": (answering(429, zipped(TOKEN_FIELDS), GZIP), Throttled, None),
    "429 without a body": (answering(429, b""), Throttled, None),
    "429 from a proxy": (answering(429, b"<html>slow down</html>", "Retry-After: 0"), Throttled, None),
    "500": (answering(500, ERROR, GZIP), Retryable, RetryableCause.SERVER_ERROR),
    "503": (answering(503, b"", "Retry-After: 0"), Retryable, RetryableCause.SERVER_ERROR),
    "301": (answering(301, b"gone", "Location: /deal"), Fatal, FatalCause.UNEXPECTED_STATUS),
    "307": (answering(307, b"gone", "Location: /deal"), Fatal, FatalCause.UNEXPECTED_STATUS),
    "302 to no address": (answering(302, b"gone", "Location: http://[::1"), Fatal, FatalCause.UNEXPECTED_STATUS),
    "302 to no text": (answering(302, b"gone", "Location: /\xff\xfe"), Fatal, FatalCause.UNEXPECTED_STATUS),
}


@pytest.mark.parametrize("name", UNANSWERED)
def test_a_call_that_gets_no_answer_is_retryable_may_have_been_charged_and_reaches_the_server_once(
    serve: Serve, connect: Connect, name: str
) -> None:
    """F13, F29: one call is one attempt; what was sent is not refunded."""
    behaviour, cause = UNANSWERED[name]
    server, landing = serve(behaviour), Landing()
    reply = send(connect(server.url, land=landing, read_seconds_max=0.2))
    assert isinstance(reply, Retryable)
    assert (reply.cause, reply.was_sent, reply.tokens) == (cause, True, None)
    assert len(server.requests) == server.connections == 1
    assert landing.answers == [] or cause is RetryableCause.EMPTY


@pytest.mark.parametrize("name", ANSWERED)
def test_an_answer_that_is_no_page_is_classified_landed_and_never_asked_for_again(
    serve: Serve, connect: Connect, name: str
) -> None:
    """F12, F29, F44: redirects are not followed, a Retry-After is not obeyed here."""
    behaviour, kind, cause = ANSWERED[name]
    server, landing = serve(behaviour), Landing()
    reply = send(connect(server.url, land=landing))
    assert isinstance(reply, kind)
    assert getattr(reply, "cause", None) == cause
    assert not isinstance(reply, Retryable) or reply.was_sent
    assert len(server.requests) == server.connections == 1
    [landed] = landing.answers
    assert read_reply(PAGE, landed) == reply
    assert name != "301" or landed == WireAnswer(301, "", b"gone")


def refused_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_refused_connection_is_retryable_and_was_not_sent(connect: Connect) -> None:
    """F13: only what never left may be voided."""
    landing = Landing()
    reply = send(connect(refused_url(), land=landing))
    assert isinstance(reply, Retryable)
    assert (reply.cause, reply.was_sent) == (RetryableCause.NOT_CONNECTED, False)
    assert landing.answers == []


@pytest.mark.parametrize("host", ["a" * 64 + ".invalid", "no such host", "keepa..invalid"])
def test_a_host_that_cannot_be_named_is_retryable_and_was_not_sent(connect: Connect, host: str) -> None:
    reply = send(connect(f"http://{host}"))
    assert isinstance(reply, Retryable)
    assert (reply.cause, reply.was_sent) == (RetryableCause.NOT_CONNECTED, False)


def test_an_unknown_host_is_retryable_and_was_not_sent(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    reply = send(connect("http://keepa.invalid"))
    assert isinstance(reply, Retryable)
    assert (reply.cause, reply.was_sent) == (RetryableCause.NOT_CONNECTED, False)


def test_what_the_caller_was_handling_does_not_make_a_sent_request_unsent(serve: Serve, connect: Connect) -> None:
    """F13: a retry from an `except` block inherits its exception as context."""
    client = connect(serve(reset_at_once).url)
    try:
        raise urllib3.exceptions.ConnectTimeoutError  # noqa: TRY301 (the point)
    except urllib3.exceptions.ConnectTimeoutError:
        reply = send(client)
    assert isinstance(reply, Retryable)
    assert (reply.cause, reply.was_sent) == (LOST, True)


def test_a_client_serves_again_after_each_failure(serve: Serve, connect: Connect) -> None:
    """F17: a failure leaves nothing behind in the client."""
    behaviours = iter(
        [reset_in_the_body, close_at_once, send_no_http, answering(429, b""), answering(200, ZIPPED, GZIP)]
    )

    def in_turn(exchange: Exchange) -> None:
        next(behaviours)(exchange)

    client = connect(serve(in_turn).url)
    assert [type(send(client)) for _ in range(5)] == [Retryable, Retryable, Retryable, Throttled, Page]


def test_an_answer_that_drips_in_for_ever_is_given_up_on(serve: Serve, connect: Connect) -> None:
    """F19: each byte comes within the read time-out, the whole never."""

    def drip(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(500):
            exchange.send(b" ")
            time.sleep(0.01)

    client = connect(serve(drip).url, answer_seconds_max=0.2)
    reply = send(client)
    assert isinstance(reply, Retryable)
    assert (reply.cause, reply.was_sent) == (RetryableCause.TIMED_OUT, True)


# --- holds ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", [PAGE.model_copy(update={"page": 1}), ProductRequest(asins=("0000000000",))])
def test_a_hold_for_another_request_is_refused_before_anything_is_sent(
    serve: Serve, connect: Connect, other: DealPageRequest | ProductRequest
) -> None:
    """F11: no request leaves without a hold made for that very request."""
    server, landing, hold = serve(answering(200, ZIPPED, GZIP)), Landing(), RecordedHold(other)
    client = connect(server.url, land=landing)
    with pytest.raises(HoldMismatch, match="hold-1"):
        client.send(PAGE, hold)
    assert (server.connections, hold.marked, landing.answers) == (0, 0, [])


def test_nothing_that_costs_tokens_can_be_sent_without_naming_a_hold() -> None:
    """F11."""
    assert inspect.signature(KeepaClient.send).parameters["hold"].default is inspect.Parameter.empty
    public = {name for name, _ in inspect.getmembers(KeepaClient, inspect.isfunction) if not name.startswith("_")}
    assert public == {"send", "token_status", "close"}


def test_a_hold_is_marked_sent_once_and_before_the_first_byte_leaves(serve: Serve, connect: Connect) -> None:
    """F13."""
    server = serve(answering(200, ZIPPED, GZIP))
    connections_then: list[int] = []
    hold = RecordedHold(PAGE, on_mark_sent=lambda: connections_then.append(server.connections))
    connect(server.url).send(PAGE, hold)
    assert (connections_then, server.connections) == ([0], 1)


@pytest.mark.parametrize("failure", [reset_at_once, answering(500, b""), answering(429, b"")])
def test_a_hold_is_marked_sent_once_when_the_call_fails_too(serve: Serve, connect: Connect, failure: Behaviour) -> None:
    """F13."""
    hold = RecordedHold(PAGE)
    connect(serve(failure).url).send(PAGE, hold)
    assert hold.marked == 1


def test_a_hold_that_was_sent_before_stops_the_call(serve: Serve, connect: Connect) -> None:
    """F13: spent at most once."""

    def sent_before() -> None:
        raise RuntimeError("hold-1 was sent before")

    server = serve(answering(200, ZIPPED, GZIP))
    client = connect(server.url)
    with pytest.raises(RuntimeError, match="was sent before"):
        client.send(PAGE, RecordedHold(PAGE, on_mark_sent=sent_before))
    assert server.connections == 0


# --- landing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 400, 429, 500])
def test_an_answer_is_landed_before_anything_reads_it(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """F44: errors are landed too."""
    events: list[str] = []

    def reading(request: Request, answer: WireAnswer) -> Reply:
        events.append("read")
        return read_reply(request, answer)

    def land(request: Request, hold: object, answer: WireAnswer) -> None:
        assert (request, hold, answer.body) == (PAGE, the_hold, ZIPPED)
        events.append("landed")

    monkeypatch.setattr(client_module, "read_reply", reading)
    the_hold = RecordedHold(PAGE)
    connect(serve(answering(status, ZIPPED, GZIP)).url, land=land).send(PAGE, the_hold)
    assert events == ["landed", "read"]


def test_an_answer_that_cannot_be_landed_is_not_read_and_the_error_is_the_callers(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F44."""

    def disk_full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(client_module, "read_reply", lambda *_: pytest.fail("read before it was landed"))
    client = connect(serve(answering(200, ZIPPED, GZIP)).url, land=disk_full)
    with pytest.raises(OSError, match="No space left"):
        send(client)


def test_a_landed_answer_reads_as_the_reply_did(serve: Serve, connect: Connect) -> None:
    """F31, F44: replay costs nothing."""
    landing = Landing()
    reply = send(connect(serve(answering(200, ZIPPED, GZIP)).url, land=landing))
    assert read_reply(PAGE, landing.answers[0]) == reply
    assert gzip.decompress(landing.answers[0].body) == PLAIN


# --- construction -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.keepa.com",
        "ftp://api.keepa.com",
        "http://",
        "http://:80",
        "http://host:0",
        "http://host:99999",
        "http://host:port",
        "http://[::1",
        "http://user:password@host",
        "https://api.keepa.com/?domain=1",
        "https://api.keepa.com/#deal",
    ],
)
def test_a_url_that_is_no_plain_address_is_refused_and_the_error_says_what_is_allowed(url: str) -> None:
    """F32."""
    with pytest.raises(ValueError, match=r"url: allowed is http\(s\)://host\[:port\]\[/path\]"):
        KeepaClient(SecretStr(KEY), url=url)


@pytest.mark.parametrize("key", ["", " ", "abc def", "abc\n", "abc&domain=3", "abc%20", "schlüssel"])
def test_a_key_that_cannot_be_one_is_refused_and_not_repeated(key: str) -> None:
    """F66: a key that would be escaped in a URL could not be found again in an echo of it."""
    with pytest.raises(ValueError, match="key: allowed are") as refusal:
        KeepaClient(SecretStr(key))
    assert not key.strip() or key not in str(refusal.value)
