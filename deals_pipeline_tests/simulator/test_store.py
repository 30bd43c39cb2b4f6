import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from deals_pipeline.simulator.account import AccountConfig, PlanChange, Spend, advance, open_account, refuse, spend
from deals_pipeline.simulator.store import (
    ConfigConflictError,
    MemoryStore,
    SqliteStore,
    Store,
    StoreBusyError,
    StoreError,
    stored_config,
)

START = 1_750_000_000_000
CONFIG = AccountConfig(
    seed=1,
    refill_rate=5,
    started_at=START,
    plan_changes=(PlanChange(START + 9, 20),),
    foreign_spend=(Spend(START + 10, 7),),
    token_flow_reduction=((START, 1.125),),
)
HAMMERED = AccountConfig(seed=1, refill_rate=1000, started_at=START)  # as in store_worker.py
WORKER = Path(__file__).with_name("store_worker.py")

FORKING_PROGRAM = """
import os, sys
from pathlib import Path
from deals_pipeline.simulator.account import AccountConfig, spend
from deals_pipeline.simulator.store import SqliteStore

store = SqliteStore(Path(sys.argv[1]), AccountConfig(seed=1, refill_rate=5, started_at=0))
child = os.fork()
for _ in range(50):
    with store.transaction() as tx:
        tx.account = spend(tx.account, 1)
if child:
    assert os.waitpid(child, 0)[1] == 0
    with store.transaction() as tx:
        assert tx.account.spent == 100, tx.account
"""


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "memory":
        return MemoryStore(CONFIG, busy_seconds_max=0.05)
    return SqliteStore(tmp_path / "simulator.db", CONFIG, busy_seconds_max=0.05)


class _FailureError(Exception):
    pass


def test_a_new_store_holds_the_account_as_it_opens(store: Store) -> None:
    with store.transaction() as tx:
        assert tx.account == open_account(CONFIG)
        assert tx.refreshed("offers", "B000000001") is None
    assert store.config == CONFIG


def test_a_transaction_sees_what_the_one_before_left(store: Store) -> None:
    account = refuse(spend(advance(CONFIG, open_account(CONFIG), START + 86_400_000), 5000))
    with store.transaction() as tx:
        tx.account = account
        tx.mark_refreshed("offers", ["B000000001", "B000000002"], START)
        assert tx.next_request_number() == 1
    with store.transaction() as tx:
        assert tx.account == account
        assert tx.refreshed("offers", "B000000002") == START
        assert tx.next_request_number() == 2


def test_a_transaction_sees_its_own_marks(store: Store) -> None:
    with store.transaction() as tx:
        tx.mark_refreshed("rating", ["B000000001"], START)
        assert tx.refreshed("rating", "B000000001") == START


def test_a_transaction_left_by_an_exception_never_was(store: Store) -> None:
    def fail_after_writing() -> None:
        with store.transaction() as tx:
            tx.account = spend(tx.account, 100)
            tx.next_request_number()
            tx.mark_refreshed("stock", ["B000000001"], START)
            raise _FailureError

    with pytest.raises(_FailureError):
        fail_after_writing()
    with store.transaction() as tx:
        assert tx.account == open_account(CONFIG)
        assert tx.next_request_number() == 1
        assert tx.refreshed("stock", "B000000001") is None


def test_kinds_and_asins_are_refreshed_apart(store: Store) -> None:
    with store.transaction() as tx:
        tx.mark_refreshed("offers", ["B000000001"], START)
    with store.transaction() as tx:
        tx.mark_refreshed("product", ["B000000001"], START + 1)
        tx.mark_refreshed("product", ["B000000002"], START + 2)
    with store.transaction() as tx:
        assert tx.refreshed("offers", "B000000001") == START
        assert tx.refreshed("offers", "B000000002") is None
        assert tx.refreshed("product", "B000000001") == START + 1
        assert tx.refreshed("product", "B000000002") == START + 2


