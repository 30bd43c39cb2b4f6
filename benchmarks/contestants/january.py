"""January: a tick each minute, pages by percent delta until an older deal, products in batches with live offers.

What it stores at the end of a run counts for it at once here. It keeps all newer deals of the page on which it meets an
older one, which is to its favour.
"""

from collections.abc import Callable
from typing import Final

from benchmarks.contestants.policy import MINUTE, Caller, batches, newest

ENTRY_A: Final = 20
ENTRY_B: Final = 5
BATCH_A: Final = 50
BATCH_B: Final = 10
ASKED: Final = 5
"""What A asks for before each batch, whatever it costs."""


def january_a(caller: Caller) -> None:
    """Enter at 20 tokens, ask for 5 before each batch of 50."""
    _run(caller, ENTRY_A, BATCH_A, lambda: caller.wait_for(ASKED))


def january_b(caller: Caller) -> None:
    """Enter at 5 tokens; before each batch of 10: above 50 go, at or below 0 wait for 10, else for 55."""
    _run(caller, ENTRY_B, BATCH_B, lambda: _wait_b(caller))


def _run(caller: Caller, entry: int, size: int, wait: Callable[[], None]) -> None:
    watermark = 0
    while True:
        if caller.look() >= entry:
            deals = list(caller.newer_than(watermark, lambda: caller.wait_for(ASKED)))
            for batch in batches(deals, size):
                wait()
                caller.products([deal.asin for deal in batch])
            watermark = newest(deals, watermark)
        caller.clock.sleep(MINUTE)


def _wait_b(caller: Caller) -> None:
    enough, least, target = 50, 10, 55
    balance = caller.look()
    if balance <= enough:
        caller.wait_for(least if balance <= 0 else target)
