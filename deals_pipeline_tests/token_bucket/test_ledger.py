"""What both ledgers promise of transactions and records."""

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import msgspec
import psycopg
import pytest

from deals_pipeline.token_bucket.ledger import RETENTION, Change, Ledger, LedgerError, Record, Spend
from deals_pipeline.token_bucket.model import BucketState, Lane, Outcome
from deals_pipeline.token_bucket.tables import TRIMMED_ROWS_MAX
from deals_pipeline_tests.token_bucket.examples import FULL_STATE, PURPOSE, START, flow, put, settlement, write
from deals_pipeline_tests.token_bucket.places import OTHER_ACCOUNT, Place

EVER = datetime(2000, 1, 1, tzinfo=timezone.utc)


def _told_the_time(state: BucketState, now: datetime) -> Change[datetime]:
    return Change(state, now)


def _told_when_it_began(state: BucketState, _: datetime) -> Change[float]:
    return Change(state, time.monotonic())


def test_a_new_ledger_knows_nothing(place: Place) -> None:
    ledger = place.open()
    state, now = ledger.read()
    assert state == BucketState()
    assert abs(now - datetime.now(timezone.utc)) < timedelta(minutes=1)
    assert now.tzinfo is timezone.utc
    assert ledger.record(EVER) == Record()
    assert ledger.dead_leases() == ()


def test_a_transaction_sees_all_that_the_one_before_left(place: Place) -> None:
    put(place.open(), FULL_STATE)
    seen = place.open().transact(lambda state, now: Change(state, (state, now)))
    assert seen[0] == FULL_STATE == place.open().read()[0]
    assert seen[1].tzinfo is timezone.utc


def test_what_a_state_no_longer_contains_is_gone(place: Place) -> None:
    ledger = place.open()
    put(ledger, FULL_STATE)
    put(ledger, replace(FULL_STATE, holds=(), bounds={}, revoked=frozenset({"run-9"})))
    assert place.open().read()[0] == replace(FULL_STATE, holds=(), bounds={}, revoked=frozenset({"run-9"}))
    put(ledger, BucketState())
    assert place.open().read()[0] == BucketState()


def test_time_does_not_stand_still_between_transactions(place: Place) -> None:
    ledger = place.open()
    first = ledger.transact(_told_the_time)
    second = ledger.transact(_told_the_time)
    assert first < second < ledger.read()[1]


