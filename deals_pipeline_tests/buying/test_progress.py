"""The progress line."""

from datetime import datetime, timedelta, timezone

import pytest

from deals_pipeline.buying.progress import progress
from deals_pipeline.keepa.tokens import TokenObservation


def seen(tokens_left: int, refill_rate: int) -> TokenObservation:
    now = datetime(2026, 3, 1, tzinfo=timezone.utc)
    return TokenObservation(now, tokens_left, timedelta(minutes=1), refill_rate, 0.0, 5)


@pytest.mark.parametrize(
    ("done", "total", "tokens_left", "refill_rate", "said"),
    [
        (3, None, 0, 5, "3"),
        (3, 2, 0, 5, "3"),
        (6, 6, 0, 5, "6 of 6"),
        (3, 6, 15, 5, "3 of 6"),
        (3, 6, 14, 5, "3 of 6, the rest in 1 min at the earliest"),
        (3, 6, -20, 5, "3 of 6, the rest in 7 min at the earliest"),
        (3, 6, 0, 0, "3 of 6, no refill is foreseen"),
    ],
)
def test_it_says_how_far_and_how_long(
    done: int, total: int | None, tokens_left: int, refill_rate: int, said: str
) -> None:
    assert progress(done, total, 5, seen(tokens_left, refill_rate)) == said
