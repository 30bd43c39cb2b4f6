"""Whether what is stored can be believed: a function for each check, which returns a finding with its numbers.

Where two records tell the same thing, a check compares them instead of trusting either.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final, TypeAlias

from duckdb import DuckDBPyConnection

from deals_pipeline.config import RecentSelection
from deals_pipeline.keepa.contract import CLOCK_TOLERANCE
from deals_pipeline.keepa.reading import read_reply
from deals_pipeline.keepa.replies import Page
from deals_pipeline.landing import NotReadable, path_of, read
from deals_pipeline.token_bucket.bucket import LIFE
from deals_pipeline.token_bucket.ledger import Ledger
from deals_pipeline.warehouse.statements import statement

COVERAGE_MIN: Final = 0.999
QUARANTINE_MAX: Final = 0.01
DAY: Final = timedelta(days=1)
HOUR: Final = timedelta(hours=1)

Number: TypeAlias = int | float | str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: whether all is well, in words, and in numbers; a number that cannot be known is `None`."""

    passed: bool
    detail: str
    numbers: Mapping[str, Number]


@dataclass(frozen=True, slots=True)
class Signs:
    """The last signs of the watched feed, `None` where there is none; times are Keepa's clock.

    `last_complete` is of the selection that was read to its end last, `oldest_complete` of the one furthest behind,
    unless one never was. `first_answer` is by our clock.
    """

    last_seen: datetime | None
    last_update: datetime | None
    last_complete: datetime | None
    oldest_complete: datetime | None
    first_answer: datetime | None


@dataclass(frozen=True, slots=True)
class _Coverage:
    """How much of a scan is stored: deals that it listed, and why that is not known where it is not."""

    passed: bool
    detail: str
    listed: int = 0
    stored: int = 0
    quarantined: int = 0
    is_known: bool = False


def unique(connection: DuckDBPyConnection) -> Finding:
    """Find whether each deal is one row of the view `deal` (F64)."""
    row, example = _row(connection, "check_unique")
    detail = f"{row['rows_too_many']} rows are too many, such as of {example}" if example else "each deal is one row"
    return Finding(not row["rows_too_many"], detail, row)


def plausible_times(connection: DuckDBPyConnection) -> Finding:
    """Find whether a deal was found or changed later than Keepa's clock stood when it was told (F33)."""
    row, example = _row(connection, "check_times", tolerance=CLOCK_TOLERANCE)
    detail = f"{row['deals_ahead']} deals are ahead of Keepa's clock, such as {example}" if example else "none is ahead"
    return Finding(not row["deals_ahead"], detail, row)


def coverage(connection: DuckDBPyConnection, landing: Path, selections: Sequence[RecentSelection]) -> Finding:
    """Find whether what the last complete scan of each selection listed is stored, as seen then or later (F26, F36).

    The scan's pages are read again from the folder of landed answers. Where some have been removed the coverage is not
    known, which is no failure; where one is damaged it is. `coverage` is the share of the worst selection.
    """
    found = {selection.name: _coverage_of(connection, landing, selection) for selection in selections}
    return Finding(
        all(each.passed for each in found.values()),
        "; ".join(f"{name}: {each.detail}" for name, each in found.items()),
        {
            "coverage": min((each.stored / each.listed for each in found.values() if each.listed), default=None),
            "deals_listed": sum(each.listed for each in found.values()),
            "deals_missing": sum(each.listed - each.stored for each in found.values()),
            "quarantined": sum(each.quarantined for each in found.values()),
            "selections_unknown": sum(not each.is_known for each in found.values()),
        },
    )


def signs(connection: DuckDBPyConnection, selections: Sequence[RecentSelection]) -> Signs:
    """Return when the feed was last heard of."""
    row, _ = _row(connection, "check_freshness", versions=[selection.version for selection in selections])
    return Signs(**{name: at and at.astimezone(timezone.utc) for name, at in row.items()})


def freshness(
    connection: DuckDBPyConnection, selections: Sequence[RecentSelection], interval: timedelta, now: datetime
) -> Finding:
    """Find whether a deal was seen within twice the `interval` between full scans (F23); ages are in hours.

    A scan that came to its end counts too: it tells something even where nothing is listed (F34); before there is
    either, the first answer does. `full_scan_hours` is that of the selection whose last complete scan is the oldest.
    """
    found = signs(connection, selections)
    newest = max((at for at in (found.last_seen, found.last_complete) if at), default=found.first_answer)
    age, allowed = _hours(newest, now), 2 * interval / HOUR
    numbers = {
        "sighting_hours": _hours(found.last_seen, now),
        "update_hours": _hours(found.last_update, now),
        "full_scan_hours": _hours(found.oldest_complete, now),
    }
    if age is None:
        return Finding(True, "nothing was bought yet", numbers)
    if age < -(CLOCK_TOLERANCE / HOUR):
        return Finding(
            False, f"the last sign of the feed is {-age} h ahead of this machine's clock: one is wrong", numbers
        )
    return Finding(age <= allowed, f"the last sign of the feed is {age} h old, allowed are {allowed:g} h", numbers)


