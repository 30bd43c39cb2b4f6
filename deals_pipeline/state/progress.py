"""Whether the pipeline progresses: what it brings is judged, not whether it runs (F23).

What may be expected follows from the refill: a head scan in each of its intervals, a full scan in each of its own. It
has stopped where twice that time went by, not counting time for which there were no tokens. How old the newest deal is
follows from the market; it is told, and not judged.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from deals_pipeline.buying.buyer import ATTEMPTS_MAX
from deals_pipeline.state.model import Hour, PipelineState
from deals_pipeline.state.words import span
from deals_pipeline.token_bucket.model import Lane
from deals_pipeline.warehouse.quality import HOUR, Finding
from deals_pipeline.work import Work

MINUTE: Final = timedelta(minutes=1)
PATIENCE: Final = 2
"""How many times the time that something takes may go by before it is said to have stopped."""


def progress(state: PipelineState) -> Finding:
    """Find whether what may be expected of the tokens came: answers, full scans, tokens spent instead of lost.

    A deficit that is being refilled is waited for, until the moment that was first foreseen for its end.
    """
    stopped = list(_reasons(state))
    if stopped:
        detail = "; ".join(stopped)
    elif (until := state.funding.waits_until) is not None:
        detail = f"it waits for tokens until {until:%Y-%m-%d %H:%M:%S} UTC, the balance is {_balance(state)}"
    else:
        detail = f"the last answer came {_minutes(state.brought_at, state.at)} min ago"
    recent = state.hours[-2:]
    return Finding(
        not stopped,
        detail,
        {
            "answer_minutes": _minutes(state.brought_at, state.at),
            "answer_minutes_allowed": round(PATIENCE * state.head_scan_interval / MINUTE, 1),
            "full_scan_hours": _hours(state.full_scan_at, state.at),
            "full_scan_hours_allowed": round(PATIENCE * state.full_scan_interval / HOUR, 1),
            "newest_deal_hours": _hours(state.newest_deal_at, state.at),
            "rows_per_1000_tokens": state.rows_per_1000_tokens,
            "refill_lost": sum(hour.lost for hour in recent),
            "throttled": sum(hour.throttled for hour in recent),
        },
    )


def _reasons(state: PipelineState) -> Iterator[str]:
    if (said := _no_answers(state)) is not None:
        yield said
    if Work.FULL_SCAN in state.pending:
        yield from _no_full_scans(state)
    if (said := _lost_refill(state)) is not None:
        yield said
    if (said := _throttled(state)) is not None:
        yield said


def _no_answers(state: PipelineState) -> str | None:
    if state.bucket.observed_at is not None and state.bucket.affordable_at[Lane.RECENT] is None:
        return f"no refill is foreseen, the balance is {_balance(state)}: check the plan behind the key"
    if state.brought_at is None and state.funding.waits_until is not None:
        return None
    if state.brought_at is None:
        return (
            "nothing was bought yet: `make dev` buys" if state.first_answer_at is None else "no answer brought anything"
        )
    allowed = PATIENCE * state.head_scan_interval
    if state.funding.lasted <= allowed:
        return None
    ago, funded, unloaded = state.at - state.brought_at, state.funding.lasted, state.stuck.answers_unloaded
    said = f"nothing came for {span(ago)}, and for {span(funded)} there were tokens: allowed are {span(allowed)}"
    return said + (f"; {unloaded} answers have landed and are not loaded" if unloaded else "")


def _no_full_scans(state: PipelineState) -> Iterator[str]:
    allowed = PATIENCE * state.full_scan_interval
    for selection in state.selections:
        since = selection.full_scan_at or state.first_answer_at
        if since is not None and state.at - since - _halted_since(state, since) > allowed:
            ago = f"the last full scan of {selection.name} ended {span(state.at - since)} ago"
            never = f"{selection.name} was never read to its end in {span(state.at - since)}"
            yield f"{ago if selection.full_scan_at else never}, allowed are {span(allowed)} with tokens"


def _lost_refill(state: PipelineState) -> str | None:
    """Judge the last two whole hours: a bucket that was full when the pipeline was started lost some before."""
    waiting = {work: count for work, count in state.pending.items() if count and work is not Work.HEAD_SCAN}
    hours = state.hours[-3:-1]
    if not waiting or not all(hour.lost > sum(hour.spent.values()) for hour in hours) or not hours:
        return None
    lost, spent = sum(hour.lost for hour in hours), sum(sum(hour.spent.values()) for hour in hours)
    words = ", ".join(f"{count} of {work.value.replace('_', ' ')}" for work, count in waiting.items())
    return (
        f"in {len(hours)} hours the full bucket lost {lost} tokens and {spent} were spent, while there is work: {words}"
    )


def _throttled(state: PipelineState) -> str | None:
    """Judge this hour and the one before: more than one unit's attempts, and more than all other answers."""
    throttled = sum(hour.throttled for hour in state.hours[-2:])
    others = sum(hour.calls for hour in state.hours[-2:]) - throttled
    if throttled <= max(ATTEMPTS_MAX, others):
        return None
    return f"{throttled} calls since the last hour began were answered 429, {max(0, others)} otherwise"


def _halted_since(state: PipelineState, since: datetime) -> timedelta:
    """Return for how long there were no tokens, by whole hours."""
    return sum((HOUR for hour in state.hours if hour.start >= since and _is_halted(hour)), timedelta(0))


def _is_halted(hour: Hour) -> bool:
    return hour.balance is not None and hour.balance <= 0 and not hour.spent


def _balance(state: PipelineState) -> str:
    return f"{state.bucket.available} tokens"


def _minutes(at: datetime | None, now: datetime) -> float | None:
    return None if at is None else round((now - at) / MINUTE, 1)


def _hours(at: datetime | None, now: datetime) -> float | None:
    return None if at is None else round((now - at) / HOUR, 2)
