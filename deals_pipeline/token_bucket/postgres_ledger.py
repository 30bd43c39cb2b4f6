"""The ledger of the processes of several machines: a Postgres database, which may hold other things too.

Its tables are named `token_...` and made in the first schema of the search path. Run locks belong to sessions, so a
connection pooler between must be in session mode.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from datetime import datetime, timezone
from functools import cache, partial
from hashlib import blake2b
from socket import gethostname
from typing import Final

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
from deals_pipeline.token_bucket.model import BucketState, Flow
from deals_pipeline.token_bucket.postgres_server import Connection, DemandsRetry, PostgresServer
from deals_pipeline.token_bucket.processes import HeldLeases, SharedConnection
from deals_pipeline.token_bucket.tables import Cursor, Tables, Times, Trimming

ATTEMPTS_MAX: Final = 3
TIMES: Final = Times(write=lambda at: at, read=lambda at: at.astimezone(timezone.utc))
LOCK_ACCOUNT: Final = "SELECT 1 FROM token_bucket WHERE account = %s FOR UPDATE"
WRITING: Final = b"BEGIN ISOLATION LEVEL READ COMMITTED"
READING: Final = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
MAKE_ACCOUNT: Final = "INSERT INTO token_bucket (account, state) VALUES (%s, '{}') ON CONFLICT DO NOTHING"


class PostgresLedger:
    """A ledger in the database at `url`; its clock is the database's.

    Raises `LedgerError` if the URL is not understood; the server is first asked when the ledger is first used.
    """

    def __init__(self, url: str, account: str, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._server = PostgresServer(url, patience_seconds)
        self._account = require_account(account)
        self._writer, self._reader = (
            SharedConnection(self._server.connect, self._server.is_usable, patience_seconds, self._server.busy)
            for _ in range(2)
        )
        self._trimming = Trimming()
        self._held = HeldLeases()

    def __repr__(self) -> str:
        return f"PostgresLedger({self._server.place!r}, account={self._account!r})"

    def transact(self, change: Callable[[BucketState, datetime], Change[Result]]) -> Result:
        """Read the state, apply `change(state, now)`, write state and records; alone, and as a whole or not at all.

        `change` is called again only if the database undid the transaction or was restarted before its commit, and must
        not use the ledger. Raises `LedgerError` and whatever `change` raises.
        """
        return self._retrying(partial(self._transact, change))

    def read(self) -> tuple[BucketState, datetime]:
        """Return the state and the ledger's time, without waiting for a transaction of another."""
        return self._retrying(self._read)

    def record(self, since: datetime) -> Record:
        """Return what was recorded since a time."""
        return self._retrying(partial(self._record, since))

    def flows(self, since: datetime) -> tuple[Flow, ...]:
        """Return what each observation since a time told, oldest first."""
        return self._retrying(partial(self._flows, since))

    def lease(self, run_id: str) -> AbstractContextManager[Lease]:
        """Hold a run's lease while the block lasts: a lock of a session of its own, which dies with the process.

        A process that asks again for a lease it has shares it. Raises `LedgerError` when another process holds it.
        """
        return self._held.hold(run_id, lambda: self._retrying(partial(self._take, run_id)))

    def dead_leases(self) -> tuple[Lease, ...]:
        """Return the registered leases whose lock can be taken: their holders, or their connections, are gone."""
        return self._retrying(self._dead_leases)

    def revoke(self, run_id: str) -> None:
        """Give a run up: its lease is forgotten, and its next `reserve` raises `RunRevoked`."""
        self._retrying(partial(self._revoke, run_id))

    def close(self) -> None:
        """Close all connections of this process; a ledger that is used again opens new ones."""
        self._writer.close()
        self._reader.close()

    def _retrying(self, work: Callable[[], Result]) -> Result:
        for _ in range(ATTEMPTS_MAX - 1):
            with suppress(DemandsRetry):
                return work()
        return work()

    def _transact(self, change: Callable[[BucketState, datetime], Change[Result]]) -> Result:
        with self._writing() as (tables, now):
            with self._server.errors_named:
                before = tables.state()
            made = change(before, now)
            with self._server.errors_named:
                tables.write(before, made, now)
                self._trimming.trim(tables, now)
            return made.result

    def _read(self) -> tuple[BucketState, datetime]:
        with self._reading() as tables:
            return tables.state(), _now(tables)

    def _record(self, since: datetime) -> Record:
        with self._reading() as tables:
            return tables.record(since)

    def _flows(self, since: datetime) -> tuple[Flow, ...]:
        with self._reading() as tables:
            return tables.flows(since)

    def _dead_leases(self) -> tuple[Lease, ...]:
        with self._writing() as (tables, _), self._server.errors_named:
            return tuple(lease for lease in tables.leases() if self._is_free(tables, lease.run_id))

    def _is_free(self, tables: Tables, run_id: str) -> bool:
        """Return whether nobody holds a run's lock; it is ours until the transaction ends."""
        ((is_free,),) = tables.execute("SELECT pg_try_advisory_xact_lock(?)", (self._lock_of(run_id),)).fetchall()
        return bool(is_free)

    def _revoke(self, run_id: str) -> None:
        with self._writing() as (tables, now), self._server.errors_named:
            tables.revoke(run_id, now)
            tables.forget(run_id)

    def _take(self, run_id: str) -> tuple[Lease, Callable[[], None]]:
        with ExitStack() as undoing:
            session = undoing.enter_context(closing(self._server.connect()))
            with self._writing() as (tables, now), self._server.errors_named:
                ((is_taken,),) = session.execute("SELECT pg_try_advisory_lock(%s)", (self._lock_of(run_id),)).fetchall()
                if not is_taken:
                    raise LedgerError(held_elsewhere(self._server.place, run_id, tables.leases()))
                lease = Lease(run_id, gethostname(), os.getpid(), now)
                tables.register(lease)
            undoing.pop_all()
        return lease, partial(self._give_back, run_id, session)

    def _give_back(self, run_id: str, session: Connection) -> None:
        """Release a lock in any case; a lease that cannot be forgotten now is found dead later."""
        try:
            with suppress(LedgerError), self._writing() as (tables, _), self._server.errors_named:
                tables.forget(run_id)
            with suppress(LedgerError), self._server.errors_named:
                session.execute("SELECT pg_advisory_unlock(%s)", (self._lock_of(run_id),))
        finally:
            session.close()

    def _lock_of(self, run_id: str) -> int:
        digest = blake2b(f"{self._account}\0{run_id}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big", signed=True)

    @contextmanager
    def _writing(self) -> Iterator[tuple[Tables, datetime]]:
        """Have the account for oneself: its row is locked before anything else is read."""
        with self._writer.turn() as connection, self._server.transaction(connection, WRITING):
            with self._server.errors_named:
                if not connection.execute(LOCK_ACCOUNT, (self._account,)).rowcount:
                    connection.execute(MAKE_ACCOUNT, (self._account,))
                    connection.execute(LOCK_ACCOUNT, (self._account,))
                tables = Tables(self._account, partial(_execute, connection), TIMES)
                now = _now(tables)
            yield tables, now

    @contextmanager
    def _reading(self) -> Iterator[Tables]:
        with (
            self._reader.turn() as connection,
            self._server.transaction(connection, READING),
            self._server.errors_named,
        ):
            yield Tables(self._account, partial(_execute, connection), TIMES)


@cache
def _query(sql: str) -> bytes:
    return sql.replace("?", "%s").encode()


def _execute(connection: Connection, sql: str, parameters: tuple[object, ...]) -> Cursor:
    return connection.execute(_query(sql), parameters)


def _now(tables: Tables) -> datetime:
    ((now,),) = tables.execute("SELECT clock_timestamp()", ()).fetchall()
    at: datetime = now
    return at.astimezone(timezone.utc)
