"""Looks at a ledger in several threads at once, again and again as in a process that has not read one before.

`python threads_program.py URL ACCOUNT`
"""

import sys
from threading import Barrier, Thread

from deals_pipeline.clock import SystemClock
from deals_pipeline.token_bucket import model
from deals_pipeline.token_bucket.ledgers import open_ledger
from deals_pipeline.token_bucket.model import BucketState

TIMES = 200
THREADS = 4
LEARNT = "__msgspec_cache__"
"""Where msgspec keeps what it has learnt of a class."""

sys.setswitchinterval(1e-6)


def main(url: str, account: str) -> None:
    learnt = [each for each in vars(model).values() if LEARNT in getattr(each, "__dict__", ())]
    assert BucketState in learnt, "msgspec learns the state when the code is loaded"
    for _ in range(TIMES):
        for each in learnt:
            if LEARNT in vars(each):
                delattr(each, LEARNT)
        barrier = Barrier(THREADS)

        def look(barrier: Barrier = barrier) -> None:
            ledger = open_ledger(url, account, SystemClock())
            barrier.wait()
            ledger.read()
            ledger.close()

        threads = [Thread(target=look) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


main(*sys.argv[1:])
