"""The pipeline without Dagster, in virtual time: the planner's units, bought by what the assets call, one by one.

Dagster's part of a unit takes seconds, so that weeks of virtual time would take days with it. What it would do here is
little: the planner's sensor asks for a unit, a run buys it, its job recomputes the metrics.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import requests
from duckdb import DuckDBPyConnection
from typing_extensions import assert_never

from deals_pipeline.analytics import bring_up_to_date
from deals_pipeline.buying.backlog import survey
from deals_pipeline.buying.buyer import Allowance, Buyer
from deals_pipeline.buying.feeds import read_feeds
from deals_pipeline.buying.histories import buy_histories
from deals_pipeline.buying.offers import buy_offers
from deals_pipeline.buying.outcome import Outcome
from deals_pipeline.buying.shards import read_shard, shard_named
from deals_pipeline.clock import Clock
from deals_pipeline.config import Settings
from deals_pipeline.keepa.client import KeepaClient
from deals_pipeline.landing import Landing
from deals_pipeline.planner import costs, plan, spent_by_work
from deals_pipeline.sensors.halting import halted_because
from deals_pipeline.sensors.planning import READINGS, UNITS_REMEMBERED
from deals_pipeline.token_bucket.bucket import OLD
from deals_pipeline.token_bucket.ledger import Ledger
from deals_pipeline.token_bucket.reservation import TokenBucket
from deals_pipeline.token_bucket.status import BucketStatus, status
from deals_pipeline.warehouse.connection import connect
from deals_pipeline.warehouse.schema import migrate
from deals_pipeline.work import History, Plan, ProductUnit, ScanUnit, Unit, Wait, Work


class OpenWarehouse:
    """The warehouse in a file, migrated when it is first opened; left open until `close`, for opening costs time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened = ExitStack()
        self._connection: DuckDBPyConnection | None = None

    @contextmanager
    def connect(self) -> Iterator[DuckDBPyConnection]:
        if self._connection is None:
            self._connection = self._opened.enter_context(connect(self._path))
            migrate(self._connection)
        yield self._connection

    def close(self) -> None:
        self._connection = None
        self._opened.close()


@dataclass
class VirtualPipeline:
    """`step` does what one tick of the planner's sensor and the run that it asks for do; time is the caller's to pass.

    An exception that comes out of `step` is a run that died; the next step goes on as the next run would.
    """

    settings: Settings
    clock: Clock
    ledger: Ledger
    connect: Callable[[], requests.Session]
    ended: dict[str, datetime] = field(default_factory=dict)
    runs: int = 0

    def __post_init__(self) -> None:
        self.warehouse = OpenWarehouse(self.settings.places.warehouse)

    def step(self) -> tuple[Plan, Outcome | None]:
        """Plan, and buy what is planned; return both, or the wait and nothing."""
        planned = self.planned()
        match planned:
            case Wait():
                return planned, None
            case ScanUnit() | ProductUnit():
                try:
                    return planned, self.buy(planned)
                finally:
                    self.ended[planned.run_key] = self.clock.now()
            case _ as never:
                assert_never(never)

    def planned(self) -> Plan:
        """Return what the planner's sensor would ask for now."""
        with closing(self._client(None)) as client:
            bucket = self._bucket(client, "a look at the balance")
            seen = self.status(self.settings.budget.shares.window)
            if seen.observed_at is None or seen.at - seen.observed_at >= OLD:
                bucket.look()
                seen = self.status(self.settings.budget.shares.window)
        now = self.clock.now()
        if halted := halted_because(seen):
            return Wait(now + OLD, halted)
        with self.warehouse.connect() as connection:
            backlog = survey(connection, self.settings, now).backlog
        self.ended = {key: at for key, at in self.ended.items() if now - at < UNITS_REMEMBERED}
        state, _ = self.ledger.read()
        history = History(spent=spent_by_work(seen), ended=self.ended, costs=costs(state))
        return plan(seen, backlog, history, now, self.settings.budget)

    def buy(self, unit: Unit) -> Outcome:
        """Do the run of a unit: load what earlier ones left, buy, recompute the metrics as its job does."""
        self.runs += 1
        run_id = f"run-{self.runs}"
        landing = Landing(self.settings.places.landing, run_id, self.clock)
        allowance = Allowance.starting(self.clock.now(), tokens_max=unit.tokens_max)
        with self.ledger.lease(run_id), closing(self._client(landing)) as client:
            buyer = Buyer(self._bucket(client, run_id), client, landing, self.warehouse, self.clock, allowance)
            buyer.load_landed()
            outcome = self._bought(buyer, unit)
        if unit.work is not Work.BACKFILL:
            self.recompute()
        return outcome

    def recompute(self) -> None:
        """Bring the metrics up to date, by which the offers to buy are chosen."""
        with self.warehouse.connect() as connection:
            bring_up_to_date(connection, self.settings, self.status())

    def status(self, window: timedelta = timedelta(days=1)) -> BucketStatus:
        """Return what is known of the bucket now."""
        state, now = self.ledger.read()
        return status(state, self.ledger.record(now - window), self.settings.budget.policy, now)

    def _bought(self, buyer: Buyer, unit: Unit) -> Outcome:
        settings, intervals = self.settings, self.settings.budget.intervals
        match unit:
            case ScanUnit(work=Work.BACKFILL):
                return read_shard(buyer, shard_named(unit.scan.key.partition("@")[0], settings.backfill))
            case ScanUnit():
                chosen = [each for each in settings.recent if each.name == unit.scan.key.partition("@")[0]]
                return read_feeds(buyer, chosen, READINGS[unit.work], intervals.full_scan, self.clock.now())
            case ProductUnit(work=Work.OFFERS):
                return buy_offers(buyer, intervals.offers, unit.skip)
            case ProductUnit():
                return buy_histories(buyer, intervals.history, unit.skip)
            case _ as never:
                assert_never(never)

    def _client(self, landing: Landing | None) -> KeepaClient:
        return KeepaClient(self.settings.key, session=self.connect(), land=landing)

    def _bucket(self, client: KeepaClient, run_id: str) -> TokenBucket:
        policy = self.settings.budget.policy
        return TokenBucket(self.ledger, client.token_status, self.clock, run_id=run_id, policy=policy)
