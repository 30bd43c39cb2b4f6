"""The invariants of tokens, held to the truth of the account: no deficit, no 429, no call without a hold, none twice.

Where an invariant needs an informed ledger, it is not held while something happened that no answer has told yet: see
`simulation/checkers.py`.
"""

from collections import Counter
from typing import Final

from deals_pipeline.token_bucket.model import Hold, Outcome, Settlement
from deals_pipeline_tests.simulation.watcher import Transaction
from deals_pipeline_tests.soak.scenario import Deleted, Deletion
from deals_pipeline_tests.soak.watcher import Sent, Watcher
from deals_pipeline_tests.soak.world import World


class DeficitIsBounded(Watcher):
    """(F01) No grant of an informed ledger can drive the balance below `-max_deficit`."""

    def transacted(self, world: World, transaction: Transaction) -> None:
        account = world.account
        allowed = -world.settings.budget.policy.max_deficit.at_rate(account.refill_rate)
        for hold in transaction.new_holds:
            if world.knowledge.is_complete and account.balance - hold.high < allowed:
                left = account.balance - hold.high
                world.fail("F01", f"{hold.purpose} can leave {left} in truth, allowed is {allowed}")

    def sent(self, world: World, sent: Sent) -> None:
        if sent.hold and sent.charged > sent.hold.high:
            world.fail("F01", f"{sent.path} cost {sent.charged}, held were {sent.hold.high}")


class ThrottledOnce(Watcher):
    """(F12) What an informed ledger grants is not refused; after a 429 was taken in, none follows in its episode."""

    def __init__(self) -> None:
        self.told: int | None = None
        self.refused: Sent | None = None

    def sent(self, world: World, sent: Sent) -> None:
        if not sent.is_refused:
            return
        if world.knowledge.is_complete:
            world.fail("F12", f"{sent.path} was granted by an informed ledger and is refused")
        if self.told == world.episode:
            world.fail("F12", f"{sent.path} is refused although a 429 was taken in before it was granted")
        self.refused = sent

    def transacted(self, world: World, transaction: Transaction) -> None:
        if transaction.change.throttled and self.refused is not None and self.refused is world.newest:
            self.told = world.episode


class EveryCallHasItsHold(Watcher):
    """(F11, F14) No call is sent without a hold made for it; a settled hold names what the call cost in truth."""

    def __init__(self) -> None:
        self.sent_on: dict[str, Sent] = {}

    def sent(self, world: World, sent: Sent) -> None:
        if sent.is_free:
            return
        if sent.hold is None or sent.hold.hold_id in self.sent_on:
            world.fail("F11", f"{sent.path} was sent without a hold of its own")
        else:
            self.sent_on[sent.hold.hold_id] = sent

    def transacted(self, world: World, transaction: Transaction) -> None:
        for settlement in transaction.change.settlements:
            sent = self.sent_on.get(settlement.hold.hold_id)
            charged = sent.charged if sent else 0
            if settlement.outcome is Outcome.SETTLED and settlement.tokens != charged:
                world.fail("F14", f"a call is settled at {settlement.tokens}, charged were {charged}")
            if settlement.outcome is Outcome.VOIDED and charged:
                world.fail("F14", f"a call is voided that was charged {charged}")


class HoldsEndOnce(Watcher):
    """(F13, F14) A hold is settled, voided or expired exactly once, and every token of ours is matched to one."""

    def __init__(self) -> None:
        self.open: dict[str, Hold] = {}
        self.closed: dict[str, Settlement] = {}
        self.forgotten: set[str] = set()
        self.spent: Counter[str] = Counter()

    def sent(self, world: World, sent: Sent) -> None:  # noqa: ARG002
        if sent.hold:
            self.spent[sent.hold.hold_id] += sent.charged

    def transacted(self, world: World, transaction: Transaction) -> None:
        kept = {hold.hold_id for hold in transaction.before.holds}
        if self.open.keys() - kept:
            world.fail("F13", "a hold is gone without a record")
        for hold in transaction.new_holds:
            if hold.hold_id in self.closed:
                world.fail("F13", "a hold is made twice")
            self.open[hold.hold_id] = hold
        for settlement in transaction.change.settlements:
            hold_id = settlement.hold.hold_id
            if self.open.pop(hold_id, None) is None and (hold_id not in self.forgotten or hold_id in self.closed):
                world.fail("F13", f"a hold ends twice: {settlement.outcome.value}")
            self.closed[hold_id] = settlement

    def restored(self, world: World, deleted: Deleted) -> None:  # noqa: ARG002
        if deleted.what in (Deletion.LEDGER, Deletion.RECORDS):
            self.forgotten |= self.open.keys()
            self.open.clear()

    def ended(self, world: World) -> None:
        matched = sum(self.spent[hold_id] for hold_id in self.closed.keys() | self.open.keys() | self.forgotten)
        if matched != (spent := world.account.spent):
            world.fail("F14", f"{spent} tokens were spent, {matched} are matched to holds")


SPENDING: Final = (DeficitIsBounded, ThrottledOnce, EveryCallHasItsHold, HoldsEndOnce)
