"""The state of the simulated service that its processes share: account, refresh times, request counter.

`MemoryStore` for tests in one process, `SqliteStore` for a service of several processes that survives their death:

    with store.transaction() as tx:
        tx.account = advance(store.config, tx.account, now)

A transaction is alone with the state from its first line to its last. It takes effect as a whole at its end, or not at
all if an exception leaves it. Transactions do not nest, and nothing slow belongs in one.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from reprlib import repr as short_repr
from threading import Lock
from typing import Final, Literal, Protocol

import msgspec

from deals_pipeline.simulator.account import Account, AccountConfig, open_account

RefreshKind = Literal["offers", "product", "rating", "stock"]

BUSY_SECONDS_MAX: Final = 30.0
BUSY_RETRY_SECONDS: Final = 0.01
BUSY: Final = "database is locked"  # SQLite's message; its error codes are not in Python 3.10
SCHEMA_VERSION: Final = 1
SCHEMA: Final = (
    """
    CREATE TABLE account (  -- one row
      id INTEGER PRIMARY KEY CHECK (id = 1),
      config BLOB NOT NULL,  -- JSON of AccountConfig
      state BLOB NOT NULL,  -- JSON of Account
      requests INTEGER NOT NULL
    )
    """,
    """
    CREATE TABLE refreshed (  -- one row per kind and ASIN
      kind TEXT NOT NULL,
      asin TEXT NOT NULL,
      at_ms INTEGER NOT NULL,
      PRIMARY KEY (kind, asin)
    ) WITHOUT ROWID
    """,
)

_config = msgspec.json.Decoder(AccountConfig)
_account = msgspec.json.Decoder(Account)


class StoreError(RuntimeError):
    """The store cannot be used; the message says which and why."""


class ConfigConflictError(StoreError):
    """The file holds an account with another configuration."""


class StoreBusyError(StoreError):
    """Another transaction kept the store for longer than a transaction may last."""


@dataclass
class Transaction:
    """The shared state as one transaction sees and changes it.

    `account` is replaced by assignment. The store writes what has changed when the transaction ends.
    """

    account: Account
    requests: int
    lookup: Callable[[RefreshKind, str], int | None]
    marks: dict[tuple[RefreshKind, str], int] = field(default_factory=dict)

    def refreshed(self, kind: RefreshKind, asin: str) -> int | None:
        """Return when (Unix ms) a request last made the service crawl this of `asin`; None if none ever did."""
        marked = self.marks.get((kind, asin))
        return self.lookup(kind, asin) if marked is None else marked

    def mark_refreshed(self, kind: RefreshKind, asins: Iterable[str], at_ms: int) -> None:
        """Record a crawl at `at_ms` (Unix ms); a newer one already recorded stays."""
        for asin in asins:
            known = self.refreshed(kind, asin)
            self.marks[kind, asin] = at_ms if known is None else max(known, at_ms)

    def next_request_number(self) -> int:
        """Return the number of this request, from 1 without gaps, on which the fault injector draws."""
        self.requests += 1
        return self.requests


class Store(Protocol):
    """What the service needs of a store."""

    @property
    def config(self) -> AccountConfig:
        """Return the configuration of the account that the store holds."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Begin a transaction; raises `StoreBusyError` when its turn does not come."""


class MemoryStore:
    """A store for the threads of one process, gone with it."""

    def __init__(self, config: AccountConfig, *, busy_seconds_max: float = BUSY_SECONDS_MAX) -> None:
        self.config: Final = config
        self._busy_seconds_max = busy_seconds_max
        self._lock = Lock()
        self._account = open_account(config)
        self._requests = 0
        self._refreshed: dict[tuple[RefreshKind, str], int] = {}

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Begin a transaction; raises `StoreBusyError` when its turn does not come."""
        if not self._lock.acquire(timeout=self._busy_seconds_max):
            raise StoreBusyError(f"the memory store was busy for {self._busy_seconds_max} s")
        try:
            tx = Transaction(self._account, self._requests, lambda *key: self._refreshed.get(key))
            yield tx
            self._account, self._requests = tx.account, tx.requests
            self._refreshed.update(tx.marks)
        finally:
            self._lock.release()


class SqliteStore:
    """A store in a file of its own, shared by all threads and processes that open it.

    Each transaction has its own connection, so a store may cross threads and forks, and a process killed in the middle
    of one leaves the state as it was before. A file that exists keeps its account: `config.started_at` is then ignored,
    and any other difference raises `ConfigConflictError`. `stored_config` tells what a file holds, to build on.

    Raises StoreError if the file cannot be used.
    """

    def __init__(self, path: Path, config: AccountConfig, *, busy_seconds_max: float = BUSY_SECONDS_MAX) -> None:
        self.path: Final = path
        self._busy_seconds_max = busy_seconds_max
        with _connected(path, busy_seconds_max) as connection, _errors_named(path):
            _begin(connection)
            if _is_new(path, connection):
                _create(connection, config)
            connection.execute("COMMIT")
            _use_write_ahead_log(connection, deadline=time.monotonic() + busy_seconds_max)
            self.config: Final = _select_config(connection)
        _require_same(path, self.config, config)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Begin a transaction; raises `StoreBusyError` when its turn does not come."""
        with _connected(self.path, self._busy_seconds_max) as connection:
            with _errors_named(self.path):
                _begin(connection)
                tx = _select_transaction(connection)
            yield tx
            with _errors_named(self.path):
                _update(connection, tx)
                connection.execute("COMMIT")


