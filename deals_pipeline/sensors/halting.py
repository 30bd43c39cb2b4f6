"""When materialization halts for a deficit: computed whenever somebody asks, so that nothing has to be reset (F08)."""

from typing import Final

from deals_pipeline.token_bucket.model import Lane
from deals_pipeline.token_bucket.status import BucketStatus

LOCK_SECONDS_MAX: Final = 10.0
"""How long a tick waits for the warehouse; Dagster ends one after 60 s."""
LOOK_SECONDS_MAX: Final = 20.0
"""How long a tick waits for the balance, which takes a fraction of a second."""


def halted_because(status: BucketStatus) -> str | None:
    """Return why nothing may start now, in numbers; `None` where it may."""
    if not status.is_too_deep:
        return None
    resumes_at = status.affordable_at[Lane.RECENT]
    return (
        f"Halted: the deficit is {status.deficit} tokens, allowed are {status.max_deficit}. "
        f"{status.foreign} tokens were spent by others lately. "
        + (f"It resumes by itself at {resumes_at:%Y-%m-%d %H:%M:%S} UTC." if resumes_at else "No refill is foreseen.")
    )


def balance_in_words(status: BucketStatus) -> str:
    """Return the state of the bucket in a sentence."""
    return (
        f"{status.available} tokens are available, {status.refill_rate} come a minute; "
        f"the deficit is {status.deficit}, allowed are {status.max_deficit}."
    )
