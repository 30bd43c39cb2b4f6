"""Where the reading of a selection stands: scans, their identity, and the cursor to go on from.

A scan is complete only by a short page (F25, F29), and is told by its stored pages alone; what is not believable is no
scan, so that the answer to a lost or absurd cursor is a new scan, never silence (F28).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from duckdb import DuckDBPyConnection

from deals_pipeline.keepa.contract import CLOCK_TOLERANCE
from deals_pipeline.keepa.selection import DealSelection
from deals_pipeline.landing import Scan
from deals_pipeline.warehouse.statements import statement


@dataclass(frozen=True, slots=True)
class ScanState:
    """The newest scan of its kind and version as far as its pages are stored; `next_page` is the cursor.

    `completed_at` and `server_from` are Keepa's clock in UTC, `received_at` is ours: when its newest page came. Ours
    may be wrong by hours, and be set: an age is told by one clock alone. `is_truncated` says that it ended at the
    10 000 deals that Keepa shows at most; `deals` counts those before the cursor, duplicates included;
    `last_sort_value` is of the last of them. `deals_on_last_page` is of the last page that Keepa may show, `None` where
    that was not read. `scans`, `scans_completed`, `last_completed_at` (by our clock), `last_completed_from` (when it
    began, by Keepa's) and `was_too_wide` (whether a last possible page ever had deals) are of all scans of the version,
    kind and shard.
    """

    scan: Scan
    version: str
    next_page: int
    pages: int
    completed_at: datetime | None
    is_truncated: bool
    is_in_order: bool
    deals: int
    server_from: datetime
    received_at: datetime
    scans: int
    scans_completed: int
    last_completed_at: datetime | None
    last_completed_from: datetime | None
    last_sort_value: int | None
    deals_on_last_page: int | None
    was_too_wide: bool

    def begun_at(self, now: datetime) -> datetime | None:
        """Return when it began, `None` where our clock has been set back since, so that nobody knows."""
        return self.scan.started_at if self.scan.started_at <= now else None

    def is_resumable(self, now: datetime, age_max: timedelta) -> bool:
        """Return whether to go on with it: begun, not complete, and its newest page neither old nor in the future."""
        age = now - self.received_at
        return self.completed_at is None and -CLOCK_TOLERANCE <= age <= age_max


def scan_id(scan: Scan, selection: DealSelection) -> str:
    """Return the identity of a scan, which its pages share."""
    started_at = scan.started_at.astimezone(timezone.utc)
    parts = (scan.selection, scan.kind, scan.shard, selection.version, f"{started_at:%Y-%m-%dT%H:%M:%S.%fZ}")
    return " ".join(part for part in parts if part is not None)


def newest_scans(connection: DuckDBPyConnection, selection: str) -> tuple[ScanState, ...]:
    """Return the newest scan of each version, kind and shard of the selection of that name."""
    found = connection.sql(statement("newest_scans"), params={"selection": selection})
    return tuple(_state(selection, dict(zip(found.columns, row, strict=True))) for row in found.fetchall())


@dataclass(frozen=True, slots=True)
class HeadScan:
    """A head scan that came in order: when it began, by Keepa's clock, and the sort value of its last deal."""

    server_from: datetime
    last_sort_value: int


def head_scans(connection: DuckDBPyConnection, selection: str, version: str, since: datetime) -> tuple[HeadScan, ...]:
    """Return the head scans of a version of a selection that began after a time and came in order, oldest first."""
    values = {"selection": selection, "version": version, "since": since}
    rows = connection.execute(statement("head_scans"), values).fetchall()
    return tuple(HeadScan(_utc(began), oldest) for began, oldest in rows)


def _state(selection: str, row: dict[str, Any]) -> ScanState:
    utc = {name: _utc(value) for name, value in row.items()}
    scan = Scan(selection=selection, kind=utc.pop("kind"), started_at=utc.pop("started_at"), shard=utc.pop("shard"))
    return ScanState(scan=scan, version=utc.pop("selection_version"), **utc)


def _utc(value: Any) -> Any:  # noqa: ANN401 - whatever a column holds
    return value.astimezone(timezone.utc) if isinstance(value, datetime) else value