def stored_config(path: Path) -> AccountConfig | None:
    """Return the configuration of the account in the file `path`; None if there is none yet.

    Raises StoreError if the file cannot be used.
    """
    if not path.is_file():
        return None
    with _connected(path, BUSY_SECONDS_MAX) as connection, _errors_named(path):
        return None if _is_new(path, connection) else _select_config(connection)


@contextmanager
def _errors_named(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.DatabaseError, msgspec.DecodeError) as error:
        if _is_busy(error):
            raise StoreBusyError(f"{path} was kept by another transaction for too long") from error
        raise StoreError(f"{path} cannot be used: {error}") from error


def _is_busy(error: Exception) -> bool:
    return BUSY in str(error)


@contextmanager
def _connected(path: Path, busy_seconds_max: float) -> Iterator[sqlite3.Connection]:
    """Open a connection and close it, which rolls back whatever was not committed."""
    with _errors_named(path):
        connection = sqlite3.connect(path, busy_seconds_max, isolation_level=None)
    with closing(connection):
        yield connection


def _begin(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("BEGIN IMMEDIATE")


def _use_write_ahead_log(connection: sqlite3.Connection, deadline: float) -> None:
    while not _write_ahead_log_is_used(connection):
        if time.monotonic() > deadline:
            raise sqlite3.OperationalError(BUSY)
        time.sleep(BUSY_RETRY_SECONDS)


def _write_ahead_log_is_used(connection: sqlite3.Connection) -> bool:
    """Switch the file to its write-ahead log; return False if it is busy, which SQLite tells here without waiting."""
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if not _is_busy(error):
            raise
        return False
    return True


def _is_new(path: Path, connection: sqlite3.Connection) -> bool:
    ((version,),) = connection.execute("PRAGMA user_version")
    ((tables,),) = connection.execute("SELECT count(*) FROM sqlite_master")
    if tables and version != SCHEMA_VERSION:
        raise StoreError(f"{path} is no store of this version: name another file")
    return not tables


def _create(connection: sqlite3.Connection, config: AccountConfig) -> None:
    for statement in SCHEMA:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    row = (msgspec.json.encode(config), msgspec.json.encode(open_account(config)))
    connection.execute("INSERT INTO account VALUES (1, ?, ?, 0)", row)


def _select_config(connection: sqlite3.Connection) -> AccountConfig:
    ((config,),) = connection.execute("SELECT config FROM account")
    return _config.decode(config)


def _select_transaction(connection: sqlite3.Connection) -> Transaction:
    def select_refreshed(kind: RefreshKind, asin: str) -> int | None:
        query = "SELECT max(at_ms) FROM refreshed WHERE kind = ? AND asin = ?"
        ((at_ms,),) = connection.execute(query, (kind, asin))
        return None if at_ms is None else int(at_ms)

    ((state, requests),) = connection.execute("SELECT state, requests FROM account")
    return Transaction(_account.decode(state), requests, select_refreshed)


def _update(connection: sqlite3.Connection, tx: Transaction) -> None:
    state = msgspec.json.encode(tx.account)
    connection.execute("UPDATE account SET state = ?, requests = ?", (state, tx.requests))
    marks = ((kind, asin, at_ms) for (kind, asin), at_ms in tx.marks.items())
    connection.executemany("INSERT OR REPLACE INTO refreshed VALUES (?, ?, ?)", marks)


def _require_same(path: Path, stored: AccountConfig, asked: AccountConfig) -> None:
    """Raise ConfigConflictError unless both describe the same account, whenever each was opened."""
    there, here = (replace(config, tokens=config.starting_tokens) for config in (stored, asked))
    names = [each.name for each in fields(AccountConfig) if each.name != "started_at"]
    differences = [
        f"{name} is {short_repr(getattr(there, name))}, not {short_repr(getattr(here, name))}"
        for name in names
        if getattr(there, name) != getattr(here, name)
    ]
    if differences:
        raise ConfigConflictError(
            f"{path} holds another account: {'; '.join(differences)}. To go on with that account, leave out what "
            "differs; to start a new one, name another file or delete this one."
        )
