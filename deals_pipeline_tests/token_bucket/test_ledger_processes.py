"""What both ledgers promise the threads and the forked children of a process, and what they leave open."""

import subprocess
import sys
from pathlib import Path

from deals_pipeline_tests.token_bucket.examples import FULL_STATE, put
from deals_pipeline_tests.token_bucket.places import ACCOUNT, Place, SqlitePlace

FORKING = Path(__file__).with_name("fork_program.py")
THREADS = Path(__file__).with_name("threads_program.py")


def _open_files() -> set[str]:
    return {str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()}


def test_a_ledger_may_be_used_on_both_sides_of_a_fork_whatever_threads_do_meanwhile(place: Place) -> None:
    command = [sys.executable, "-W", "error", str(FORKING), place.url, ACCOUNT]
    done = subprocess.run(command, check=False, timeout=120, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_ledger_may_be_looked_at_by_several_threads_before_any_other_has(place: Place) -> None:
    """F17: the sensors of a code server that has just started do so; a crash there would halt all."""
    put(place.open(), FULL_STATE)
    command = [sys.executable, "-W", "error", str(THREADS), place.url, ACCOUNT]
    done = subprocess.run(command, check=False, timeout=120, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_closed_ledger_keeps_nothing_open(place: Place) -> None:
    before = _open_files()
    ledger = place.open()
    put(ledger, FULL_STATE)
    ledger.read()
    with ledger.lease("run-1"), ledger.lease("run-2"):
        place.execute("UPDATE token_lease SET run_id = 'run-0' WHERE run_id = 'run-2'")
        assert [lease.run_id for lease in ledger.dead_leases()] == ["run-0"]
    assert _open_files() - before
    ledger.close()
    assert _open_files() <= before


def test_making_a_ledger_opens_nothing(place: Place) -> None:
    before = _open_files()
    place.open()
    assert _open_files() == before
    if isinstance(place, SqlitePlace):
        assert not Path(place.url).parent.exists()
