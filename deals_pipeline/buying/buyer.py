"""Buying one answer: reserve, send (which lands it), settle, load. The only way that tokens are spent.

page, loaded = buyer.buy(DealPageRequest(...), Work.FULL_SCAN, scan)   # Stopped when it cannot be bought now
"""

import logging
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeAlias, overload

from duckdb import DuckDBPyConnection
from typing_extensions import assert_never

from deals_pipeline.buying.outcome import Outcome, Rejected, Stopped, StoppedBy, Tally
from deals_pipeline.clock import Clock
from deals_pipeline.keepa.client import KeepaClient
from deals_pipeline.keepa.replies import Fatal, FatalCause, Page, Products, Retryable, Sellers, Throttled, TokenStatus
from deals_pipeline.keepa.requests import DealPageRequest, ProductRequest, SellerRequest
from deals_pipeline.landing import Landing, Scan, read
from deals_pipeline.token_bucket.reservation import TokenBucket, TokenDeficit
from deals_pipeline.warehouse.loading import Loaded, load, load_landed
from deals_pipeline.work import Work, cost_of, seller_cost

ATTEMPTS_MAX: Final = 3
RETRY_SECONDS: Final = 2.0
"""The wait before a second attempt; it doubles."""
UNIT_TIME_MAX: Final = timedelta(minutes=5)
"""How long a unit goes on buying, so that nobody waits longer for the pool."""

Purchase: TypeAlias = DealPageRequest | ProductRequest | SellerRequest
"""What tokens are spent on."""

_log: Final = logging.getLogger(__name__)


class Warehouse(Protocol):
    """Where answers are loaded."""

    def connect(self) -> AbstractContextManager[DuckDBPyConnection]:
        """Open it, alone, for the length of a block."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a unit may spend and how long it may take; `wait_until` is until when it may wait for tokens in place."""

    until: datetime
    tokens_max: int | None = None
    wait_until: datetime | None = None

    @classmethod
    def starting(cls, now: datetime, *, tokens_max: int | None = None, wait: timedelta = timedelta(0)) -> "Allowance":
        """Return the allowance of a unit that starts now."""
        return cls(now + max(UNIT_TIME_MAX, wait), tokens_max, now + wait if wait else None)


