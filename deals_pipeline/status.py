"""`make status`: the state of the pipeline in the terminal, and whether it progresses. It spends nothing."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime
from itertools import chain, repeat
from pathlib import Path
from textwrap import wrap
from typing import Final

from deals_pipeline.clock import SystemClock
from deals_pipeline.config import Mode, Settings
from deals_pipeline.home import holders
from deals_pipeline.state import PipelineState, gather, progress
from deals_pipeline.state.words import count, grouped, span
from deals_pipeline.token_bucket.ledger import LedgerError, account_of
from deals_pipeline.token_bucket.ledgers import open_ledger
from deals_pipeline.warehouse.connection import WarehouseError, connect
from deals_pipeline.warehouse.quality import Finding
from deals_pipeline.warehouse.schema import migrate

LOCK_SECONDS_MAX: Final = 15.0
"""How long to wait for the warehouse: a run keeps it for a few seconds at a time."""
COLUMNS: Final = 96
INDENT: Final = 12
REJECTIONS_SHOWN: Final = 4


class StateUnknown(Exception):
    """The state cannot be looked at now; the message says why."""


def tell(settings: Settings) -> tuple[bool, list[str]]:
    """Return whether the pipeline progresses, and the lines that say how it stands. Raises `StateUnknown`."""
    home = settings.places.home
    if not home.exists():
        return False, [f"Stopped: nothing was bought yet: `make dev` buys, and makes {home}"]
    state = look(settings)
    found = progress(state)
    return found.passed, list(lines(state, found, runs_here(settings)))


def look(settings: Settings) -> PipelineState:
    """Return the state now. Raises `StateUnknown`, also where another process keeps the warehouse open for too long."""
    places, clock = settings.places, SystemClock()
    try:
        with (
            closing(open_ledger(places.ledger, account_of(settings.key), clock)) as ledger,
            connect(places.warehouse, LOCK_SECONDS_MAX) as connection,
        ):
            migrate(connection)
            return gather(connection, ledger, settings, ledger.read()[1])
    except (LedgerError, WarehouseError) as unusable:
        raise StateUnknown(str(unusable)) from unusable


def runs_here(settings: Settings) -> str:
    """Return whether a `make dev` runs in the home, in words; nothing where the system does not tell."""
    if not Path("/proc").exists():
        return ""
    living = holders(settings.places.dagster_home)
    return f"`make dev` runs, process {living[0]}" if living else "no `make dev` runs"


def lines(state: PipelineState, found: Finding, runs: str = "") -> Iterator[str]:
    """Yield the lines; the last says whether it progresses, or why not."""
    served = f"live, {state.served_by} serves" if state.mode is Mode.LIVE else "simulated, nothing here is real"
    yield f"{state.at:%Y-%m-%d %H:%M:%S} UTC; {served}" + (f"; {runs}" if runs else "")
    yield ""
    for name, texts in _sections(state).items():
        for label, text in zip(chain([name], repeat("")), texts, strict=False):
            yield from wrap(text, COLUMNS, initial_indent=f"{label:<{INDENT}}", subsequent_indent=" " * INDENT)
    yield ""
    yield from wrap(f"{'Progresses' if found.passed else 'Stopped'}: {found.detail}", COLUMNS)


def _sections(state: PipelineState) -> dict[str, list[str]]:
    """Return what there is to say, by what it is about."""
    return {
        "Tokens": list(_tokens(state)),
        "Today": list(_today(state)),
        "Deals": list(_deals(state)),
        "Screening": list(_screening(state)),
        "Freshness": list(_freshness(state)),
        "Stuck": list(_stuck(state)),
        "Next": list(_next(state)),
    }


def _tokens(state: PipelineState) -> Iterator[str]:
    bucket = state.bucket
    if bucket.observed_at is None:
        yield "the balance is not known: Keepa was not asked yet"
        return
    yield (
        f"{grouped(bucket.available)} available of {grouped(bucket.capacity)}, {bucket.refill_rate} come a minute; "
        f"the deficit is {bucket.deficit}, allowed are {bucket.max_deficit}"
    )
    lanes = (f"{lane.value.replace('_', ' ')} {_when(at, state.at)}" for lane, at in bucket.affordable_at.items())
    yield f"next token for: {', '.join(lanes)}"


def _today(state: PipelineState) -> Iterator[str]:
    bucket = state.bucket
    spent = ", ".join(
        f"{grouped(tokens)} {work.replace('_', ' ')}" for work, tokens in _by_most(bucket.spent_by_purpose)
    )
    yield f"{grouped(state.spent_today)} tokens spent since 00:00 UTC" + (f": {spent}" if spent else "")
    yield (
        f"{grouped(bucket.foreign)} spent by others, {grouped(bucket.lost)} of the refill lost at the full bucket, "
        f"{count(bucket.throttled, 'call')} answered 429"
    )
    if state.rows_per_1000_tokens is not None:
        yield f"{count(state.rows_today, 'row')} came, {grouped(round(state.rows_per_1000_tokens))} for 1 000 tokens"


def _deals(state: PipelineState) -> Iterator[str]:
    counts, covered = state.counts, state.coverage.numbers["coverage"]
    only = f"{grouped(counts.backfilled)} of them only by the backfill"
    yield f"{grouped(counts.listed)} listed, {only}; {grouped(counts.gone)} gone"
    yield (
        f"newest change {_ago(state.newest_deal_at, state.at)}, last sighting {_ago(state.seen_at, state.at)}, "
        f"last full scan {_ago(state.full_scan_at, state.at)}"
    )
    yield "coverage " + (f"{100 * covered:.1f} % of what it listed" if isinstance(covered, float) else "is not known")
    yield f"{count(counts.histories, 'product')} with a history, {count(counts.points, 'point')}"
    if counts.shards:
        yield f"{counts.shards_complete} of {count(counts.shards, 'shard')} of the backfill read to the end"


def _screening(state: PipelineState) -> Iterator[str]:
    screening = state.screening
    if not screening.survivors and not screening.rejections:
        yield "not computed yet"
        return
    survivors = sum(screening.survivors.values())
    stages = ", ".join(f"{grouped(deals)} by {stage}" for stage, deals in screening.survivors.items())
    yield f"{count(survivors, 'deal')} survive" + (f": {stages}" if stages else "")
    yield f"{count(screening.worth_buying, 'deal')} worth buying, by history or offers"
    shown = screening.rejections[:REJECTIONS_SHOWN]
    reasons = [f"{grouped(each.deals)} {each.reason} ({each.stage})" for each in shown]
    if rest := screening.rejected - sum(each.deals for each in shown):
        reasons.append(f"{grouped(rest)} for other reasons")
    yield f"{grouped(screening.rejected)} rejected" + (f": {', '.join(reasons)}" if reasons else "")
    if screening.unscreened:
        yield f"{grouped(screening.unscreened)} listed since"


def _freshness(state: PipelineState) -> Iterator[str]:
    plan = state.freshness
    yield (
        f"histories of {grouped(plan.fresh)} deals are bought again every {span(plan.interval)} if they move, "
        f"of {grouped(plan.rarer)} less often, of {grouped(plan.never)} not at all"
    )


def _stuck(state: PipelineState) -> Iterator[str]:
    stuck = state.stuck
    found = [
        *(f"{count(items, kind + ' item')} put aside in the last day" for kind, items in stuck.quarantined.items()),
        *([f"{count(stuck.missing_products, 'product')} asked for never came"] if stuck.missing_products else []),
        *(f"the scan of {name} was broken off, and begins again" for name in stuck.abandoned),
        *([f"{count(stuck.answers_unloaded, 'landed answer')} not loaded yet"] if stuck.answers_unloaded else []),
    ]
    yield from found or ["nothing"]


def _next(state: PipelineState) -> Iterator[str]:
    yield f"{_when(state.next.at, state.at)}: {state.next.words}"
    for selection in state.selections:
        page = f", {count(selection.page, 'page')} read" if selection.page else ""
        yield (
            f"{selection.name}: head scan due {_when(selection.head_scan_due_at, state.at)}, "
            f"full scan due {_when(selection.full_scan_due_at, state.at)}{page}"
        )
    waiting = [f"{grouped(items)} {work.value.replace('_', ' ')}" for work, items in state.pending.items() if items]
    yield f"waiting: {', '.join(waiting) or 'nothing'}"


def _by_most(spent: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(((work, tokens) for work, tokens in spent.items() if tokens), key=lambda each: -each[1])


def _when(at: datetime | None, now: datetime) -> str:
    """Return a time of today as a clock shows it, any other with its day."""
    if at is None:
        return "never, no refill is foreseen"
    if at <= now:
        return "now"
    return f"{at:%H:%M}" if at.date() == now.date() else f"{at:%m-%d %H:%M}"


def _ago(at: datetime | None, now: datetime) -> str:
    return "never" if at is None else f"{span(now - at)} ago"
