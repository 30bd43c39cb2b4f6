"""Simulated services for tests: a server on a virtual clock, and our client on its in-process transport."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from uuid import uuid4

import msgspec
import requests
from pydantic import SecretStr

from deals_pipeline.clock import VirtualClock
from deals_pipeline.keepa.client import KEEPA_URL, KeepaClient, Land
from deals_pipeline.keepa.replies import Failure, Page, Products, Sellers
from deals_pipeline.keepa.requests import DealPageRequest, ProductRequest, Request, SellerRequest
from deals_pipeline.keepa.time import to_unix_ms
from deals_pipeline.simulator.account import AccountConfig, advance
from deals_pipeline.simulator.endpoints import Endpoints
from deals_pipeline.simulator.faults import Faults
from deals_pipeline.simulator.server import KeepaServer
from deals_pipeline.simulator.store import MemoryStore
from deals_pipeline.simulator.transport import SimulatorAdapter

START = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
KEY = "a-simulated-key"


@dataclass
class UncheckedHold:
    """A hold that no bucket made, for tests of what lies behind the bucket."""

    request: Request
    hold_id: str = field(default_factory=lambda: uuid4().hex)
    was_sent: bool = False

    def mark_sent(self) -> None:
        self.was_sent = True


@dataclass
class Service:
    server: KeepaServer
    clock: VirtualClock
    session: requests.Session
    client: KeepaClient

    def balance(self) -> int:
        store = self.server.store
        with store.transaction() as transaction:
            return advance(store.config, transaction.account, to_unix_ms(self.clock.now())).balance

    def spent(self) -> int:
        """Return what the server has ever deducted for requests."""
        with self.server.store.transaction() as transaction:
            return transaction.account.spent

    def pass_time(self, **duration: float) -> None:
        self.clock.sleep(timedelta(**duration).total_seconds())

    def page(self, request: DealPageRequest) -> Page | Failure:
        return self.client.send(request, UncheckedHold(request))

    def products(self, request: ProductRequest) -> Products | Failure:
        return self.client.send(request, UncheckedHold(request))

    def sellers(self, request: SellerRequest) -> Sellers | Failure:
        return self.client.send(request, UncheckedHold(request))

    def charged(self, request: Request) -> int:
        """Return what the server deducts for one request."""
        before = self.balance()
        wire = request.wire()
        answer = self.session.request(
            wire.method, KEEPA_URL + wire.path, params={**wire.query, "key": KEY}, json=wire.body, timeout=100
        )
        fields = msgspec.json.decode(answer.content, type=dict[str, object])
        assert answer.status_code == 200, fields
        assert before - self.balance() == fields["tokensConsumed"]
        return before - self.balance()


def make_service(
    *,
    seed: int = 1,
    products: int = 2_000,
    refill_rate: int = 1_000,
    tokens: int | None = None,
    faults: Faults | None = None,
    start: datetime = START,
    land: Land | None = None,
    endpoints: Endpoints | None = None,
) -> Service:
    """Return a service with plenty of tokens, unless asked otherwise."""
    clock = VirtualClock(start)
    config = AccountConfig(seed=seed, refill_rate=refill_rate, started_at=to_unix_ms(start), tokens=tokens)
    server = KeepaServer(endpoints or Endpoints(seed, products), MemoryStore(config), faults or Faults())
    session = requests.Session()
    session.mount(KEEPA_URL, SimulatorAdapter(server, clock))
    return Service(server, clock, session, KeepaClient(SecretStr(KEY), session=session, land=land))