class Buyer:
    """Buys answers for one run, one after the other, and counts what they brought in `tally`."""

    def __init__(
        self,
        bucket: TokenBucket,
        client: KeepaClient,
        landing: Landing,
        warehouse: Warehouse,
        clock: Clock,
        allowance: Allowance,
    ) -> None:
        self.bucket: Final = bucket
        self.warehouse: Final = warehouse
        self.clock: Final = clock
        self.tally = Tally()
        self._client = client
        self._landing = landing
        self._allowance = allowance

    def load_landed(self) -> int:
        """Load what earlier runs paid for and did not load; return how many answers (F31, F44).

        Raises `NotLanded` where nothing could land.
        """
        self._landing.require_room()
        with self.warehouse.connect() as connection:
            answers = sum(1 for _ in load_landed(connection, self._landing.root))
        if answers:
            _log.info("Loaded %d answers that an earlier run had bought, at 0 tokens.", answers)
        return answers

    def batch_size(self, work: Work) -> int:
        """Return of how many products a batch of this class may be now, at least one, at what calls have cost (F01)."""
        tokens = self._affordable(work)
        state, _ = self.bucket.state()
        return max(1, tokens // cost_of(work, state.bounds))

    def sellers_size(self) -> int:
        """Return of how many sellers a batch may be now, by the same."""
        tokens = self._affordable(Work.OFFERS)
        state, _ = self.bucket.state()
        return max(1, tokens // seller_cost(state.bounds))

    @overload
    def buy(self, request: DealPageRequest, work: Work, scan: Scan) -> tuple[Page, Loaded]: ...
    @overload
    def buy(self, request: ProductRequest, work: Work) -> tuple[Products, Loaded]: ...
    @overload
    def buy(self, request: SellerRequest, work: Work) -> tuple[Sellers, Loaded]: ...
    def buy(self, request: Purchase, work: Work, scan: Scan | None = None) -> tuple[Page | Products | Sellers, Loaded]:
        """Buy an answer and load it; raises `Stopped` when that cannot be now, `Rejected` when it never can."""
        for attempt in range(ATTEMPTS_MAX):
            self._require_allowance(request)
            reply = self._send(request, work, scan)
            match reply:
                case Page() | Products() | Sellers():
                    return reply, self._load(request, reply)
                case Throttled():
                    continue  # the bucket knows the balance now, or asks for it
                case Retryable():
                    _log.warning("No answer to %s: %s (%s)", request.kind, reply.cause.value, reply.detail)
                    self.tally += Tally(requests=1, calls_unknown=int(reply.was_sent and reply.tokens is None))
                    if attempt + 1 < ATTEMPTS_MAX:
                        self.clock.sleep(RETRY_SECONDS * 2**attempt)
                case Fatal():
                    raise Rejected(_advice(request, reply))
                case TokenStatus():
                    raise TypeError(f"{request.kind} was answered with {type(reply).__name__}")
                case _ as never:
                    assert_never(never)
        raise Stopped(StoppedBy.NO_ANSWER, f"Keepa gave no answer to {ATTEMPTS_MAX} calls for a {request.kind}")

    def outcome(self, stopped_by: StoppedBy, reason: str, retry_at: datetime | None = None) -> Outcome:
        """Return what became of the unit."""
        return Outcome(stopped_by, reason, self.tally, retry_at)

    def stopped(self, stopped: Stopped) -> Outcome:
        """Return what became of a unit that could not go on."""
        return self.outcome(stopped.by, str(stopped), stopped.retry_at)

    def _require_allowance(self, request: Purchase) -> None:
        now, tokens_max = self.clock.now(), self._allowance.tokens_max
        if now >= self._allowance.until:
            raise Stopped(StoppedBy.TIME, "a unit is short, the next one goes on", now)
        if tokens_max is not None and self.tally.tokens_estimated + request.cost.high > tokens_max:
            raise Stopped(StoppedBy.BUDGET, f"the {tokens_max} tokens of the unit are spent", now)

    def _affordable(self, work: Work) -> int:
        """Return the tokens that a batch of this class may cost now, at least 1: what is above the lane's floor.

        Never more than the bucket holds (F02): a plan that shrank leaves a balance above that, which stays there.
        """
        state, now = self.bucket.state()
        if state.observation is None or now - state.observation.received_at >= UNIT_TIME_MAX:
            self.bucket.look()
            state, _ = self.bucket.state()
        tokens = min(self.bucket.spendable(work.lane), state.capacity)
        if self._allowance.tokens_max is not None:
            tokens = min(tokens, self._allowance.tokens_max - self.tally.tokens_estimated)
        return max(1, tokens)

    def _send(
        self, request: Purchase, work: Work, scan: Scan | None
    ) -> Page | Products | Sellers | TokenStatus | Throttled | Retryable | Fatal:
        try:
            with (
                self.bucket.reserve(
                    request, lane=work.lane, purpose=work.value, wait_until=self._allowance.wait_until
                ) as hold,
                self._landing.reading(scan) if scan else nullcontext(),
            ):
                reply = self._client.send(request, hold)
                hold.settle(reply)
                return reply
        except TokenDeficit as deficit:
            raise Stopped(StoppedBy.TOKENS, str(deficit), deficit.retry_at) from deficit

    def _load(self, request: Purchase, reply: Page | Products | Sellers) -> Loaded:
        assert self._landing.latest is not None, "an answer lands before it is read"
        with self.warehouse.connect() as connection:
            loaded = load(connection, read(self._landing.latest))
        bought = Tally.of(request, reply.tokens, loaded)
        self.tally += bought
        for breach in loaded.breaches:
            _log.warning("A parameter had no effect: %s", breach)
        return loaded


def _advice(request: Purchase, fatal: Fatal) -> str:
    said = f"{fatal.cause.value}: {fatal.detail}"
    if fatal.cause is FatalCause.PAYMENT_REQUIRED:
        return f"{said}. Check KEEPA_API_KEY and the plan behind it"
    if isinstance(request, DealPageRequest):
        return f"{said}. Check the selection in deals.toml that this run read"
    return f"{said}. No setting decides a request for a {request.kind}: look for a newer deals_pipeline"
