"""A warehouse of simulated deals with their histories, for benchmarks: bought over the real client, landed, loaded."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import requests
from duckdb import DuckDBPyConnection
from pydantic import SecretStr

from deals_pipeline.clock import VirtualClock
from deals_pipeline.keepa.client import KEEPA_URL, KeepaClient
from deals_pipeline.keepa.replies import Page, Products
from deals_pipeline.keepa.requests import DealPageRequest, ProductRequest, Request
from deals_pipeline.keepa.selection import DealSelection, Domain
from deals_pipeline.keepa.time import to_unix_ms
from deals_pipeline.landing import Landing, Scan
from deals_pipeline.simulator.account import AccountConfig
from deals_pipeline.simulator.endpoints import Endpoints
from deals_pipeline.simulator.faults import Faults
from deals_pipeline.simulator.market.market import Market
from deals_pipeline.simulator.server import KeepaServer
from deals_pipeline.simulator.store import MemoryStore
from deals_pipeline.simulator.transport import SimulatorAdapter
from deals_pipeline.warehouse.connection import connect
from deals_pipeline.warehouse.loading import load_landed
from deals_pipeline.warehouse.schema import migrate

SEED: Final = 5
NOW: Final = datetime(2026, 11, 1, 12, tzinfo=timezone.utc)
"""By then all simulated products have been tracked for more than three years."""
LISTED_OF: Final = 8
"""About one simulated product in so many is a deal that the selection shows."""
SELECTION: Final = DealSelection(delta_percent_range=(20, 95))


@dataclass
class Hold:
    """A hold that no bucket made: these tokens are nobody's."""

    request: Request
    hold_id: str = "benchmark"

    def mark_sent(self) -> None:
        """Take notice of nothing."""


@contextmanager
def simulated_warehouse(products: int) -> Iterator[tuple[DuckDBPyConnection, Market]]:
    """Yield a warehouse in a folder of its own with so many deals and their histories, and the market they are of."""
    with TemporaryDirectory() as folder:
        landing = Path(folder) / "landing"
        market = _buy(landing, products)
        with connect(Path(folder) / "warehouse.duckdb") as connection:
            migrate(connection)
            assert all(loaded.outcome in ("page", "products") for loaded in load_landed(connection, landing))
            yield connection, market


def _buy(root: Path, products: int) -> Market:
    clock, endpoints = VirtualClock(NOW), Endpoints(SEED, products * LISTED_OF)
    account = AccountConfig(seed=SEED, refill_rate=1000, started_at=to_unix_ms(NOW))
    session, landing = requests.Session(), Landing(root, "benchmark", clock)
    session.mount(KEEPA_URL, SimulatorAdapter(KeepaServer(endpoints, MemoryStore(account), Faults()), clock))
    client = KeepaClient(SecretStr("no-key"), session=session, land=landing)
    with landing.reading(Scan(selection="recent", kind="full", started_at=NOW)):
        asins = list(islice(_listed(client), products))
    assert len(asins) == products, f"only {len(asins)} products are listed"
    for start in range(0, products, 100):
        request = ProductRequest(asins=tuple(asins[start : start + 100]), stats=365)
        assert isinstance(client.send(request, Hold(request)), Products)
    return endpoints.market(Domain.US)


def _listed(client: KeepaClient) -> Iterator[str]:
    for number in range(67):
        request = DealPageRequest(selection=SELECTION, page=number)
        page = client.send(request, Hold(request))
        assert isinstance(page, Page), page
        yield from (deal.asin for deal in page.deals)
        if page.is_last:
            return
