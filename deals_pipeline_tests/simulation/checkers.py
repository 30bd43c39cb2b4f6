"""The invariants that keep tokens: nothing here trusts the bucket's own arithmetic, all of it is held to the truth.

An invariant is applicable while the ledger is *informed*: after foreign spend, an overshoot, a jump of the local clock
or the tick at which a smaller plan cuts the balance off it is not until one answer to a call made since is taken in;
after a change of the plan or of the tracked products until three are (the rate is the median of five, so it is wrong
too while half of the last answers are).
"""

from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final

from deals_pipeline.keepa.replies import Throttled
from deals_pipeline.keepa.requests import Request
from deals_pipeline.simulator.account import capacity_of
from deals_pipeline.token_bucket.bucket import LIFE, available_at, balance_at
from deals_pipeline.token_bucket.model import Outcome, Settlement
from deals_pipeline_tests.simulation.scenario import Trouble
from deals_pipeline_tests.simulation.service import Call, Cause
from deals_pipeline_tests.simulation.watcher import Transaction, Watcher
from deals_pipeline_tests.simulation.world import World

UNFORESEEN: Final = frozenset({Cause.CLOCK_JUMP, Cause.PLAN_CHANGE, Cause.FLOW_REDUCTION})
"""After these the refill itself is foreseen wrongly."""


class DeficitIsBounded(Watcher):
    """(1) No grant can drive the balance below `-max_deficit`: by what is known ever, in truth when informed (F01).

    And none is made at or below its lane's floor, which would leave less to the lanes before it.
    """

    def transacted(self, world: World, transaction: Transaction) -> None:
        state, now = transaction.change.state, transaction.now
        for hold in transaction.new_holds:
            allowed = -world.policy.max_deficit.at_rate(state.refill_rate)
            if (left := available_at(state, now)) < allowed:
                world.fail("(1) F01", f"{hold.lane.value} leaves {left} by what is known, allowed is {allowed}")
            allowed = -world.policy.max_deficit.at_rate(world.service.account.refill_rate)
            met = world.balance - world.outstanding
            left = met - max(hold.high, hold.cost.high)
            if world.is_informed and left < allowed - world.slack:
                world.fail("(1) F01", f"{hold.lane.value} can leave {left} in truth, allowed is {allowed}")
            floor = min(world.policy.floors[hold.lane].at_rate(state.refill_rate), state.capacity - 1)
            if world.is_informed and met <= floor - world.slack:
                world.fail("(1) F01", f"{hold.lane.value} starts at {met} in truth, its floor is {floor}")


class LedgerIsTrue(Watcher):
    """(2) An informed ledger never believes in tokens that are not there, and at rest it equals the server (F05).

    Not held to equality: while tracked products take refill, which is taken off doubly where the rate on the wire
    contains it; just after a tick, which is counted when its time has passed for certain.
    """

    def probed(self, world: World) -> None:
        state, now = world.ledger.read()
        if state.observation is None or state.observation.is_doubted or not world.is_informed:
            return
        available = available_at(state, now)
        if available > (truly := world.balance - world.outstanding) + world.slack:
            world.fail("(2) F05", f"{available} are believed to be available, {truly} are")
        account = world.service.account
        unseen_ms = (now - state.observation.received_at) // timedelta(milliseconds=1)
        is_at_rest = not state.holds and not world.under_way
        is_plain = not account.reduction_thousandths and not world.newest_is_glitched
        just_ticked = world.now - account.ticked_at < 25_000 + unseen_ms // 300
        if is_at_rest and is_plain and not just_ticked and not world.slack and balance_at(state, now) != world.balance:
            world.fail("(2) F05", f"at rest {available} are believed, {world.balance} are there")


