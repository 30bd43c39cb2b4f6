"""How many cases are tried: some in each run of the tests, FUZZ_CASES of them in `make fuzz`."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from hypothesis import HealthCheck, Phase, settings

CASES: Final = int(os.environ.get("FUZZ_CASES", "150"))
HANGS_AFTER_SECONDS: Final = 120
"""Longer than anything here takes on a busy machine."""
PHASES: Final = (Phase.explicit, Phase.reuse, Phase.generate)
"""What fails says by itself what was damaged; to shrink it takes longer than to find the next."""


def fuzzed(share: float, cases_an_example: int = 1) -> settings:
    """Return the settings of a test that tries a share of all cases."""
    return settings(
        max_examples=max(1, round(CASES * share / cases_an_example)),
        phases=PHASES,
        suppress_health_check=list(HealthCheck),
    )


@contextmanager
def no_hang(seconds: int = HANGS_AFTER_SECONDS) -> Iterator[None]:
    """Raise `TimeoutError` in whatever the block is doing when it takes too long."""

    def give_up(_: int, __: FrameType | None) -> None:
        raise TimeoutError(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
