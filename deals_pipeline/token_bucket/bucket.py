"""The rules of the token bucket, as pure functions of a state, an ask and `now`.

The balance is derived: `available = newest observation + whole refill ticks since - open holds`. A call is granted iff
the balance is above its lane's floor and its highest cost cannot drive it below `-max_deficit`. That is all:

    decide(state, ask, now)        may this call be made, and if not, when?
    reserve(state, ask, now, ...)  the same, and a hold for it
    settle / void                  the hold's end, told by the caller
    observe(state, tokens, ...)    Keepa's word on the balance, which also ends holds that nobody settled
    doubt(state, now)              a 429 that says nothing but that: Keepa must be asked

Ticks are counted on our clock from the moment an answer came, so the difference to the server's clock does not matter;
the server's clock only says which of two answers is the newer.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from deals_pipeline.keepa.tokens import TokenObservation
from deals_pipeline.token_bucket.model import (
    TICK,
    Amount,
    Ask,
    BucketState,
    Decision,
    Deferred,
    Flow,
    Granted,
    Hold,
    LookFirst,
    Observation,
    Outcome,
    Settlement,
    TooLarge,
)

LIFE: Final = timedelta(seconds=180)
"""How long a hold waits to be settled: longer than the longest call, time-outs included."""
OLD: Final = timedelta(minutes=5)
"""From when on an observation is too old to refuse on."""
GRACE: Final = timedelta(milliseconds=500)
"""How much later than foreseen a tick is counted: its length varies by 0.2 s (T3)."""
TICK_MAX: Final = timedelta(seconds=60.5)
TICKS_LEARNED_FROM_MAX: Final = 120
TICKS_FORESEEN_MAX: Final = 365 * 24 * 60
"""A deficit that takes longer than about a year to refill has no foreseeable end."""
RATES_KEPT: Final = 5
RATES_NEEDED: Final = 3
"""How many answers have to tell the rate before it is believed: then one that glitched is outvoted."""
RATE_MAX: Final = 100_000
OVERSHOOT_LEARNED_MAX: Final = 4
"""A cost of more than this many times the cost table's is not believed of the next call."""


class HoldNotOpen(Exception):
    """A hold was to be ended that is not open: it was ended before, or an observation ended it."""


class RunRevoked(Exception):
    """The run was given up on: it may spend no more."""


def decide(state: BucketState, ask: Ask, now: datetime) -> Decision:
    """Return whether the ask may be granted now, and if not, when."""
    seen = state.observation
    if seen is None or seen.is_doubted or now < seen.received_at or len(state.rates) < RATES_NEEDED:
        return LookFirst()
    high, available, needed = state.high(ask), available_at(state, now), needed_for(state, ask)
    is_too_large = high > state.capacity > 0
    if available >= needed and not is_too_large:
        return Granted(high)
    if now - seen.received_at >= OLD or any(hold.expires_at <= now for hold in state.holds):
        return LookFirst()
    if is_too_large:
        return TooLarge(high, state.capacity)
    return Deferred(affordable_at(state, ask) or now + OLD, available, needed)


def needed_for(state: BucketState, ask: Ask) -> int:
    """Return the least that must be available: above the floor, and enough to end at `-max_deficit` at the worst."""
    deepest = state.high(ask) - ask.max_deficit.at_rate(state.refill_rate)
    return max(floor_of(state, ask.floor) + 1, deepest)


def floor_of(state: BucketState, floor: Amount) -> int:
    """Return a floor in tokens; a full bucket is always above it (F02)."""
    return min(floor.at_rate(state.refill_rate), max(0, state.capacity - 1))


def balance_at(state: BucketState, now: datetime) -> int:
    """Return what the server's balance is by what we know; 0 before the first observation."""
    if state.observation is None:
        return 0
    seen, ticks = state.observation.tokens_left, _ticks(state, now)
    return min(state.capacity, seen + ticks * state.refill) if ticks else seen


def available_at(state: BucketState, now: datetime) -> int:
    """Return the tokens that nobody holds; negative is a deficit."""
    return balance_at(state, now) - state.held


def affordable_at(state: BucketState, ask: Ask) -> datetime | None:
    """Return the first tick at which the ask is granted if nobody else spends; `None` where no refill is foreseen.

    While open holds alone keep it from fitting the capacity, that is when the first of them ends.
    """
    if state.observation is None:
        return None
    seen, wanted = state.observation.tokens_left, needed_for(state, ask) + state.held
    if wanted > state.capacity:
        return min((hold.expires_at for hold in state.holds), default=None)
    if wanted <= seen:
        return state.observation.received_at
    if wanted - seen > TICKS_FORESEEN_MAX * state.refill:
        return None
    return _first_tick(state.observation) + (ceil((wanted - seen) / state.refill) - 1) * state.tick


def reserve(
    state: BucketState, ask: Ask, now: datetime, *, hold_id: str, run_id: str, purpose: str
) -> tuple[BucketState, Decision]:
    """Decide, and where granted keep a hold. Raises `RunRevoked`."""
    if run_id in state.revoked:
        raise RunRevoked(run_id)
    decision = decide(state, ask, now)
    if not isinstance(decision, Granted):
        return state, decision
    hold = Hold(
        hold_id=hold_id,
        run_id=run_id,
        lane=ask.lane,
        purpose=purpose,
        kind=ask.kind,
        units=ask.units,
        cost=ask.cost,
        high=decision.high,
        reserved_at=now,
        expires_at=now + LIFE,
    )
    return replace(state, holds=(*state.holds, hold)), decision


