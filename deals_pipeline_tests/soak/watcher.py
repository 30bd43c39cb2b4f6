"""Who watches a world: one invariant each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deals_pipeline.buying.outcome import Outcome
from deals_pipeline.simulator.faults import Fault
from deals_pipeline.token_bucket.model import Hold
from deals_pipeline.work import Plan
from deals_pipeline_tests.simulation.watcher import Transaction

if TYPE_CHECKING:
    from deals_pipeline_tests.soak.scenario import Deleted
    from deals_pipeline_tests.soak.world import World


@dataclass(frozen=True)
class Sent:
    """A request that reached the service, with what nobody but the world knows of it; `at` is the true time, Unix ms.

    `hold` is the one made for it, `charged` what it cost in truth.
    """

    path: str
    at: int
    fault: Fault | None
    hold: Hold | None
    charged: int
    is_refused: bool

    @property
    def is_free(self) -> bool:
        """Whether it takes no hold."""
        return self.path.strip("/") == "token"


class Watcher:
    """Watches for one invariant and calls `world.fail`; each overrides what it has to see."""

    def transacted(self, world: World, transaction: Transaction) -> None:
        """See a transaction of the ledger."""

    def sent(self, world: World, sent: Sent) -> None:
        """See a request at the service."""

    def landed(self, world: World, path: Path) -> None:
        """See an answer on disk."""

    def stepped(self, world: World, plan: Plan, outcome: Outcome | None) -> None:
        """See what was planned and what became of it."""

    def started(self, world: World) -> None:
        """See what a new process finds, after the reaper has looked."""

    def deleting(self, world: World, deleted: Deleted) -> None:
        """Look before somebody deletes a state."""

    def restored(self, world: World, deleted: Deleted) -> None:
        """Look when what was landed is loaded again."""

    def probed(self, world: World) -> None:
        """Look at a moment."""

    def ended(self, world: World) -> None:
        """Look back, when all is loaded and computed."""
