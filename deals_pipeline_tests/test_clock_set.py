"""A machine whose clock is wrong, and is set while the pipeline runs: hours of virtual time, at 5 tokens a minute."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import requests

from deals_pipeline.clock import VirtualClock
from deals_pipeline.config import Intervals, Shares, load_settings
from deals_pipeline.keepa.client import KEEPA_URL
from deals_pipeline.keepa.time import to_unix_ms
from deals_pipeline.simulator.account import AccountConfig
from deals_pipeline.simulator.endpoints import Endpoints
from deals_pipeline.simulator.server import KeepaServer
from deals_pipeline.simulator.store import MemoryStore
from deals_pipeline.simulator.transport import SimulatorAdapter
from deals_pipeline.token_bucket.ledger import account_of
from deals_pipeline.token_bucket.ledgers import open_ledger
from deals_pipeline.work import Wait, Work
from deals_pipeline_tests.virtual_pipeline import VirtualPipeline

START = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
ROOT = Path(__file__).parents[1]
SENSOR = timedelta(seconds=30)
REFILL = 300
"""Tokens an hour."""


class WrongClock:
    """A machine's clock: the true one, and how far it is ahead."""

    def __init__(self, true: VirtualClock) -> None:
        self.true = true
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        """Return the time as the machine has it."""
        return self.true.now() + self.ahead

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.true.sleep(seconds)


class World:
    """A pipeline on a machine whose clock is wrong, and what it bought."""

    def __init__(self, home: Path) -> None:
        true = VirtualClock(START)
        self.clock = WrongClock(true)
        server = KeepaServer(Endpoints(0, 100_000), MemoryStore(AccountConfig(0, 5, to_unix_ms(START), tokens=0)))

        def connect() -> requests.Session:
            session = requests.Session()
            session.mount(KEEPA_URL, SimulatorAdapter(server, true))
            return session

        loaded = load_settings({"DEALS_HOME": str(home), "DEALS_CONFIG": str(ROOT / "deals.toml")}, home)
        shares = Shares(full_scan=50, history=0, offers=0, backfill=50)
        budget = replace(loaded.budget, shares=shares, intervals=Intervals(full_scan_minutes=60))
        settings = replace(loaded, budget=budget)
        settings.places.home.mkdir(parents=True)
        self.ledger = open_ledger(settings.places.ledger, account_of(settings.key), self.clock)
        self.pipeline = VirtualPipeline(settings, self.clock, self.ledger, connect)

    def live(self, hours: float) -> Counter[Work]:
        """Let time pass; return the tokens spent."""
        spent: Counter[Work] = Counter()
        end = self.clock.true.now() + timedelta(hours=hours)
        while self.clock.true.now() < end:
            plan, outcome = self.pipeline.step()
            if isinstance(plan, Wait):
                wait = min(timedelta(minutes=5), plan.until - self.clock.now())
                self.clock.sleep(max(SENSOR, wait).total_seconds())
            else:
                assert outcome is not None
                spent[plan.work] += outcome.tally.tokens_spent
                self.clock.sleep(SENSOR.total_seconds())
        return spent

    def close(self) -> None:
        """Close its files."""
        self.pipeline.warehouse.close()
        self.ledger.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with closing(World(tmp_path / "home")) as made:
        yield made


@pytest.mark.parametrize("hours_ahead", [3, -3])
def test_when_a_wrong_clock_is_set_right_the_pipeline_goes_on_at_once(world: World, hours_ahead: float) -> None:
    """F17, F23, F28: it does not wait until its clock is again where it was."""
    world.live(0.5)
    for offset, hours in ((timedelta(hours=hours_ahead), 0.5), (timedelta(0), 1.0)):
        world.clock.ahead = offset
        spent = world.live(hours)
        assert spent[Work.HEAD_SCAN] + spent[Work.FULL_SCAN] >= 5
        assert spent.total() >= 0.8 * REFILL * hours, spent


@pytest.mark.parametrize("minutes_ahead", [12, -12])
def test_on_a_clock_that_stays_wrong_every_scan_is_gone_on_with(world: World, minutes_ahead: float) -> None:
    """F28: whether a cursor is old is told by the clock that it was noted by."""
    world.clock.ahead = timedelta(minutes=minutes_ahead)
    world.live(1.5)
    with world.pipeline.warehouse.connect() as connection:
        scans = connection.execute("SELECT count(*), count(completed_at) FROM scan WHERE kind <> 'head'").fetchall()
    ((begun, complete),) = scans
    assert complete >= 4
    assert begun - complete <= 2, "a full scan and a shard may be under way"