class HoldsEndOnce(Watcher):
    """(3) A hold is settled, voided or expired exactly once, at what it cost, and does not outlive its life (F13)."""

    def __init__(self) -> None:
        self.open: set[str] = set()
        self.closed: set[str] = set()

    def transacted(self, world: World, transaction: Transaction) -> None:
        change, now = transaction.change, transaction.now
        for hold in transaction.new_holds:
            if hold.hold_id in self.open or hold.hold_id in self.closed:
                world.fail("(3) F13", f"hold {hold.hold_id} is made twice")
            self.open.add(hold.hold_id)
        for settlement in change.settlements:
            self._ended(world, settlement, now)
        kept = {hold.hold_id for hold in change.state.holds}
        if kept != self.open:
            world.fail("(3) F13", f"holds come or go without a record: {kept ^ self.open}")
        if change.flows and not all(now < hold.expires_at <= now + LIFE for hold in change.state.holds):
            world.fail("(3) F13", "a hold outlives an answer from after its life, or may live longer than a hold does")

    def _ended(self, world: World, settlement: Settlement, now: datetime) -> None:
        hold, call = settlement.hold, world.calls.get(settlement.hold.hold_id)
        if hold.hold_id not in self.open:
            world.fail("(3) F13", f"hold {hold.hold_id} ends twice: {settlement.outcome.value}")
        self.open.remove(hold.hold_id)
        self.closed.add(hold.hold_id)
        if settlement.outcome is Outcome.EXPIRED and now < hold.expires_at:
            world.fail("(3) F13", f"hold {hold.hold_id} expires before its time")
        if call and settlement.outcome is Outcome.VOIDED and (call.charged or not call.is_over):
            world.fail("(3) F13", f"call {call.number} is voided, but was sent and charged {call.charged}")
        if call and settlement.outcome is Outcome.SETTLED and settlement.tokens != call.charged:
            world.fail("(3) F14", f"call {call.number} is settled at {settlement.tokens}, charged {call.charged}")

    def ended(self, world: World) -> None:
        state, now = world.ledger.read()
        if left := [hold for hold in state.holds if hold.expires_at > now]:
            world.fail("(3) F17", f"{len(left)} holds live on when everybody is gone")


class ThrottledOnce(Watcher):
    """(6) What an informed ledger grants is never refused; after a 429 was taken in, none follows in its episode (F12).

    An episode of starvation lasts from when the balance is not above 0 until it is. Calls that were under way when the
    first 429 came do not count, nor does one granted after the local clock was set.
    """

    def __init__(self) -> None:
        self.told: tuple[int, int] | None = None

    def arrived(self, world: World, call: Call) -> None:
        if not call.is_refused:
            return
        overtakers = takewhile(lambda other: other is not call, reversed(world.calls.values()))
        overtaken_by = sum(other.charged for other in overtakers)
        if not call.unknown and world.is_informed and world.balance + overtaken_by + world.slack <= 0:
            world.fail("(6) F12", f"call {call.number} was granted by an informed ledger and is refused")
        if self.told is None or call.unknown & UNFORESEEN:
            return
        episode, since = self.told
        if episode == world.episode and call.asked_at > since:
            world.fail("(6) F12", f"call {call.number} is refused although a 429 was taken in before it was granted")

    def settled(self, world: World, call: Call) -> None:
        if call.is_refused and isinstance(call.reply, Throttled):
            self.told = (world.episode, world.now)


class SplitsOnlyWhatIsTooLarge(Watcher):
    """(F02, F09) A request is refused for good only if it can cost more than the plan's full bucket holds."""

    def split(self, world: World, request: Request) -> None:
        account = world.service.account
        bound = max(request.cost.high, request.units * world.ledger.read()[0].bounds.get(request.kind, 0))
        is_hinted_less = world.scenario.config.refill_rate_contains_reduction and account.reduction_thousandths
        if world.is_informed and not is_hinted_less and bound <= capacity_of(account.refill_rate):
            world.fail("F02 F09", f"a request for {bound} is refused for good, capacity {account.capacity}")


class RecordsAddUp(Watcher):
    """(F14) What left the bucket by the record is what left it in truth: our calls, and the rest is foreign.

    Not applicable where the refill itself was not known (plan changes, tracked products, three wrong rates of five) or
    the cap hid a part of what was spent. Each wrong time to the next tick, and each jump of the server's clock by more
    than half a tick, may hide or feign one tick.
    """

    def __init__(self) -> None:
        self.left = 0

    def transacted(self, world: World, transaction: Transaction) -> None:
        change = transaction.change
        if transaction.before.observation is None and change.state.observation is not None:
            account = world.service.account
            self.left = account.spent + account.foreign_spent
        self.left += sum(flow.left for flow in change.flows)

    def ended(self, world: World) -> None:
        account = world.service.account
        refill_changes = world.scenario.troubles & {Trouble.PLAN_CHANGES, Trouble.FLOW_REDUCTION}
        if refill_changes or world.knowledge.was_misled or account.lost or not world.is_informed:
            return
        allowed = account.refill_rate * (world.scenario.ticks_miscounted_max + world.glitches)
        if abs(self.left - (truly := account.spent + account.foreign_spent)) > allowed:
            world.fail("F14", f"{self.left} tokens have left by the record, {truly} in truth")


SAFETY: Final = (DeficitIsBounded, LedgerIsTrue, HoldsEndOnce, ThrottledOnce, SplitsOnlyWhatIsTooLarge, RecordsAddUp)
