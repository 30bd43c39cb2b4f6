"""How both ledgers begin, are migrated, and refuse what they do not know."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from deals_pipeline.token_bucket.ledger import LedgerError, account_of
from deals_pipeline.token_bucket.migrations import Database, migrations
from deals_pipeline.token_bucket.model import BucketState
from deals_pipeline_tests.token_bucket.examples import FULL_STATE, put, settlement, write
from deals_pipeline_tests.token_bucket.places import Place
from deals_pipeline_tests.token_bucket.served_postgres import PASSWORD

KEY = SecretStr("canaryapikey00000000000000000000000000000000000000000000000000ab")


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_migrations_are_numbered_and_say_what_a_row_is(database: Database) -> None:
    steps = migrations(database)
    assert [step.version for step in steps] == list(range(1, len(steps) + 1))
    for step in steps:
        assert step.sql.startswith("-- One row per ")
        assert f"CREATE TABLE {step.name[5:-4]} (" in step.sql


def test_both_databases_have_the_same_tables() -> None:
    tables = {step.name[5:] for step in migrations("postgres")} - {"token_schema.sql"}
    assert tables == {step.name[5:] for step in migrations("sqlite")}


def test_a_place_that_is_opened_again_keeps_what_it_holds(place: Place) -> None:
    put(place.open(), FULL_STATE)
    for _ in range(2):
        assert place.open().read()[0] == FULL_STATE


def test_a_place_opened_for_the_first_time_by_many_at_once_is_made_once(place: Place) -> None:
    barrier = threading.Barrier(8)

    def begin(i: int) -> None:
        ledger = place.open()
        barrier.wait()
        write(ledger, settlement(f"hold-{i}"))

    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(begin, i) for i in range(8)]:
            done.result()
    assert place.execute("SELECT count(*) FROM token_settlement") == [(8,)]


def test_a_place_of_a_newer_program_is_refused_and_left_alone(place: Place) -> None:
    put(place.open(), FULL_STATE)
    place.execute(place.newest_version)
    with pytest.raises(LedgerError, match=r"version 999.*install the newer deals_pipeline") as raised:
        put(place.open(), BucketState())
    assert place.shown in str(raised.value)
    assert "holds" in place.execute("SELECT state FROM token_bucket")[0][0]


def test_a_state_that_is_not_understood_is_an_error_that_names_the_place(place: Place) -> None:
    put(place.open(), FULL_STATE)
    place.execute("""UPDATE token_bucket SET state = '{"tick": "soon"}'""")
    for use in (lambda: put(place.open(), BucketState()), lambda: place.open().read()):
        with pytest.raises(LedgerError, match=r"cannot be used as a ledger: .*tick") as raised:
            use()
        assert place.shown in str(raised.value)


@pytest.mark.parametrize("table", ["bucket", "settlement", "flow", "throttle", "lease", "revoked"])
def test_a_ledger_goes_on_when_any_one_table_is_emptied(place: Place, table: str) -> None:
    ledger = place.open()
    put(ledger, FULL_STATE)
    place.execute(f"DELETE FROM token_{table}")
    write(ledger, settlement("hold-1"), throttled=1)
    with ledger.lease("run-1"):
        assert ledger.dead_leases() == ()


def test_a_ledger_that_was_closed_opens_again_when_it_is_used(place: Place) -> None:
    ledger = place.open()
    put(ledger, FULL_STATE)
    ledger.close()
    ledger.close()
    assert ledger.read()[0] == FULL_STATE


def test_neither_key_nor_password_is_told_or_written(place: Place, tmp_path: Path) -> None:
    ledger = place.open(account=account_of(KEY))
    put(ledger, FULL_STATE)
    with (
        ledger.lease("run-1"),
        pytest.raises(LedgerError) as raised,
        place.open(account=account_of(KEY)).lease("run-1"),
    ):
        pass
    told = [repr(ledger), str(raised.value), repr(raised.value)]
    ledger.close()
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    names = [str(path) for path in tmp_path.rglob("*")]
    canaries = (KEY.get_secret_value(), PASSWORD)
    for canary in canaries:
        assert not any(canary in text for text in [*told, *names])
        assert not any(canary.encode() in content for content in written)
