"""The database of a Postgres ledger: connected, recognised, migrated; its errors never tell the password."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

import msgspec

from deals_pipeline.token_bucket.ledger import LedgerError
from deals_pipeline.token_bucket.migrations import migrations

try:
    import psycopg
    from psycopg import errors
    from psycopg.conninfo import conninfo_to_dict
except ImportError as missing:
    raise ImportError("a ledger in Postgres needs psycopg: pip install 'deals_pipeline[postgres]'") from missing

Connection: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"

CONNECTING: Final[dict[str, Any]] = {
    "application_name": "deals_pipeline",
    "connect_timeout": 10,
    # A peer that is gone without a word is noticed within about half a minute, on both sides.
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
SESSION: Final = b"""
    SELECT
      set_config('TimeZone', 'UTC', false),
      set_config('lock_timeout', %s, false),
      set_config('idle_in_transaction_session_timeout', %s, false),
      set_config('tcp_keepalives_idle', '15', false),
      set_config('tcp_keepalives_interval', '5', false),
      set_config('tcp_keepalives_count', '3', false)
"""
MIGRATION_LOCK: Final = 0x4B54424C
"""The advisory lock under which the tables are made: many processes may start at once."""


class DemandsRetry(LedgerError):
    """The database undid the transaction for reasons of its own, or the connection was lost before its commit."""


class PostgresServer:
    """A database's URL, and how long to wait for others (seconds). Errors are `LedgerError` and name host and database.

    Raises `LedgerError` if the URL is not understood.
    """

    def __init__(self, url: str, seconds_max: float) -> None:
        parts = _parts(url)
        if parts is None:
            raise LedgerError("the URL of the ledger is not understood: postgresql://user:password@host:5432/database")
        self.seconds_max: Final = seconds_max
        host, port, name = parts.get("host", "localhost"), parts.get("port", "5432"), parts.get("dbname", "")
        self.place: Final = f"PostgreSQL at {host}:{port}/{name}"
        self.errors_named: Final = ErrorsNamed(self)
        self._connecting = {**CONNECTING, **parts}
        self._secrets = [parts[secret] for secret in ("password", "sslpassword") if parts.get(secret)]

    def connect(self) -> Connection:
        """Open a connection; the tables are made and migrated where necessary."""
        try:
            connection = psycopg.connect(autocommit=True, **self._connecting)
        except psycopg.Error as error:
            failed = self._unusable(error)
        else:
            try:
                with self.errors_named:
                    self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            return connection
        raise failed  # outside of the block above: libpq's own errors may quote the URL

    def is_usable(self, connection: Connection) -> bool:
        """Return whether a connection is open, as far as is known here."""
        return not connection.closed

    @contextmanager
    def transaction(self, connection: Connection, begin: bytes) -> Iterator[None]:
        """Begin a transaction; commit it, or leave everything as it was when an exception comes out of the block."""
        try:
            with self.errors_named:
                connection.execute(begin)
            yield
            with ErrorsNamed(self, is_committing=True):
                connection.execute("COMMIT")
        except BaseException:
            self._roll_back(connection)
            raise

    def _roll_back(self, connection: Connection) -> None:
        """End a transaction at once, so that nobody waits for it: a connection that cannot is closed.

        Such is one that was lost, and one that an interrupt has left in the middle of a statement.
        """
        try:
            connection.execute("ROLLBACK")
        except psycopg.Error:
            connection.close()

    def named(self, error: BaseException, *, is_committing: bool = False) -> LedgerError | None:
        """Return what to raise for an error; `None` where that is the error itself."""
        match error:
            case errors.LockNotAvailable():
                return self.busy()
            case errors.UniqueViolation():
                return LedgerError(
                    f"{self.place}: nothing was written, for it is recorded already ({self._said(error)})"
                )
            case psycopg.OperationalError() if is_committing:
                return LedgerError(
                    f"{self.place}: the connection was lost at the commit, so it is not known whether that took effect "
                    f"({self._said(error)}). Nothing is to be done: an open hold ends by itself"
                )
            case errors.SerializationFailure() | errors.DeadlockDetected() | psycopg.OperationalError():
                return DemandsRetry(str(self._unusable(error)))
            case psycopg.Error() | msgspec.DecodeError():
                return self._unusable(error)
        return None

    def busy(self) -> LedgerError:
        """Return the error of having waited in vain."""
        return LedgerError(
            f"{self.place}: the account was kept locked for more than {self.seconds_max:g} s: look for its session in "
            "pg_stat_activity, or try again"
        )

    def _unusable(self, error: Exception) -> LedgerError:
        return LedgerError(
            f"{self.place} cannot be used as a ledger: {self._said(error)}. Check the ledger's URL, that the server "
            "runs, and that the user may create tables"
        )

    def _said(self, error: Exception) -> str:
        said = " ".join(str(error).split()) or type(error).__name__
        for secret in self._secrets:
            said = said.replace(secret, "***")
        return said

    def _prepare(self, connection: Connection) -> None:
        wait_ms = str(round(self.seconds_max * 1000))
        connection.execute(SESSION, (wait_ms, wait_ms))
        if self._version(connection) == len(migrations("postgres")):
            return
        # Locked before the transaction begins: only at its beginning does Postgres learn which tables others have made.
        connection.execute("SELECT pg_advisory_lock(%s)", (MIGRATION_LOCK,))
        try:
            with connection.transaction():
                for step in migrations("postgres")[self._version(connection) :]:
                    connection.execute(step.sql.encode())
                    applied = (step.version, step.name)
                    connection.execute("INSERT INTO token_schema (version, name) VALUES (%s, %s)", applied)
        finally:
            connection.execute("SELECT pg_advisory_unlock(%s)", (MIGRATION_LOCK,))

    def _version(self, connection: Connection) -> int:
        ((is_there,),) = connection.execute("SELECT to_regclass('token_schema') IS NOT NULL").fetchall()
        if not is_there:
            return 0
        ((version,),) = connection.execute("SELECT coalesce(max(version), 0) FROM token_schema").fetchall()
        if version > (newest := len(migrations("postgres"))):
            raise LedgerError(
                f"{self.place} holds a ledger of version {version}, this program knows versions up to {newest}: "
                "install the newer deals_pipeline, or name another database"
            )
        return int(version)


class ErrorsNamed:
    """A block in which what goes wrong with the database is raised as an error that names it and says what to do."""

    def __init__(self, server: PostgresServer, *, is_committing: bool = False) -> None:
        self._server = server
        self._is_committing = is_committing

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None and (named := self._server.named(error, is_committing=self._is_committing)):
            raise named from None


def _parts(url: str) -> dict[str, Any] | None:
    """Return the parts of a URL, `None` if it has none; libpq's complaint would quote it."""
    try:
        return conninfo_to_dict(url)
    except psycopg.Error:
        return None
