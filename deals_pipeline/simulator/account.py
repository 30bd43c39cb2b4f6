"""The account of the simulated service: a token bucket as Keepa keeps it, as values and pure functions.

Every function takes the time as `now` in Unix milliseconds and returns a new `Account`; nothing here reads a clock,
draws a random number or does I/O. Tokens are whole; fractions of the refill are carried in integer thousandths.

Which function to use:

* `charge` where the cost is known before the request runs;
* `advance`, then `is_open`, then `spend` or `refuse` where the cost is known only afterwards;
* `observe` for the token fields of any answer, errors included.

At one instant, plan and reduction changes come first, then the tick, then foreign spend, then our own request.
"""

import zlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

CAPACITY_TICKS: Final = 60
TICK_MS_MIN: Final = 60_200
TICK_MS_MAX: Final = 60_400
REDUCTION_UPDATE_MS: Final = 300_000
THOUSANDTHS: Final = 1000


@dataclass(frozen=True)
class PlanChange:
    """A change of the plan at `at` (Unix ms): rate and capacity change at once, the balance at the next tick."""

    at: int
    refill_rate: int


@dataclass(frozen=True)
class Spend:
    """A request of another program on the same key at `at` (Unix ms), executed iff the balance is > 0 (T1, T10)."""

    at: int
    tokens: int


@dataclass(frozen=True)
class _ReductionChange:
    """The refill taken by tracked products from `at` (Unix ms) on, in thousandths of a token per tick."""

    at: int
    thousandths: int


@dataclass(frozen=True)
class AccountConfig:
    """What an account is and what will befall it; two equal values behave alike for ever.

    `refill_rate` is tokens per tick; clients learn it and never configure it (T9). `tokens` is the balance at
    `started_at` (Unix ms), by default the capacity. `token_flow_reduction` holds (Unix ms, tokens per tick); the
    service notices a change at its next update, every 5 minutes from `started_at` on (T8). With
    `refill_rate_contains_reduction` the rate on the wire is the reduced one, rounded down.

    Raises ValueError that names the field, its value and what is allowed.
    """

    seed: int
    refill_rate: int
    started_at: int
    tokens: int | None = None
    plan_changes: tuple[PlanChange, ...] = ()
    foreign_spend: tuple[Spend, ...] = ()
    token_flow_reduction: tuple[tuple[int, float], ...] = ()
    refill_rate_contains_reduction: bool = False

    def __post_init__(self) -> None:
        _require_integer("seed", self.seed)
        _require_integer("refill_rate", self.refill_rate, minimum=0)
        _require_integer("started_at", self.started_at, minimum=0)
        capacity = capacity_of(self.refill_rate)
        if self.tokens is not None:
            _require_integer("tokens", self.tokens, maximum=capacity, why=f"{CAPACITY_TICKS} x refill_rate")
        for i, change in enumerate(self.plan_changes):
            self._require_time(f"plan_changes[{i}].at", change.at)
            _require_integer(f"plan_changes[{i}].refill_rate", change.refill_rate, minimum=0)
        for i, spend in enumerate(self.foreign_spend):
            self._require_time(f"foreign_spend[{i}].at", spend.at)
            _require_integer(f"foreign_spend[{i}].tokens", spend.tokens, minimum=1)
        for i, (at, tokens) in enumerate(self.token_flow_reduction):
            self._require_time(f"token_flow_reduction[{i}][0]", at)
            _require_thousandths(f"token_flow_reduction[{i}][1]", tokens)

    def _require_time(self, field: str, at: int) -> None:
        _require_integer(field, at, minimum=self.started_at, why="started_at")

    @property
    def starting_tokens(self) -> int:
        """Return the balance at `started_at`."""
        return capacity_of(self.refill_rate) if self.tokens is None else self.tokens

    @cached_property
    def schedule(self) -> tuple[PlanChange | _ReductionChange | Spend, ...]:
        """Return everything that befalls the account in order of time; at one instant, spending comes last."""
        reductions = (
            _ReductionChange(self._next_reduction_update(at), round(tokens * THOUSANDTHS))
            for at, tokens in sorted(self.token_flow_reduction, key=lambda change: change[0])
        )
        events: list[PlanChange | _ReductionChange | Spend]
        events = [*self.plan_changes, *reductions, *self.foreign_spend]
        return tuple(sorted(events, key=lambda event: event.at))

    def _next_reduction_update(self, at: int) -> int:
        return at + (self.started_at - at) % REDUCTION_UPDATE_MS


