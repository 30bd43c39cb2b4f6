"""What only the SQLite ledger meets: files that are foreign, damaged, deleted, or locked by other programs."""

import os
import sqlite3
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path

import pytest

from deals_pipeline.clock import VirtualClock
from deals_pipeline.token_bucket.ledger import Change, LedgerError
from deals_pipeline.token_bucket.model import BucketState
from deals_pipeline.token_bucket.sqlite_file import SqliteFile
from deals_pipeline.token_bucket.sqlite_ledger import SqliteLedger
from deals_pipeline_tests.token_bucket.examples import FULL_STATE, START, flow, put, settlement, write
from deals_pipeline_tests.token_bucket.places import ACCOUNT


def opened(path: Path) -> "closing[SqliteLedger]":
    return closing(SqliteLedger(path, ACCOUNT, patience_seconds=0.1))


def test_the_time_is_the_given_clocks(tmp_path: Path) -> None:
    clock = VirtualClock(START)
    with closing(SqliteLedger(tmp_path / "ledger.sqlite", ACCOUNT, clock=clock)) as ledger:
        assert ledger.transact(lambda state, now: Change(state, str(now))) == str(START)
        clock.sleep(1.5)
        assert ledger.read()[1] == START + timedelta(seconds=1.5)
        with ledger.lease("run-1") as lease:
            clock.sleep(1)
            assert lease.since == START + timedelta(seconds=1.5)


def test_a_clock_that_stands_still_or_is_set_back_loses_no_record(tmp_path: Path) -> None:
    clock = VirtualClock(START)
    with closing(SqliteLedger(tmp_path / "ledger.sqlite", ACCOUNT, clock=clock)) as ledger:
        for back in (0, 0, 3600):
            clock.set(START - timedelta(seconds=back))
            write(ledger, flows=(flow(clock.now(), left=2),), throttled=1)
        record = ledger.record(START - timedelta(days=1))
        assert (record.left, record.throttled) == (6, 3)


def test_a_file_that_is_no_ledger_is_named_and_left_alone(tmp_path: Path) -> None:
    text, database, later = tmp_path / "notes.txt", tmp_path / "other.db", tmp_path / "versioned.db"
    text.write_text("no database " * 100)
    for path in (database, later):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE deals (asin)")
    with closing(sqlite3.connect(later)) as connection:
        connection.execute("PRAGMA user_version = 3")
    for path in (text, database, later):
        before = path.read_bytes()
        with opened(path) as ledger:
            for use in (ledger.read, lambda ledger=ledger: put(ledger, FULL_STATE)):
                with pytest.raises(LedgerError) as raised:
                    use()
                assert str(path) in str(raised.value)
                assert "ame " in str(raised.value), "what to do"
        assert path.read_bytes() == before
        assert not path.with_name(path.name + "-wal").exists()


