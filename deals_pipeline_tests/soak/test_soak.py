"""One known world, short: what is explored is `make soak`'s."""

from pathlib import Path

from deals_pipeline_tests.soak.life import live

KNOWN_SEED = 21
DAYS = 1
"""So long that every invariant has something to look at: cycles of half a day, twelve buckets of refill."""


def test_every_invariant_of_the_pipeline_holds_in_a_world_where_all_fails_that_can(tmp_path: Path) -> None:
    life = live(KNOWN_SEED, DAYS, tmp_path)
    assert life.violation is None, life.violation
    assert life.kills
    assert life.deletions