@dataclass(frozen=True)
class Account:
    """The state of an account after its newest tick and all that was spent since.

    `starting tokens + refilled - lost - spent - foreign_spent == balance` holds for every value made by this module.
    """

    balance: int
    refill_rate: int
    ticked_at: int
    tick: int = 0
    reduction_thousandths: int = 0
    carried_thousandths: int = 0
    next_event: int = 0
    refilled: int = 0
    lost: int = 0
    spent: int = 0
    foreign_spent: int = 0
    refused: int = 0

    @property
    def capacity(self) -> int:
        """Return the most tokens a tick may leave (T4)."""
        return capacity_of(self.refill_rate)


@dataclass(frozen=True)
class Charged:
    """The request was executed and `account` has paid for it."""

    account: Account


@dataclass(frozen=True)
class Refused:
    """The bucket was empty: HTTP 429, which costs nothing (T6)."""

    account: Account


@dataclass(frozen=True)
class TokenFields:
    """The token fields of every JSON answer (T5); times and durations in milliseconds."""

    timestamp: int
    tokens_left: int
    refill_in: int
    refill_rate: int
    token_flow_reduction: float
    tokens_consumed: int
    processing_time_in_ms: int

    def wire(self) -> dict[str, int | float]:
        """Return the fields under the names that Keepa gives them."""
        return {
            "timestamp": self.timestamp,
            "tokensLeft": self.tokens_left,
            "refillIn": self.refill_in,
            "refillRate": self.refill_rate,
            "tokenFlowReduction": self.token_flow_reduction,
            "tokensConsumed": self.tokens_consumed,
            "processingTimeInMs": self.processing_time_in_ms,
        }


def capacity_of(refill_rate: int) -> int:
    """Return the capacity of a plan: tokens older than an hour expire (T4)."""
    return CAPACITY_TICKS * refill_rate


def tick_length_ms(seed: int, tick: int) -> int:
    """Return the milliseconds from the tick before to `tick`, spread evenly over 60.2-60.4 s: the phase drifts (T3)."""
    return TICK_MS_MIN + zlib.crc32(b"%d:%d" % (seed, tick)) % (TICK_MS_MAX - TICK_MS_MIN + 1)


def open_account(config: AccountConfig) -> Account:
    """Return the account at `config.started_at`, which counts as tick 0."""
    return Account(config.starting_tokens, config.refill_rate, config.started_at)


def advance(config: AccountConfig, account: Account, now: int) -> Account:
    """Return the account at `now`, after all ticks and scheduled events up to and including that instant.

    A `now` before the newest tick (a clock set back) changes nothing. Advancing in two steps equals advancing in one.
    """
    schedule = config.schedule
    while account.next_event < len(schedule) and (event := schedule[account.next_event]).at <= now:
        last_tick_before = event.at if isinstance(event, Spend) else event.at - 1
        account = _apply(_tick(config.seed, account, last_tick_before), event)
    return _tick(config.seed, account, now)


def is_open(account: Account) -> bool:
    """Return whether a request that arrives now is executed, whatever its cost (T1)."""
    return account.balance > 0


def spend(account: Account, tokens: int) -> Account:
    """Return the account less the cost of an executed request; it may end far below zero (T1).

    Raises ValueError if `tokens` is negative.
    """
    if tokens < 0:
        raise ValueError(f"tokens is {tokens}; allowed: >= 0")
    return replace(account, balance=account.balance - tokens, spent=account.spent + tokens)


