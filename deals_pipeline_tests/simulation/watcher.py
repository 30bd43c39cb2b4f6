"""Who watches a world: one invariant each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from deals_pipeline.keepa.requests import Request
from deals_pipeline.token_bucket.ledger import Change
from deals_pipeline.token_bucket.model import BucketState, Hold
from deals_pipeline_tests.simulation.service import Call

if TYPE_CHECKING:
    from deals_pipeline_tests.simulation.world import World


class Violation(AssertionError):
    """An invariant does not hold."""


@dataclass(frozen=True)
class Transaction:
    """What a transaction found and what it left behind, at the ledger's time."""

    before: BucketState
    change: Change[Any]
    now: datetime

    @property
    def new_holds(self) -> list[Hold]:
        """The holds that it made."""
        known = {hold.hold_id for hold in self.before.holds}
        return [hold for hold in self.change.state.holds if hold.hold_id not in known]


class Watcher:
    """Watches for one invariant and calls `world.fail`; each overrides what it has to see."""

    def transacted(self, world: World, transaction: Transaction) -> None:
        """See a transaction of the ledger."""

    def arrived(self, world: World, call: Call) -> None:
        """See a call reach the service, which has refused it or not."""

    def settled(self, world: World, call: Call) -> None:
        """See a reply that the ledger has taken in."""

    def split(self, world: World, request: Request) -> None:
        """See a request refused as larger than a full bucket."""

    def probed(self, world: World) -> None:
        """Look at a moment."""

    def ended(self, world: World) -> None:
        """Look back, after all work is done and every hold had its time."""
