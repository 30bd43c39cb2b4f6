"""Working off a wide selection shard by shard: probe whether a shard fits one query, cut it in two where it does not.

Keepa shows 10 000 deals of a query at most. A first page that is short ends a shard at once; else the last possible
page tells for 5 tokens whether there is more than fits.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

from duckdb import DuckDBPyConnection

from deals_pipeline.buying.buyer import Buyer
from deals_pipeline.buying.outcome import Outcome, Stopped, StoppedBy
from deals_pipeline.config import BackfillSelection, Shard
from deals_pipeline.keepa.replies import Page
from deals_pipeline.keepa.requests import PAGES_MAX, DealPageRequest
from deals_pipeline.landing import Scan
from deals_pipeline.warehouse.scans import ScanState, newest_scans
from deals_pipeline.work import Work

LAST_PAGE: Final = PAGES_MAX - 1
SCAN_AGE_MAX: Final = timedelta(days=1)
"""For so long an interrupted scan of a shard is gone on with: deals move, so that an older one has missed too many."""

Newest: TypeAlias = Mapping[tuple[str | None, str], ScanState]
"""The newest scans by shard and version of its query."""

_log: Final = logging.getLogger(__name__)


class UnknownShard(ValueError):
    """A key names no shard of the settings; the message says what is allowed."""


@dataclass(frozen=True, slots=True)
class ShardState:
    """A shard that is not cut, and its newest scan in the present version of the query."""

    shard: Shard
    newest: ScanState | None

    @property
    def is_complete(self) -> bool:
        """Whether it was read to its end."""
        return self.newest is not None and self.newest.last_completed_at is not None


def shard_named(key: str, selections: Iterable[BackfillSelection]) -> Shard:
    """Return the shard of a key, which must be a first one or come of cutting one. Raises `UnknownShard`."""
    known = [shard for selection in selections for shard in selection.shards()]
    shards = known
    while shards:
        if found := next((shard for shard in shards if shard.key == key), None):
            return found
        shards = [half for shard in shards if shard.is_stem_of(key) for half in shard.halves()]
    allowed = ", ".join(shard.key for shard in known) or "none, since deals.toml has no [[backfill]]"
    raise UnknownShard(f"shard {key!r}: allowed are {allowed}, and their halves")


def shard_states(connection: DuckDBPyConnection, selection: BackfillSelection) -> tuple[ShardState, ...]:
    """Return the shards of a selection in order, those that were too wide as their halves."""
    newest = _newest(connection, selection.name)
    return tuple(state for first in selection.shards() for state in _uncut(first, newest))


def read_shard(buyer: Buyer, shard: Shard) -> Outcome:
    """Read a shard to its end, from where an earlier run came to; `TOO_WIDE` where it has to be cut.

    Raises `Rejected`.
    """
    with buyer.warehouse.connect() as connection:
        newest = _newest(connection, shard.backfill).get((shard.key, shard.query.version))
    now = buyer.clock.now()
    if newest is not None and newest.was_too_wide and shard.halves():
        return buyer.outcome(StoppedBy.TOO_WIDE, f"{shard.key} shows more than 10 000 deals")
    resumed = newest if newest is not None and newest.is_resumable(now, SCAN_AGE_MAX) else None
    begun = Scan(selection=shard.backfill, kind="shard", started_at=now, shard=shard.key)
    scan = resumed.scan if resumed else begun
    is_probed = resumed is not None and resumed.deals_on_last_page is not None
    page = resumed.next_page if resumed else 0
    try:
        while page < PAGES_MAX:
            if page > 0 and not is_probed:
                is_probed, probe = True, _buy_page(buyer, shard, LAST_PAGE, scan)
                if (probe.deals or probe.quarantined) and shard.halves():
                    return buyer.outcome(StoppedBy.TOO_WIDE, f"{shard.key} shows more than 10 000 deals")
            if _buy_page(buyer, shard, page, scan).is_last:
                break
            page += 1
    except Stopped as stopped:
        return buyer.stopped(stopped)
    return buyer.outcome(StoppedBy.COMPLETE, f"{shard.key} was read to its end")


def _buy_page(buyer: Buyer, shard: Shard, page: int, scan: Scan) -> Page:
    reply, loaded = buyer.buy(DealPageRequest(selection=shard.query, page=page), Work.BACKFILL, scan)
    _log.info(
        "%s: page %d of %d at most; %d deals, %d new; %d tokens spent, balance %d",
        *(shard.key, page + 1, PAGES_MAX, loaded.rows_seen, loaded.rows_new),
        *(buyer.tally.tokens_spent, reply.tokens.tokens_left),
    )
    return reply


def _uncut(shard: Shard, newest: Newest) -> Iterator[ShardState]:
    state = newest.get((shard.key, shard.query.version))
    if state is not None and state.was_too_wide and shard.halves():
        for half in shard.halves():
            yield from _uncut(half, newest)
    else:
        yield ShardState(shard, state)


def _newest(connection: DuckDBPyConnection, backfill: str) -> Newest:
    return {(state.scan.shard, state.version): state for state in newest_scans(connection, backfill)}