def refuse(account: Account) -> Account:
    """Return the account after one more request answered 429, which costs nothing (T6)."""
    return replace(account, refused=account.refused + 1)


def charge(config: AccountConfig, account: Account, now: int, cost: int) -> Charged | Refused:
    """Execute a request of known cost iff the balance is > 0 when it arrives (T1); `/token` needs no charge (T7)."""
    account = advance(config, account, now)
    return Charged(spend(account, cost)) if is_open(account) else Refused(refuse(account))


def observe(
    config: AccountConfig, account: Account, now: int, *, tokens_consumed: int = 0, processing_time_in_ms: int = 0
) -> TokenFields:
    """Return the token fields of an answer sent at `now`, whether or not `account` was advanced to it (T5).

    `refillIn` is at least 1 and at most the length of the running tick, also for a clock set back.
    """
    account = advance(config, account, now)
    length = tick_length_ms(config.seed, account.tick + 1)
    rate = account.refill_rate
    if config.refill_rate_contains_reduction:
        rate = _refill_thousandths(account) // THOUSANDTHS
    return TokenFields(
        timestamp=now,
        tokens_left=account.balance,
        refill_in=min(length, account.ticked_at + length - now),
        refill_rate=rate,
        token_flow_reduction=account.reduction_thousandths / THOUSANDTHS,
        tokens_consumed=tokens_consumed,
        processing_time_in_ms=processing_time_in_ms,
    )


def _refill_thousandths(account: Account) -> int:
    """Return the refill of one tick; tracked products cannot take more than there is."""
    return max(0, account.refill_rate * THOUSANDTHS - account.reduction_thousandths)


def _tick(seed: int, account: Account, until: int) -> Account:
    """Return the account after its ticks up to and including `until`, in none of which the rate changes.

    The refill never shrinks the balance, so capping each tick equals capping once at the end.
    """
    tick, ticked_at = account.tick, account.ticked_at
    while (next_at := ticked_at + tick_length_ms(seed, tick + 1)) <= until:
        tick, ticked_at = tick + 1, next_at
    if tick == account.tick:
        return account
    thousandths = account.carried_thousandths + (tick - account.tick) * _refill_thousandths(account)
    refilled, carried = divmod(thousandths, THOUSANDTHS)
    balance = min(account.capacity, account.balance + refilled)
    return replace(
        account,
        balance=balance,
        ticked_at=ticked_at,
        tick=tick,
        carried_thousandths=carried,
        refilled=account.refilled + refilled,
        lost=account.lost + account.balance + refilled - balance,
    )


def _apply(account: Account, event: PlanChange | _ReductionChange | Spend) -> Account:
    account = replace(account, next_event=account.next_event + 1)
    if isinstance(event, PlanChange):
        return replace(account, refill_rate=event.refill_rate)
    if isinstance(event, _ReductionChange):
        return replace(account, reduction_thousandths=event.thousandths)
    if not is_open(account):
        return account
    return replace(account, balance=account.balance - event.tokens, foreign_spent=account.foreign_spent + event.tokens)


def _require_integer(
    field: str, value: object, *, minimum: int | None = None, maximum: int | None = None, why: str = ""
) -> None:
    if type(value) is not int or (minimum is not None and value < minimum) or (maximum is not None and value > maximum):
        bounds = "".join(f" {sign} {bound}" for sign, bound in ((">=", minimum), ("<=", maximum)) if bound is not None)
        raise ValueError(f"{field} is {value!r}; allowed: an integer{bounds}{why and f' ({why})'}")


def _require_thousandths(field: str, value: float) -> None:
    if not (0 <= value < float("inf") and value == round(value, 3)):
        raise ValueError(f"{field} is {value!r}; allowed: tokens per tick >= 0 with at most three decimals")
