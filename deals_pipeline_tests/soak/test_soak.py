"""Worlds of the whole pipeline, one a seed. `make soak` lives 30 days in each of 20; SEED, SEEDS and DAYS pick others.

Without SEED it is one world that is known: what is explored is `make soak`'s.
"""

import os
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from deals_pipeline_tests.simulation.watcher import Violation
from deals_pipeline_tests.soak.fate import PLACES
from deals_pipeline_tests.soak.keeping import KEEPING
from deals_pipeline_tests.soak.living import LIVING
from deals_pipeline_tests.soak.scenario import Scenario
from deals_pipeline_tests.soak.spending import SPENDING
from deals_pipeline_tests.soak.watcher import Watcher
from deals_pipeline_tests.soak.world import World

DAYS = float(os.environ.get("DAYS") or 0.2)
KNOWN_SEED = 21
LONG_DAYS = 5
"""From so many days on every place is struck and every state deleted."""
WATCHERS: tuple[Callable[[], Watcher], ...] = (*SPENDING, *KEEPING, *LIVING)


def seeds() -> list[int]:
    first, count = int(os.environ.get("SEED") or KNOWN_SEED), int(os.environ.get("SEEDS") or 1)
    return [first + number for number in range(count)]


@pytest.mark.parametrize("seed", seeds())
def test_every_invariant_of_the_pipeline_holds_in_the_world_of(seed: int, tmp_path: Path) -> None:
    world = World(Scenario.of_seed(seed, timedelta(days=DAYS)), tmp_path, [make() for make in WATCHERS])
    try:
        world.run()
    except Violation as violation:
        pytest.fail(f"{violation}\nreplay with: make soak SEED={seed} SEEDS=1 DAYS={DAYS:g}", pytrace=False)
    kills = Counter(world.fate.kills)
    print(  # noqa: T201 - the numbers of `make soak`
        f"\n{DAYS:g} days, seed {seed}: {world.steps} steps, {kills.total()} kills at {len(kills)} places, "
        f"{world.version} versions, {world.deletions} deletions, {world.account.spent} tokens spent"
    )
    assert kills
    if DAYS >= LONG_DAYS:
        assert not set(PLACES) - kills.keys(), "places where no process was killed"
