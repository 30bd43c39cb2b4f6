"""Whole worlds, one a seed. `make simulate SEED=1 SEEDS=200` explores seeds 1 to 200; SEED alone replays one.

Without SEED the seeds come from the commit's hash, so each commit explores new worlds and still repeats itself.
"""

import os
import subprocess
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from deals_pipeline.clock import Clock
from deals_pipeline.token_bucket.ledger import Ledger
from deals_pipeline.token_bucket.sqlite_ledger import SqliteLedger
from deals_pipeline_tests.simulation.checkers import SAFETY
from deals_pipeline_tests.simulation.liveness import LIVENESS
from deals_pipeline_tests.simulation.scenario import LENGTH, START, Scenario
from deals_pipeline_tests.simulation.watcher import Violation
from deals_pipeline_tests.simulation.workers import start
from deals_pipeline_tests.simulation.world import World, in_memory

SEEDS = 30
"""Each two of the ten troubles meet in some seven of these worlds."""
HOURS = timedelta(hours=12)


def commit() -> str:
    found = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or "no commit"


def seeds() -> list[int]:
    count = int(os.environ.get("SEEDS") or 0)
    if first := os.environ.get("SEED"):
        return [int(first) + number for number in range(count or 1)]
    return [
        int.from_bytes(sha256(f"{commit()} {number}".encode()).digest()[:4], "big") for number in range(count or SEEDS)
    ]


def a_world(seed: int, *, length: timedelta = LENGTH, make_ledger: Callable[[Clock], Ledger] = in_memory) -> World:
    watchers = [make() for make in (*SAFETY, *LIVENESS)]
    return World(Scenario.of_seed(seed), watchers, start, make_ledger=make_ledger, length=length)


@pytest.mark.parametrize("seed", seeds())
def test_every_invariant_of_the_token_bucket_holds_in_the_world_of(seed: int) -> None:
    try:
        a_world(seed).run()
    except Violation as violation:
        pytest.fail(f"{violation}\nreplay with: make simulate SEED={seed}", pytrace=False)


def test_one_seed_is_one_world() -> None:
    first, second = a_world(7, length=HOURS), a_world(7, length=HOURS)
    first.run()
    second.run()
    assert list(first.log) == list(second.log)
    assert first.service.account == second.service.account
    assert first.ledger.read() == second.ledger.read()


def test_the_ledger_of_one_machine_carries_a_world_just_as_the_one_in_memory_does(tmp_path: Path) -> None:
    def on_disk(clock: Clock) -> Ledger:
        return SqliteLedger(tmp_path / "ledger.sqlite", "0123456789abcdef", clock=clock)

    world, twin = a_world(7, length=HOURS, make_ledger=on_disk), a_world(7, length=HOURS)
    with closing(world.ledger):
        world.run()
        twin.run()
        assert list(world.log) == list(twin.log)
        assert world.ledger.read() == twin.ledger.read()
        recorded, expected = world.ledger.record(START), twin.ledger.record(START)
    assert (recorded.left, recorded.lost, recorded.throttled) == (expected.left, expected.lost, expected.throttled)
    assert sum(spend.tokens for spend in recorded.spends) == sum(spend.tokens for spend in expected.spends)
