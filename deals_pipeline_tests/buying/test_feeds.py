"""Where the reading of a watched selection may end."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from duckdb import DuckDBPyConnection

from deals_pipeline.buying.feeds import Feed, feed_of, known_since
from deals_pipeline.config import RecentSelection
from deals_pipeline.keepa.requests import DealPageRequest
from deals_pipeline.keepa.time import to_keepa_minutes, to_unix_ms
from deals_pipeline.landing import Scan
from deals_pipeline.warehouse.loading import load
from deals_pipeline.warehouse.scans import HeadScan, ScanState
from deals_pipeline_tests.keepa.wire_examples import page_of
from deals_pipeline_tests.warehouse.answers import a_page, deals, hours, landed

BEGAN = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
ENDED = BEGAN + timedelta(hours=2)
NEXT = BEGAN + timedelta(hours=3)
SELECTION = RecentSelection.model_validate({"name": "used-books", "marketplace": "US", "sort_type": "AGE"})
FULL = ScanState(
    scan=Scan(selection=SELECTION.name, kind="full", started_at=BEGAN),
    version=SELECTION.version,
    next_page=6,
    pages=6,
    completed_at=ENDED,
    is_truncated=False,
    is_in_order=True,
    deals=800,
    server_from=BEGAN,
    received_at=ENDED,
    scans=1,
    scans_completed=1,
    last_completed_at=ENDED,
    last_completed_from=BEGAN,
    last_sort_value=None,
    deals_on_last_page=None,
    was_too_wide=False,
)


def head(oldest: datetime | None) -> ScanState:
    """Return a head scan whose oldest deal was found at a time."""
    return replace(
        FULL,
        scan=Scan(selection=SELECTION.name, kind="head", started_at=NEXT),
        completed_at=None,
        next_page=1,
        pages=1,
        server_from=NEXT,
        received_at=NEXT,
        scans_completed=0,
        last_completed_at=None,
        last_completed_from=None,
        last_sort_value=None if oldest is None else -to_keepa_minutes(oldest),
    )


BEGUN = replace(
    FULL,
    completed_at=None,
    last_completed_at=None,
    scans_completed=0,
    server_from=NEXT,
    received_at=NEXT,
)


@pytest.mark.parametrize(
    ("oldest", "is_over"),
    [
        (ENDED + timedelta(minutes=1), False),
        (BEGAN + timedelta(minutes=1), False),
        (BEGAN - timedelta(minutes=4), False),
        (BEGAN - timedelta(minutes=5), True),
        (None, False),
    ],
)
def test_a_head_scan_reaches_back_to_where_the_last_full_scan_began(oldest: datetime | None, *, is_over: bool) -> None:
    """F25: what was found while the full scan read on, on pages that it had passed, only a head scan sees."""
    scan = head(oldest)
    assert Feed(SELECTION, scan, FULL, BEGAN).is_over(scan) is is_over


def test_a_head_scan_does_not_end_before_anything_is_known() -> None:
    """F25."""
    scan = head(BEGAN - timedelta(days=1))
    assert not Feed(SELECTION, scan, None).is_over(scan)


def test_a_head_scan_ends_early_by_age_and_in_order_only() -> None:
    """F25."""
    scan = head(BEGAN - timedelta(hours=1))
    assert Feed(SELECTION, scan, FULL, BEGAN).is_over(scan)
    assert not Feed(SELECTION, scan, FULL, BEGAN).is_over(replace(scan, is_in_order=False))
    by_rank = RecentSelection.model_validate({"name": "used-books", "marketplace": "US", "sort_type": "SALES_RANK"})
    assert not Feed(by_rank, scan, FULL, BEGAN).is_over(scan)


def test_a_full_scan_ends_with_its_last_page_only() -> None:
    """F25."""
    begun = replace(FULL, completed_at=None, last_sort_value=-to_keepa_minutes(BEGAN - timedelta(days=9)))
    assert not Feed(SELECTION, None, begun, NEXT).is_over(begun)
    assert Feed(SELECTION, None, FULL).is_over(FULL)


def test_what_is_known_by_a_full_scan_is_what_was_found_before_it_began(warehouse: DuckDBPyConnection) -> None:
    """F25: what was found while it read on, on pages that it had passed, only a head scan sees."""
    scan = Scan(selection=SELECTION.name, kind="full", started_at=hours(0))
    load(warehouse, a_page(deals(0, 150), number=0, scan=scan, selection=SELECTION.query))
    assert feed_of(warehouse, SELECTION).known_at is None
    load(warehouse, a_page(deals(150, 3), number=1, at=hours(2), scan=scan, selection=SELECTION.query))
    assert feed_of(warehouse, SELECTION).known_at == hours(0)


@pytest.mark.parametrize(
    ("feed", "at", "kind"),
    [
        (Feed(SELECTION, head(None), FULL), NEXT, "head"),
        (Feed(SELECTION, head(None), FULL), ENDED + timedelta(hours=4), None),
        (Feed(SELECTION, head(None), None), NEXT, "head"),
        (Feed(SELECTION, replace(head(None), scans=2), None), NEXT, None),
        (Feed(SELECTION, replace(head(None), scans=2), replace(BEGUN, scans=3)), NEXT, "full"),
        (Feed(SELECTION, head(None), replace(BEGUN, last_completed_at=ENDED)), ENDED + timedelta(hours=4), "full"),
    ],
)
def test_a_head_scan_is_gone_on_with_if_it_is_the_first_or_until_a_full_scan_is_due(
    feed: Feed, at: datetime, kind: str | None
) -> None:
    """F23, F25: head scans take each other's place, so that a wide selection would never be read to its end."""
    unfinished = feed.unfinished(at, timedelta(hours=4))
    assert (unfinished and unfinished.scan.kind) == kind


