"""Cursors, completeness, and what is gone."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from duckdb import DuckDBPyConnection

from deals_pipeline.keepa.selection import DealSelection, SortType
from deals_pipeline.landing import Landed, Scan
from deals_pipeline.warehouse.loading import load
from deals_pipeline.warehouse.scans import ScanState, newest_scans, scan_id
from deals_pipeline_tests.keepa.wire_examples import SERVER_TIME, a_deal, asin
from deals_pipeline_tests.warehouse.answers import SELECTION, a_page, a_scan, deals, hours

OTHER = DealSelection(current_range=(0, 999))


def full(number: int, scan: Scan, at: datetime = SERVER_TIME) -> Landed:
    return a_page(deals(150 * number, 150, at), number=number, scan=scan, at=at)


def short(number: int, scan: Scan, at: datetime = SERVER_TIME, count: int = 10) -> Landed:
    return a_page(deals(150 * number, count, at), number=number, scan=scan, at=at)


def read_66_pages(connection: DuckDBPyConnection, scan: Scan, at: datetime) -> None:
    """Load one full page, and store as often as that it was read."""
    load(connection, full(0, scan, at))
    connection.execute(
        """
        INSERT INTO scan_page BY NAME
        SELECT * EXCLUDE (n) REPLACE (n AS page, landed_file || n AS landed_file)
        FROM scan_page, range(1, 66) AS numbers(n)
        WHERE scan_id = ?
        """,
        [scan_id(scan, SELECTION)],
    )


def state(connection: DuckDBPyConnection, scan: Scan, selection: DealSelection = SELECTION) -> ScanState:
    found = find(connection, scan, selection)
    assert found
    return found


def find(connection: DuckDBPyConnection, scan: Scan, selection: DealSelection = SELECTION) -> ScanState | None:
    wanted = (scan.kind, scan.shard, selection.version)
    states = newest_scans(connection, scan.selection)
    return next((state for state in states if (state.scan.kind, state.scan.shard, state.version) == wanted), None)


def test_the_cursor_follows_the_pages_and_only_a_short_one_completes(warehouse: DuckDBPyConnection) -> None:
    """F25, F29."""
    scan = a_scan()
    seen = []
    for page in (full(0, scan), full(1, scan, hours(1)), short(2, scan, hours(2))):
        load(warehouse, page)
        now = state(warehouse, scan)
        seen.append((now.next_page, now.deals, now.completed_at))
    assert seen == [(1, 150, None), (2, 300, None), (3, 310, hours(2))]
    assert (now.server_from, now.scan) == (hours(0), scan)


def test_an_empty_page_is_a_short_one(warehouse: DuckDBPyConnection) -> None:
    load(warehouse, full(0, a_scan()))
    load(warehouse, short(1, a_scan(), count=0))
    assert state(warehouse, a_scan()).completed_at == hours(0)


def test_pages_in_any_order_give_one_cursor_which_never_goes_back(warehouse: DuckDBPyConnection) -> None:
    """F28: a page beyond a gap is stored, and the cursor stays at the gap."""
    for number, order in enumerate(permutations(range(3))):
        scan = a_scan(number)
        pages = [full(0, scan), full(1, scan), short(2, scan)]
        cursors: list[int] = []
        loaded: set[int] = set()
        for index in order:
            load(warehouse, pages[index])
            loaded.add(index)
            now = state(warehouse, scan)
            cursors.append(now.next_page)
            assert now.next_page == next(page for page in range(4) if page not in loaded)
            assert now.pages == len(loaded)
            assert (now.completed_at is not None) == (loaded == {0, 1, 2})
        assert cursors == sorted(cursors)
        assert now.deals == 310


def test_a_probe_of_the_last_page_moves_no_cursor_and_completes_nothing(warehouse: DuckDBPyConnection) -> None:
    scan = a_scan(kind="shard", shard="0-100")
    load(warehouse, short(66, scan, count=0))
    assert (state(warehouse, scan).next_page, state(warehouse, scan).completed_at) == (0, None)
    load(warehouse, short(0, scan))
    assert (state(warehouse, scan).next_page, state(warehouse, scan).completed_at) == (1, hours(0))


def test_a_scan_that_ends_at_the_cap_is_known_to_be_truncated(warehouse: DuckDBPyConnection) -> None:
    for hour, count, expected in ((0, 99, (9_999, False)), (1, 100, (10_000, True))):
        scan = a_scan(hour)
        read_66_pages(warehouse, scan, hours(hour))
        load(warehouse, short(66, scan, hours(hour), count))
        now = state(warehouse, scan)
        assert (now.deals, now.is_truncated) == expected
        assert now.completed_at == hours(hour)


def test_order_is_verified_across_pages_too(warehouse: DuckDBPyConnection) -> None:
    """F25."""
    by_rank = DealSelection(sort_type=SortType.SALES_RANK)

    def page(number: int, scan: Scan, ranks: Iterable[int]) -> Landed:
        listed = [a_deal(number * 150 + index, current=[-1, -1, 1500, rank]) for index, rank in enumerate(ranks)]
        return a_page(listed, number=number, scan=scan, selection=by_rank, name=f"{scan.started_at} {number}")

    for hour, second, expected in ((0, range(200, 210), True), (1, range(149, 160), True), (2, range(100, 160), False)):
        scan = a_scan(hour)
        load(warehouse, page(0, scan, range(150)))
        load(warehouse, page(1, scan, second))
        rows = warehouse.execute("SELECT is_in_order FROM scan ORDER BY started_at DESC LIMIT 1").fetchall()
        assert rows == [(expected,)]


def test_a_scan_is_resumed_only_while_it_is_believable(warehouse: DuckDBPyConnection) -> None:
    """F28: a lost or absurd cursor means a new scan."""
    day = timedelta(days=1)
    assert find(warehouse, a_scan()) is None
    load(warehouse, full(0, a_scan(), hours(1)))
    open_scan = state(warehouse, a_scan())
    assert open_scan.is_resumable(hours(1), day)
    assert open_scan.is_resumable(hours(1) - timedelta(minutes=5), day)
    assert open_scan.is_resumable(hours(25), day)
    assert not open_scan.is_resumable(hours(25.1), day)
    assert not open_scan.is_resumable(hours(0), day), "our clock has been set back since"
    load(warehouse, short(1, a_scan(), hours(2)))
    assert not state(warehouse, a_scan()).is_resumable(hours(2), day)


def test_a_cursor_belongs_to_a_selections_version_kind_and_shard(warehouse: DuckDBPyConnection) -> None:
    """F34."""
    load(warehouse, full(0, a_scan()))
    assert find(warehouse, a_scan(), OTHER) is None
    assert find(warehouse, a_scan(kind="head")) is None
    assert find(warehouse, a_scan(kind="shard", shard="a")) is None
    assert find(warehouse, a_scan(selection="wide")) is None
    assert find(warehouse, a_scan(99)) is not None


def test_a_version_is_that_of_the_wire_form() -> None:
    assert SELECTION.version == DealSelection(is_lowest=False).version
    versions = {each.version for each in (SELECTION, OTHER, DealSelection(sort_type=SortType.DELTA))}
    assert len(versions) == 3


def test_the_newest_scan_is_so_by_keepas_clock_whatever_its_start_claims(warehouse: DuckDBPyConnection) -> None:
    """F28."""
    absurd = a_scan(100_000)
    load(warehouse, full(0, absurd, hours(0)))
    load(warehouse, full(0, a_scan(1), hours(1)))
    assert state(warehouse, a_scan()).scan == a_scan(1)


GONE = asin(500)


def sight(warehouse: DuckDBPyConnection, hour: float, **options: object) -> None:
    """Load a complete scan at an hour; with `listed`, it lists the deal in question too."""
    scan = a_scan(started_at=hours(hour), **options.pop("scan", {}))  # type: ignore[arg-type]
    listed = deals(0, 3, hours(hour)) + deals(500, int(bool(options.pop("listed", False))), hours(hour))
    extra = options.pop("extra", [])
    assert isinstance(extra, list)
    load(warehouse, a_page(listed + extra, at=hours(hour), scan=scan, **options))  # type: ignore[arg-type]


def gone_at(warehouse: DuckDBPyConnection) -> datetime | None:
    rows = warehouse.execute("SELECT asin, gone_at FROM deal WHERE gone_at IS NOT NULL OR asin = ?", [GONE]).fetchall()
    assert [found for found, _ in rows] == [GONE]
    return rows[0][1]  # type: ignore[no-any-return]


def test_a_deal_is_gone_after_two_complete_scans_without_it_and_back_when_it_is_seen(
    warehouse: DuckDBPyConnection,
) -> None:
    """F30, F35."""
    sight(warehouse, 0, listed=True)
    assert gone_at(warehouse) is None
    sight(warehouse, 1)
    assert gone_at(warehouse) is None
    sight(warehouse, 2)
    assert gone_at(warehouse) == hours(2)
    sight(warehouse, 3)
    assert gone_at(warehouse) == hours(2)
    sight(warehouse, 4, listed=True)
    assert gone_at(warehouse) is None


def test_incomplete_and_truncated_scans_are_no_evidence(warehouse: DuckDBPyConnection) -> None:
    """F35: no coverage, no deletion."""
    sight(warehouse, 0, listed=True)
    for hour in (1, 2, 3):
        load(warehouse, full(0, a_scan(hour), hours(hour)))
        load(warehouse, short(2, a_scan(hour), hours(hour)))
    for hour in (4, 5, 6):
        read_66_pages(warehouse, a_scan(hour), hours(hour))
        load(warehouse, a_page(deals(0, 100), number=66, scan=a_scan(hour), at=hours(hour)))
        assert state(warehouse, a_scan(hour)).is_truncated
    assert gone_at(warehouse) is None


def test_an_incomplete_scan_is_not_one_of_the_two(warehouse: DuckDBPyConnection) -> None:
    """F35."""
    sight(warehouse, 0, listed=True)
    load(warehouse, full(0, a_scan(1), hours(1)))
    sight(warehouse, 2)
    assert gone_at(warehouse) is None


def test_scans_of_another_version_are_no_evidence(warehouse: DuckDBPyConnection) -> None:
    """F34, F35."""
    sight(warehouse, 0, listed=True)
    for hour in (1, 2, 3):
        sight(warehouse, hour, selection=OTHER)
    assert gone_at(warehouse) is None


@pytest.mark.parametrize("is_last_seen_in_shard", [False, True])
def test_a_deal_of_two_tables_is_gone_by_the_scans_of_what_listed_it_last(
    warehouse: DuckDBPyConnection, *, is_last_seen_in_shard: bool
) -> None:
    """F35, F64."""
    recent: dict[str, Any] = {}
    shard: dict[str, Any] = {"scan": {"kind": "shard", "shard": "0-100", "selection": "wide"}, "selection": OTHER}
    last, other = (shard, recent) if is_last_seen_in_shard else (recent, shard)
    sight(warehouse, 0, listed=True, **other)
    sight(warehouse, 1, listed=True, **last)
    for hour in (2, 3):
        sight(warehouse, hour, **other)
    assert gone_at(warehouse) is None
    for hour in (4, 5):
        sight(warehouse, hour, **last)
    assert gone_at(warehouse) == hours(5)


def test_a_page_outside_any_scan_refreshes_a_deal_and_is_no_evidence(warehouse: DuckDBPyConnection) -> None:
    sight(warehouse, 0, listed=True)
    for hour in (1, 2, 3):
        load(warehouse, a_page(deals(0, 3, hours(hour)), at=hours(hour)))
    assert gone_at(warehouse) is None
    sight(warehouse, 4)
    sight(warehouse, 5)
    assert gone_at(warehouse) == hours(5)


@pytest.mark.parametrize(("first", "second", "is_gone"), [(119, 600, False), (120, 239, False), (120, 240, True)])
def test_two_answers_from_one_cached_result_are_one_observation(
    warehouse: DuckDBPyConnection, first: int, second: int, *, is_gone: bool
) -> None:
    """D4: a query's result is cached for 120 s."""
    sight(warehouse, 0, listed=True)
    for seconds in (first, second):
        sight(warehouse, seconds / 3600)
    assert (gone_at(warehouse) is not None) == is_gone


def test_a_deal_that_is_listed_but_malformed_is_not_gone(warehouse: DuckDBPyConnection) -> None:
    """F35: it was not stored, but it was seen."""
    sight(warehouse, 0, listed=True)
    for hour in (1, 2, 3):
        sight(warehouse, hour, extra=[a_deal(500, title=[1])])
    assert gone_at(warehouse) is None
