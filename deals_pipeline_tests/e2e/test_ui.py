"""The web page in a real browser: what they see who look after the pipeline.

UPDATE_SCREENSHOTS=1 takes the pictures in `docs/` anew.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import requests

from deals_pipeline.clock import SystemClock, VirtualClock
from deals_pipeline.definitions import make_definitions
from deals_pipeline.home import prepare
from deals_pipeline.keepa.client import KEEPA_URL
from deals_pipeline.keepa.time import to_unix_ms
from deals_pipeline.resources.keepa import SIMULATED_ACCOUNT, SIMULATED_PRODUCTS, SIMULATED_REFILL_RATE, SIMULATED_SEED
from deals_pipeline.simulator.account import AccountConfig
from deals_pipeline.simulator.endpoints import Endpoints
from deals_pipeline.simulator.server import KeepaServer
from deals_pipeline.simulator.store import SqliteStore
from deals_pipeline.simulator.transport import SimulatorAdapter
from deals_pipeline_tests.dagster_world import DagsterWorld
from deals_pipeline_tests.e2e.browser import SIZE, Page, chromium
from deals_pipeline_tests.e2e.processes import ROOT, Workplace, dev, instance, workplace
from deals_pipeline_tests.keepa.misbehaving_server import Exchange, MisbehavingServer

ASSETS: Final = (
    "recent_deals",
    "backfilled_deals",
    "price_history",
    "live_offers",
    "deals",
    "deal_metrics",
    "published_deals",
    "deals_report",
)
GRAPH_SIZE: Final = (2400, 1100)
"""Where there is less room, Dagster shows the names of the assets alone."""
HALTED: Final = re.compile(
    r"Skip reason: Halted: the deficit is (\d+) tokens, allowed are 50\. 300 tokens were spent by others lately\. "
    r"It resumes by itself at ([-\d]+ [:\d]+) UTC\."
)


@contextmanager
def lived_in(at: Workplace) -> Iterator[DagsterWorld]:
    """Open a home whose past can be lived through at once: its clock stands 40 minutes ago, with 60 tokens left."""
    prepare(at.settings)
    clock = VirtualClock(SystemClock().now() - timedelta(minutes=40))
    account = AccountConfig(SIMULATED_SEED, SIMULATED_REFILL_RATE, to_unix_ms(clock.now()), tokens=60)
    store = SqliteStore(at.settings.places.home / SIMULATED_ACCOUNT, account)
    server = KeepaServer(Endpoints(SIMULATED_SEED, SIMULATED_PRODUCTS), store)

    def connect() -> requests.Session:
        session = requests.Session()
        session.mount(KEEPA_URL, SimulatorAdapter(server, clock))
        return session

    with instance(at) as opened:
        definitions = make_definitions(at.settings, clock, connect)
        yield DagsterWorld(at.settings, clock, server, connect, definitions, opened)


def live_through(world: DagsterWorld) -> Mapping[str, Any]:
    """Read a shard, then refresh three times, 15 minutes apart; return what the last run told of recent deals."""
    (shard, *_) = world.settings.backfill[0].shards()
    world.instance.add_dynamic_partitions("shard", [shard.key])
    world.execute("backfill_job", partition=shard.key)
    config = {"ops": {"price_history": {"config": {"tokens_max": 20}}}}
    world.execute("refresh_job", config)
    for _ in range(2):
        world.pass_time(minutes=15)
        result = world.execute("refresh_job", config)
    return world.metadata(result, "recent_deals")


def test_the_web_page_shows_the_assets_and_what_they_bought_and_why_nothing_is_bought_now(tmp_path: Path) -> None:
    """F08, F14: the reason is computed from the balance, and names what others spent."""
    pictures = ROOT / "docs" if os.environ.get("UPDATE_SCREENSHOTS") else tmp_path
    at = workplace(tmp_path)
    with chromium() as page, lived_in(at) as world:
        told = live_through(world)
        world.clock.set(SystemClock().now())
        world.spend_elsewhere(300)
        deficit = -world.balance
        with dev(at) as running:
            page.resize(*GRAPH_SIZE)
            require_assets(page, running.url)
            page.picture(pictures / "asset_graph.png")
            page.resize(*SIZE)
            require_metadata(page, running.url, told)
            page.picture(pictures / "recent_deals.png")
            require_plots(page)
            page.picture(pictures / "recent_deals_plots.png")
            require_halted(page, running.url, world, deficit)
            page.picture(pictures / "deficit_sensor.png", still="[role=dialog]")
            assert page.complaints() == []


def test_the_browser_tells_of_errors_on_the_console_and_of_requests_that_fail() -> None:
    html = b"<script>console.error('canary')</script>Hello<img src=/missing><img src=/broken>"

    def behave(exchange: Exchange) -> None:
        match exchange.target:
            case b"/":
                exchange.answer(200, html, "Content-Type: text/html")
            case b"/broken":
                exchange.reset()
            case _:
                exchange.answer(404, b"")

    with chromium() as page, MisbehavingServer(behave) as server:
        page.open(server.url, "Hello")
        complaints = page.complaints()
    for expected in ('"canary"', f"404 {server.url}/missing", "net::ERR_CONNECTION_RESET Image"):
        assert any(expected in complaint for complaint in complaints), complaints


def require_assets(page: Page, url: str) -> None:
    """Require the graph of all assets, all materialized, none of whose checks failed."""
    seen = page.open(f"{url}/asset-groups", *ASSETS, "100% filled").splitlines()
    assert seen.count("Latest event") == len(ASSETS)
    assert seen.count("Materialized") == len(ASSETS) - 1, "one has partitions instead"
    assert "Failed" not in " ".join(seen)


def require_metadata(page: Page, url: str, told: Mapping[str, Any]) -> None:
    """Require what the run told, beside its time."""
    seen = page.open(f"{url}/assets/recent_deals", "Metadata", "stopped_by").splitlines()
    cells = [line for line in seen if line.strip()]
    for name in ("pages", "rows_seen", "rows_new", "tokens_spent", "tokens_per_row", "balance_after", "stopped_by"):
        assert cells[cells.index(name) + 2] == str(told[name]), name
    assert cells[cells.index("mode") + 2] == "simulated"
    page.scroll_to("Metadata")


def require_plots(page: Page) -> None:
    """Require a plot of each number that one wants to see over time."""
    page.press("Plots")
    page.see("balance_after", "dagster/row_count", "rows_new", "tokens_per_row", "tokens_spent", "foreign_spend")
    page.scroll_to("Metadata")


def require_halted(page: Page, url: str, world: DagsterWorld, deficit: int) -> None:
    """Require the reason for which the newest tick asked for nothing, with the numbers in it."""
    page.open(f"{url}/locations/deals_pipeline.definitions/sensors/deficit_sensor", "View logs")
    page.press("0 runs requested")
    found = HALTED.search(seen := page.see("Skip reason"))
    assert found, seen
    world.clock.set(SystemClock().now())
    assert -world.balance <= int(found[1]) <= deficit
    foreseen = world.clock.now() + timedelta(minutes=int(found[1]) / SIMULATED_REFILL_RATE)
    assert abs(datetime.fromisoformat(f"{found[2]}+00:00") - foreseen) < timedelta(minutes=3)