def test_a_scan_is_gone_on_with_for_hours_however_often_full_scans_are_wanted() -> None:
    """F23: pages may be half an hour apart; what is begun anew each time never comes to its end."""
    feed, interval = Feed(SELECTION, None, replace(BEGUN, last_completed_at=ENDED)), timedelta(minutes=10)
    for hours_later, is_gone_on_with in ((0.5, True), (4, True), (4.1, False)):
        now = NEXT + timedelta(hours=hours_later)
        assert (feed.unfinished(now, interval) is not None) is is_gone_on_with
        assert (feed.abandoned(now, interval) is None) is is_gone_on_with
    assert feed.abandoned(NEXT, interval) is None
    assert Feed(SELECTION, None, FULL).abandoned(NEXT + timedelta(days=9), interval) is None


def test_when_a_selection_was_read_to_its_end_is_told_by_our_clock_and_not_from_the_future() -> None:
    """F28: our clock may have been ahead then, and set since."""
    feed = Feed(SELECTION, None, FULL)
    assert feed.completed_at(ENDED) == ENDED
    assert not feed.is_full_scan_due(ENDED + timedelta(hours=3), timedelta(hours=4))
    set_back = ENDED - timedelta(hours=6)
    assert feed.completed_at(set_back) is None
    assert feed.is_full_scan_due(set_back, timedelta(hours=4))
    assert feed.unfinished(set_back, timedelta(hours=4)) is None


def test_what_is_known_of_scans_needs_no_record_of_their_answers(warehouse: DuckDBPyConnection) -> None:
    """F21: answers older than what is landed do not come back where their table was deleted; a shard is read once."""
    scan = Scan(selection=SELECTION.name, kind="full", started_at=hours(0))
    load(warehouse, a_page(deals(0, 3), scan=scan, selection=SELECTION.query))
    head_scan = Scan(selection=SELECTION.name, kind="head", started_at=hours(1))
    load(warehouse, a_page(deals(0, 150, hours(1)), at=hours(1), scan=head_scan, selection=SELECTION.query))
    before = feed_of(warehouse, SELECTION)
    assert before.completed_at(hours(1)) == hours(0)
    warehouse.execute("DELETE FROM landed_file")
    after = feed_of(warehouse, SELECTION)
    assert after.completed_at(hours(1)) == hours(0)
    assert after == before


@pytest.mark.parametrize("page", [0, 1])
def test_an_answer_dated_ahead_delays_no_full_scan_and_makes_nothing_known(
    warehouse: DuckDBPyConnection, page: int
) -> None:
    """F28: an answer of one page of two tells a date a month ahead."""
    scan = Scan(selection=SELECTION.name, kind="full", started_at=hours(0))
    ahead = {page: hours(24 * 30)}
    for number, count in enumerate((150, 3)):
        document = page_of(deals(150 * number, count), timestamp=to_unix_ms(ahead.get(number, hours(0))))
        request = DealPageRequest(selection=SELECTION.query, page=number)
        load(warehouse, landed(request, document, at=hours(0), scan=scan, name=f"page-{number}"))
    feed = feed_of(warehouse, SELECTION)
    assert feed.completed_at(hours(0)) == hours(0)
    assert feed.is_full_scan_due(hours(4), timedelta(hours=4))
    assert feed.known_at
    assert feed.known_at <= hours(24)
    later = Scan(selection=SELECTION.name, kind="full", started_at=hours(25))
    load(warehouse, a_page(deals(0, 3), at=hours(25), scan=later, selection=SELECTION.query))
    newest = feed_of(warehouse, SELECTION).full
    assert newest
    assert newest.scan == later


def at(minutes: int, oldest: int) -> HeadScan:
    """Return a head scan so many minutes after the full scan began, and how many minutes after it its oldest deal."""
    return HeadScan(BEGAN + timedelta(minutes=minutes), -to_keepa_minutes(BEGAN + timedelta(minutes=oldest)))


@pytest.mark.parametrize(
    ("heads", "known_after"),
    [
        ([], 0),
        ([at(15, -5)], 15),
        ([at(15, -4)], 0),
        ([at(15, -60), at(30, 10), at(45, 25)], 45),
        ([at(15, -60), at(30, 12), at(45, 20)], 15),
        ([at(15, 3), at(30, -10), at(45, 20)], 45),
        ([at(15, 3), at(30, 8), at(45, 20)], 0),
    ],
)
def test_a_head_scan_makes_known_what_is_before_it_if_it_reached_what_was_known(
    heads: list[HeadScan], known_after: int
) -> None:
    """F25: a chain of scans of which each overlaps with the one before it; one link that is missing breaks it."""
    assert known_since(BEGAN, heads) == BEGAN + timedelta(minutes=known_after)
