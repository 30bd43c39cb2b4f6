import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from deals_pipeline.warehouse import connection as connecting
from deals_pipeline.warehouse.connection import WarehouseError, connect, holder, transaction

HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.readline()"


@contextmanager
def held(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Let another process have the file open until it is sent a line."""
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


def test_a_lock_held_too_long_is_an_error_that_names_the_process(path: Path) -> None:
    """F50."""
    with held(path) as process:
        began = time.monotonic()
        with pytest.raises(WarehouseError) as raised, connect(path, lock_seconds_max=0.5):
            pass
        assert 0.5 <= time.monotonic() - began < 5
        message = str(raised.value)
        assert f"process {process.pid} (" in message
        assert str(path) in message
        assert "import duckdb, sys" in message


def test_a_lock_that_is_let_go_in_time_is_waited_for(path: Path) -> None:
    with held(path) as process:
        with pytest.raises(WarehouseError), connect(path, lock_seconds_max=0.0):
            pass
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
        with connect(path, lock_seconds_max=30) as connection:
            assert connection.execute("SELECT 1").fetchall() == [(1,)]


def test_a_killed_process_holds_nothing(path: Path) -> None:
    """F17."""
    with held(path) as process:
        process.kill()
        with connect(path, lock_seconds_max=30) as connection:
            connection.execute("CREATE TABLE t (x INTEGER)")


def test_the_file_is_free_again_after_an_exception(path: Path) -> None:
    """F50: closed, and not only forgotten."""
    with pytest.raises(ZeroDivisionError), connect(path) as connection:
        raise ZeroDivisionError
    with pytest.raises(duckdb.ConnectionException):
        connection.execute("SELECT 1")
    assert subprocess.run([sys.executable, "-c", HOLD, path], input="\n", text=True, check=False).returncode == 0


def test_the_holder_is_told_as_far_as_it_is_known() -> None:
    assert holder("IO Error: something else") == "another process"
    gone = 'Could not set lock on file "x": Conflicting lock is held in /usr/bin/python3 (PID 999999999).'
    assert holder(gone) == "process 999999999 (/usr/bin/python3)"


def test_times_are_shown_in_utc(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """F59."""
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    time.tzset()
    with connect(path) as connection:
        assert connection.execute("SELECT to_timestamp(0)::VARCHAR").fetchall() == [("1970-01-01 00:00:00+00",)]
    monkeypatch.undo()
    time.tzset()


def test_nothing_is_drawn_among_what_a_program_says(path: Path) -> None:
    """DuckDB takes `python -c`, which starts the processes of a pool too, for somebody at a terminal."""
    program = f"""
from pathlib import Path
from deals_pipeline.warehouse.connection import connect
with connect(Path({str(path)!r})) as connection:
    print(connection.execute("SELECT current_setting('enable_progress_bar')").fetchone())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "(False,)\n"


def test_a_file_whose_making_was_cut_off_is_made_anew(path: Path) -> None:
    """F17: a kill between the making of a file and its first byte must not need a hand."""
    with connect(path):
        pass
    whole = path.read_bytes()
    for size in (0, 100, 5000):
        path.write_bytes(whole[:size])
        os.utime(path, (time.time() - 60,) * 2)
        with connect(path) as connection:
            assert connection.execute("SELECT 1").fetchall() == [(1,)]


def test_a_file_that_is_still_being_made_by_another_process_is_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "STARTING_SECONDS_MAX", 0.3)
    path.touch()
    began = time.monotonic()
    with connect(path):
        assert time.monotonic() - began >= 0.2


@pytest.mark.parametrize("content", [b"a note", b"x" * 100_000])
def test_a_foreign_file_is_refused_by_name_and_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    os.utime(path, (time.time() - 60,) * 2)
    with pytest.raises(WarehouseError, match=str(path)), connect(path):
        pass
    assert path.read_bytes() == content


def test_a_folder_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(WarehouseError, match=str(tmp_path / "home")), connect(tmp_path / "home" / "w.duckdb"):
        pass


def interrupted(connection: duckdb.DuckDBPyConnection) -> None:
    with transaction(connection):
        connection.execute("INSERT INTO t VALUES (1)")
        raise ZeroDivisionError


def test_a_transaction_leaves_nothing_when_an_exception_comes_out(path: Path) -> None:
    with connect(path) as connection:
        connection.execute("CREATE TABLE t (x INTEGER)")
        with pytest.raises(duckdb.Error, match="nowhere"), transaction(connection):
            connection.execute("INSERT INTO t VALUES (2)").execute("FROM nowhere")
        with pytest.raises(ZeroDivisionError):
            interrupted(connection)
        assert connection.execute("FROM t").fetchall() == []
