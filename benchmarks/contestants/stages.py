"""Where a world of many hours stands, on disk: one that was interrupted is gone on with from its last virtual day."""

import pickle
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from benchmarks.contestants.service import Executed

HOME: Final = "home"
STAGE: Final = "stage.pickle"


@dataclass(frozen=True, slots=True)
class Stage:
    """What of our way through a world is in none of its files."""

    at: datetime
    executed: tuple[Executed, ...] = ()
    ended: Mapping[str, datetime] = field(default_factory=dict)
    runs: int = 0


@dataclass(frozen=True, slots=True)
class Stages:
    """The newest stage of each world in folders of `root`, as some code has come to it."""

    root: Path
    code: str
    every: timedelta = timedelta(days=1)

    def remove_others(self) -> None:
        """Remove what is of other code."""
        for other in self.root.glob("*"):
            if other.name != self.code:
                shutil.rmtree(other)

    def resume(self, world: str, home: Path) -> Stage | None:
        """Make an empty home what it was at the newest stage, and return that; `None` where there is none."""
        if not (stages := self._stages(world)):
            return None
        shutil.copytree(stages[-1] / HOME, home, dirs_exist_ok=True)
        stage = pickle.loads((stages[-1] / STAGE).read_bytes())  # noqa: S301 - written below
        assert isinstance(stage, Stage)
        return stage

    def keep(self, world: str, home: Path, stage: Stage) -> None:
        """Keep a stage in place of those before; nobody may write to the home meanwhile."""
        before = self._stages(world)
        folder = self.root / self.code / world / f"{stage.at:%Y-%m-%dT%H%M%S}"
        unfinished = folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(home, unfinished / HOME)
        (unfinished / STAGE).write_bytes(pickle.dumps(stage))
        unfinished.rename(folder)
        for each in before:
            shutil.rmtree(each)

    def forget(self, world: str) -> None:
        """Remove the stage of a world that has come to its end."""
        shutil.rmtree(self.root / self.code / world, ignore_errors=True)

    def _stages(self, world: str) -> list[Path]:
        return sorted(path for path in (self.root / self.code / world).glob("*") if not path.suffix)
