"""Charge one shared account again and again, until done or killed: a program, run by test_store.py.

Arguments: the store's file, the worker's name, how many charges, and the charge in the middle of whose transaction the
worker kills itself (0: none). It prints the number of each charge once its transaction has ended.
"""

import os
import signal
import sys
from pathlib import Path

from deals_pipeline.simulator.account import AccountConfig, spend
from deals_pipeline.simulator.store import SqliteStore

CONFIG = AccountConfig(seed=1, refill_rate=1000, started_at=1_750_000_000_000)
COST = 3


def main(path: str, worker: str, charges: int, suicide_at: int) -> None:
    store = SqliteStore(Path(path), CONFIG)
    for charge in range(1, charges + 1):
        with store.transaction() as tx:
            tx.account = spend(tx.account, COST)
            number = tx.next_request_number()
            tx.mark_refreshed("offers", [f"{worker}-{charge}"], at_ms=number)
            if charge == suicide_at:
                os.kill(os.getpid(), signal.SIGKILL)
        print(charge, flush=True)  # noqa: T201 - its output is what the test reads


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
