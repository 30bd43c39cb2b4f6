"""How far a unit has come, in words: done of all, and when the refill will have paid for the rest."""

from math import ceil

from deals_pipeline.keepa.tokens import TokenObservation


def progress(done: int, total: int | None, tokens_each: int, seen: TokenObservation) -> str:
    """Return `3 of 6, the rest in 2 min at the earliest`; `total` is `None` where it is not known."""
    if total is None or total < done:
        return f"{done}"
    missing = (total - done) * tokens_each - seen.tokens_left
    if total == done or missing <= 0:
        return f"{done} of {total}"
    if seen.refill_rate <= 0:
        return f"{done} of {total}, no refill is foreseen"
    return f"{done} of {total}, the rest in {ceil(missing / seen.refill_rate)} min at the earliest"
