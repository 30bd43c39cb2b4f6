"""What only the Postgres ledger meets: servers that are away, restarted, or protected by a password."""

import importlib
import re
import signal
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import datetime

import psycopg
import pytest

from deals_pipeline.token_bucket.ledger import Change, LedgerError
from deals_pipeline.token_bucket.model import BucketState
from deals_pipeline.token_bucket.postgres_ledger import PostgresLedger
from deals_pipeline_tests.token_bucket.examples import FULL_STATE, put, settlement, write
from deals_pipeline_tests.token_bucket.places import ACCOUNT
from deals_pipeline_tests.token_bucket.served_postgres import PASSWORD

EVERY_SESSION = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'deals_pipeline' AND pid <> pg_backend_pid()
"""


def opened(url: str) -> "closing[PostgresLedger]":
    return closing(PostgresLedger(url, ACCOUNT, patience_seconds=5))


def execute(url: str, sql: str) -> None:
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute(sql.encode())


def count(state: BucketState, _: datetime) -> Change[int]:
    calls = state.bounds.get("calls", 0) + 1
    return Change(replace(state, bounds={"calls": calls}), calls)


@pytest.mark.parametrize(
    ("mend", "says"),
    [
        (lambda url: re.sub(r":\d+/", ":1/", url), "Connection refused"),
        (lambda url: url.replace("127.0.0.1", "db.invalid"), "db.invalid"),
        (lambda url: url.replace(PASSWORD, PASSWORD + "-wrong"), "password authentication failed"),
        (lambda url: url.replace("/postgres", "/missing"), 'database "missing" does not exist'),
        (lambda url: url.replace("search_path%3D", "search_path%3Dno_"), "no schema has been selected"),
    ],
    ids=["no server", "no host", "wrong password", "no database", "no schema"],
)
def test_a_database_that_cannot_be_used_is_named_without_the_password(
    postgres_url: str, mend: Callable[[str], str], says: str
) -> None:
    with opened(mend(postgres_url)) as ledger:
        for use in (ledger.read, lambda: ledger.transact(count), lambda: ledger.lease("run-1").__enter__()):
            with pytest.raises(LedgerError, match=says) as raised:
                use()
            told = "".join(traceback.format_exception(raised.value)) + repr(ledger)
            assert "PostgreSQL at " in told
            assert "Check the ledger's URL" in told
            assert PASSWORD not in told


@pytest.mark.parametrize(
    "url", [f"postgresql://u:{PASSWORD}@h:5432/%zz", f"postgres//u:{PASSWORD}@h", f"a b={PASSWORD}"]
)
def test_a_url_that_is_not_understood_is_not_repeated(url: str) -> None:
    with pytest.raises(LedgerError, match="not understood") as raised:
        PostgresLedger(url, ACCOUNT)
    assert PASSWORD not in "".join(traceback.format_exception(raised.value))
    assert raised.value.__context__ is None


def test_a_ledger_goes_on_after_the_server_was_restarted(postgres_url: str) -> None:
    with opened(postgres_url) as ledger:
        ledger.transact(count)
        ledger.read()
        execute(postgres_url, EVERY_SESSION)
        assert ledger.transact(count) == 2
        execute(postgres_url, EVERY_SESSION)
        assert ledger.read()[0].bounds == {"calls": 2}


def test_a_change_is_called_again_when_the_session_was_lost_before_the_commit(postgres_url: str) -> None:
    calls = []

    def change(state: BucketState, now: datetime) -> Change[int]:
        calls.append(1)
        if len(calls) == 1:
            execute(postgres_url, EVERY_SESSION)
        return replace(count(state, now), settlements=(settlement("hold-1"),))

    with opened(postgres_url) as ledger:
        assert ledger.transact(change) == 1
        assert len(calls) == 2
        assert ledger.read()[0].bounds == {"calls": 1}


def test_a_change_is_not_called_for_ever(postgres_url: str) -> None:
    calls = []

    def change(state: BucketState, now: datetime) -> Change[int]:
        calls.append(1)
        execute(postgres_url, EVERY_SESSION)
        return count(state, now)

    with opened(postgres_url) as ledger:
        with pytest.raises(LedgerError, match="terminating connection"):
            ledger.transact(change)
        assert len(calls) == 3
        assert ledger.read()[0] == BucketState()


def test_a_commit_whose_outcome_is_unknown_is_not_repeated(postgres_url: str) -> None:
    calls = []

    def change(state: BucketState, _: datetime) -> Change[None]:
        calls.append(1)
        execute(postgres_url, EVERY_SESSION)
        return Change(state, None)  # nothing is written: the commit is the first to notice

    with opened(postgres_url) as ledger:
        ledger.transact(count)
        with pytest.raises(LedgerError, match="not known whether that took effect"):
            ledger.transact(change)
        assert len(calls) == 1
        assert ledger.transact(count) == 2


def test_a_lease_whose_session_was_lost_counts_as_dead_and_ends_without_an_error(postgres_url: str) -> None:
    with opened(postgres_url) as ledger:
        with ledger.lease("run-1"):
            execute(postgres_url, EVERY_SESSION)
            assert [lease.run_id for lease in ledger.dead_leases()] == ["run-1"]
        assert ledger.dead_leases() == ()


def test_an_interrupt_within_a_statement_leaves_nobody_waiting(postgres_url: str) -> None:
    class InterruptError(BaseException):
        pass

    def interrupt(*_: object) -> None:
        raise InterruptError

    with opened(postgres_url) as ledger, opened(postgres_url) as other:
        put(ledger, FULL_STATE)
        with closing(psycopg.connect(postgres_url)) as holder:
            holder.execute("SELECT 1 FROM token_bucket FOR UPDATE")
            before = signal.signal(signal.SIGALRM, interrupt)
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(InterruptError):
                put(ledger, BucketState())
            signal.signal(signal.SIGALRM, before)
        put(other, BucketState())
        put(ledger, FULL_STATE)
        assert other.read()[0] == FULL_STATE


def test_a_database_that_defaults_to_serialisable_transactions_changes_nothing(postgres_url: str) -> None:
    strict = postgres_url + "%20-cdefault_transaction_isolation%3Dserializable"
    with opened(strict) as ledger, opened(strict) as other, ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(each.transact, count) for each in (ledger, other) for _ in range(20)]:
            done.result()
        assert ledger.read()[0].bounds == {"calls": 40}


def test_times_are_utc_whatever_the_server_thinks(postgres_url: str) -> None:
    with opened(postgres_url + "%20-cTimeZone%3DAsia/Kathmandu") as ledger:
        write(ledger, settlement("hold-1"))
        assert str(ledger.read()[1].tzinfo) == "UTC"
        with ledger.lease("run-1") as lease:
            assert lease.since <= ledger.read()[1]


def test_tables_of_others_in_the_database_are_left_alone_and_named(postgres_url: str) -> None:
    execute(postgres_url, "CREATE TABLE token_flow (x int)")
    with opened(postgres_url) as ledger:
        with pytest.raises(LedgerError, match='relation "token_flow" already exists'):
            ledger.transact(count)
        execute(postgres_url, "DROP TABLE token_flow")
        assert ledger.transact(count) == 1


def test_a_missing_psycopg_is_an_error_that_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("deals_pipeline.token_bucket.postgres")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ImportError, match=r"pip install 'deals_pipeline\[postgres\]'"):
        importlib.import_module("deals_pipeline.token_bucket.postgres_ledger")
