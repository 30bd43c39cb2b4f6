"""Keepa as the world sees it: the simulator's account and faults, an answer as a reply, no bytes between.

A call arrives, is refused or runs, is charged somewhere while it runs, and is answered: other calls may be charged
between any two of these.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import Enum
from random import Random
from typing import Final

from deals_pipeline.keepa.replies import (
    Page,
    Products,
    Reply,
    Retryable,
    RetryableCause,
    Sellers,
    Throttled,
    TokenStatus,
)
from deals_pipeline.keepa.requests import DealPageRequest, ProductRequest, Request, SellerRequest
from deals_pipeline.keepa.time import from_unix_ms
from deals_pipeline.keepa.tokens import TokenObservation
from deals_pipeline.simulator.account import (
    Account,
    TokenFields,
    advance,
    is_open,
    observe,
    open_account,
    refuse,
    spend,
)
from deals_pipeline.simulator.faults import Fault
from deals_pipeline_tests.simulation.scenario import Scenario, Trouble

READ_TIMEOUT_MS: Final = 90_000
TOKENS_PER_ASIN: Final = (1, 6, 6, 6, 12)
"""What an ASIN with 20 offers costs, as often as it does: the mean is 6.2 (the refresh failed, one page, two)."""
OVERSHOOTS: Final = 0.02
CUT: Final = {
    Fault.CONNECTION_RESET: RetryableCause.CONNECTION_LOST,
    Fault.LOST_ANSWER: RetryableCause.TIMED_OUT,
    Fault.TRUNCATED_BODY: RetryableCause.CORRUPT,
    Fault.EMPTY_BODY: RetryableCause.EMPTY,
    Fault.HTML_BODY: RetryableCause.NOT_JSON,
    Fault.BAD_GATEWAY: RetryableCause.SERVER_ERROR,
}
"""Faults that take the token fields away from an answer."""


class Cause(Enum):
    """What surprises a ledger, and how many answers to calls made since tell it."""

    FOREIGN_SPEND = ("foreign spend", 1)
    OVERSHOOT = ("overshoot", 1)
    FLOW_REDUCTION = ("flow reduction", 3)
    """The rate on the wire may contain it."""
    PLAN_CHANGE = ("plan change", 3)
    """The rate is the median of five."""
    CUT_OFF = ("a smaller plan cuts the balance off", 1)
    """At the first tick after the change, which the ledger counts a moment late."""
    CLOCK_JUMP = ("clock jump", 1)
    """Calls that were under way have to come back first: a clock set forward ends the life of their holds."""
    SERVER_CLOCK_SET_BACK = ("the server's clock is set back", 1)
    """Of calls that overlap then, which answer is the newer shows only where they differ by more than a tick brings."""

    def __init__(self, text: str, answers: int) -> None:
        self.text = text
        self.answers = answers


@dataclass(eq=False)
class Call:
    """One request on its way, with what nobody but the world knows of it. All times are true Unix ms."""

    request: Request
    hold_id: str
    process: str
    high: int
    asked_at: int
    unknown: frozenset[Cause]
    """What had happened that the ledger could not know yet when it granted this."""
    number: int = 0
    is_sent: bool = False
    fault: Fault | None = None
    is_refused: bool = False
    charged: int = 0
    is_over: bool = False
    """Whether the service has charged all that it will."""
    is_back: bool = False
    reply: Reply | None = None
    is_glitched: bool = False

    @property
    def is_in_flight(self) -> bool:
        """Whether an answer may still come."""
        return not self.is_back and (self.is_sent or not self.is_over)


@dataclass
class Service:
    """The simulated Keepa in virtual time; the world says when a stage of a call comes."""

    scenario: Scenario
    account: Account = field(init=False)
    requests: int = 0

    def __post_init__(self) -> None:
        self.account = open_account(self.scenario.config)

    def advance(self, now: int) -> None:
        """Bring the account to `now`."""
        self.account = advance(self.scenario.config, self.account, now)

    @property
    def rate_on_the_wire(self) -> int:
        """Return the rate that answers tell, of which tracked products may have taken their part."""
        return observe(self.scenario.config, self.account, self.account.ticked_at).refill_rate

    def strike(self, call: Call) -> None:
        """Decide which fault befalls a call."""
        self.requests += 1
        call.number = self.requests
        call.fault = self.scenario.faults.strike(call.number)

    def reply_without_arrival(self, call: Call) -> Reply | None:
        """Return the reply of whatever stands between us and the service; `None` if the call gets through."""
        is_heads = self.scenario.faults.coin(call.number)
        match call.fault:
            case Fault.CONNECTION_REFUSED:
                return Retryable(RetryableCause.NOT_CONNECTED, "", was_sent=False, tokens=None)
            case Fault.PROXY_THROTTLED:
                return Throttled(None)
            case Fault.BAD_GATEWAY if is_heads:
                return Retryable(RetryableCause.SERVER_ERROR, "", was_sent=True, tokens=None)
            case _:
                return None

    def fails_before_execution(self, call: Call) -> bool:
        """Return whether the service itself fails before it charges anything."""
        return call.fault is Fault.SERVER_ERROR and self.scenario.faults.coin(call.number)

    def arrive(self, call: Call) -> None:
        """Admit a call iff the balance is above 0 (T1)."""
        if not is_open(self.account):
            self.account = refuse(self.account)
            call.is_refused = call.is_over = True

    def duration_ms(self, call: Call) -> int:
        """Return how long the call runs."""
        kind = _latency_kind(call.request)
        drawn = self.scenario.faults.delay_ms(call.number, kind)
        return drawn or Random(f"duration {self.scenario.seed} {call.number}").randint(50, 400)

    def charge(self, call: Call) -> None:
        """Charge what the call costs."""
        call.charged = self._cost(call)
        call.is_over = True
        self.account = spend(self.account, call.charged)

    def answer(self, call: Call, now: int) -> Reply:
        """Return the reply as it reaches us."""
        if call.fault in CUT:
            if call.is_refused and call.fault not in (Fault.LOST_ANSWER, Fault.CONNECTION_RESET, Fault.BAD_GATEWAY):
                return Throttled(None)
            return Retryable(CUT[call.fault], "", was_sent=True, tokens=None)
        call.is_glitched = call.fault is Fault.RATE_GLITCH
        tokens = self._observation(call.number, now, call.charged, is_glitched=call.is_glitched)
        if call.fault is Fault.SERVER_ERROR and not call.is_refused:
            return Retryable(RetryableCause.SERVER_ERROR, "", was_sent=True, tokens=tokens)
        if call.is_refused:
            return Throttled(tokens)
        return _success(call.request, tokens)

    def look(self, now: int) -> tuple[TokenStatus | Throttled | Retryable, bool]:
        """Answer `/token`, which costs nothing; return also whether the answer is glitched."""
        self.requests += 1
        fault = self.scenario.faults.strike(self.requests)
        if fault is Fault.PROXY_THROTTLED:
            return Throttled(None), False
        if fault is Fault.CONNECTION_REFUSED:
            return Retryable(RetryableCause.NOT_CONNECTED, "", was_sent=False, tokens=None), False
        if fault in CUT:
            return Retryable(CUT[fault], "", was_sent=True, tokens=None), False
        tokens = self._observation(self.requests, now, 0, is_glitched=fault is Fault.RATE_GLITCH)
        if fault is Fault.SERVER_ERROR:
            return Retryable(RetryableCause.SERVER_ERROR, "", was_sent=True, tokens=tokens), False
        return TokenStatus(tokens), fault is Fault.RATE_GLITCH

    def _observation(self, number: int, now: int, consumed: int, *, is_glitched: bool) -> TokenObservation:
        faults = self.scenario.faults
        fields = observe(self.scenario.config, self.account, now, tokens_consumed=consumed)
        fields = replace(fields, timestamp=fields.timestamp + faults.skew_ms(from_unix_ms(now)))
        return as_observation(faults.glitch(number, fields) if is_glitched else fields)

    def _cost(self, call: Call) -> int:
        draw = Random(f"cost {self.scenario.seed} {call.number}")
        cost = call.request.cost
        tokens = cost.high
        if isinstance(call.request, ProductRequest) and call.request.offers:
            pages = call.request.offers // 20
            tokens = sum(pages * draw.choice(TOKENS_PER_ASIN) for _ in call.request.asins)
        elif isinstance(call.request, SellerRequest):
            tokens = draw.randint(cost.low, cost.high)
        if Trouble.OVERSHOOT in self.scenario.troubles and draw.random() < OVERSHOOTS:
            tokens = round(cost.high * draw.uniform(1, 1.5)) + 1
        return tokens


def as_observation(fields: TokenFields) -> TokenObservation:
    """Return the token fields of the simulated service as the client reads them."""
    return TokenObservation(
        timestamp=from_unix_ms(fields.timestamp),
        tokens_left=fields.tokens_left,
        refill_in=timedelta(milliseconds=fields.refill_in),
        refill_rate=fields.refill_rate,
        token_flow_reduction=fields.token_flow_reduction,
        tokens_consumed=fields.tokens_consumed,
    )


def _latency_kind(request: Request) -> str:
    match request:
        case DealPageRequest():
            return "deal"
        case ProductRequest():
            return "offers" if request.offers else "product"
        case SellerRequest():
            return "seller"
        case _:
            return "token"


def _success(request: Request, tokens: TokenObservation) -> Reply:
    match request:
        case DealPageRequest():
            return Page(tokens, (), (), (), duplicates=0, is_last=True, is_in_order=True)
        case ProductRequest():
            return Products(tokens, (), (), (), ())
        case SellerRequest():
            return Sellers(tokens, (), (), ())
        case _:
            return TokenStatus(tokens)
