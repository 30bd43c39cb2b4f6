"""The invariants that spend tokens: whoever can be paid for starts, every lane gets on, no refill is lost."""

from datetime import timedelta
from typing import Final

from deals_pipeline.simulator.account import Account, capacity_of
from deals_pipeline.token_bucket.bucket import OLD
from deals_pipeline.token_bucket.model import BucketState, Lane
from deals_pipeline_tests.simulation.journey import OVERTAKING_MS_MAX
from deals_pipeline_tests.simulation.processes import Waiting
from deals_pipeline_tests.simulation.scenario import Trouble
from deals_pipeline_tests.simulation.watcher import Transaction, Watcher
from deals_pipeline_tests.simulation.world import World

TICK_MS: Final = 60_500
SLACK_MS: Final = 5_000
"""Ticks are counted a moment late, and the way back of the newest answer adds to that."""
BUCKETS_MAX: Final = 8
"""How many full buckets may be refilled between two grants of a lane; at the plan's rate each takes an hour."""
LOST_MAX: Final = 0.01


class AffordableStarts(Watcher):
    """(4) What can be paid for in truth, open holds at their highest, starts within a tick, whatever others do (F03).

    Applicable while the ledger is informed; each look that fails adds a tick, and tracked products, whose take is
    overestimated, add the time after which an observation is too old to refuse on.
    """

    def transacted(self, world: World, transaction: Transaction) -> None:
        for waiting in world.all_waiting():
            if waiting.affordable_since and not is_affordable(world, waiting, transaction.change.state):
                waiting.affordable_since = None

    def probed(self, world: World) -> None:
        state, _ = world.ledger.read()
        for waiting in world.all_waiting():
            if not world.is_informed or not is_affordable(world, waiting, state):
                waiting.affordable_since, waiting.failed_looks = None, 0
            else:
                waiting.affordable_since = waiting.affordable_since or world.now
                self._check(world, waiting, waiting.affordable_since)

    def _check(self, world: World, waiting: Waiting, since: int) -> None:
        allowed = TICK_MS * (1 + waiting.failed_looks) + SLACK_MS
        if Trouble.OVERTAKING in world.scenario.troubles:
            allowed += OVERTAKING_MS_MAX
        if Trouble.FLOW_REDUCTION in world.scenario.troubles:
            allowed += TICK_MS + OLD // timedelta(milliseconds=1)
        if (waited := world.now - since) > allowed:
            asked = f"{waiting.lane.value} {waiting.request.cost.high}"
            world.fail("(4) F03", f"{asked} could be paid for {waited} ms ago and has not started")


def is_affordable(world: World, waiting: Waiting, state: BucketState) -> bool:
    """Return whether an ask can be paid for in truth, with every open hold at its highest."""
    rate = world.service.rate_on_the_wire
    high = max(waiting.request.cost.high, waiting.request.units * state.bounds.get(waiting.request.kind, 0))
    floor = min(world.policy.floors[waiting.lane].at_rate(rate), capacity_of(rate) - 1)
    left = world.balance - sum(hold.high for hold in state.holds)
    return left > floor and left - high >= -world.policy.max_deficit.at_rate(rate)


class LanesProgress(Watcher):
    """(5) Where one planner decides whose turn it is, every lane gets on (F04)."""

    def __init__(self) -> None:
        self.waited: dict[Lane, float] = {}
        self.longest = 0.0
        self.refilled = 0

    def transacted(self, world: World, transaction: Transaction) -> None:  # noqa: ARG002
        for hold in transaction.new_holds:
            self.waited[hold.lane] = 0

    def probed(self, world: World) -> None:
        lanes = [lane for lane in Lane if lane is not Lane.AD_HOC]
        if not world.scenario.is_planned:
            lanes = [Lane.RECENT]
        account = world.service.account
        buckets = (account.refilled - self.refilled) / capacity_of(account.refill_rate)
        self.refilled = account.refilled
        for lane in lanes:
            self.waited[lane] = self.waited.get(lane, 0) + buckets
            self.longest = max(self.longest, self.waited[lane])
            if self.waited[lane] > BUCKETS_MAX:
                world.fail("(5) F04", f"{lane.value} has not moved for {BUCKETS_MAX} buckets of refill")


class RefillIsUsed(Watcher):
    """(7) While an ask waits, less than a hundredth of the refill is lost at the cap (F03, F16).

    What a smaller plan cuts off is no refill, and nobody could have spent it in time.
    """

    def __init__(self) -> None:
        self.refilled = self.lost = 0
        self.before: Account | None = None

    def probed(self, world: World) -> None:
        account = world.service.account
        is_pending = world.is_informed and any(process.waiting for process in world.processes)
        if self.before and is_pending and account.refill_rate >= self.before.refill_rate:
            self.refilled += account.refilled - self.before.refilled
            self.lost += account.lost - self.before.lost
        self.before = account if is_pending else None

    def ended(self, world: World) -> None:
        if self.lost > LOST_MAX * self.refilled:
            world.fail("(7) F03", f"{self.lost} of {self.refilled} tokens were lost at the cap while work was pending")


LIVENESS: Final = (AffordableStarts, LanesProgress, RefillIsUsed)
