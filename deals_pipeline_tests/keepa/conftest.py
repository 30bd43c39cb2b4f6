from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pytest
import requests
from pydantic import SecretStr

from deals_pipeline.keepa.client import Hold, KeepaClient
from deals_pipeline.keepa.replies import WireAnswer
from deals_pipeline.keepa.requests import Request
from deals_pipeline_tests.keepa.misbehaving_server import Behaviour, MisbehavingServer

KEY = "CANARY0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"


@dataclass
class RecordedHold:
    """A hold that calls `on_mark_sent` when it is marked as sent."""

    request: Request
    hold_id: str = "hold-1"
    on_mark_sent: Callable[[], None] = lambda: None
    marked: int = 0

    def mark_sent(self) -> None:
        self.marked += 1
        self.on_mark_sent()


@dataclass
class Landing:
    """Keeps what was landed."""

    answers: list[WireAnswer] = field(default_factory=list)

    def __call__(self, request: Request, hold: Hold, answer: WireAnswer) -> None:
        del request, hold
        self.answers.append(answer)


Serve: TypeAlias = Callable[[Behaviour], MisbehavingServer]
Connect: TypeAlias = Callable[..., KeepaClient]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server that behaves as told; all are closed at the end of the test."""
    with ExitStack() as servers:
        yield lambda behaviour: servers.enter_context(MisbehavingServer(behaviour))


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Make a client with the canary key; all are closed at the end of the test."""
    monkeypatch.setenv("NO_PROXY", "*")
    with ExitStack() as clients:

        def make(url: str, **options: Any) -> KeepaClient:  # noqa: ANN401 (passed on)
            client = KeepaClient(SecretStr(KEY), url=url, session=requests.Session(), **options)
            clients.callback(client.close)
            return client

        yield make