def settle(state: BucketState, hold_id: str, tokens: int, now: datetime) -> tuple[BucketState, Settlement]:
    """End a hold at what the call cost, which may be more than was held: that raises the bound of its kind.

    Raises `HoldNotOpen`.
    """
    state, hold = _without(state, hold_id)
    if tokens > hold.high:
        bound = ceil(min(tokens, OVERSHOOT_LEARNED_MAX * hold.cost.high) / hold.units)
        state = replace(state, bounds={**state.bounds, hold.kind: max(bound, state.bounds.get(hold.kind, 0))})
    return state, Settlement(hold, Outcome.SETTLED, tokens, now)


def void(state: BucketState, hold_id: str, now: datetime) -> tuple[BucketState, Settlement]:
    """End a hold of a call that was never sent. Raises `HoldNotOpen`."""
    state, hold = _without(state, hold_id)
    return state, Settlement(hold, Outcome.VOIDED, 0, now)


def observe(
    state: BucketState, tokens: TokenObservation, now: datetime, *, asked_at: datetime
) -> tuple[BucketState, Flow | None, tuple[Settlement, ...]]:
    """Take in Keepa's word on the balance, received now on a call made at `asked_at`.

    Of calls that overlapped the server's clock says whose answer is the newer; the older changes nothing. Where that
    cannot be (the older says less, the newer more than a tick brings), the clock was set, and Keepa is to be asked: an
    answer to a call made before that changes nothing, it may be older than the one that was not believed.
    Holds whose life had ended by then are expired: whatever they cost, this balance contains it.
    """
    before = state.observation
    if before is not None and before.doubted_at is not None and asked_at < before.doubted_at <= now:
        return state, None, ()
    if before is not None and _overlaps(before, asked_at, now):
        is_older, believed = tokens.timestamp <= before.server_time, balance_at(state, now)
        if (tokens.tokens_left < believed) if is_older else (tokens.tokens_left > believed + state.refill):
            return doubt(state, now), None, ()
        if is_older:
            return state, None, ()
    rate = min(max(0, tokens.refill_rate), RATE_MAX)
    seen = Observation(
        server_time=tokens.timestamp,
        received_at=now,
        tokens_left=tokens.tokens_left,
        refill_in=tokens.refill_in if timedelta(0) < tokens.refill_in <= TICK_MAX else TICK_MAX,
        reduction=ceil(min(max(0.0, tokens.token_flow_reduction), RATE_MAX)),
    )
    expired = tuple(hold for hold in state.holds if hold.expires_at <= now)
    after = replace(
        state,
        observation=seen,
        rates=(*state.rates, rate)[-RATES_KEPT:],
        tick=state.tick if before is None else _learned_tick(state.tick, before, seen),
        holds=tuple(
            replace(hold, expires_at=min(hold.expires_at, now + LIFE)) for hold in state.holds if now < hold.expires_at
        ),
    )
    return (
        after,
        _flow(state, seen, after.refill_rate),
        tuple(Settlement(hold, Outcome.EXPIRED, None, now) for hold in expired),
    )


def doubt(state: BucketState, now: datetime) -> BucketState:
    """Take in a 429 without a word on the balance: whatever was believed, Keepa is asked before the next grant."""
    if state.observation is None:
        return state
    return replace(state, observation=replace(state.observation, doubted_at=now))


def _overlaps(before: Observation, asked_at: datetime, now: datetime) -> bool:
    """Return whether a call was under way when the newest answer came, or when our clock was set back."""
    return asked_at < before.received_at <= now or now < asked_at


def _flow(state: BucketState, seen: Observation, refill_rate: int) -> Flow:
    before = state.observation
    if before is None:
        return Flow(seen.received_at, seen.tokens_left, refill_rate, left=0, lost=0)
    ticks = _ticks_between(before, seen)
    refilled = before.tokens_left + ticks * state.refill
    foreseen = min(state.capacity, refilled) if ticks else refilled
    return Flow(
        seen.received_at,
        seen.tokens_left,
        refill_rate,
        left=foreseen - seen.tokens_left,
        lost=refilled - foreseen,
    )


def _first_tick(observation: Observation) -> datetime:
    return observation.received_at + observation.refill_in + GRACE


def _ticks(state: BucketState, now: datetime) -> int:
    """Return the whole ticks from the newest observation to now; none on a clock that was set back."""
    if state.observation is None or now < (first := _first_tick(state.observation)):
        return 0
    return 1 + (now - first) // state.tick


def _ticks_between(before: Observation, seen: Observation) -> int:
    """Return the ticks between two answers by the server's clock alone, which is exact: both name the next tick."""
    return round(_gap(before, seen) / TICK)


def _gap(before: Observation, seen: Observation) -> timedelta:
    return (seen.server_time + seen.refill_in) - (before.server_time + before.refill_in)


def _learned_tick(tick: timedelta, before: Observation, seen: Observation) -> timedelta:
    """Return the longest tick that two answers tell of: to count a tick late costs nothing, to count it early a 429."""
    gap, ticks = _gap(before, seen), _ticks_between(before, seen)
    if not 1 <= ticks <= TICKS_LEARNED_FROM_MAX or gap / ticks > TICK_MAX:
        return tick
    return max(tick, gap / ticks)


def _without(state: BucketState, hold_id: str) -> tuple[BucketState, Hold]:
    for hold in state.holds:
        if hold.hold_id == hold_id:
            return replace(state, holds=tuple(other for other in state.holds if other is not hold)), hold
    raise HoldNotOpen(hold_id)
