"""Reserve tokens for a request, send it, settle: the shell round the rules and the ledger.

    with bucket.reserve(request, lane=Lane.RECENT, purpose="head scan") as hold:
        reply = client.send(request, hold)
        hold.settle(reply)

Leaving the block without settling voids the hold if nothing was sent; if something was, the hold stays until the
balance itself shows what it cost: an exception does not refund (F13).
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Event
from typing import Final, TypeAlias
from uuid import uuid4

from typing_extensions import assert_never

from deals_pipeline.clock import Clock
from deals_pipeline.keepa.replies import (
    Failure,
    Fatal,
    Page,
    Products,
    Reply,
    Retryable,
    Sellers,
    Throttled,
    TokenStatus,
)
from deals_pipeline.keepa.requests import Request
from deals_pipeline.keepa.tokens import TokenObservation
from deals_pipeline.token_bucket import bucket
from deals_pipeline.token_bucket.ledger import Change, Ledger, Result
from deals_pipeline.token_bucket.model import (
    Ask,
    BucketState,
    Decision,
    Deferred,
    Granted,
    Lane,
    LookFirst,
    Policy,
    Settlement,
    TooLarge,
)
from deals_pipeline.token_bucket.status import BucketStatus, status

log: Final = logging.getLogger(__name__)

Look: TypeAlias = Callable[[], TokenStatus | Failure]
"""Asks Keepa for the balance, which is free: `KeepaClient.token_status`."""

LOOKS_MAX: Final = bucket.RATES_NEEDED
"""How often a call asks for the balance at most: a new ledger has to be told the rate more than once."""
CANCEL_CHECKED_EVERY: Final = timedelta(seconds=1)


class TokenDeficit(Exception):
    """The request cannot be paid for now; it can at `retry_at`. Schedule it, do not sleep (F07)."""

    def __init__(self, retry_at: datetime, available: int, needed: int) -> None:
        super().__init__(
            f"{needed} tokens are needed, {available} are available; enough at {retry_at:%Y-%m-%d %H:%M:%S} UTC"
        )
        self.retry_at = retry_at
        self.available = available
        self.needed = needed


class RequestTooLarge(ValueError):
    """The request can cost more than a full bucket holds: split it (F02)."""


class BalanceUnknown(Exception):
    """Keepa refuses to say the balance, and will go on refusing: the key has no plan or is wrong."""


class Reservation:
    """A hold in the hands of the code that makes the call; it fits the signature of `KeepaClient.send`."""

    def __init__(self, ledger: Ledger, hold_id: str, request: Request, reserved_at: datetime) -> None:
        self.hold_id: Final = hold_id
        self.request: Final = request
        self._reserved_at = reserved_at
        self._ledger = ledger
        self._was_sent = False
        self._is_over = False

    def mark_sent(self) -> None:
        """Record that from now on the call may be charged. Raises `HoldNotOpen` when it was sent or ended before."""
        if self._was_sent or self._is_over:
            raise bucket.HoldNotOpen(self.hold_id)
        self._was_sent = True

    def settle(self, reply: Reply) -> None:
        """End the hold as the reply tells, and take in its word on the balance.

        A reply that does not tell what the call cost leaves the hold open, until the balance shows it. Raises
        `HoldNotOpen` when it was ended before.
        """
        if self._is_over:
            raise bucket.HoldNotOpen(self.hold_id)
        match reply:
            case Page() | Products() | Sellers() | TokenStatus():
                self._end(reply.tokens.tokens_consumed, reply.tokens)
            case Throttled():
                self._end(0, reply.tokens, is_throttled=True)
            case Retryable(was_sent=False):
                self.void()
            case Retryable() | Fatal():
                if reply.tokens is not None:
                    self._end(reply.tokens.tokens_consumed, reply.tokens)
            case _ as never:
                assert_never(never)

    def void(self) -> None:
        """End the hold of a call that was never made."""
        self._is_over = True
        self._ledger.transact(self._voided)

    def close(self) -> None:
        """Void the hold if nothing was sent and nobody ended it."""
        if not self._was_sent and not self._is_over:
            self.void()

    def _end(self, tokens: int, seen: TokenObservation | None, *, is_throttled: bool = False) -> None:
        self._is_over = True

        def end(state: BucketState, now: datetime) -> Change[Settlement | None]:
            settlement = None
            if any(hold.hold_id == self.hold_id for hold in state.holds):
                state, settlement = bucket.settle(state, self.hold_id, max(0, tokens), now)
            change = Change(state, settlement, (settlement,) if settlement else ())
            if is_throttled:
                change = replace(change, throttled=1)
            if seen is not None:
                return _observed(change, seen, now, asked_at=self._reserved_at)
            return replace(change, state=bucket.doubt(state, now) if is_throttled else state)

        settlement = self._ledger.transact(end)
        if settlement and settlement.tokens is not None and settlement.tokens > settlement.hold.high:
            log.warning(
                "A call cost more than its bound: %s cost %d, held were %d. The bound of its kind is raised.",
                settlement.hold.kind,
                settlement.tokens,
                settlement.hold.high,
            )

    def _voided(self, state: BucketState, now: datetime) -> Change[None]:
        if all(hold.hold_id != self.hold_id for hold in state.holds):
            return Change(state, None)
        state, settlement = bucket.void(state, self.hold_id, now)
        return Change(state, None, (settlement,))


class TokenBucket:
    """The tokens of one account, as one run may spend them. Making one does no I/O."""

    def __init__(self, ledger: Ledger, look: Look, clock: Clock, *, run_id: str, policy: Policy | None = None) -> None:
        self._ledger = ledger
        self._look = look
        self._clock = clock
        self._run_id = run_id
        self._policy = policy or Policy()

    @contextmanager
    def reserve(
        self,
        request: Request,
        *,
        lane: Lane,
        purpose: str,
        wait_until: datetime | None = None,
        cancel: Event | None = None,
    ) -> Iterator[Reservation]:
        """Hold what a request can cost while the block makes the call.

        Raises `TokenDeficit` when it cannot be paid for now, or by `wait_until` where that is given: then this waits,
        looking again at every tick, until `cancel` is set. Raises `RequestTooLarge`, `RunRevoked`, `BalanceUnknown`.
        """
        reservation = self._reserve(request, lane, purpose, wait_until, cancel or Event())
        try:
            yield reservation
        finally:
            reservation.close()

    def look(self) -> None:
        """Ask Keepa for the balance, which is free, and take its answer in. Raises `BalanceUnknown`."""
        _, asked_at = self._ledger.read()
        reply = self._look()
        match reply:
            case TokenStatus() | Throttled() | Retryable():
                tokens = reply.tokens
            case Fatal():
                raise BalanceUnknown(f"{reply.cause.value}: {reply.detail}")
            case _ as never:
                assert_never(never)
        if tokens is None:
            log.warning("Keepa did not say the balance: %s", type(reply).__name__)
            return
        self._ledger.transact(lambda state, now: _observed(Change(state, None), tokens, now, asked_at=asked_at))

    def status(self, window: timedelta = timedelta(days=1)) -> BucketStatus:
        """Return what is known of the bucket now, and what was spent in the `window` before."""
        state, now = self._ledger.read()
        return status(state, self._ledger.record(now - window), self._policy, now)

    def spendable(self, lane: Lane) -> int:
        """Return the tokens above a lane's floor; negative below it."""
        state, now = self._ledger.read()
        return bucket.available_at(state, now) - bucket.floor_of(state, self._policy.floors[lane])

    def state(self) -> tuple[BucketState, datetime]:
        """Return what is known of the account, and the ledger's time."""
        return self._ledger.read()

    def _reserve(
        self, request: Request, lane: Lane, purpose: str, wait_until: datetime | None, cancel: Event
    ) -> Reservation:
        outcome = self._try(request, lane, purpose)
        if isinstance(outcome, TokenDeficit) and wait_until is not None:
            log.info("Waiting for tokens until %s UTC at the latest: %s", f"{wait_until:%Y-%m-%d %H:%M:%S}", outcome)
        while isinstance(outcome, TokenDeficit):
            if wait_until is None or outcome.retry_at > wait_until or cancel.is_set():
                raise outcome
            self._sleep_until(outcome.retry_at, cancel)
            outcome = self._try(request, lane, purpose)
        return outcome

    def _try(self, request: Request, lane: Lane, purpose: str) -> Reservation | TokenDeficit:
        policy = self._policy
        ask = Ask(lane, request.cost, request.kind, request.units, policy.floors[lane], policy.max_deficit)
        hold_id = uuid4().hex

        def reserve(state: BucketState, now: datetime) -> Change[tuple[Decision, datetime]]:
            after, decision = bucket.reserve(state, ask, now, hold_id=hold_id, run_id=self._run_id, purpose=purpose)
            return Change(after, (decision, now))

        decision, now = self._ledger.transact(reserve)
        for _ in range(LOOKS_MAX):
            if not isinstance(decision, LookFirst):
                break
            self.look()
            decision, now = self._ledger.transact(reserve)
        match decision:
            case Granted():
                return Reservation(self._ledger, hold_id, request, now)
            case Deferred():
                return TokenDeficit(decision.retry_at, decision.available, decision.needed)
            case LookFirst():
                return TokenDeficit(now + self._ledger.read()[0].tick, 0, request.cost.high)
            case TooLarge():
                raise RequestTooLarge(
                    f"{request.kind} of {request.units} can cost {decision.high} tokens: "
                    f"allowed is at most {decision.capacity}, a full bucket"
                )
            case _ as never:
                assert_never(never)

    def _sleep_until(self, retry_at: datetime, cancel: Event) -> None:
        """Sleep to the next tick at most, in steps in which a cancellation is noticed, however the clock is set."""
        state, now = self._ledger.read()
        left = min(retry_at - now, state.tick)
        while left > timedelta(0) and not cancel.is_set():
            self._clock.sleep(min(CANCEL_CHECKED_EVERY, left).total_seconds())
            left -= CANCEL_CHECKED_EVERY


def _observed(change: Change[Result], seen: TokenObservation, now: datetime, *, asked_at: datetime) -> Change[Result]:
    state, flow, expired = bucket.observe(change.state, seen, now, asked_at=asked_at)
    return replace(
        change,
        state=state,
        settlements=(*change.settlements, *expired),
        flows=(*change.flows, flow) if flow else change.flows,
    )
