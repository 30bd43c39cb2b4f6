"""The invariants of a pipeline that lives on: it discovers, gets on, and leaves nothing behind that it must not."""

import logging
import sqlite3
from collections import deque
from contextlib import closing
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from deals_pipeline.buying.backlog import survey
from deals_pipeline.buying.outcome import Outcome
from deals_pipeline.simulator.account import capacity_of
from deals_pipeline.work import Plan, Work
from deals_pipeline_tests.security.traces import views
from deals_pipeline_tests.soak.scenario import START
from deals_pipeline_tests.soak.watcher import Sent, Watcher
from deals_pipeline_tests.soak.world import KEY, World

BUCKETS_MAX: Final = 12
"""How many full buckets may be refilled while a class of work with something pending buys nothing."""
CYCLE_MAX: Final = timedelta(hours=12)
"""How long a full cycle may take, however deep foreign spend and tracked products drive the balance."""
LINES_MAX: Final = 6
"""How many lines are logged for an answer or a look at most."""
CHARACTERS_MAX: Final = 500
SIGNED: Final = ("delta",)
"""What may be negative: a difference."""


class EverythingListedIsStored(Watcher):
    """(F25, F26) What the service listed at each look for longer than a cycle is stored."""

    def __init__(self) -> None:
        self.looks: deque[tuple[datetime, frozenset[str]]] = deque()
        self.checked = 0

    def probed(self, world: World) -> None:
        now, market = world.clock.now(), world.market
        query = world.server.faults.believed(world.settings.recent[0].query)
        listed = frozenset(market.asin(index) for index in market.matching(query, now))
        self.looks.append((now, listed))
        while len(self.looks) > 2 and self.looks[1][0] <= now - CYCLE_MAX:
            self.looks.popleft()
        if self.looks[0][0] > now - CYCLE_MAX:
            return
        stored = {asin for (asin,) in world.rows("SELECT asin FROM recent_deal UNION SELECT asin FROM backfilled_deal")}
        long_listed = frozenset.intersection(*(asins for _, asins in self.looks))
        self.checked += len(long_listed)
        if missed := long_listed - stored:
            world.fail("F25", f"{len(missed)} deals are listed for {CYCLE_MAX} and not stored, such as {min(missed)}")

    def ended(self, world: World) -> None:
        if world.scenario.length >= 2 * CYCLE_MAX and not self.checked:
            world.fail("F25", f"no deal was listed for {CYCLE_MAX}: nothing was looked for")


class GoneNeedsEvidence(Watcher):
    """(F35) A deal is gone only if two complete scans of its selection began since it was last seen."""

    def probed(self, world: World) -> None:
        scans = world.rows(
            "SELECT selection_version, server_from FROM scan WHERE completed_at IS NOT NULL AND NOT is_truncated"
        )
        gone = world.rows(
            "SELECT deal.asin, deal.last_seen, scan.selection_version FROM deal "
            "JOIN scan ON scan.scan_id = deal.last_seen_scan WHERE deal.gone_at IS NOT NULL"
        )
        for asin, last_seen, version in gone:
            evidence = {begun for of, begun in scans if of == version and begun > last_seen}
            if len(evidence) < 2:
                world.fail("F35", f"{asin} is gone after {len(evidence)} complete scans without it")

    def ended(self, world: World) -> None:
        self.probed(world)


class WorkProgresses(Watcher):
    """(F04, F17, F23) Every class of work with something pending buys before so many buckets are refilled."""

    def __init__(self) -> None:
        self.waited: dict[Work, float] = {}
        self.refilled = self.rate = 0

    def sent(self, world: World, sent: Sent) -> None:  # noqa: ARG002
        if sent.hold and sent.charged:
            self.waited[Work(sent.hold.purpose)] = 0

    def probed(self, world: World) -> None:
        account = world.account
        is_same_plan, self.rate = account.refill_rate == self.rate, account.refill_rate
        buckets = (account.refilled - self.refilled) / capacity_of(self.rate) if is_same_plan else 0
        self.refilled = account.refilled
        with world.living().warehouse.connect() as connection:
            backlog = survey(connection, world.settings, world.clock.now()).backlog
        for work in Work:
            is_pending = work not in (Work.HEAD_SCAN, Work.FULL_SCAN) and backlog.of(work)
            self.waited[work] = self.waited.get(work, 0) + buckets if is_pending else 0
            if self.waited[work] > BUCKETS_MAX:
                world.fail("F04", f"{work.value} has bought nothing for {BUCKETS_MAX} buckets of refill")


class DeadAreGivenUp(Watcher):
    """(F17) A process that was killed leaves no lease that outlives the next look of the reaper."""

    def started(self, world: World) -> None:
        with closing(sqlite3.connect(world.settings.places.ledger)) as ledger:
            ((leases,),) = ledger.execute("SELECT count(*) FROM token_lease")
        if leases:
            world.fail("F17", f"{leases} leases of dead processes are left")


