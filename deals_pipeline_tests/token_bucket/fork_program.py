"""Use one ledger on both sides of forks, some made while threads use it: a program, run by test_ledger_processes.py.

Arguments: the ledger's place and its account. Each transaction adds 1 to the learned bound `calls`.
"""

import os
import sys
import threading
from dataclasses import replace
from datetime import datetime

from deals_pipeline.clock import SystemClock
from deals_pipeline.token_bucket.ledger import Change, Ledger
from deals_pipeline.token_bucket.ledgers import open_ledger
from deals_pipeline.token_bucket.model import BucketState

CHILDREN = 6
CALLS = 20


def count(ledger: Ledger) -> None:
    def change(state: BucketState, _: datetime) -> Change[None]:
        return Change(replace(state, bounds={"calls": state.bounds.get("calls", 0) + 1}), None)

    for _ in range(CALLS):
        ledger.transact(change)
        ledger.read()


def main(place: str, account: str) -> None:
    ledger = open_ledger(place, account, SystemClock())
    threads = [threading.Thread(target=count, args=(ledger,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    children = []
    for _ in range(CHILDREN):
        child = os.fork()
        if child == 0:
            count(ledger)
            ledger.close()
            os._exit(0)
        children.append(child)
    for thread in threads:
        thread.join()
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * CHILDREN
    count(ledger)
    assert ledger.read()[0].bounds == {"calls": (CHILDREN + 3) * CALLS}, ledger.read()[0].bounds
    ledger.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
