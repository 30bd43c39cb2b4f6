"""Reading the deals of a watched selection: head scans for what is new, full scans for what is still there.

A head scan stops early only where its own pages prove to be in order of age, and reach back to what is known: the last
full scan, and the head scans since of which each reached the one before it. One that could not is gone on with as a
full scan (F25). A scan is a sample: what shifts between two pages is caught by the next (F30).
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Final

from duckdb import DuckDBPyConnection
from typing_extensions import assert_never

from deals_pipeline.buying.buyer import Buyer
from deals_pipeline.buying.outcome import Outcome, Stopped, StoppedBy
from deals_pipeline.buying.progress import progress
from deals_pipeline.config import RecentSelection
from deals_pipeline.keepa.contract import CLOCK_TOLERANCE
from deals_pipeline.keepa.requests import PAGES_MAX, DealPageRequest
from deals_pipeline.keepa.selection import SortType
from deals_pipeline.keepa.time import from_keepa_minutes
from deals_pipeline.landing import Scan
from deals_pipeline.warehouse.scans import HeadScan, ScanState, head_scans, newest_scans
from deals_pipeline.work import Work

RESULTS_CACHED: Final = timedelta(seconds=120)
"""For so long Keepa gives the same answer to the same query (D4)."""
OVERLAP: Final = RESULTS_CACHED + timedelta(minutes=2)
"""How far a scan reads into what is known: answers are repeated, and minutes are rounded and lead a little (D6)."""
CURSOR_AGE_MAX: Final = timedelta(hours=4)
"""How old the newest page of a scan may be to go on with it, however often full scans are wanted."""
LONG_AGO: Final = datetime(2011, 1, 1, tzinfo=timezone.utc)

_log: Final = logging.getLogger(__name__)


class Reading(Enum):
    """How much of a selection to read."""

    DUE = "due"
    """All of it if a full scan is due or begun, else its head."""
    HEAD = "head"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Feed:
    """A watched selection and its newest scans in the present version of its query.

    All that was found before `known_at` was listed by one of its scans, `None` where none has been read to its end.
    """

    selection: RecentSelection
    head: ScanState | None
    full: ScanState | None
    known_at: datetime | None = None

    @property
    def _scans(self) -> tuple[ScanState, ...]:
        return tuple(scan for scan in (self.full, self.head) if scan is not None)

    def begun_at(self, now: datetime) -> datetime | None:
        """Return when its first page was last read."""
        return max((begun_at for state in self._scans if (begun_at := state.begun_at(now))), default=None)

    def completed_at(self, now: datetime) -> datetime | None:
        """Return when it was last read to its end, `None` where our clock has been set back since."""
        ends = (state.last_completed_at for state in self._scans if state.last_completed_at)
        return max((end for end in ends if end <= now + CLOCK_TOLERANCE), default=None)

    def is_over(self, state: ScanState) -> bool:
        """Return whether there is no reason to read on: it is complete, or a head scan that reached what is known."""
        if state.completed_at is not None:
            return True
        is_sorted = state.is_in_order and self.selection.query.sort_type is SortType.AGE
        if state.scan.kind != "head" or not is_sorted or state.last_sort_value is None:
            return False
        return self.known_at is not None and reaches(state.last_sort_value, self.known_at)

    @property
    def pages(self) -> int | None:
        """How many pages it had when it was last read to its end, as far as that is among the newest scans."""
        return max((state.next_page for state in self._scans if state.completed_at), default=None)

    @property
    def scans(self) -> int:
        """How often it was begun to be read."""
        return sum(state.scans for state in self._scans)

    @property
    def scans_completed(self) -> int:
        """How often it was read to its end."""
        return sum(state.scans_completed for state in self._scans)

    def unfinished(self, now: datetime, interval: timedelta) -> ScanState | None:
        """Return the scan to go on with, unless another has come to the end since.

        A head scan is gone on with if it is the very first, or else as long as no full scan is due: the next head scan
        takes its place, so that a selection which takes longer than that would never be read to its end.
        """
        completed_at = self.completed_at(now) or LONG_AGO
        is_in_place_of_full = now - completed_at < interval or self.scans == 1
        kinds = ("full", "head") if is_in_place_of_full else ("full",)
        begun = (state for state in self._begun_since(completed_at) if state.scan.kind in kinds)
        resumable = (state for state in begun if state.is_resumable(now, max(interval, CURSOR_AGE_MAX)))
        return next((state for state in resumable if not self.is_over(state)), None)

    def abandoned(self, now: datetime, interval: timedelta) -> ScanState | None:
        """Return the full scan that was begun and is too old to go on with, unless another came to the end since."""
        begun = (state for state in self._begun_since(self.completed_at(now) or LONG_AGO) if state.scan.kind == "full")
        return next((state for state in begun if not state.is_resumable(now, max(interval, CURSOR_AGE_MAX))), None)

    def _begun_since(self, completed_at: datetime) -> Iterator[ScanState]:
        return (state for state in self._scans if state.completed_at is None and state.received_at > completed_at)

    def is_full_scan_due(self, now: datetime, interval: timedelta) -> bool:
        """Return whether the whole of it is to be read."""
        completed_at = self.completed_at(now)
        return completed_at is None or now - completed_at >= interval or self.unfinished(now, interval) is not None

    def was_read_since(self, asked_at: datetime, reading: Reading, now: datetime) -> bool:
        """Return whether what was asked for is there: begun since, or so shortly before that Keepa would repeat itself.

        A scan in progress then that has come to its end since is a full one. What a head scan has left is a full scan's
        to go on with.
        """
        begun = [s for s in self._scans if (begun_at := s.begun_at(now)) and begun_at >= asked_at - RESULTS_CACHED]
        has_ended = any(state.completed_at and asked_at <= state.received_at <= now for state in self._scans)
        match reading:
            case Reading.HEAD:
                return bool(begun)
            case Reading.FULL:
                return has_ended or any(state.completed_at for state in begun)
            case Reading.DUE:
                return has_ended or any(self.is_over(state) for state in begun)
            case _ as never:
                assert_never(never)


def feed_of(connection: DuckDBPyConnection, selection: RecentSelection) -> Feed:
    """Return where the reading of a selection stands."""
    states = newest_scans(connection, selection.name)
    newest = {state.scan.kind: state for state in states if state.version == selection.version}
    completed_from = max(
        (each.last_completed_from for each in newest.values() if each.last_completed_from), default=None
    )
    if completed_from is None:
        return Feed(selection, newest.get("head"), newest.get("full"))
    heads = head_scans(connection, selection.name, selection.version, completed_from)
    return Feed(selection, newest.get("head"), newest.get("full"), known_since(completed_from, heads))


def known_since(completed_from: datetime, heads: Iterable[HeadScan]) -> datetime:
    """Return when the last scan began that knows all before it: a complete one, or a head scan that reached such a one.

    `completed_from` is when the last complete scan began; `heads` are those since, oldest first.
    """
    known_at = completed_from
    for head in heads:
        if reaches(head.last_sort_value, known_at):
            known_at = head.server_from
    return known_at


def reaches(last_sort_value: int, known_at: datetime) -> bool:
    """Return whether a scan in order of age whose last deal has this sort value overlaps with what is known."""
    return from_keepa_minutes(-last_sort_value) < known_at - OVERLAP


def read_feeds(
    buyer: Buyer, selections: Iterable[RecentSelection], reading: Reading, interval: timedelta, asked_at: datetime
) -> Outcome:
    """Read selections, those first that were begun longest ago; `interval` is the time between two full scans.

    One that was read since `asked_at` is not read again: ten triggers at one instant buy once (F20). Raises `Rejected`.
    """
    with buyer.warehouse.connect() as connection:
        feeds = [feed_of(connection, selection) for selection in selections]
    now = buyer.clock.now()
    read: list[str] = []
    try:
        for feed in sorted(feeds, key=lambda feed: feed.begun_at(now) or LONG_AGO):
            if feed.was_read_since(asked_at, reading, now):
                continue
            if reading is Reading.FULL or (
                reading is Reading.DUE and feed.is_full_scan_due(buyer.clock.now(), interval)
            ):
                _full_scan(buyer, feed, interval)
            else:
                _head_scan(buyer, feed)
            read.append(feed.selection.name)
    except Stopped as stopped:
        return buyer.stopped(stopped)
    reason = f"read {', '.join(read)}" if read else "read already since this run was asked for"
    return buyer.outcome(StoppedBy.COMPLETE, reason)


def _head_scan(buyer: Buyer, feed: Feed) -> None:
    scan = Scan(selection=feed.selection.name, kind="head", started_at=buyer.clock.now())
    for page in range(PAGES_MAX):
        _buy_page(buyer, feed, page, Work.HEAD_SCAN, scan)
        with buyer.warehouse.connect() as connection:
            now = feed_of(connection, feed.selection)
        if now.head is not None and now.head.scan == scan and now.is_over(now.head):
            return


def _full_scan(buyer: Buyer, feed: Feed, interval: timedelta) -> None:
    now = buyer.clock.now()
    unfinished = feed.unfinished(now, interval)
    scan = unfinished.scan if unfinished else Scan(selection=feed.selection.name, kind="full", started_at=now)
    for page in range(unfinished.next_page if unfinished else 0, PAGES_MAX):
        if _buy_page(buyer, feed, page, Work.FULL_SCAN, scan):
            return


def _buy_page(buyer: Buyer, feed: Feed, page: int, work: Work, scan: Scan) -> bool:
    """Buy a page; return whether it is the last."""
    request = DealPageRequest(selection=feed.selection.query, page=page)
    reply, loaded = buyer.buy(request, work, scan)
    _log.info(
        "%s, %s scan: page %s; %d deals, %d new, %d updated; %d tokens spent, balance %d",
        *(feed.selection.name, scan.kind, progress(page + 1, feed.pages, request.cost.high, reply.tokens)),
        *(loaded.rows_seen, loaded.rows_new, loaded.rows_updated),
        *(buyer.tally.tokens_spent, reply.tokens.tokens_left),
    )
    return reply.is_last
