"""The simulated Keepa inside this process: mount it on a `requests.Session`, and no socket is opened.

session.mount("https://api.keepa.com", SimulatorAdapter(server, clock))
"""

import errno
from collections.abc import Mapping
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import NoReturn
from urllib.parse import parse_qsl, urlsplit

import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter

from deals_pipeline.clock import Clock
from deals_pipeline.keepa.time import to_unix_ms
from deals_pipeline.simulator.account import AccountConfig
from deals_pipeline.simulator.endpoints import Endpoints
from deals_pipeline.simulator.server import Call, Delivery, Ending, KeepaServer
from deals_pipeline.simulator.store import SqliteStore, stored_config

Timeout = float | tuple[float | None, float | None] | None


def open_simulator(
    path: Path, clock: Clock, seed: int, products: int, refill_rate: int, *, tokens: int | None = None
) -> "SimulatorAdapter":
    """Return an adapter to a simulated service whose account is kept in a file that processes share.

    `tokens` is the balance of a new account, full where it is not given; one that exists goes on.
    """
    started_at = to_unix_ms(clock.now())
    account = stored_config(path) or AccountConfig(seed, refill_rate, started_at, tokens)
    return SimulatorAdapter(KeepaServer(Endpoints(seed, products), SqliteStore(path, account)), clock)


class SimulatorAdapter(BaseAdapter):
    """Delivers a session's requests to a server at the clock's time; a delay passes on that clock.

    Raises what `requests` raises when a connection is refused or breaks or an answer takes longer than the time-out.
    """

    def __init__(self, server: KeepaServer, clock: Clock) -> None:
        super().__init__()
        self._server = server
        self._clock = clock
        self._http = HTTPAdapter()

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002
        timeout: Timeout = None,
        verify: bool | str = True,  # noqa: ARG002
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,  # noqa: ARG002
        proxies: Mapping[str, str] | None = None,  # noqa: ARG002
    ) -> requests.Response:
        """Return the server's answer to one request."""
        delivery = self._server.deliver(_call(request), self._clock.now())
        if delivery.ending is Ending.REFUSED:
            pool = urllib3.HTTPSConnectionPool(urlsplit(str(request.url)).hostname or "")
            refused = urllib3.exceptions.NewConnectionError(pool, "Connection refused")  # type: ignore[arg-type]
            raise requests.ConnectionError(
                urllib3.exceptions.MaxRetryError(pool, request.url or "", refused), request=request
            )
        read_timeout = timeout[1] if isinstance(timeout, tuple) else timeout
        limit = None if read_timeout is None else timedelta(seconds=read_timeout)
        if delivery.ending is Ending.NOTHING or (limit is not None and delivery.delay > limit):
            self._time_out(request, limit)
        self._clock.sleep(delivery.delay.total_seconds())
        return self._http.build_response(request, _response(delivery, request.method))

    def close(self) -> None:
        """Do nothing: there are no connections."""

    def _time_out(self, request: requests.PreparedRequest, limit: timedelta | None) -> NoReturn:
        if limit is None:
            raise requests.ConnectionError("the answer never comes and there is no time-out", request=request)
        self._clock.sleep(limit.total_seconds())
        raise requests.ReadTimeout(request=request)


def _call(request: requests.PreparedRequest) -> Call:
    parts = urlsplit(str(request.url))
    body = request.body or b""
    return Call(
        method=request.method or "GET",
        path=parts.path,
        query=dict(parse_qsl(parts.query, keep_blank_values=True)),
        body=body.encode() if isinstance(body, str) else bytes(body),
        accepts_gzip="gzip" in str(request.headers.get("Accept-Encoding", "")),
    )


def _response(delivery: Delivery, method: str | None) -> urllib3.HTTPResponse:
    return urllib3.HTTPResponse(
        _Breaking() if delivery.ending is Ending.CUT else BytesIO(delivery.body),
        headers={**delivery.headers, "Content-Length": str(len(delivery.body))},
        status=int(delivery.status),
        preload_content=False,
        decode_content=False,
        request_method=method,
    )


class _Breaking(BytesIO):
    """A body on a connection that breaks."""

    def read(self, _size: int | None = -1, /) -> bytes:
        raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")
