"""What both ledgers promise of leases: a lock that dies with its holder, and runs that were given up."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

import pytest

from deals_pipeline.token_bucket.bucket import RunRevoked
from deals_pipeline.token_bucket.ledger import Change, LedgerError
from deals_pipeline.token_bucket.model import BucketState, Decision
from deals_pipeline_tests.token_bucket.examples import reserve
from deals_pipeline_tests.token_bucket.places import ACCOUNT, Place

WORKER = Path(__file__).with_name("lease_worker.py")
GONE_SECONDS_MAX = 45.0


class Worker:
    """A real process that has a lease."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self.stdin: IO[str] = process.stdin
        self.stdout: IO[str] = process.stdout

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def working(place: Place, run_id: str, *action: str) -> Iterator[Worker]:
    command = [sys.executable, "-W", "error", str(WORKER), place.url, ACCOUNT, run_id, *action]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Worker(process)
        finally:
            process.kill()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + GONE_SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_lease_says_who_holds_it(place: Place) -> None:
    ledger = place.open()
    with ledger.lease("run-1") as lease:
        assert (lease.run_id, lease.host, lease.pid) == ("run-1", socket.gethostname(), os.getpid())
        assert timedelta(0) <= ledger.read()[1] - lease.since < timedelta(seconds=10)
        assert place.execute("SELECT run_id, pid FROM token_lease") == [("run-1", os.getpid())]
    assert place.execute("SELECT run_id, pid FROM token_lease") == []


def test_a_lease_that_is_held_is_not_dead_and_one_given_back_is_forgotten(place: Place) -> None:
    ledger, other = place.open(), place.open()
    with ledger.lease("run-1"), ledger.lease("run-2"):
        assert ledger.dead_leases() == other.dead_leases() == ()
    assert other.dead_leases() == ()


def test_a_lease_is_given_back_when_an_exception_leaves_the_block(place: Place) -> None:
    with pytest.raises(KeyError), place.open().lease("run-1"):
        raise KeyError
    with place.open().lease("run-1"):
        pass


def test_a_process_that_asks_again_shares_its_lease_until_its_last_block_ends(place: Place) -> None:
    ledger, other = place.open(), place.open()
    with ledger.lease("run-1") as first:
        with ledger.lease("run-1") as second:
            assert first == second
        with pytest.raises(LedgerError), other.lease("run-1"):
            pass
    with other.lease("run-1"):
        pass


def test_a_lease_that_another_process_holds_is_refused_and_the_holder_named(place: Place) -> None:
    with working(place, "run-1", "hold") as worker:
        pid = int(worker.stdout.readline())
        ledger = place.open()
        with pytest.raises(LedgerError, match=f"run run-1 is being executed already, by process {pid} on") as raised:
            ledger.lease("run-1").__enter__()
        assert place.shown in str(raised.value)
        with ledger.lease("run-2"):
            assert ledger.dead_leases() == ()
        worker.process.communicate("\n")
        assert worker.process.returncode == 0
        with ledger.lease("run-1"):
            pass


def test_the_lease_of_a_killed_process_is_dead_at_once_and_forgotten_when_revoked(place: Place) -> None:
    ledger = place.open()
    with working(place, "run-1", "hold") as worker, ledger.lease("run-2"):
        pid = int(worker.stdout.readline())
        assert ledger.dead_leases() == ()
        worker.kill()
        wait_for(lambda: ledger.dead_leases() != ())
        (dead,) = ledger.dead_leases()
        assert (dead.run_id, dead.pid) == ("run-1", pid)
        assert ledger.dead_leases() == (dead,), "looking does not change it"
        ledger.revoke("run-1")
        assert ledger.dead_leases() == ()


def test_a_run_whose_process_was_killed_can_be_leased_again(place: Place) -> None:
    ledger = place.open()
    with working(place, "run-1", "hold") as worker:
        worker.stdout.readline()
        worker.kill()
        wait_for(lambda: ledger.dead_leases() != ())
        with ledger.lease("run-1") as lease:
            assert lease.pid == os.getpid()
            assert ledger.dead_leases() == ()
        assert ledger.dead_leases() == ()


def test_a_run_that_was_revoked_cannot_reserve_again_while_others_can(place: Place) -> None:
    ledger, other = place.open(), place.open()
    with ledger.lease("run-1"):
        reserve(ledger, "run-1")
        other.revoke("run-1")
        other.revoke("run-1")
        with pytest.raises(RunRevoked):
            reserve(ledger, "run-1")
        reserve(ledger, "run-2")
        assert other.read()[0].revoked == {"run-1"}
    with pytest.raises(RunRevoked):
        reserve(place.open(), "run-1")


def test_a_transaction_that_waited_for_a_revocation_sees_it(place: Place) -> None:
    ledger, other = place.open(), place.open()
    reserve(ledger, "run-2")
    waiting: list[Future[Decision]] = []
    with ThreadPoolExecutor() as threads:

        def change(state: BucketState, _: datetime) -> Change[None]:
            waiting.append(threads.submit(reserve, ledger, "run-1"))
            time.sleep(0.2)
            return Change(replace(state, revoked=frozenset({"run-1"})), None)

        other.transact(change)
        with pytest.raises(RunRevoked):
            waiting[0].result()


def test_a_forked_child_that_lives_on_keeps_the_lease_of_its_killed_parent(place: Place) -> None:
    ledger = place.open()
    with working(place, "run-1", "fork") as worker:
        child = int(worker.stdout.readline())
        try:
            worker.kill()
            time.sleep(0.3)
            assert ledger.dead_leases() == ()
            with pytest.raises(LedgerError):
                ledger.lease("run-1").__enter__()
        finally:
            os.kill(child, signal.SIGKILL)
        wait_for(lambda: [lease.run_id for lease in ledger.dead_leases()] == ["run-1"])


def test_a_forked_child_that_leaves_the_block_does_not_give_the_lease_back(place: Place) -> None:
    ledger = place.open()
    with working(place, "run-1", "fork-and-leave") as worker:
        assert worker.stdout.readline().strip().isdigit()
        assert place.execute("SELECT run_id FROM token_lease") == [("run-1",)]
        assert ledger.dead_leases() == ()
        with pytest.raises(LedgerError):
            ledger.lease("run-1").__enter__()
        worker.process.communicate("\n")
        assert worker.process.returncode == 0
        with ledger.lease("run-1"):
            pass


def test_of_many_that_take_one_lease_at_once_one_has_it_and_none_seems_dead(place: Place, tmp_path: Path) -> None:
    ledger, marker = place.open(), tmp_path / "taken"
    with ExitStack() as running:
        command = ("race", str(marker), "1")
        workers = [running.enter_context(working(place, "run-1", *command)) for _ in range(3)]
        assert [worker.stdout.readline() for worker in workers] == 3 * ["ready\n"]
        for worker in workers:
            worker.stdin.write("\n")
            worker.stdin.flush()
        while any(worker.process.poll() is None for worker in workers):
            assert ledger.dead_leases() == ()
        counts = [worker.stdout.read().split() for worker in workers]
    assert all(len(count) == 2 for count in counts), counts
    assert sum(int(taken) for taken, _ in counts) >= 3
    assert sum(int(refused) for _, refused in counts) > 0
    assert all(worker.process.returncode == 0 for worker in workers)
