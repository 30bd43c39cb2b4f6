"""A process of the pipeline: it holds its ledger and its warehouse, and loses both without a word when it is killed."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from duckdb import DuckDBPyConnection

from deals_pipeline.buying.buyer import Allowance, Buyer
from deals_pipeline.buying.histories import buy_histories, pending_histories
from deals_pipeline.buying.outcome import Outcome
from deals_pipeline.clock import Clock
from deals_pipeline.landing import Landing
from deals_pipeline.token_bucket.ledger import Change, LedgerError, Result
from deals_pipeline.token_bucket.model import BucketState
from deals_pipeline.token_bucket.sqlite_ledger import SqliteLedger
from deals_pipeline.token_bucket.tables import Tables
from deals_pipeline.warehouse.publishing import publish, publish_histories
from deals_pipeline_tests.simulation.watcher import Transaction
from deals_pipeline_tests.soak.fate import Fate, Killed
from deals_pipeline_tests.virtual_pipeline import OpenWarehouse, VirtualPipeline


class MortalLedger(SqliteLedger):
    """The ledger in the hands of a process that may die at any transaction; dead, it writes nothing any more."""

    def __init__(
        self, path: Path, account: str, clock: Clock, fate: Fate, transacted: Callable[[Transaction], None]
    ) -> None:
        super().__init__(path, account, clock=clock)
        self.is_alive = True
        self._fate = fate
        self._transacted = transacted

    def transact(self, change: Callable[[BucketState, datetime], Change[Result]]) -> Result:
        """Transact, or die before or after it."""
        made: list[Transaction] = []

        def watched(state: BucketState, now: datetime) -> Change[Result]:
            changed = change(state, now)
            made.append(Transaction(state, changed, now))
            if effect := _effect(made[0]):
                self._fate.strike(f"before {effect}")
            return changed

        if not self.is_alive:
            raise Killed
        result = super().transact(watched)
        self._transacted(made[0])
        if effect := _effect(made[0]):
            self._fate.strike(f"after {effect}")
        return result

    @contextmanager
    def _writing(self) -> Iterator[Tables]:
        if not self.is_alive:
            raise LedgerError("the process is dead: its lease is not forgotten, only its lock is given back")
        with super()._writing() as tables:
            yield tables


def _effect(transaction: Transaction) -> str | None:
    if transaction.new_holds:
        return "reserve"
    if transaction.change.settlements:
        return "settle"
    return "look" if transaction.change.flows else None


class MortalWarehouse(OpenWarehouse):
    """The warehouse in the hands of a process that may die in the middle of a transaction."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path
        self._left: list[tuple[Path, bytes]] = []

    @contextmanager
    def connect(self) -> Iterator[DuckDBPyConnection]:
        """Open it; with one thread, since two worlds share two cores."""
        with super().connect() as connection:
            connection.execute("SET threads = 1")
            yield connection

    def crash(self) -> None:
        """Keep what is on disk now, in the middle of whatever happens."""
        files = (self.path, self.path.with_name(f"{self.path.name}.wal"))
        self._left = [(file, file.read_bytes()) for file in files if file.exists()]

    def bury(self) -> None:
        """Leave on disk what was there at the crash."""
        self.close()
        remove_warehouse(self.path)
        for file, content in self._left:
            file.write_bytes(content)


def remove_warehouse(path: Path) -> None:
    """Delete a warehouse with what DuckDB keeps beside it."""
    for file in path.parent.glob(f"{path.name}*"):
        shutil.rmtree(file) if file.is_dir() else file.unlink()


@dataclass
class Process(VirtualPipeline):
    """The pipeline in one process."""

    ledger: MortalLedger

    def __post_init__(self) -> None:
        self.warehouse: MortalWarehouse = MortalWarehouse(self.settings.places.warehouse)

    def reap(self) -> None:
        """Give up the runs of processes that are gone, as the reaper does."""
        for lease in self.ledger.dead_leases():
            self.ledger.revoke(lease.run_id)

    def buy_by_hand(self, wait: timedelta) -> Outcome:
        """Buy histories as from a command line: for as long as it takes, waiting for tokens in place."""
        self.runs += 1
        run_id = f"run-{self.runs}"
        landing = Landing(self.settings.places.landing, run_id, self.clock)
        allowance = Allowance.starting(self.clock.now(), wait=wait)
        with self.ledger.lease(run_id), closing(self._client(landing)) as client:
            bucket = self._bucket(client, run_id)
            buyer = Buyer(bucket, client, landing, self.warehouse, self.clock, allowance)
            buyer.load_landed()
            return buy_histories(buyer, self.settings.budget.intervals.history)

    def has_pending_histories(self) -> bool:
        """Return whether a run by hand would have something to buy."""
        with self.warehouse.connect() as connection:
            found = pending_histories(connection, self.clock.now(), self.settings.budget.intervals.history, 1)
        return found.count > 0

    def publish(self) -> None:
        """Publish for readers."""
        folder = self.settings.places.published
        with self.warehouse.connect() as connection:
            publish(connection, folder)
        publish_histories(self.warehouse.connect, folder, self.clock.now())

    def end(self) -> None:
        """End as a process does that was not killed."""
        self.warehouse.close()
        self.ledger.close()

    def die(self) -> None:
        """Stop doing anything, at once."""
        self.ledger.is_alive = False
        self.warehouse.crash()

    def bury(self) -> None:
        """Give back what an operating system gives back."""
        self.ledger.close()
        self.warehouse.bury()
