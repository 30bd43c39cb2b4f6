"""Where the reading of a selection stands: scans, their identity, and the cursor to go on from.

A scan is complete only by a short page (F25, F29), and is told by its stored pages alone; what is not believable is no
scan, so that the answer to a lost or absurd cursor is a new scan, never silence (F28).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec
from duckdb import DuckDBPyConnection

from deals_pipeline.keepa.contract import CLOCK_TOLERANCE
from deals_pipeline.keepa.selection import DealSelection
from deals_pipeline.landing import Scan
from deals_pipeline.warehouse.statements import statement


@dataclass(frozen=True, slots=True)
class ScanState:
    """A scan as far as its pages are stored; `next_page` is the cursor.

    `completed_at`, `server_from` and `server_until` are Keepa's clock in UTC. `is_truncated` says that it ended at the
    10 000 deals that Keepa shows at most; `deals` counts those before the cursor, duplicates included.
    """

    scan: Scan
    next_page: int
    pages: int
    completed_at: datetime | None
    is_truncated: bool
    is_in_order: bool
    deals: int
    server_from: datetime
    server_until: datetime

    def is_resumable(self, now: datetime, age_max: timedelta) -> bool:
        """Return whether to go on with it: begun, not complete, and its newest page neither old nor in the future."""
        age = now - self.server_until
        return self.completed_at is None and -CLOCK_TOLERANCE <= age <= age_max


def scan_id(scan: Scan, selection: DealSelection) -> str:
    """Return the identity of a scan, which its pages share."""
    started_at = scan.started_at.astimezone(timezone.utc)
    parts = (scan.selection, scan.kind, scan.shard, selection.version, f"{started_at:%Y-%m-%dT%H:%M:%S.%fZ}")
    return " ".join(part for part in parts if part is not None)


def newest_scan(connection: DuckDBPyConnection, like: Scan, selection: DealSelection) -> ScanState | None:
    """Return the newest scan of the same selection in the same version, kind and shard; `None` when there is none.

    The start of `like` is of no account.
    """
    values = {
        "selection": like.selection,
        "selection_version": selection.version,
        "kind": like.kind,
        "shard": like.shard,
    }
    rows = connection.sql(statement("newest_scan"), params=values).to_arrow_table().to_pylist()
    if not rows:
        return None
    row: dict[str, Any] = {
        name: value.astimezone(timezone.utc) if isinstance(value, datetime) else value
        for name, value in rows[0].items()
    }
    return ScanState(scan=msgspec.structs.replace(like, started_at=row.pop("started_at")), **row)
