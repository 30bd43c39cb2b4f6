"""Gathers the state of the pipeline from the warehouse, the ledger and the landed answers. It spends nothing."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

from duckdb import DuckDBPyConnection
from typing_extensions import assert_never

from deals_pipeline.buying.backlog import Survey, survey
from deals_pipeline.buying.feeds import LONG_AGO, Feed, feed_of
from deals_pipeline.buying.histories import pending_histories
from deals_pipeline.buying.offers import pending_offers
from deals_pipeline.buying.shards import SCAN_AGE_MAX
from deals_pipeline.config import Settings
from deals_pipeline.keepa.requests import PAGES_MAX
from deals_pipeline.landing import landed_files
from deals_pipeline.planner import costs, due_at, interval_of, plan, spent_by_work
from deals_pipeline.state.funding import funding
from deals_pipeline.state.model import (
    Counts,
    FreshnessPlan,
    Hour,
    Next,
    PipelineState,
    Rejection,
    Screening,
    Stuck,
    WatchedSelection,
)
from deals_pipeline.state.words import count
from deals_pipeline.token_bucket.ledger import Ledger, Record
from deals_pipeline.token_bucket.model import BucketState, Flow
from deals_pipeline.token_bucket.status import BucketStatus, status
from deals_pipeline.warehouse.quality import DAY, HOUR, coverage, signs
from deals_pipeline.warehouse.statements import statement
from deals_pipeline.work import COST, Backlog, History, ProductUnit, ScanUnit, Unit, Wait, Work

HOURS: Final = 48
"""How many hours are told one by one, that of the moment included."""
MINUTE: Final = timedelta(minutes=1)
FOR_EVER: Final = datetime.max.replace(tzinfo=timezone.utc)


def gather(connection: DuckDBPyConnection, ledger: Ledger, settings: Settings, now: datetime) -> PipelineState:
    """Return the state at `now`, from an open warehouse. Raises `LedgerError`."""
    budget = settings.budget
    account, _ = ledger.read()
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    bucket = status(account, ledger.record(today), budget.policy, now)
    window = ledger.record(now - budget.shares.window)
    lately = status(account, window, budget.policy, now)
    flows = ledger.flows(_hours_until(now)[0])
    found = survey(connection, settings, now)
    feeds = [feed_of(connection, selection) for selection in settings.recent]
    heard = signs(connection, settings.recent)
    answers = _row(connection, "state_answers", today=today)
    funded = funding(account, flows, answers["brought_at"] or LONG_AGO, budget.policy, now)
    head_scan_interval = interval_of(lately, found.backlog, now, budget, Work.HEAD_SCAN)
    return PipelineState(
        at=now,
        mode=settings.mode,
        served_by=settings.api_url or "the simulator",
        bucket=bucket,
        hours=_hours(ledger, flows, now),
        funding=funded,
        selections=tuple(_selections(feeds, lately, found.backlog, settings, now)),
        coverage=coverage(connection, settings.places.landing, settings.recent),
        newest_deal_at=heard.last_update,
        seen_at=heard.last_seen,
        full_scan_at=heard.oldest_complete,
        first_answer_at=answers["first_answer_at"],
        brought_at=answers["brought_at"],
        rows_today=answers["rows_today"],
        counts=_counts(connection, found),
        screening=_screening(connection),
        freshness=_freshness(connection, budget.intervals.history),
        pending=_pending(connection, lately, found.backlog, settings, now),
        next=_next(account, window, found.backlog, settings, now),
        stuck=_stuck(connection, feeds, found, settings, now),
        head_scan_interval=head_scan_interval,
        full_scan_interval=_full_scan_interval(feeds, lately.refill_rate, head_scan_interval, settings),
    )


def _hours_until(now: datetime) -> list[datetime]:
    last = now.replace(minute=0, second=0, microsecond=0)
    return [last - HOUR * back for back in range(HOURS - 1, -1, -1)]


def _hours(ledger: Ledger, flows: Sequence[Flow], now: datetime) -> tuple[Hour, ...]:
    """Return the hours; an hour is what was recorded since its start less what was since its end."""
    starts = _hours_until(now)
    since = [ledger.record(start) for start in starts] + [Record()]
    return tuple(
        _hour(start, earlier, later, [flow for flow in flows if start <= flow.observed_at < start + HOUR])
        for start, earlier, later in zip(starts, since, since[1:], strict=False)
    )


def _hour(start: datetime, since_start: Record, since_end: Record, flows: Sequence[Flow]) -> Hour:
    spent, calls = Counter[str](), 0
    for sign, record in ((1, since_start), (-1, since_end)):
        for spend in record.spends:
            spent[spend.purpose] += sign * spend.tokens
            calls += sign * spend.calls
    return Hour(
        start=start,
        spent={purpose: tokens for purpose, tokens in spent.items() if tokens},
        foreign=since_start.left - since_end.left - sum(spent.values()),
        lost=since_start.lost - since_end.lost,
        calls=calls,
        throttled=since_start.throttled - since_end.throttled,
        balance=flows[-1].tokens_left if flows else None,
        lowest=min((flow.tokens_left for flow in flows), default=None),
    )


def _selections(
    feeds: Sequence[Feed], lately: BucketStatus, backlog: Backlog, settings: Settings, now: datetime
) -> Iterator[WatchedSelection]:
    heads, fulls = (
        due_at(lately, backlog, History(), now, settings.budget, work) for work in (Work.HEAD_SCAN, Work.FULL_SCAN)
    )
    for feed, head_scan_due_at, full_scan_due_at in zip(feeds, heads, fulls, strict=True):
        unfinished = feed.unfinished(now, settings.budget.intervals.full_scan)
        yield WatchedSelection(
            name=feed.selection.name,
            marketplace=feed.selection.marketplace.name,
            head_scan_at=feed.begun_at(now),
            head_scan_due_at=head_scan_due_at,
            full_scan_at=feed.completed_at(now),
            full_scan_due_at=full_scan_due_at,
            pages=feed.pages,
            page=unfinished.next_page if unfinished else 0,
        )


def _full_scan_interval(
    feeds: Sequence[Feed], refill_rate: int, head_scan_interval: timedelta, settings: Settings
) -> timedelta:
    """Return the time between two full scans as their share of the refill allows, that is when all classes have work.

    A selection that was never read to its end is taken for as long as one can be.
    """
    interval, page = settings.budget.intervals.full_scan, COST[Work.FULL_SCAN]
    heads = len(feeds) * page / (head_scan_interval / MINUTE)
    per_minute = max(0.0, refill_rate - heads) * settings.budget.shares.full_scan / 100
    if not per_minute:
        return interval
    return max(interval, sum(feed.pages or PAGES_MAX for feed in feeds) * page / per_minute * MINUTE)


def _counts(connection: DuckDBPyConnection, found: Survey) -> Counts:
    row = _row(connection, "summary")
    return Counts(
        listed=row["deals_listed"],
        gone=row["deals_gone"],
        backfilled=row["deals_backfilled"],
        histories=row["products"],
        points=row["points"],
        shards=len(found.shards),
        shards_complete=sum(state.is_complete for state in found.shards),
    )


def _screening(connection: DuckDBPyConnection) -> Screening:
    survivors, rejections, unscreened = dict[str, int](), list[Rejection](), 0
    for screened, stage, reason, deals in connection.execute(statement("state_screening")).fetchall():
        if screened == "survives":
            survivors[stage] = deals
        elif screened == "rejected":
            rejections.append(Rejection(stage, reason, deals))
        else:
            unscreened = deals
    worth_buying = sum(deals for stage, deals in survivors.items() if stage != "page")
    return Screening(survivors, tuple(rejections), worth_buying, unscreened)


def _freshness(connection: DuckDBPyConnection, interval: timedelta) -> FreshnessPlan:
    return FreshnessPlan(interval, **_row(connection, "state_freshness", history_minutes=interval // MINUTE))


def _pending(
    connection: DuckDBPyConnection, lately: BucketStatus, backlog: Backlog, settings: Settings, now: datetime
) -> Mapping[Work, int]:
    budget = settings.budget
    due = {
        work: sum(at <= now for at in due_at(lately, backlog, History(), now, budget, work))
        for work in Work
        if work is Work.HEAD_SCAN or getattr(budget.shares, work.value)
    }
    # Of these the backlog has no more than a plan needs, and for offers the products whose seller is asked for too.
    if due.get(Work.HISTORY):
        due[Work.HISTORY] = pending_histories(connection, now, budget.intervals.history, 1).count
    if due.get(Work.OFFERS):
        count_all = pending_offers(connection, now, budget.intervals.offers, 1).count
        due[Work.OFFERS] = max(due[Work.OFFERS], count_all)
    return due


def _next(account: BucketState, window: Record, backlog: Backlog, settings: Settings, now: datetime) -> Next:
    """Return what the planner would ask for now, or where it waits, what it would when that is over."""
    at, reason = now, ""
    for _ in range(2):
        lately = status(account, window, settings.budget.policy, at)
        decision = plan(lately, backlog, History(spent_by_work(lately), costs=costs(account)), at, settings.budget)
        match decision:
            case Wait():
                at, reason = decision.until, reason or decision.reason
            case ScanUnit() | ProductUnit():
                return Next(at, decision.work, _words(decision) + (f": {reason}" if reason else ""))
            case _ as never:
                assert_never(never)
    return Next(at, None, reason)


def _words(unit: Unit) -> str:
    """Return a unit in words."""
    match unit:
        case ScanUnit():
            of = unit.scan.key.partition("@")[0]
            return f"{unit.work.value.replace('_', ' ')} of {of}, {count(unit.pages, 'page')} at most"
        case ProductUnit():
            return f"{unit.work.value.replace('_', ' ')} of {count(len(unit.products), 'product')}"
        case _ as never:
            assert_never(never)


def _stuck(
    connection: DuckDBPyConnection, feeds: Sequence[Feed], found: Survey, settings: Settings, now: datetime
) -> Stuck:
    interval = settings.budget.intervals.full_scan
    abandoned = [feed.selection.name for feed in feeds if feed.abandoned(now, interval)]
    begun = [state for state in found.shards if state.newest is not None and not state.is_complete]
    abandoned += [
        state.shard.key for state in begun if state.newest and not state.newest.is_resumable(now, SCAN_AGE_MAX)
    ]
    quarantined = connection.execute(statement("state_quarantined"), {"since": now - DAY}).fetchall()
    return Stuck(
        quarantined=dict(quarantined),
        **_row(connection, "state_missing"),
        abandoned=tuple(abandoned),
        shards_begun=len(begun),
        answers_unloaded=_unloaded(connection, settings.places.landing),
    )


def _unloaded(connection: DuckDBPyConnection, landing: Path) -> int:
    loaded = {file_id for (file_id,) in connection.execute(statement("loaded_files")).fetchall()}
    return sum(path.stem not in loaded for path in landed_files(landing, skipped=lambda _path, _reason: None))


def _row(connection: DuckDBPyConnection, name: str, **values: object) -> dict[str, Any]:
    """Return the row of a statement by column; times in UTC."""
    cursor = connection.execute(statement(name), values)
    names = [column for column, *_ in cursor.description]
    (found,) = cursor.fetchall()
    return {
        column: value.astimezone(timezone.utc) if isinstance(value, datetime) else value
        for column, value in zip(names, found, strict=True)
    }
