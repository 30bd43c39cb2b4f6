"""Hold a run's lease until killed or told to stop by a line on standard input: a program, run by test_ledger_leases.py.

Arguments: the ledger's place, its account, the run, and what to do: `hold`, `fork` (a child shares the lease),
`fork-and-leave` (a child leaves the block, the parent stays in it), or `race` (take and give back for some seconds).
"""

import os
import signal
import sys
import time
from pathlib import Path

from deals_pipeline.clock import SystemClock
from deals_pipeline.token_bucket.ledger import Ledger, LedgerError
from deals_pipeline.token_bucket.ledgers import open_ledger


def say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201 - its output is what the test reads


def hold(ledger: Ledger, run_id: str) -> None:
    with ledger.lease(run_id) as lease:
        say(lease.pid)
        sys.stdin.readline()


def fork(ledger: Ledger, run_id: str) -> None:
    with ledger.lease(run_id):
        child = os.fork()
        if child == 0:
            with ledger.lease(run_id):
                ledger.read()
                signal.pause()
        say(child)
        sys.stdin.readline()


def fork_and_leave(ledger: Ledger, run_id: str) -> None:
    is_parent = True
    with ledger.lease(run_id):
        if (child := os.fork()) == 0:
            is_parent = False
        else:
            assert os.waitpid(child, 0)[1] == 0
            say(child)
            sys.stdin.readline()
    if not is_parent:
        ledger.read()
        ledger.close()
        os._exit(0)


def race(ledger: Ledger, run_id: str, marker: Path, seconds: float) -> None:
    """Say `overlap` if two ever hold the lease at once, and how often it was taken and refused."""
    say("ready")
    sys.stdin.readline()
    taken, refused, deadline = 0, 0, time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with ledger.lease(run_id):
                try:
                    os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
                except FileExistsError:
                    say("overlap")
                    return
                taken += 1
                time.sleep(0.002)
                marker.unlink()
        except LedgerError as error:
            if "is being executed already" not in str(error):
                raise
            refused += 1
        time.sleep(0.001)
    say(taken, refused)


def main(place: str, account: str, run_id: str, action: str, *options: str) -> None:
    ledger = open_ledger(place, account, SystemClock())
    match action:
        case "hold":
            hold(ledger, run_id)
        case "fork":
            fork(ledger, run_id)
        case "fork-and-leave":
            fork_and_leave(ledger, run_id)
        case "race":
            race(ledger, run_id, Path(options[0]), float(options[1]))
    ledger.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
