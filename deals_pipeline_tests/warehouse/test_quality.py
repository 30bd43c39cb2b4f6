"""Each check passes on a good warehouse and fails on one that was spoilt in the way that it is for."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from duckdb import DuckDBPyConnection

from deals_pipeline.config import RecentSelection
from deals_pipeline.keepa.contract import CLOCK_TOLERANCE
from deals_pipeline.keepa.requests import DealPageRequest
from deals_pipeline.landing import Landed, Landing, Scan, landed_files
from deals_pipeline.simulator.faults import Fault, Faults
from deals_pipeline.warehouse import quality
from deals_pipeline.warehouse.loading import load, load_landed
from deals_pipeline.warehouse.quality import Finding
from deals_pipeline_tests.keepa.wire_examples import a_deal, asin, error_of
from deals_pipeline_tests.simulator.services import Service, UncheckedHold, make_service
from deals_pipeline_tests.warehouse.answers import SELECTION, a_page, a_scan, deals, hours, landed, scanned

DAY = timedelta(days=1)
INTERVAL = timedelta(hours=4)
RECENT = RecentSelection.model_validate({"name": "recent", "marketplace": "US"})
CHEAP = RecentSelection.model_validate({"name": "cheap", "marketplace": "US", "current_range": (0, 1500)})


def test_each_deal_is_one_row_until_the_view_shows_one_twice(warehouse: DuckDBPyConnection) -> None:
    """F64."""
    load(warehouse, a_page(deals(0, 5)))
    load(warehouse, a_page(deals(4, 3), scan=a_scan(kind="shard", shard="wide_all_0-100")))
    assert quality.unique(warehouse) == Finding(True, "each deal is one row", {"deals": 7, "rows_too_many": 0})
    warehouse.execute("CREATE OR REPLACE VIEW deal AS FROM recent_deal UNION ALL BY NAME FROM backfilled_deal")
    found = quality.unique(warehouse)
    assert (found.passed, found.numbers) == (False, {"deals": 7, "rows_too_many": 1})
    assert asin(4) in found.detail


@pytest.mark.parametrize("column", ["created_at", "last_update"])
def test_no_time_may_be_more_than_five_minutes_ahead_of_keepas_clock(
    warehouse: DuckDBPyConnection, column: str
) -> None:
    """F33."""
    load(warehouse, a_page(deals(0, 3)))
    assert quality.plausible_times(warehouse).numbers == {"deals": 3, "deals_ahead": 0, "ahead_seconds_max": 0}
    for seconds, passed in ((300, True), (301, False)):
        warehouse.execute(
            f"UPDATE recent_deal SET {column} = observed_at + to_seconds({seconds}) WHERE asin = '{asin(1)}'"
        )
        found = quality.plausible_times(warehouse)
        assert (found.passed, found.numbers["deals_ahead"]) == (passed, int(not passed))
        assert found.numbers["ahead_seconds_max"] == seconds
    assert asin(1) in found.detail


@dataclass
class Feed:
    """A scan of the simulated feed, landed and loaded."""

    service: Service
    landing: Landing
    asins: frozenset[str]

    @property
    def files(self) -> list[Path]:
        return list(landed_files(self.landing.root))


@pytest.fixture
def feed(warehouse: DuckDBPyConnection, tmp_path: Path) -> Feed:
    service = make_service(products=3_000)
    service.client._land = landing = Landing(tmp_path / "landing", "run-1", service.clock)  # noqa: SLF001
    feed = Feed(service, landing, scan(service, landing))
    assert len(list(load_landed(warehouse, landing.root))) == len(feed.files) > 3
    return feed


def scan(service: Service, landing: Landing) -> frozenset[str]:
    like = Scan(selection="recent", kind="full", started_at=service.clock.now())
    return frozenset(scanned(service, landing, SELECTION, like))


def test_all_that_the_last_complete_scan_listed_is_stored(warehouse: DuckDBPyConnection, feed: Feed) -> None:
    """F26: counted from the landed answers, not by the loader."""
    found = quality.coverage(warehouse, feed.landing.root, [RECENT, CHEAP])
    assert found.passed
    assert found.numbers == {
        "coverage": 1.0,
        "deals_listed": len(feed.asins),
        "deals_missing": 0,
        "quarantined": 0,
        "selections_unknown": 1,
    }
    assert "cheap: was not read to its end yet" in found.detail


@pytest.mark.parametrize(
    "spoil",
    ["DELETE FROM recent_deal", "UPDATE recent_deal SET last_seen = last_seen - INTERVAL 1 SECOND"],
    ids=["never stored", "seen again but stale"],
)
def test_a_page_that_was_listed_and_not_stored_is_missing(
    warehouse: DuckDBPyConnection, feed: Feed, spoil: str
) -> None:
    """F25, F26, F36."""
    lost = feed.files[1].stem
    ((count, example),) = warehouse.execute(
        "SELECT count(*), min(asin) FROM recent_deal WHERE landed_file = ?", [lost]
    ).fetchall()
    warehouse.execute(f"{spoil} WHERE landed_file = ?", [lost])
    found = quality.coverage(warehouse, feed.landing.root, [RECENT])
    assert not found.passed
    assert found.numbers["coverage"] == (len(feed.asins) - count) / len(feed.asins)
    assert found.numbers["deals_missing"] == count > 100
    assert found.detail == (f"recent: {count} of {len(feed.asins)} listed deals are not stored, such as {example}")


@pytest.mark.parametrize(("missing", "passed"), [(1, True), (2, False)])
def test_one_deal_in_a_thousand_may_be_missing(
    warehouse: DuckDBPyConnection, tmp_path: Path, missing: int, *, passed: bool
) -> None:
    pages = [a_page(deals(150 * number, 150), number=number, scan=a_scan()) for number in range(6)]
    land_and_load(warehouse, tmp_path, [*pages, a_page(deals(900, 100), number=6, scan=a_scan())])
    warehouse.execute(f"DELETE FROM recent_deal WHERE asin <= '{asin(missing - 1)}'")
    found = quality.coverage(warehouse, tmp_path, [RECENT])
    assert (found.passed, found.numbers["coverage"]) == (passed, 1 - missing / 1000)


def land_and_load(warehouse: DuckDBPyConnection, root: Path, answers: list[Landed]) -> None:
    service = make_service()
    landing = Landing(root, "run-1", service.clock)
    for answer in answers:
        assert answer.header.scan
        with landing.reading(answer.header.scan):
            landing(answer.request, UncheckedHold(answer.request), answer.answer)
    assert len(list(load_landed(warehouse, root))) == len(answers)


def test_what_was_put_aside_is_counted_apart_from_what_is_missing(
    warehouse: DuckDBPyConnection, tmp_path: Path
) -> None:
    land_and_load(warehouse, tmp_path, [a_page([*deals(0, 3), a_deal(7, title=[1]), "no deal"], scan=a_scan())])
    numbers = quality.coverage(warehouse, tmp_path, [RECENT]).numbers
    assert (numbers["deals_listed"], numbers["deals_missing"], numbers["quarantined"]) == (3, 0, 2)


def test_coverage_is_unknown_and_never_false_where_answers_were_removed(
    warehouse: DuckDBPyConnection, feed: Feed
) -> None:
    """F65: retention removes them."""
    feed.files[0].unlink()
    warehouse.execute("DELETE FROM recent_deal")
    found = quality.coverage(warehouse, feed.landing.root, [RECENT])
    assert (found.passed, found.numbers["coverage"], found.numbers["selections_unknown"]) == (True, None, 1)
    assert "recent: unknown, 1 of" in found.detail


def test_a_damaged_answer_is_a_failure_that_names_it(warehouse: DuckDBPyConnection, feed: Feed) -> None:
    damaged = feed.files[2]
    damaged.write_bytes(damaged.read_bytes()[:-1])
    found = quality.coverage(warehouse, feed.landing.root, [RECENT])
    assert (found.passed, found.numbers["coverage"]) == (False, None)
    assert str(damaged) in found.detail


def test_a_scan_in_progress_does_not_hide_the_last_complete_one(warehouse: DuckDBPyConnection, feed: Feed) -> None:
    feed.service.pass_time(hours=3)
    with feed.landing.reading(Scan(selection="recent", kind="full", started_at=feed.service.clock.now())):
        feed.service.page(DealPageRequest(selection=SELECTION))
    assert len(list(load_landed(warehouse, feed.landing.root))) == 1
    assert quality.coverage(warehouse, feed.landing.root, [RECENT]).numbers["deals_listed"] == len(feed.asins)


@pytest.mark.parametrize(("count", "kind"), [(150, "full"), (3, "shard")], ids=["incomplete", "of a shard"])
def test_only_a_scan_of_the_feed_that_came_to_its_end_covers_anything(
    warehouse: DuckDBPyConnection, tmp_path: Path, count: int, kind: str
) -> None:
    land_and_load(warehouse, tmp_path, [a_page(deals(0, count), scan=a_scan(kind=kind))])
    found = quality.coverage(warehouse, tmp_path, [RECENT])
    assert (found.passed, found.numbers["coverage"], found.numbers["selections_unknown"]) == (True, None, 1)


def test_a_selection_that_lists_nothing_is_covered(warehouse: DuckDBPyConnection, tmp_path: Path) -> None:
    """F34: no result is no failure."""
    land_and_load(warehouse, tmp_path, [a_page([], scan=a_scan())])
    found = quality.coverage(warehouse, tmp_path, [RECENT])
    assert (found.passed, found.numbers["coverage"], found.numbers["selections_unknown"]) == (True, None, 0)


@pytest.mark.parametrize(("age", "passed"), [(0.5, True), (8, True), (8.1, False), (2000, False)])
def test_a_feed_in_which_nothing_was_seen_for_two_intervals_is_stale(
    warehouse: DuckDBPyConnection, age: float, *, passed: bool
) -> None:
    """F23: whatever else is green."""
    load(warehouse, a_page(deals(0, 3), scan=a_scan()))
    load(warehouse, a_page(deals(0, 3, hours(age)), at=hours(age), scan=a_scan(kind="shard", shard="0")))
    found = quality.freshness(warehouse, [RECENT], INTERVAL, hours(age))
    assert found.passed == passed
    assert found.numbers == {"sighting_hours": age, "update_hours": age + 0.5, "full_scan_hours": age}


def test_the_last_full_scan_is_that_of_the_selection_furthest_behind(warehouse: DuckDBPyConnection) -> None:
    """F23."""
    freshness = partial(quality.freshness, warehouse, [RECENT, CHEAP], INTERVAL, hours(10))
    load(warehouse, a_page(deals(0, 3), at=hours(9), scan=a_scan(9)))
    assert freshness().numbers["full_scan_hours"] is None
    load(warehouse, a_page(deals(0, 3), at=hours(2), scan=a_scan(2), selection=CHEAP.query))
    assert freshness().numbers["full_scan_hours"] == 8


def test_a_scan_without_results_shows_that_the_feed_is_alive(warehouse: DuckDBPyConnection) -> None:
    """F34."""
    load(warehouse, a_page(deals(0, 3), scan=a_scan(), name="1"))
    load(warehouse, a_page([], at=hours(20), scan=a_scan(20), name="2"))
    found = quality.freshness(warehouse, [RECENT], INTERVAL, hours(21))
    assert (found.passed, found.numbers["sighting_hours"]) == (True, 21)


def test_a_feed_that_is_hours_ahead_is_no_sign_of_life(warehouse: DuckDBPyConnection) -> None:
    """F23, F33: it would hide for as long that nothing comes any more."""
    load(warehouse, a_page(deals(0, 3), at=hours(2), scan=a_scan()))
    assert quality.freshness(warehouse, [RECENT], INTERVAL, hours(2) - CLOCK_TOLERANCE).passed
    found = quality.freshness(warehouse, [RECENT], INTERVAL, hours(0))
    assert (found.passed, found.detail) == (
        False,
        "the last sign of the feed is 2.0 h ahead of this machine's clock: one is wrong",
    )


def test_a_feed_that_never_began_is_stale_from_the_first_answer_on(warehouse: DuckDBPyConnection) -> None:
    """F23: nothing but errors."""
    assert quality.freshness(warehouse, [RECENT], INTERVAL, hours(0)).detail == "nothing was bought yet"
    load(warehouse, landed(a_page([]).request, error_of("no"), status=500))
    assert quality.freshness(warehouse, [RECENT], INTERVAL, hours(8)).passed
    found = quality.freshness(warehouse, [RECENT], INTERVAL, hours(9))
    assert (found.passed, found.numbers["sighting_hours"]) == (False, None)


def test_pages_that_shift_between_calls_are_in_order_all_the_same(warehouse: DuckDBPyConnection, feed: Feed) -> None:
    """D4: new deals shift the others towards later pages, so that the end of a page comes again."""
    found = quality.feed_order(warehouse, [RECENT, CHEAP])
    assert found == Finding(
        True, "all pages are in order", {"scans": 1, "pages": len(feed.files), "pages_out_of_order": 0}
    )
    assert warehouse.execute("SELECT is_in_order FROM scan").fetchall() == [(False,)]


def test_a_feed_that_is_sorted_by_another_key_is_noticed(warehouse: DuckDBPyConnection, tmp_path: Path) -> None:
    """F25."""
    service = make_service(products=3_000, faults=Faults(kinds=frozenset({Fault.SORTS_BY_ANOTHER_KEY})))
    service.client._land = landing = Landing(tmp_path / "landing", "run-1", service.clock)  # noqa: SLF001
    scan(service, landing)
    pages = len(list(load_landed(warehouse, landing.root)))
    found = quality.feed_order(warehouse, [RECENT])
    assert (found.passed, found.numbers["pages_out_of_order"]) == (False, pages)
    assert f"recent: {pages} of {pages} pages" in found.detail


def test_pages_that_are_sorted_by_themselves_alone_are_out_of_order(warehouse: DuckDBPyConnection) -> None:
    """F25: and only the newest scan counts."""
    for hour, firsts in enumerate([(0, 150, 300), (300, 0, 150), (0, 150, 300)]):
        for number, first in enumerate(firsts):
            load(warehouse, a_page(deals(first, 150, hours(hour)), number=number, scan=a_scan(hour), at=hours(hour)))
        assert quality.feed_order(warehouse, [RECENT]).numbers["pages_out_of_order"] == int(hour == 1)


@pytest.mark.parametrize(("bad", "passed"), [(0, True), (1, True), (2, False)])
def test_more_than_one_item_in_a_hundred_put_aside_is_too_many(
    warehouse: DuckDBPyConnection, bad: int, *, passed: bool
) -> None:
    """F53."""
    now = hours(12)
    malformed = [a_deal(1000 + number, title=[number]) for number in range(bad)]
    load(warehouse, a_page([*deals(0, 100 - bad), *malformed], name="new"))
    warehouse.execute("UPDATE landed_file SET received_at = ?", [now - DAY])
    load(warehouse, old := a_page([1, 2, 3], name="old"))
    warehouse.execute("UPDATE landed_file SET received_at = ? WHERE landed_file = ?", [now - 1.01 * DAY, old.file_id])
    found = quality.quarantine_rate(warehouse, now)
    assert found.passed == passed
    assert found.numbers == {"items": 100, "quarantined": bad, "quarantine_rate": bad / 100}
    assert ("$.title" in found.detail) == bool(bad)


def test_where_no_item_came_none_was_put_aside(warehouse: DuckDBPyConnection) -> None:
    found = quality.quarantine_rate(warehouse, hours(0))
    assert (found.passed, found.numbers["quarantine_rate"]) == (True, None)


def read_shard(warehouse: DuckDBPyConnection, shard: str, hour: int, *, is_truncated: bool = False) -> None:
    """Load a complete scan of a shard, and say of it that it ended at the cap."""
    like = a_scan(hour, kind="shard", shard=shard, selection="wide")
    load(warehouse, a_page(deals(0, 3), at=hours(hour), scan=like))
    warehouse.execute(
        "UPDATE scan SET is_truncated = ? WHERE started_at = ? AND shard = ?", [is_truncated, like.started_at, shard]
    )


def test_a_shard_that_shows_more_than_keepa_lists_is_found(warehouse: DuckDBPyConnection) -> None:
    """F25, D1."""
    read_shard(warehouse, "wide_all_0-99", 0)
    assert quality.whole_shards(warehouse).passed
    read_shard(warehouse, "wide_all_100-199", 0, is_truncated=True)
    found = quality.whole_shards(warehouse)
    assert (found.passed, found.numbers) == (False, {"shards": 2, "shards_truncated": 1})
    assert "wide_all_100-199" in found.detail


def test_a_shard_that_was_read_whole_or_cut_since_is_found_no_more(warehouse: DuckDBPyConnection) -> None:
    read_shard(warehouse, "wide_all_0-99", 1, is_truncated=True)
    read_shard(warehouse, "wide_all_0-49", 0)
    read_shard(warehouse, "wide_all_0-199", 2)
    read_shard(warehouse, "wide_283155_0-49", 2)
    load(warehouse, a_page(deals(0, 150), at=hours(3), scan=a_scan(3, kind="shard", shard="wide_all_0-99")))
    assert not quality.whole_shards(warehouse).passed
    read_shard(warehouse, "wide_all_50-99", 4)
    assert quality.whole_shards(warehouse).passed
    read_shard(warehouse, "wide_all_0-199", 5, is_truncated=True)
    assert not quality.whole_shards(warehouse).passed
    read_shard(warehouse, "wide_all_0-199", 6)
    assert quality.whole_shards(warehouse).passed