def test_a_late_mark_does_not_hide_a_newer_one(store: Store) -> None:
    for at in (START + 5, START, START + 6, START + 1):
        with store.transaction() as tx:
            tx.mark_refreshed("offers", ["B000000001"], at)
            tx.mark_refreshed("offers", ["B000000001"], at - 1)
    with store.transaction() as tx:
        assert tx.refreshed("offers", "B000000001") == START + 6


def test_a_second_transaction_waits_for_the_first_and_says_so_when_it_cannot(store: Store) -> None:
    with store.transaction(), pytest.raises(StoreBusyError), store.transaction():
        pass
    with store.transaction() as tx:
        assert tx.next_request_number() == 1


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_threads_share_one_account(kind: str, tmp_path: Path) -> None:
    store = MemoryStore(CONFIG) if kind == "memory" else SqliteStore(tmp_path / "simulator.db", CONFIG)
    numbers: list[int] = []

    def charge_fifty_times() -> None:
        for _ in range(50):
            with store.transaction() as tx:
                before = tx.account
                numbers.append(tx.next_request_number())
                time.sleep(0)
                tx.account = spend(before, 2)

    threads = [threading.Thread(target=charge_fifty_times) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.transaction() as tx:
        assert tx.account.spent == 8 * 50 * 2
    assert numbers == list(range(1, 401))


def test_eight_processes_some_of_them_killed_neither_lose_nor_double_a_charge(tmp_path: Path) -> None:
    path = tmp_path / "simulator.db"
    charges = dict.fromkeys("01234567", 400) | dict.fromkeys("234", 1_000_000)
    killed_in_a_transaction = {"0": 20, "1": 75}
    killed_somewhere = {"2": 0.02, "3": 0.05, "4": 0.1}
    with ExitStack() as running:
        workers = {}
        for name, count in charges.items():
            suicide_at = killed_in_a_transaction.get(name, 0)
            command = [sys.executable, str(WORKER), str(path), name, str(count), str(suicide_at)]
            workers[name] = running.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        for name, seconds in killed_somewhere.items():
            output = workers[name].stdout
            assert output is not None
            assert output.readline() == "1\n"
            time.sleep(seconds)
            workers[name].kill()
        reported = {name: max(map(int, worker.communicate()[0].split()), default=1) for name, worker in workers.items()}

    marks: dict[str, list[int]] = {}
    with SqliteStore(path, HAMMERED).transaction() as tx:
        for name, count in reported.items():
            found = (tx.refreshed("offers", f"{name}-{i}") for i in range(1, count + 10))
            marks[name] = [mark for mark in found if mark is not None]
        account, next_number = tx.account, tx.next_request_number()
    paid = {name: len(of_worker) for name, of_worker in marks.items()}
    assert account.spent == 3 * sum(paid.values())
    assert account.balance == HAMMERED.starting_tokens - account.spent
    assert sorted(number for of_worker in marks.values() for number in of_worker) == list(range(1, next_number))
    for name, worker in workers.items():
        if name in killed_somewhere:
            assert worker.returncode == -signal.SIGKILL
            assert paid[name] in {reported[name], reported[name] + 1}
        elif name in killed_in_a_transaction:
            assert worker.returncode == -signal.SIGKILL
            assert paid[name] == reported[name] == killed_in_a_transaction[name] - 1
        else:
            assert worker.returncode == 0
            assert paid[name] == reported[name] == charges[name]


def test_a_store_may_be_used_on_both_sides_of_a_fork(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FORKING_PROGRAM, str(tmp_path / "simulator.db")]
    subprocess.run(command, check=True, timeout=120)


def test_a_file_opened_for_the_first_time_by_many_at_once_holds_one_account(tmp_path: Path) -> None:
    barrier, stores = threading.Barrier(8), []

    def open_store(started_at: int) -> None:
        barrier.wait()
        config = AccountConfig(seed=1, refill_rate=5, started_at=started_at)
        stores.append(SqliteStore(tmp_path / "simulator.db", config))

    threads = [threading.Thread(target=open_store, args=(START + i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stores) == 8
    assert len({store.config for store in stores}) == 1


@pytest.mark.parametrize("writes_for_seconds", [0.1, 60])
def test_opening_waits_for_a_writer_that_bars_the_write_ahead_log(
    writes_for_seconds: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "simulator.db"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        end = threading.Timer(writes_for_seconds, other.rollback)

        def begin_before(statement: str) -> None:
            if "journal_mode" in statement and not end.ident:
                other.execute("BEGIN IMMEDIATE")
                end.start()

        def connect(path: Path, timeout: float, *, isolation_level: None) -> sqlite3.Connection:
            connection = really_connect(path, timeout, isolation_level=isolation_level)
            connection.set_trace_callback(begin_before)
            return connection

        really_connect = sqlite3.connect
        monkeypatch.setattr(sqlite3, "connect", connect)
        if writes_for_seconds < 1:
            SqliteStore(path, CONFIG, busy_seconds_max=5)
        else:
            with pytest.raises(StoreBusyError, match=str(path)):
                SqliteStore(path, CONFIG, busy_seconds_max=0.05)
        assert end.ident
        end.cancel()
        end.join()


def test_a_file_opened_again_goes_on_with_its_account_and_its_start(tmp_path: Path) -> None:
    path = tmp_path / "simulator.db"
    with SqliteStore(path, CONFIG).transaction() as tx:
        tx.account = account = spend(tx.account, 12)
        tx.next_request_number()
    plain_later = replace(CONFIG, started_at=START - 60_000, tokens=300)
    store = SqliteStore(path, plain_later)
    assert store.config == CONFIG
    with store.transaction() as tx:
        assert tx.account == account
        assert tx.next_request_number() == 2


def test_a_file_with_another_config_is_refused_by_path_field_and_both_values(tmp_path: Path) -> None:
    path = tmp_path / "simulator.db"
    SqliteStore(path, CONFIG)
    with pytest.raises(ConfigConflictError) as raised:
        SqliteStore(path, replace(CONFIG, refill_rate=20, seed=2))
    assert str(raised.value) == (
        f"{path} holds another account: seed is 1, not 2; refill_rate is 5, not 20; tokens is 300, not 1200. "
        "To go on with that account, leave out what differs; to start a new one, name another file or delete this one."
    )


def test_what_a_file_holds_can_be_built_upon(tmp_path: Path) -> None:
    path = tmp_path / "simulator.db"
    assert stored_config(path) is None
    path.touch()
    assert stored_config(path) is None
    SqliteStore(path, CONFIG)
    assert stored_config(path) == CONFIG


def test_no_connection_outlives_its_transaction(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "simulator.db", CONFIG)
    with store.transaction() as tx:
        tx.next_request_number()
        assert len(list(tmp_path.iterdir())) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["simulator.db"]


def test_a_deleted_file_is_an_error_while_running_and_a_new_account_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "simulator.db"
    store = SqliteStore(path, CONFIG)
    path.unlink()
    with pytest.raises(StoreError, match=f"{path} cannot be used: no such table"), store.transaction():
        pass
    with SqliteStore(path, replace(CONFIG, refill_rate=20)).transaction() as tx:
        assert tx.account.balance == 1200


@pytest.mark.parametrize("opened_by", [lambda path: SqliteStore(path, CONFIG), stored_config])
def test_a_file_that_is_no_store_is_named_and_left_alone(opened_by: Callable[[Path], object], tmp_path: Path) -> None:
    text, database = tmp_path / "notes.txt", tmp_path / "other.db"
    text.write_text("no database " * 100)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE deals (asin)")
    before = text.read_bytes(), database.read_bytes()
    for path in (text, database):
        with pytest.raises(StoreError, match=str(path)):
            opened_by(path)
    assert (text.read_bytes(), database.read_bytes()) == before


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "simulator.db"
    with pytest.raises(StoreError, match=f"{path} cannot be used: unable to open database file"):
        SqliteStore(path, CONFIG)