class ScansComplete(Watcher):
    """(F17, F23, F25) The selection is read to its end at least once in each long cycle."""

    def ended(self, world: World) -> None:
        ended = world.rows("SELECT completed_at FROM scan WHERE completed_at IS NOT NULL AND shard IS NULL ORDER BY 1")
        times = [START, *(at for (at,) in ended), world.clock.now()]
        longest = max(later - earlier for earlier, later in pairwise(times))
        if longest > CYCLE_MAX:
            world.fail("F23", f"the selection was not read to its end for {longest}")


class NoNegativeIsStored(Watcher):
    """(F51) No number that cannot be negative is: unknown is NULL."""

    def ended(self, world: World) -> None:
        columns = world.rows(
            "SELECT table_name, column_name, data_type FROM duckdb_columns() JOIN duckdb_tables() USING (table_name) "
            "WHERE data_type IN ('INTEGER', 'BIGINT', 'INTEGER[]', 'BIGINT[]', 'SMALLINT', 'SMALLINT[]')"
        )
        for table, column, kind in columns:
            if any(word in column for word in SIGNED) or "sort_value" in column or table == "deal_metrics":
                continue
            least = f'list_min("{column}")' if kind.endswith("[]") else f'"{column}"'
            ((found,),) = world.rows(f"SELECT min({least}) FROM {table}")
            if found is not None and found < 0:
                world.fail("F51", f"{table}.{column} holds {found}")


class EveryRowHasItsVersion(Watcher):
    """(F22) Every row and every landed file carries a version that was installed; metrics carry the newest."""

    def ended(self, world: World) -> None:
        tables = world.rows(
            "SELECT table_name, column_name FROM duckdb_columns() JOIN duckdb_tables() USING (table_name) "
            "WHERE column_name IN ('code_version', 'bought_with')"
        )
        for table, column in tables:
            for (version,) in world.rows(f"SELECT DISTINCT {column} FROM {table}"):
                if version not in world.versions:
                    world.fail("F22", f"{table} has rows of version {version}")
        if old := world.rows("SELECT asin FROM deal_metrics WHERE code_version <> $newest", newest=world.versions[-1]):
            world.fail("F22", f"{len(old)} deals have metrics of an older version")
        if old := world.rows("SELECT asin FROM product_sales WHERE code_version <> $newest", newest=world.versions[-1]):
            world.fail("F22", f"{len(old)} products have sales of an older version")


class KeyIsNowhere(Watcher):
    """(F66) The API key is in no file of the home, unpacked or as it lies there."""

    def ended(self, world: World) -> None:
        world.living().end()
        for path in sorted(path for path in world.home.rglob("*") if path.is_file()):
            if any(KEY.encode() in view for view in views(path)):
                world.fail("F66", f"{path.name} holds the key")


def _failure(path: Path) -> Exception | None:
    try:
        pq.read_table(path)
    except (OSError, pa.ArrowException) as failure:
        return failure
    return None


class PublishedIsWhole(Watcher):
    """(F50) Whenever a process was killed, what is published can be read as a whole."""

    def started(self, world: World) -> None:
        for path in world.settings.places.published.rglob("[!.]*.parquet"):
            if failure := _failure(path):
                world.fail("F50", f"{path.name} cannot be read: {failure}")


class _Counting(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines = self.longest = self.with_key = 0

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record)
        self.lines += 1
        self.longest = max(self.longest, len(line))
        self.with_key += KEY in line


class LogIsSmall(Watcher):
    """(F65, F66) There are a few lines for each request, none long, none with the key."""

    def __init__(self) -> None:
        self.handler = _Counting()
        self.requests = 0
        self.log = logging.getLogger("deals_pipeline")

    def stepped(self, world: World, plan: Plan, outcome: Outcome | None) -> None:  # noqa: ARG002
        if self.handler not in self.log.handlers:
            self.log.addHandler(self.handler)
            self.log.setLevel(logging.INFO)

    def ended(self, world: World) -> None:
        self.log.removeHandler(self.handler)
        with world.server.store.transaction() as transaction:
            requests = transaction.requests
        if self.handler.lines > LINES_MAX * requests:
            world.fail("F65", f"{self.handler.lines} lines are logged for {requests} requests")
        if self.handler.longest > CHARACTERS_MAX:
            world.fail("F65", f"a line of {self.handler.longest} characters is logged")
        if self.handler.with_key:
            world.fail("F66", "the key is logged")


LIVING: Final = (
    EverythingListedIsStored,
    GoneNeedsEvidence,
    WorkProgresses,
    DeadAreGivenUp,
    ScansComplete,
    NoNegativeIsStored,
    EveryRowHasItsVersion,
    LogIsSmall,
    PublishedIsWhole,
    KeyIsNowhere,
)