def feed_order(connection: DuckDBPyConnection, selections: Sequence[RecentSelection]) -> Finding:
    """Find whether the newest scan of each selection came in the order that was asked for (F25)."""
    names = {selection.version: selection.name for selection in selections}
    scans = connection.execute(statement("check_order"), {"versions": list(names)}).fetchall()
    broken = [f"{names[version]}: {count} of {pages} pages" for version, pages, count in scans if count]
    numbers = {
        "scans": len(scans),
        "pages": sum(pages for _, pages, _ in scans),
        "pages_out_of_order": sum(count for *_, count in scans),
    }
    return Finding(not broken, "; ".join(broken) or "all pages are in order", numbers)


def quarantine_rate(connection: DuckDBPyConnection, now: datetime) -> Finding:
    """Find whether few of the items that came in the last day had to be put aside (F53)."""
    row, reason = _row(connection, "check_quarantine", since=now - DAY)
    rate = row["quarantined"] / row["items"] if row["items"] else None
    detail = f"{row['quarantined']} of {row['items']} items were put aside" + (f", such as: {reason}" if reason else "")
    return Finding(rate is None or rate <= QUARANTINE_MAX, detail, row | {"quarantine_rate": rate})


def ledger_agreement(connection: DuckDBPyConnection, ledger: Ledger, window: timedelta, *, is_shared: bool) -> Finding:
    """Find whether the ledger charged each run of the `window` what its landed answers say that they cost (F13, F14).

    Runs that may still be settling or loading are left out. Calls that the ledger gave up on may have landed all the
    same, so that it says less then. `is_shared` tells that other machines spend from it, whose answers are not here.
    """
    state, now = ledger.read()
    spends = ledger.record(now - window - LIFE).spends
    active = {spend.run_id for spend in ledger.record(now - LIFE).spends} | {hold.run_id for hold in state.holds}
    row, example = _row(
        connection,
        "check_ledger",
        since=now - window,
        run_ids=[spend.run_id for spend in spends],
        tokens=[spend.tokens for spend in spends],
        unknown=[spend.unknown for spend in spends],
        active=sorted(active),
        is_shared=is_shared,
    )
    detail = f"{row['runs_differing']} of {row['runs']} runs differ" + (f", such as {example}" if example else "")
    return Finding(not row["runs_differing"], detail, row)


def estimates(ledger: Ledger) -> Finding:
    """Find whether no call of the last day cost more than was held for it (F01)."""
    _, now = ledger.read()
    spends = ledger.record(now - DAY).spends
    over = {spend.run_id: spend.overshoots for spend in spends if spend.overshoots}
    numbers = {"calls": sum(spend.calls for spend in spends), "overshoots": sum(over.values())}
    detail = f"{numbers['overshoots']} of {numbers['calls']} calls cost more than their bound"
    return Finding(not over, detail + (f", such as in run {min(over)}" if over else ""), numbers)


def whole_shards(connection: DuckDBPyConnection) -> Finding:
    """Find whether each shard that was read to its end has shown all its deals, no more than Keepa lists (D1)."""
    row, example = _row(connection, "check_shards")
    detail = f"{row['shards_truncated']} of {row['shards']} shards show more deals than Keepa lists"
    return Finding(not row["shards_truncated"], detail + (f", such as {example}" if example else ""), row)


def _coverage_of(connection: DuckDBPyConnection, landing: Path, selection: RecentSelection) -> _Coverage:
    files = connection.execute(statement("check_coverage_pages"), {"version": selection.version}).fetchall()
    paths = [path_of(landing, file_id) for (file_id,) in files]
    if not paths:
        return _Coverage(passed=True, detail="was not read to its end yet")
    asins, times, quarantined = [], [], 0
    try:
        for page in map(_read_page, paths):
            asins += [deal.asin for deal in page.deals]
            times += [page.tokens.timestamp] * len(page.deals)
            quarantined += len(page.quarantined)
    except NotReadable as unreadable:
        removed = sum(not path.exists() for path in paths)
        detail = (
            f"unknown, {removed} of {len(paths)} landed pages were removed" if removed else f"unknown, {unreadable}"
        )
        return _Coverage(passed=bool(removed), detail=detail)
    listed = {"domain_id": int(selection.marketplace), "asins": asins, "times": times}
    row, example = _row(connection, "check_coverage", **listed)
    missing = row["listed"] - row["stored"]
    detail = f"{missing} of {row['listed']} listed deals are not stored" + (f", such as {example}" if example else "")
    passed = row["stored"] >= COVERAGE_MIN * row["listed"]
    return _Coverage(passed, detail, row["listed"], row["stored"], quarantined, is_known=True)


def _read_page(path: Path) -> Page:
    landed = read(path)
    reply = read_reply(landed.request, landed.answer)
    if not isinstance(reply, Page):
        raise NotReadable(f"{path} is no page of deals to this version")
    return reply


def _row(connection: DuckDBPyConnection, name: str, **values: object) -> tuple[dict[str, Any], Any]:
    """Return the row of a statement, and apart from it its column `example`, which is no number."""
    cursor = connection.execute(statement(name), values)
    names = [column for column, *_ in cursor.description]
    (found,) = cursor.fetchall()
    row = dict(zip(names, found, strict=True))
    return row, row.pop("example", None)


def _hours(at: datetime | None, now: datetime) -> float | None:
    return None if at is None else round((now - at) / HOUR, 2)
