"""The ledger of the processes of one machine: a SQLite file of its own, on a local disk.

Beside the file are its write-ahead log and `<file>.leases`, the locks of the runs that spend.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from socket import gethostname
from typing import Final

from deals_pipeline.clock import Clock, SystemClock
from deals_pipeline.token_bucket.ledger import (
    PATIENCE_SECONDS,
    Change,
    Lease,
    LedgerError,
    Record,
    Result,
    held_elsewhere,
    require_account,
)
from deals_pipeline.token_bucket.lock_files import LockFile, LockFiles
from deals_pipeline.token_bucket.model import BucketState, Flow
from deals_pipeline.token_bucket.processes import HeldLeases, SharedConnection
from deals_pipeline.token_bucket.sqlite_file import SqliteFile
from deals_pipeline.token_bucket.tables import Tables, Times, Trimming

EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
MICROSECOND: Final = timedelta(microseconds=1)
TIMES: Final = Times(write=lambda at: (at - EPOCH) // MICROSECOND, read=lambda at: EPOCH + at * MICROSECOND)


class SqliteLedger:
    """A ledger in the file `path`, which is made when it is first used; its clock is the one given.

    A file that is deleted or replaced while in use is noticed, and the new one is used.
    """

    def __init__(
        self, path: Path, account: str, *, clock: Clock | None = None, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._file = SqliteFile(path, patience_seconds)
        self._account = require_account(account)
        self._clock = clock or SystemClock()
        self._writer, self._reader = (
            SharedConnection(self._file.connect, self._file.is_current, patience_seconds, self._file.busy)
            for _ in range(2)
        )
        self._trimming = Trimming()
        self._held = HeldLeases()
        self._locks = LockFiles(path.with_name(f"{path.name}.leases"), account)

    def __repr__(self) -> str:
        return f"SqliteLedger({str(self._file.path)!r}, account={self._account!r})"

    def transact(self, change: Callable[[BucketState, datetime], Change[Result]]) -> Result:
        """Read the state, apply `change(state, now)`, write state and records; alone, and as a whole or not at all.

        `change` is called once, and must not use the ledger. Raises `LedgerError` and whatever `change` raises.
        """
        with self._writing() as tables:
            with self._file.errors_named:
                before = tables.state()
            now = self._clock.now()
            made = change(before, now)
            with self._file.errors_named:
                tables.write(before, made, now)
                self._trimming.trim(tables, now)
            return made.result

    def read(self) -> tuple[BucketState, datetime]:
        """Return the state and the ledger's time, without waiting for a transaction of another."""
        with self._reading() as tables:
            return tables.state(), self._clock.now()

    def record(self, since: datetime) -> Record:
        """Return what was recorded since a time."""
        with self._reading() as tables:
            return tables.record(since)

    def flows(self, since: datetime) -> tuple[Flow, ...]:
        """Return what each observation since a time told, oldest first."""
        with self._reading() as tables:
            return tables.flows(since)

    def lease(self, run_id: str) -> AbstractContextManager[Lease]:
        """Hold a run's lease while the block lasts: a lock that dies with the process.

        A process that asks again for a lease it has shares it. Raises `LedgerError` when another process holds it.
        """
        return self._held.hold(run_id, partial(self._take, run_id))

    def dead_leases(self) -> tuple[Lease, ...]:
        """Return the registered leases whose lock can be taken: their holders are gone. Leftover locks are removed."""
        with self._writing() as tables, self._file.errors_named:
            leases = tables.leases()
            self._locks.clear_all_but(lease.run_id for lease in leases)
            return tuple(lease for lease in leases if self._locks.is_free(lease.run_id))

    def revoke(self, run_id: str) -> None:
        """Give a run up: its lease is forgotten, and its next `reserve` raises `RunRevoked`."""
        with self._writing() as tables, self._file.errors_named:
            tables.revoke(run_id, self._clock.now())
            tables.forget(run_id)
            self._locks.is_free(run_id)

    def close(self) -> None:
        """Close all connections of this process; a ledger that is used again opens new ones."""
        self._writer.close()
        self._reader.close()

    @contextmanager
    def _writing(self) -> Iterator[Tables]:
        with self._writer.turn() as connection, self._file.transaction(connection, "BEGIN IMMEDIATE"):
            yield Tables(self._account, connection.execute, TIMES)

    @contextmanager
    def _reading(self) -> Iterator[Tables]:
        with (
            self._reader.turn() as connection,
            self._file.transaction(connection, "BEGIN"),
            self._file.errors_named,
        ):
            yield Tables(self._account, partial(self._file.execute, connection), TIMES)

    def _take(self, run_id: str) -> tuple[Lease, Callable[[], None]]:
        with ExitStack() as undoing:
            with self._writing() as tables, self._file.errors_named:
                lock = self._locks.take(run_id)
                if lock is None:
                    raise LedgerError(held_elsewhere(str(self._file.path), run_id, tables.leases()))
                undoing.callback(lock.release)
                lease = Lease(run_id, gethostname(), os.getpid(), self._clock.now())
                tables.register(lease)
            undoing.pop_all()
        return lease, partial(self._give_back, run_id, lock)

    def _give_back(self, run_id: str, lock: LockFile) -> None:
        """Release a lock in any case; a lease that cannot be forgotten now is found dead later."""
        try:
            with suppress(LedgerError), self._writing() as tables, self._file.errors_named:
                tables.forget(run_id)
                lock.remove()
        finally:
            lock.release()
