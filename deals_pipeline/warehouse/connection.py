"""Opening the warehouse: late, for one unit of work, alone, and closed whatever happens (F50).

DuckDB lets one process in. Others wait here, and are told in the end whom they waited for.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import duckdb
from duckdb import DuckDBPyConnection

from deals_pipeline.warehouse.statements import statement

LOCK_SECONDS_MAX: Final = 60.0
RETRY_SECONDS: Final = 0.1
ROW_GROUP_ROWS: Final = 2048
"""The fewest that DuckDB takes: a checkpoint rewrites neighbours that fit into one row group."""
LOCKED: Final = "Could not set lock on file"
HOLDER: Final = re.compile(r"held in (?P<program>.*?) \(PID (?P<pid>\d+)\)")
MAGIC: Final = b"DUCK"
MAGIC_AT: Final = 8
HEADERS_BYTES: Final = 3 * 4096
"""A DuckDB file begins with three headers: a shorter one holds nothing, its making was interrupted."""
STARTING_SECONDS_MAX: Final = 2.0
"""How long another process may take to write these headers."""


class WarehouseError(Exception):
    """The warehouse cannot be used; the message names the path and says what to do."""


@contextmanager
def connect(path: Path, lock_seconds_max: float = LOCK_SECONDS_MAX) -> Iterator[DuckDBPyConnection]:
    """Open the file, made where necessary, for the length of the block; never wait for a request within it.

    While another process has it open, tries again for `lock_seconds_max`. Raises `WarehouseError`.
    """
    connection = _open(path, lock_seconds_max)
    try:
        connection.execute(statement("session"))
        yield connection
    finally:
        connection.close()


@contextmanager
def transaction(connection: DuckDBPyConnection) -> Iterator[None]:
    """Commit what the block did, or leave everything as it was when an exception comes out of it."""
    connection.begin()
    try:
        yield
        connection.commit()
    except BaseException:
        with suppress(duckdb.Error):
            connection.rollback()
        raise


@contextmanager
def all_cores(connection: DuckDBPyConnection) -> Iterator[None]:
    """Let the statements of the block, which look at everything, use all cores."""
    connection.execute("RESET threads")
    try:
        yield
    finally:
        connection.execute("SET threads = 1")


def _open(path: Path, lock_seconds_max: float) -> DuckDBPyConnection:
    deadline = time.monotonic() + lock_seconds_max
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return _attached(path.resolve())
        except OSError as failure:
            raise WarehouseError(f"{path.parent} cannot be made: {failure.strerror or failure}") from failure
        except (duckdb.Error, RuntimeError) as failure:
            is_locked, message = LOCKED in str(failure), str(failure)
            if not is_locked and not _remove_unfinished(path):
                raise WarehouseError(
                    f"{path} cannot be opened as a warehouse: {message}. Where it is damaged, move it away: it is "
                    "filled again from the landed answers, at no cost"
                ) from failure
            if is_locked and time.monotonic() >= deadline:
                raise WarehouseError(
                    f"{path} was kept open by {holder(message)} for more than {lock_seconds_max:g} s: end that "
                    "program, or close the warehouse in it, and try again"
                ) from failure
        time.sleep(min(RETRY_SECONDS, max(0.0, deadline - time.monotonic())))


def _attached(path: Path) -> DuckDBPyConnection:
    """Return a connection to the file, attached: nothing else sets the size of its row groups.

    Connections of one process share what it is attached to, by its name.
    """
    connection = duckdb.connect(f":memory:{path}", config={"temp_directory": f"{path}.tmp"})
    try:
        name = str(path).replace("'", "''")
        connection.execute(f"ATTACH IF NOT EXISTS '{name}' AS warehouse (ROW_GROUP_SIZE {ROW_GROUP_ROWS})")
        connection.execute("USE warehouse")
    except BaseException:
        connection.close()
        raise
    return connection


def holder(message: str) -> str:
    """Return who holds the lock, from DuckDB's message: the process id, and the command line where it can be read."""
    found = HOLDER.search(message)
    if found is None:
        return "another process"
    try:
        words = Path(f"/proc/{found['pid']}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        command = b" ".join(words).decode(errors="replace")
    except OSError:
        command = ""
    return f"process {found['pid']} ({command or found['program']})"


def _remove_unfinished(path: Path) -> bool:
    """Remove a file whose making was cut off before it held anything; return whether to try again."""
    try:
        state = path.stat()
    except OSError:
        return False
    with path.open("rb") as file:
        beginning = file.read(MAGIC_AT + len(MAGIC))
    is_unfinished = not beginning or (beginning[MAGIC_AT:] == MAGIC and state.st_size < HEADERS_BYTES)
    if not is_unfinished or path.with_name(f"{path.name}.wal").exists():
        return False
    if abs(time.time() - state.st_mtime) > STARTING_SECONDS_MAX:
        path.unlink(missing_ok=True)
    return True
