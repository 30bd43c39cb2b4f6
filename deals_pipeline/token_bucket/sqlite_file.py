"""The file of a SQLite ledger: recognised, migrated, and shared by processes that wait for each other patiently."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import random
from typing import Final

import msgspec

from deals_pipeline.token_bucket.ledger import LedgerError
from deals_pipeline.token_bucket.migrations import Migration, migrations

APPLICATION_ID: Final = 0x4B54424C
"""Written into the file, so that a ledger knows its own."""
BUSY: Final = "database is locked"  # SQLite's message; its error codes are not in Python 3.10
RETRY_SECONDS_MIN: Final = 0.001
RETRY_SECONDS_MAX: Final = 0.008


class FileConnection(sqlite3.Connection):
    """A connection that remembers which file it opened, to notice when that was deleted or replaced."""

    inode: int = 0


class ErrorsNamed:
    """A block in which what goes wrong with the file is raised as an error that names it and says what to do."""

    def __init__(self, file: "SqliteFile") -> None:
        self._file = file

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None and (named := self._file.named(error)):
            raise named from error


class SqliteFile:
    """A path, and how long to wait for others (seconds). All errors are `LedgerError` and name the path.

    Waiting is done here and not by SQLite, whose waits grow to 0.1 s and cannot be interrupted.
    """

    def __init__(self, path: Path, seconds_max: float) -> None:
        self.path: Final = path
        self.seconds_max: Final = seconds_max
        self.errors_named: Final = ErrorsNamed(self)

    def connect(self) -> FileConnection:
        """Open the file, made and migrated where necessary; its directory is made too."""
        with self.errors_named:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                self.path, timeout=0, isolation_level=None, check_same_thread=False, factory=FileConnection
            )
        try:
            with self.errors_named:
                self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def is_current(self, connection: FileConnection) -> bool:
        """Return whether the path still leads to the file that was opened."""
        try:
            return os.stat(self.path).st_ino == connection.inode  # noqa: PTH116 - on every transaction
        except OSError:
            return False

    def execute(self, connection: sqlite3.Connection, sql: str, parameters: tuple[object, ...] = ()) -> sqlite3.Cursor:
        """Execute a statement as soon as no other process is in its way."""
        deadline = time.monotonic() + self.seconds_max
        wait_seconds = RETRY_SECONDS_MIN
        while True:
            try:
                return connection.execute(sql, parameters)
            except sqlite3.OperationalError as error:
                if BUSY not in str(error) or time.monotonic() > deadline:
                    raise
            time.sleep(wait_seconds * (0.5 + random()))  # noqa: S311 - so that the waiting do not march in step
            wait_seconds = min(1.5 * wait_seconds, RETRY_SECONDS_MAX)

    @contextmanager
    def transaction(self, connection: sqlite3.Connection, begin: str) -> Iterator[None]:
        """Begin a transaction; commit it, or leave everything as it was when an exception comes out of the block."""
        try:
            with self.errors_named:
                if connection.in_transaction:  # an interrupt at the wrong moment
                    connection.rollback()
                self.execute(connection, begin)
            yield
            with self.errors_named:
                self.execute(connection, "COMMIT")
        finally:
            if connection.in_transaction:
                connection.rollback()

    def named(self, error: BaseException) -> LedgerError | None:
        """Return what to raise for an error; `None` where that is the error itself."""
        if not isinstance(error, sqlite3.Error | msgspec.DecodeError | OSError):
            return None
        if BUSY in str(error):
            return self.busy()
        if isinstance(error, sqlite3.IntegrityError):
            return LedgerError(f"{self.path}: nothing was written, for it is recorded already ({error})")
        return LedgerError(
            f"{self.path} cannot be used as a ledger: {error}. Name a file on a local disk that may be written. A "
            "ledger that is damaged may be deleted: the balance is found again at no cost, the record is lost"
        )

    def busy(self) -> LedgerError:
        """Return the error of having waited in vain."""
        return LedgerError(
            f"{self.path} was kept locked for more than {self.seconds_max:g} s: end the program that has it open "
            "(`fuser` tells which), or try again"
        )

    def _prepare(self, connection: FileConnection) -> None:
        steps = migrations("sqlite")
        if self._version(connection) < len(steps):
            with self.transaction(connection, "BEGIN IMMEDIATE"):
                for step in steps[self._version(connection) :]:
                    _apply(connection, step)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        self.execute(connection, "PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.inode = self.path.stat().st_ino

    def _version(self, connection: sqlite3.Connection) -> int:
        # In this order: where others have just made the tables, what they wrote with them is seen too.
        ((tables,),) = self.execute(connection, "SELECT count(*) FROM sqlite_master")
        ((application,),) = self.execute(connection, "PRAGMA application_id")
        ((version,),) = self.execute(connection, "PRAGMA user_version")
        if tables and application != APPLICATION_ID:
            raise LedgerError(f"{self.path} is the database of another program: name another file for the ledger")
        if version > (newest := len(migrations("sqlite"))):
            raise LedgerError(
                f"{self.path} is a ledger of version {version}, this program knows versions up to {newest}: "
                "install the newer deals_pipeline, or name another file"
            )
        return int(version)


def _apply(connection: sqlite3.Connection, step: Migration) -> None:
    """Execute the statements of a migration one by one: `executescript` would commit before it."""
    statement = ""
    for line in step.sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""
    assert not statement.strip(), f"{step.name} ends within a statement"
    connection.execute(f"PRAGMA user_version = {step.version}")
