"""A world from its beginning to its end, and what is told of it."""

import logging
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from deals_pipeline_tests.simulation.watcher import Violation
from deals_pipeline_tests.soak.fate import PLACES
from deals_pipeline_tests.soak.keeping import KEEPING
from deals_pipeline_tests.soak.living import LIVING
from deals_pipeline_tests.soak.scenario import START, Scenario
from deals_pipeline_tests.soak.spending import SPENDING
from deals_pipeline_tests.soak.watcher import Watcher
from deals_pipeline_tests.soak.world import World

WATCHERS: Final[tuple[Callable[[], Watcher], ...]] = (*SPENDING, *KEEPING, *LIVING)


@dataclass(frozen=True, slots=True)
class Life:
    """What befell a world; `spared` are the places where no process was killed, `seconds` of the processor.

    `amid_waits` counts new versions installed while a run waited for tokens, `deleted` names which states were deleted.

    `violation` tells which invariant did not hold, when and after what, `None` where all did.
    """

    seed: int
    days: float
    steps: int
    kills: int
    spared: frozenset[str]
    versions: int
    amid_waits: int
    deletions: int
    deleted: frozenset[str]
    tokens: int
    seconds: float
    violation: str | None


class Calendar(Watcher):
    """Tells of each whole day that is over."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell = tell
        self._days = 0

    def probed(self, world: World) -> None:
        """Tell how many days are over, if one more is."""
        if (days := (world.clock.now() - START).days) > self._days:
            self._days = days
            self._tell(days)


def live_alone(seed: int, days: float) -> Life:
    """Let a world unfold in this process, which is for nothing else, and tell on stderr of each day that is over."""
    logging.basicConfig(handlers=[logging.NullHandler()])
    with TemporaryDirectory(prefix="soak-") as home:
        return live(seed, days, Path(home), lambda day: tell(f"  world {seed}: day {day}"))


def tell(line: str) -> None:
    """Print a line on stderr at once."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def live(seed: int, days: float, home: Path, tell: Callable[[int], None] = lambda _: None) -> Life:
    """Let the world of a seed unfold in a folder; `tell` is told of each day that is over."""
    began, violation = time.process_time(), None
    watchers = [*(make() for make in WATCHERS), Calendar(tell)]
    world = World(Scenario.of_seed(seed, timedelta(days=days)), home, watchers)
    try:
        world.run()
    except Violation as failure:
        violation = f"{failure}\nreplay with: make soak SEED={seed} SEEDS=1 DAYS={days:g}"
    kills = Counter(world.fate.kills)
    return Life(
        seed=seed,
        days=days,
        steps=world.steps,
        kills=kills.total(),
        spared=frozenset(PLACES) - kills.keys(),
        versions=world.version,
        amid_waits=world.roll_overs_amid_waits,
        deletions=world.deletions,
        deleted=frozenset(world.deleted),
        tokens=world.account.spent,
        seconds=time.process_time() - began,
        violation=violation,
    )