@pytest.mark.parametrize(
    "error",
    [
        ValueError("the change's own"),
        TimeoutError(),
        OSError("disk"),
        KeyboardInterrupt(),
        LedgerError("nested"),
        sqlite3.OperationalError("database is locked"),
        psycopg.OperationalError("the connection is closed"),
        msgspec.ValidationError("not JSON"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_a_change_raises_is_passed_on_and_nothing_is_written(place: Place, error: BaseException) -> None:
    ledger, calls = place.open(), []
    put(ledger, FULL_STATE)

    def fail(_: BucketState, __: datetime) -> Change[None]:
        calls.append(1)
        raise error

    with pytest.raises(type(error)) as raised:
        ledger.transact(fail)
    assert raised.value is error
    assert len(calls) == 1
    assert ledger.read()[0] == FULL_STATE
    write(ledger, settlement("hold-1"))
    assert ledger.record(EVER).spends == (Spend("recent", "run-1", PURPOSE, 1, 5, 0, 0),)


def test_records_that_cannot_be_written_leave_the_state_as_it_was(place: Place) -> None:
    ledger = place.open()
    put(ledger, FULL_STATE)
    write(ledger, settlement("hold-1"))
    twice = (settlement("hold-2"), settlement("hold-1", tokens=6))
    with pytest.raises(LedgerError, match="recorded already") as raised:
        ledger.transact(lambda _, __: Change(BucketState(), None, twice, (flow(left=3),), throttled=1))
    assert place.shown in str(raised.value)
    assert ledger.read()[0] == FULL_STATE
    assert ledger.record(EVER) == Record((Spend("recent", "run-1", PURPOSE, 1, 5, 0, 0),))


def test_transactions_of_threads_and_of_other_ledgers_follow_one_another(place: Place) -> None:
    shared = place.open()

    def count(ledger: Ledger) -> None:
        def change(state: BucketState, _: datetime) -> Change[None]:
            known = state.bounds.get("calls", 0)
            time.sleep(0.001)
            return Change(replace(state, bounds={"calls": known + 1}), None)

        for _ in range(15):
            ledger.transact(change)

    ledgers = [shared, shared, place.open(), place.open()]
    with ThreadPoolExecutor(len(ledgers)) as threads:
        for done in [threads.submit(count, ledger) for ledger in ledgers]:
            done.result()
    assert shared.read()[0].bounds == {"calls": 60}


def test_reading_waits_for_no_transaction(place: Place) -> None:
    ledger, other = place.open(), place.open(patience_seconds=0.1)
    put(ledger, FULL_STATE)
    other.read()

    def change(_: BucketState, __: datetime) -> Change[None]:
        started = time.monotonic()
        assert ledger.read()[0] == other.read()[0] == FULL_STATE
        assert ledger.record(EVER) == other.record(EVER) == Record()
        assert time.monotonic() - started < 1
        return Change(BucketState(), None, (settlement("hold-1"),))

    ledger.transact(change)
    assert other.read()[0] == BucketState()


def test_a_transaction_that_waits_too_long_is_an_error_that_names_the_place(place: Place) -> None:
    put(place.open(), FULL_STATE)
    impatient = place.open(patience_seconds=0.1)
    with place.locked(), pytest.raises(LedgerError, match=r"kept locked for more than 0\.1 s") as raised:
        put(impatient, BucketState())
    assert place.shown in str(raised.value)
    assert impatient.read()[0] == FULL_STATE
    put(impatient, BucketState())
    assert impatient.read()[0] == BucketState()


def test_a_transaction_begins_as_soon_as_the_place_is_free(place: Place) -> None:
    ledger, began = place.open(), []
    put(ledger, FULL_STATE)
    with place.locked():
        waiting = threading.Thread(target=lambda: began.append(ledger.transact(_told_when_it_began)))
        waiting.start()
        time.sleep(0.2)
        assert not began
        freed = time.monotonic()
    waiting.join()
    assert began[0] - freed < 0.5


def test_the_time_of_a_transaction_is_when_its_turn_came(place: Place) -> None:
    ledger, times = place.open(), []
    put(ledger, FULL_STATE)
    with place.locked():
        waiting = threading.Thread(target=lambda: times.append(ledger.transact(_told_the_time)))
        waiting.start()
        time.sleep(0.2)
        freed = datetime.now(timezone.utc)
    waiting.join()
    assert times[0] > freed - timedelta(milliseconds=20)


def test_a_transaction_within_a_transaction_is_an_error(place: Place) -> None:
    ledger = place.open(patience_seconds=0.1)

    def change(state: BucketState, _: datetime) -> Change[None]:
        put(ledger, BucketState())
        return Change(state, None)

    with pytest.raises(LedgerError, match="kept locked"):
        ledger.transact(change)


def test_spends_are_summed_by_lane_run_and_purpose_over_the_window(place: Place) -> None:
    ledger = place.open()
    write(
        ledger,
        settlement("before", START - timedelta(microseconds=1), tokens=1000),
        settlement("first", START, tokens=0),
        settlement("bound", START, tokens=7),
        settlement("overshoot", START + timedelta(hours=1), tokens=8),
        settlement("expired", START, tokens=None, outcome=Outcome.EXPIRED),
        settlement("voided", START, tokens=0, outcome=Outcome.VOIDED),
        settlement("other run", START, tokens=3, run_id="run-2"),
        settlement("other lane", START, tokens=4, lane=Lane.BACKFILL),
        settlement("only voided", START, tokens=0, outcome=Outcome.VOIDED, lane=Lane.OFFERS),
    )
    assert place.open().record(START) == Record(
        (
            Spend("backfill", "run-1", PURPOSE, calls=1, tokens=4, unknown=0, overshoots=0),
            Spend("recent", "run-1", PURPOSE, calls=4, tokens=15, unknown=1, overshoots=1),
            Spend("recent", "run-2", PURPOSE, calls=1, tokens=3, unknown=0, overshoots=0),
        )
    )


def test_flows_and_throttled_answers_are_summed_over_the_window(place: Place) -> None:
    ledger = place.open()
    write(ledger, flows=(flow(START, left=10, lost=1), flow(START, left=-3, lost=2)))
    write(ledger, flows=(flow(START + timedelta(seconds=1), left=5), flow(START - timedelta(seconds=1), left=900)))
    before = ledger.read()[1]
    write(ledger, throttled=2)
    write(ledger, throttled=1)
    after = ledger.read()[1]
    assert ledger.record(START) == Record(left=12, lost=3, throttled=3)
    assert ledger.record(before).throttled == 3
    assert ledger.record(after).throttled == 0


def test_flows_are_told_one_by_one_oldest_first(place: Place) -> None:
    """F23: how the balance went, of this account alone."""
    ledger = place.open()
    first, second = flow(START, left=10, lost=1), flow(START + timedelta(hours=1), left=-3)
    write(ledger, flows=(second, flow(START - timedelta(microseconds=1), left=900)))
    write(ledger, flows=(first,))
    write(place.open(account=OTHER_ACCOUNT), flows=(flow(START, left=7),))
    assert place.open().flows(START) == (first, second)


def test_everything_of_a_settlement_is_kept(place: Place) -> None:
    write(place.open(), settlement("hold-1", START + timedelta(seconds=9)))
    ((row,),) = place.execute("SELECT count(*) FROM token_settlement WHERE resolved_at > reserved_at")
    assert row == 1
    columns = "hold_id, account, run_id, lane, purpose, kind, units, cost_low, cost_high, high, outcome, tokens"
    ((*values,),) = place.execute(f"SELECT {columns} FROM token_settlement")
    purpose = "Kopfhörer 'quoted' \U0001f600"
    expected = ["hold-1", "0123456789abcdef", "run-1", "recent", purpose, "product+offers", 3, 2, 7, 7, "settled", 5]
    assert values == expected


def test_records_are_deleted_after_the_retention_a_batch_at_a_time(place: Place) -> None:
    ledger = place.open()
    now = ledger.read()[1]
    old, young = now - RETENTION - timedelta(days=1), now - RETENTION + timedelta(days=1)
    put(ledger, BucketState())
    many = [settlement(f"old-{i}", old) for i in range(2 * TRIMMED_ROWS_MAX + 1)]
    write(ledger, *many, settlement("young", young), flows=(flow(old, left=1), flow(young, left=2)))
    write(place.open(account=OTHER_ACCOUNT), settlement("of another account", young))

    def left() -> int:
        return sum(spend.calls for spend in place.open().record(EVER).spends)

    put(ledger, BucketState())
    assert left() == len(many) + 1, "not on every transaction"
    later = place.open()
    for batch in (1, 2, 3, 4):
        put(later, BucketState())
        assert left() == max(1, len(many) + 1 - batch * TRIMMED_ROWS_MAX)
    assert place.open().record(EVER).left == 2
    assert place.open(account=OTHER_ACCOUNT).record(EVER).spends[0].calls == 1


def test_accounts_share_a_place_and_nothing_else(place: Place) -> None:
    one, other = place.open(), place.open(account=OTHER_ACCOUNT)
    put(one, FULL_STATE)
    write(one, settlement("hold-1"), flows=(flow(left=3),), throttled=1)
    one.revoke("run-1")
    with one.lease("run-2"):
        assert other.read()[0] == BucketState()
        assert other.record(EVER) == Record()
        with other.lease("run-2"):
            assert other.dead_leases() == one.dead_leases() == ()
    write(other, settlement("hold-2", tokens=1))
    assert one.record(EVER).spends[0].tokens == 5


def test_one_account_does_not_wait_for_the_change_of_another_for_ever(place: Place) -> None:
    one, other = place.open(), place.open(account=OTHER_ACCOUNT)
    put(one, FULL_STATE)
    put(other, FULL_STATE)
    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(put, ledger, BucketState()) for ledger in (one, other) for _ in range(10)]:
            done.result()
    assert one.read()[0] == other.read()[0] == BucketState()


def test_an_account_that_is_no_fingerprint_is_refused_without_a_word_of_it(place: Place) -> None:
    with pytest.raises(ValueError, match="allowed is a fingerprint") as raised:
        place.open(account="canary-of-an-api-key")
    assert "canary" not in str(raised.value)