def test_a_directory_in_the_place_of_the_file_is_named(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger, pytest.raises(LedgerError, match="unable to open database file"):
        ledger.read()
    (tmp_path / "file").touch()
    with (
        opened(tmp_path / "file" / "ledger.sqlite") as ledger,
        pytest.raises(LedgerError, match=str(tmp_path / "file")),
    ):
        ledger.read()


def test_a_damaged_file_is_named_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with opened(path) as ledger:
        write(ledger, *(settlement(f"hold-{i}") for i in range(500)))
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    with opened(path) as ledger, pytest.raises(LedgerError, match="may be deleted") as raised:
        put(ledger, FULL_STATE)
    assert str(path) in str(raised.value)


def test_an_empty_file_becomes_a_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.touch()
    with opened(path) as ledger:
        put(ledger, FULL_STATE)
        assert ledger.read()[0] == FULL_STATE


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_file_that_another_makes_while_it_is_looked_at_is_a_ledger(
    after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, statements = tmp_path / "ledger.sqlite", []
    really_execute = SqliteFile.execute

    def execute(
        self: SqliteFile, connection: sqlite3.Connection, sql: str, parameters: tuple[object, ...] = ()
    ) -> list[object]:
        rows = really_execute(self, connection, sql, parameters).fetchall()
        statements.append(sql)
        if len(statements) == after:
            with opened(path) as other:
                put(other, FULL_STATE)
        return rows

    with opened(path) as ledger:
        monkeypatch.setattr(SqliteFile, "execute", execute)
        assert ledger.transact(lambda state, _: Change(state, state)) == FULL_STATE


def test_a_file_deleted_while_in_use_is_made_anew_and_shared_by_all(tmp_path: Path) -> None:
    """F21."""
    path = tmp_path / "ledger.sqlite"
    with opened(path) as ledger, opened(path) as other:
        put(ledger, FULL_STATE)
        assert other.read()[0] == FULL_STATE
        for each in tmp_path.glob("ledger.sqlite*"):
            each.unlink()
        assert ledger.read()[0] == BucketState()
        put(ledger, FULL_STATE)
        assert other.transact(lambda state, _: Change(state, state)) == FULL_STATE


def test_the_write_ahead_log_is_used_and_is_gone_after_the_last(tmp_path: Path) -> None:
    path = tmp_path / "home" / "ledger.sqlite"
    with opened(path) as ledger:
        put(ledger, FULL_STATE)
        assert {each.name for each in path.parent.iterdir()} == {
            "ledger.sqlite",
            "ledger.sqlite-shm",
            "ledger.sqlite-wal",
        }
    assert [each.name for each in path.parent.iterdir()] == ["ledger.sqlite"]


@pytest.mark.parametrize(
    "run_id", ["0d3bc4b1-6f5c-4b8e-9a55-6a5a50c0e4b1", "../../etc/x", "a/b", ".", "ü \n*", "x" * 500]
)
def test_any_run_id_has_a_lock_file_in_the_ledgers_directory_while_it_is_leased(run_id: str, tmp_path: Path) -> None:
    locks = tmp_path / "ledger.sqlite.leases"
    with opened(tmp_path / "ledger.sqlite") as ledger:
        with ledger.lease(run_id):
            assert [each.suffix for each in locks.iterdir()] == [".lock"]
            assert ledger.dead_leases() == ()
        assert list(locks.iterdir()) == []


def test_run_ids_that_begin_alike_have_leases_of_their_own(tmp_path: Path) -> None:
    path, run_ids = tmp_path / "ledger.sqlite", ("x" * 500, "x" * 501, "X" * 500)
    with opened(path) as ledger, opened(path) as other, ExitStack() as leases:
        for holder, run_id in zip((ledger, other, other), run_ids, strict=True):
            leases.enter_context(holder.lease(run_id))
        assert ledger.dead_leases() == ()


def test_lock_files_that_were_left_behind_are_removed_and_those_in_use_are_not(tmp_path: Path) -> None:
    locks = tmp_path / "ledger.sqlite.leases"
    locks.mkdir()
    leftover, foreign = locks / f"{ACCOUNT}-run-0-12345678.lock", locks / "fedcba9876543210-run-0-12345678.lock"
    leftover.touch()
    foreign.touch()
    with opened(tmp_path / "ledger.sqlite") as ledger, opened(tmp_path / "ledger.sqlite") as other:
        with ledger.lease("run-1"), ledger.lease("run-2"):
            other.revoke("run-1")
            assert other.dead_leases() == ()
            assert not leftover.exists()
            assert foreign.exists()
            assert len(list(locks.glob(f"{ACCOUNT}-*"))) == 2, "a run that was given up may live"
            with pytest.raises(LedgerError, match="by another process"):
                other.lease("run-1").__enter__()
        assert list(locks.iterdir()) == [foreign]


def test_a_lease_is_given_back_even_when_the_ledger_is_locked(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with opened(path) as ledger, closing(sqlite3.connect(path, isolation_level=None)) as other:
        with ledger.lease("run-1"):
            other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
        assert [lease.run_id for lease in ledger.dead_leases()] == ["run-1"]
        with ledger.lease("run-1"):
            assert ledger.dead_leases() == ()
