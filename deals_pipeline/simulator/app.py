"""The simulated Keepa over HTTP: an ASGI application round a server and the system's clock."""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from deals_pipeline.clock import Clock, SystemClock
from deals_pipeline.simulator.server import Call, Delivery, Ending, KeepaServer

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def make_app(server: KeepaServer, clock: Clock | None = None) -> Starlette:
    """Return the application that serves `server`; every path and method reaches it, for it to judge."""
    clock = clock or SystemClock()

    async def answer(request: Request) -> Response:
        call = Call(
            method=request.method,
            path=request.url.path,
            query=dict(request.query_params),
            body=await request.body(),
            accepts_gzip="gzip" in request.headers.get("accept-encoding", ""),
        )
        delivery = await run_in_threadpool(server.deliver, call, clock.now())
        await asyncio.sleep(delivery.delay.total_seconds())
        return _response(delivery)

    return Starlette(routes=[Route("/{path:path}", answer, methods=METHODS)])


def _response(delivery: Delivery) -> Response:
    if delivery.ending is Ending.WHOLE:
        return Response(delivery.body, delivery.status, dict(delivery.headers))
    if delivery.ending is Ending.REFUSED:
        return Response(status_code=HTTPStatus.SERVICE_UNAVAILABLE)
    sent = delivery.body[: len(delivery.body) // 2] if delivery.ending is Ending.CUT else b""
    headers = {**delivery.headers, "Content-Length": str(len(delivery.body))}
    return StreamingResponse(_broken(sent), delivery.status, headers)


async def _broken(sent: bytes) -> AsyncIterator[bytes]:
    """Yield less than the length that was announced: uvicorn then closes the connection."""
    yield sent
