"""F66: the API key is in no reply, log record, exception, traceback, representation or landed answer."""

import gzip
import json
import logging
import socket
import traceback
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
import requests
from pydantic import SecretStr

from deals_pipeline.keepa.client import HoldMismatch, KeepaClient
from deals_pipeline.keepa.key import REDACTED
from deals_pipeline.keepa.replies import Fatal, Reply, Retryable, RetryableCause, WireAnswer
from deals_pipeline_tests.keepa.conftest import KEY, Connect, Landing, RecordedHold, Serve
from deals_pipeline_tests.keepa.misbehaving_server import Behaviour, Exchange, whole, zipped
from deals_pipeline_tests.keepa.test_client import ANSWERED, GZIP, UNANSWERED, refused_url, send
from deals_pipeline_tests.keepa.wire_examples import PAGE, deals, error_of, page_of


@dataclass
class Sweep:
    """Everything that a call left behind, searched for the key as text, as bytes and decompressed."""

    caplog: pytest.LogCaptureFixture
    capsys: pytest.CaptureFixture[str]
    landing: Landing = field(default_factory=Landing)
    seen: list[str] = field(default_factory=list)

    def see(self, *things: object) -> None:
        for thing in things:
            self.seen += [repr(thing), str(thing), repr(getattr(thing, "__dict__", None))]

    def see_exception(self, raised: BaseException) -> None:
        self.see(raised, raised.args)
        frames = traceback.TracebackException.from_exception(raised, capture_locals=True)
        self.seen.append("".join(frames.format()))

    def assert_no_key(self) -> None:
        out, err = self.capsys.readouterr()
        texts = [*self.seen, self.caplog.text, out, err]
        for record in self.caplog.records:
            texts += [record.getMessage(), repr(record.__dict__), str(record.exc_text)]
        for answer in self.landing.answers:
            texts += [repr(answer.content_encoding), repr(answer.body), repr(inflated(answer.body))]
        for text in texts:
            assert KEY.lower() not in text.lower()


def inflated(body: bytes) -> bytes:
    """Decompress as much of a body as there is, whatever its label says."""
    stream, whole_body = zlib.decompressobj(zlib.MAX_WBITS | 32), b""
    with suppress(zlib.error):
        for position in range(len(body)):
            whole_body += stream.decompress(body[position : position + 1])
    return whole_body


