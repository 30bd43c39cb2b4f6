"""August: a run every 5 minutes peeks at 15 products with live offers, then commits the survivors, by 5, with them too.

What is committed is stored: a run after an aborted one goes on behind it. Whatever is peeked at survives here, which is
to its favour: what it buys it never drops.
"""

from contextlib import suppress
from math import ceil
from typing import Final

from benchmarks.contestants.policy import MINUTE, Caller, Deal, batches, newest

RUN_SECONDS: Final = 300.0
PEEKED: Final = 15
COMMITTED: Final = 5
LEAST: Final = 20
TARGET: Final = 50


class _Aborted(Exception):
    """The wait for tokens would be longer than a minute."""


def august(caller: Caller) -> None:
    """Below 20 tokens wait for 50, and abort the run where that takes more than 60 s."""
    watermark, committed = 0, set[Deal]()
    while True:
        began = caller.clock.now()
        with suppress(_Aborted):
            watermark = _run(caller, watermark, committed)
        took = (caller.clock.now() - began).total_seconds()
        caller.clock.sleep(RUN_SECONDS - took % RUN_SECONDS)


def _run(caller: Caller, watermark: int, committed: set[Deal]) -> int:
    """Return the watermark after a complete run."""
    deals = list(caller.newer_than(watermark, lambda: _wait(caller)))
    for peeked in batches([deal for deal in deals if deal not in committed], PEEKED):
        _wait(caller)
        caller.products([deal.asin for deal in peeked], history=False)
        for survivors in batches(peeked, COMMITTED):
            _wait(caller)
            caller.products([deal.asin for deal in survivors])
            committed.update(survivors)
    return newest(deals, watermark)


def _wait(caller: Caller) -> None:
    balance = caller.look()
    if balance >= LEAST:
        return
    if ceil((TARGET - balance) / caller.refill_rate) * MINUTE > MINUTE:
        raise _Aborted
    caller.wait_for(TARGET)
