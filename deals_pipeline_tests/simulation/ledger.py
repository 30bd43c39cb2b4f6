"""A ledger in memory, and what one process sees of a ledger: nothing any more once it is dead."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from deals_pipeline.token_bucket.ledger import Change, Lease, Ledger, Record, Result, Spend
from deals_pipeline.token_bucket.model import BucketState, Flow, Settlement

Watch = Callable[[BucketState, Change[Any], datetime], None]
"""Sees each transaction: the state before, what it leaves behind, and the ledger's time."""


class MemoryLedger:
    """The protocol's simplest ledger; `now` is its clock."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.state = BucketState()
        self.settlements: list[Settlement] = []
        self.observed: list[Flow] = []
        self.throttled: list[tuple[datetime, int]] = []
        self._now = now

    def transact(self, change: Callable[[BucketState, datetime], Change[Result]]) -> Result:
        now = self._now()
        outcome = change(self.state, now)
        self.state = outcome.state
        self.settlements += outcome.settlements
        self.observed += outcome.flows
        if outcome.throttled:
            self.throttled.append((now, outcome.throttled))
        return outcome.result

    def read(self) -> tuple[BucketState, datetime]:
        return self.state, self._now()

    def record(self, since: datetime) -> Record:
        spends = (
            Spend(
                lane=settlement.hold.lane.value,
                run_id=settlement.hold.run_id,
                purpose=settlement.hold.purpose,
                calls=1,
                tokens=settlement.tokens or 0,
                unknown=int(settlement.tokens is None),
                overshoots=int((settlement.tokens or 0) > settlement.hold.high),
            )
            for settlement in self.settlements
            if settlement.resolved_at >= since
        )
        flows = [flow for flow in self.observed if flow.observed_at >= since]
        return Record(
            spends=tuple(spends),
            left=sum(flow.left for flow in flows),
            lost=sum(flow.lost for flow in flows),
            throttled=sum(count for at, count in self.throttled if at >= since),
        )

    def flows(self, since: datetime) -> tuple[Flow, ...]:
        return tuple(flow for flow in self.observed if flow.observed_at >= since)

    @contextmanager
    def lease(self, run_id: str) -> Iterator[Lease]:
        yield Lease(run_id, "here", 1, self._now())

    def dead_leases(self) -> tuple[Lease, ...]:
        return ()

    def revoke(self, run_id: str) -> None:
        self.state = replace(self.state, revoked=self.state.revoked | {run_id})

    def close(self) -> None:
        """There is nothing to close."""


class ProcessDied(BaseException):
    """The process dies here and now; nothing catches this but the world."""


class ProcessLedger:
    """A ledger as one process uses it; `watch` sees every transaction.

    What a process would still do as it dies (a `finally`) does not happen.
    """

    def __init__(self, shared: Ledger, watch: Watch) -> None:
        self.is_alive = True
        self._shared = shared
        self._watch = watch

    def transact(self, change: Callable[[BucketState, datetime], Change[Result]]) -> Result:
        if not self.is_alive:
            return cast("Result", None)
        seen: list[tuple[BucketState, Change[Result], datetime]] = []

        def watched(state: BucketState, now: datetime) -> Change[Result]:
            outcome = change(state, now)
            seen.append((state, outcome, now))
            return outcome

        result = self._shared.transact(watched)
        self._watch(*seen[-1])
        return result

    def read(self) -> tuple[BucketState, datetime]:
        return self._shared.read()

    def record(self, since: datetime) -> Record:
        return self._shared.record(since)

    def flows(self, since: datetime) -> tuple[Flow, ...]:
        return self._shared.flows(since)

    def lease(self, run_id: str) -> AbstractContextManager[Lease]:
        return self._shared.lease(run_id)

    def dead_leases(self) -> tuple[Lease, ...]:
        return self._shared.dead_leases()

    def revoke(self, run_id: str) -> None:
        self._shared.revoke(run_id)

    def close(self) -> None:
        """The ledger is shared: whoever made it closes it."""