@pytest.fixture
def sweep(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> Sweep:
    caplog.set_level(logging.DEBUG)
    return Sweep(caplog, capsys)


def call(sweep: Sweep, client: KeepaClient) -> Reply:
    """Send a page and ask for the balance, and look at all that is left of it."""
    hold = RecordedHold(PAGE)
    reply = client.send(PAGE, hold)
    sweep.see(reply, client, hold, PAGE, PAGE.wire(), client.token_status())
    return reply


def echo_in(template: Callable[[bytes], bytes]) -> Behaviour:
    return lambda exchange: exchange.send(template(exchange.url))


def error_naming(url: bytes) -> bytes:
    return json.dumps(error_of(f"cannot serve {url.decode()}")).encode()


ECHOES: dict[str, Callable[[bytes], bytes]] = {
    "in a body": lambda url: whole(200, b"<html>" + url + b"</html>"),
    "in a gzipped body": lambda url: whole(404, gzip.compress(b"<html>" + url + b"</html>"), GZIP),
    "in a page of deals": lambda url: whole(200, zipped(page_of(deals(2), link=url.decode())), GZIP),
    "in a title": lambda url: whole(200, zipped(page_of([deals(1)[0] | {"title": url.decode()}])), GZIP),
    "in an asin": lambda url: whole(200, zipped(page_of([deals(1)[0] | {"asin": url.decode()}])), GZIP),
    "in a json error": lambda url: whole(400, error_naming(url)),
    "in a gzipped json error": lambda url: whole(400, gzip.compress(error_naming(url)), GZIP),
    "in an error that is retried": lambda url: whole(500, error_naming(url)),
    "in an error at 200": lambda url: whole(200, error_naming(url)),
    "in a throttled answer": lambda url: whole(429, error_naming(url)),
    "in a location": lambda url: whole(302, b"moved to " + url, "Location: " + url.decode()),
    "in a cookie": lambda url: whole(429, b"", "Set-Cookie: last=" + url.decode()),
    "in gzip that is truncated": lambda url: whole(200, gzip.compress(url + bytes(range(256)) * 4)[:-300], GZIP),
    "in gzip that breaks": lambda url: whole(200, broken(gzip.compress(url + bytes(range(256)) * 40)), GZIP),
    "in plain text called gzip": lambda url: whole(200, b"<html>" + url + b"</html>", GZIP),
    "in plain text called br": lambda url: whole(200, b"<html>" + url + b"</html>", "Content-Encoding: br"),
    "in zlib called deflate": lambda url: whole(200, zlib.compress(url), "Content-Encoding: deflate"),
    "in the name of an encoding": lambda url: whole(200, b"x", "Content-Encoding: " + url.decode()),
    "in a status line": lambda url: b"HTTP/1.1 502 " + url + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "in no HTTP at all": lambda url: url + b"\r\n\r\n",
    "in a malformed header": lambda url: b"HTTP/1.1 200 OK\r\nConnection: close\r\nGET " + url + b"\r\nA: b\r\n\r\n{}",
    "in a truncated body": lambda url: whole(200, url * 3)[:-20],
    "in a chunk size": lambda url: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + url + b"\r\n\r\n",
    "in a content length": lambda url: b"HTTP/1.1 200 OK\r\nContent-Length: 1, " + url + b"\r\n\r\nx",
}


def broken(body: bytes) -> bytes:
    return body[:200] + b"\x00" * 40 + body[240:]


@pytest.mark.parametrize("name", ECHOES)
def test_a_server_that_echoes_the_key_finds_no_ear(serve: Serve, connect: Connect, sweep: Sweep, name: str) -> None:
    """F66."""
    server = serve(echo_in(ECHOES[name]))
    call(sweep, connect(server.url, land=sweep.landing))
    assert len(server.requests) == 2
    assert all(KEY.encode() in request for request in server.requests)
    sweep.assert_no_key()


@pytest.mark.parametrize("name", [*UNANSWERED, *ANSWERED])
def test_no_failure_of_a_call_shows_the_key(serve: Serve, connect: Connect, sweep: Sweep, name: str) -> None:
    """F66."""
    behaviour = (UNANSWERED.get(name) or ANSWERED[name])[0]
    call(sweep, connect(serve(behaviour).url, land=sweep.landing, read_seconds_max=0.2))
    sweep.assert_no_key()


@pytest.mark.parametrize("host", ["keepa.invalid", "a" * 64 + ".invalid", "no such host"])
def test_no_failure_to_connect_shows_the_key(
    connect: Connect, sweep: Sweep, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """F66: nor does a failed name resolution."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    call(sweep, connect(refused_url()))
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    call(sweep, connect(f"http://{host}"))
    sweep.assert_no_key()


def test_the_url_is_logged_without_the_key(serve: Serve, connect: Connect, sweep: Sweep) -> None:
    """F66: the log still says what was asked for, and the sweep does see it."""
    call(sweep, connect(serve(lambda exchange: exchange.answer(200, b"")).url))
    assert f"/deal?key={REDACTED}" in sweep.caplog.text
    sweep.assert_no_key()


def test_an_adapter_with_retries_logs_no_key_either(sweep: Sweep) -> None:
    """F66: the records of urllib3's retries carry the URL too."""
    with requests.Session() as session:
        session.mount("http://", requests.adapters.HTTPAdapter(max_retries=2))
        client = KeepaClient(SecretStr(KEY), url=refused_url(), session=session)
        call(sweep, client)
    assert "Retrying" in sweep.caplog.text
    sweep.assert_no_key()


def test_an_error_that_keepa_explains_is_kept_except_for_the_key(serve: Serve, connect: Connect, sweep: Sweep) -> None:
    """F32, F66."""
    reply = call(sweep, connect(serve(echo_in(ECHOES["in a json error"])).url, land=sweep.landing))
    assert isinstance(reply, Fatal)
    assert f"/deal?key={REDACTED}" in reply.detail
    assert sweep.landing.answers[0].status == 400
    sweep.assert_no_key()


@pytest.mark.parametrize("name", ["in gzip that is truncated", "in plain text called br"])
def test_a_corrupt_answer_stays_corrupt_without_the_key(
    serve: Serve, connect: Connect, sweep: Sweep, name: str
) -> None:
    """F29, F66: taking the key out makes no other answer of it."""
    reply = call(sweep, connect(serve(echo_in(ECHOES[name])).url, land=sweep.landing))
    assert isinstance(reply, Retryable)
    assert reply.cause is RetryableCause.CORRUPT
    sweep.assert_no_key()


def test_an_exception_of_the_landing_shows_no_key_down_to_the_locals_of_its_frames(
    serve: Serve, connect: Connect, sweep: Sweep
) -> None:
    """F66."""

    def fail(_: object, hold: object, answer: WireAnswer) -> None:
        sweep.landing.answers.append(answer)
        raise OSError(f"cannot write {answer!r} of {hold!r}: {answer.body!r}")

    client = connect(serve(echo_in(ECHOES["in a body"])).url, land=fail)
    with pytest.raises(OSError, match="cannot write") as raised:
        send(client)
    sweep.see_exception(raised.value)
    sweep.assert_no_key()


def test_a_refused_hold_shows_no_key(connect: Connect, sweep: Sweep) -> None:
    """F66, F11."""
    with pytest.raises(HoldMismatch) as raised:
        connect("http://keepa.invalid").send(PAGE, RecordedHold(PAGE.model_copy(update={"page": 1})))
    sweep.see_exception(raised.value)
    sweep.assert_no_key()


@pytest.mark.parametrize(
    "url", [f"http://host/?key={KEY}", f"http://user:{KEY}@host", f"http://host:{KEY}", "http://["]
)
def test_a_refused_url_is_not_repeated(sweep: Sweep, url: str) -> None:
    """F66: somebody may have put the key there."""
    with pytest.raises(ValueError, match="url: allowed is") as raised:
        KeepaClient(SecretStr(KEY), url=url)
    sweep.see(raised.value, raised.value.args, raised.value.__context__)
    sweep.assert_no_key()


def test_nothing_that_represents_a_request_shows_the_key(serve: Serve, connect: Connect, sweep: Sweep) -> None:
    """F66: the authentication that adds the key, the prepared request and the session print none."""
    prepared: list[requests.PreparedRequest] = []

    class Spy(requests.adapters.HTTPAdapter):
        def send(self, request: requests.PreparedRequest, **options: object) -> requests.Response:  # type: ignore[override]
            prepared.append(request)
            sweep.see(options)
            raise requests.ConnectionError("refused", request=request)

    client = connect(serve(lambda _: None).url)
    session: requests.Session = client._session  # noqa: SLF001 (where a leak would be)
    session.mount("http://", Spy())
    call(sweep, client)
    assert KEY in str(prepared[0].url)
    sweep.seen += [repr(prepared), repr(session), str(session.__dict__), repr(vars(client)), repr(session.auth)]
    sweep.assert_no_key()


def test_the_sweep_finds_a_key_wherever_it_is(sweep: Sweep) -> None:
    """The helper itself: a sweep that finds nothing anywhere proves nothing."""
    leaks: list[Callable[[], object]] = [
        lambda: sweep.see(ValueError(KEY)),
        lambda: sweep.see_exception(raised_with(KEY)),
        lambda: sweep.landing.answers.append(WireAnswer(200, "gzip", gzip.compress(KEY.encode() * 9)[:-8])),
        lambda: logging.getLogger("urllib3.connectionpool").debug("no parameter: %s", KEY),
    ]
    for leave in leaks:
        leave()
        with pytest.raises(AssertionError):
            sweep.assert_no_key()
        sweep.seen.clear()
        sweep.landing.answers.clear()
        sweep.caplog.clear()
        sweep.assert_no_key()


def raised_with(secret: str) -> BaseException:
    def fail() -> None:
        local = secret
        raise ValueError(len(local))

    try:
        fail()
    except ValueError as raised:
        return raised
    raise AssertionError


def test_an_exchange_carries_the_key_to_the_server_and_nowhere_else(
    serve: Serve, connect: Connect, sweep: Sweep
) -> None:
    """F66: in the query, not in a header or the body."""
    exchanges: list[Exchange] = []
    server = serve(exchanges.append)
    call(sweep, connect(server.url))
    for exchange in exchanges:
        assert exchange.request.count(KEY.encode()) == exchange.target.count(KEY.encode()) == 1
    sweep.assert_no_key()
