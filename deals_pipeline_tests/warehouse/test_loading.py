"""What loading an answer does, and that it does all of it or nothing."""

import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from duckdb import DuckDBPyConnection

from deals_pipeline import __version__
from deals_pipeline.clock import VirtualClock
from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.keepa.requests import SellerRequest, TokenStatusRequest
from deals_pipeline.landing import Landing, landed_files, replay
from deals_pipeline.warehouse.connection import connect
from deals_pipeline.warehouse.loading import Loaded, load, load_landed
from deals_pipeline_tests.keepa.wire_examples import SERVER_MS, a_deal, asin, per_price_type
from deals_pipeline_tests.simulator.services import START, UncheckedHold
from deals_pipeline_tests.warehouse.answers import (
    a_page,
    a_scan,
    buy,
    contents,
    deals,
    hours,
    landed,
    minute,
    some_products,
)


def one(connection: DuckDBPyConnection, query: str) -> tuple[object, ...]:
    (row,) = connection.execute(query).fetchall()
    return tuple(row)


def test_a_page_is_loaded_once_whatever_how_often(warehouse: DuckDBPyConnection) -> None:
    page = a_page(deals(0, 5), scan=a_scan())
    first = load(warehouse, page)
    assert (first.rows_seen, first.rows_new, first.rows_updated, first.was_loaded) == (5, 5, 0, False)
    before = contents(warehouse)
    assert load(warehouse, page) == Loaded(page.file_id, "page", was_loaded=True)
    assert contents(warehouse) == before


def test_new_updated_and_merely_seen_deals_are_counted_apart(warehouse: DuckDBPyConnection) -> None:
    load(warehouse, a_page(deals(0, 5)))
    later = [*deals(0, 3), *deals(3, 2, hours(1)), *deals(10, 4, hours(1))]
    loaded = load(warehouse, a_page(later, at=hours(1)))
    assert (loaded.rows_seen, loaded.rows_new, loaded.rows_updated) == (9, 4, 2)
    assert one(warehouse, "SELECT count(*) FROM recent_deal") == (9,)


def test_the_newest_observation_wins_even_when_it_is_loaded_first(warehouse: DuckDBPyConnection) -> None:
    for at, title in ((hours(2), "new"), (hours(0), "old"), (hours(1), "between")):
        load(warehouse, a_page([a_deal(lastUpdate=minute(at), title=title)], at=at))
    assert one(warehouse, "SELECT title, first_seen, last_seen FROM recent_deal") == ("new", hours(0), hours(2))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_of_two_observations_of_one_update_the_later_wins_whatever_is_loaded_first(
    warehouse: DuckDBPyConnection, order: tuple[int, ...]
) -> None:
    """F31: by Keepa's clock, and where that is the same by file."""
    pages = [
        a_page([a_deal(title=title)], at=at, name=name)
        for title, at, name in (("a", hours(0), "9"), ("b", hours(1), "1"), ("c", hours(1), "2"))
    ]
    for index in order:
        load(warehouse, pages[index])
    assert one(warehouse, "SELECT title, first_seen, last_seen FROM recent_deal") == ("c", hours(0), hours(1))


def test_a_sighting_refreshes_last_seen_and_nothing_else(warehouse: DuckDBPyConnection) -> None:
    """F36: a static deal keeps its last update (D7)."""
    load(warehouse, a_page([a_deal(title="first")], scan=a_scan(0), name="1"))
    before = one(warehouse, "SELECT * EXCLUDE (title, observed_at, landed_file, last_seen, last_seen_scan) FROM deal")
    load(warehouse, a_page([a_deal(title="first")], at=hours(5), scan=a_scan(5), name="2"))
    after = one(warehouse, "SELECT * EXCLUDE (title, observed_at, landed_file, last_seen, last_seen_scan) FROM deal")
    assert after == before
    assert one(warehouse, "SELECT first_seen, last_seen FROM deal") == (hours(0), hours(5))
    assert "2025-06-01T17:00" in str(one(warehouse, "SELECT last_seen_scan FROM deal")[0])


def test_a_negative_value_is_unknown_and_a_difference_needs_both_sides(warehouse: DuckDBPyConnection) -> None:
    """F51: Keepa sends -1 for the difference too."""
    used, new, rank = PriceType.USED, PriceType.NEW, PriceType.SALES
    current = per_price_type(-1, {used: 1500, rank: 50_000, PriceType.NEW_FBA: -2, PriceType.WAREHOUSE: -74})
    average = per_price_type(-2, {used: 2000, new: 900})
    minus = [-1] * len(current)
    load(
        warehouse,
        a_page(
            [a_deal(current=current, avg=[average] * 4, delta=[minus] * 4, deltaPercent=[minus] * 4, deltaLast=minus)]
        ),
    )
    row = dict(zip(warehouse.table("recent_deal").columns, one(warehouse, "FROM recent_deal"), strict=True))
    expected = {used: 1500, rank: 50_000}
    assert row["current"] == [expected.get(kind) for kind in list(PriceType)[:34]]
    for window in ("day", "week", "month", "quarter"):
        for name in (f"delta_{window}", f"delta_percent_{window}"):
            assert row[name] == [-1 if kind is used else None for kind in list(PriceType)[:34]]
    assert row["delta_last"] == [-1 if kind in expected else None for kind in list(PriceType)[:34]]
    columns = "used_cents, new_cents, warehouse_cents, sales_rank, used_drop_quarter_cents, new_average_quarter_cents"
    assert one(warehouse, f"SELECT {columns} FROM deal") == (1500, None, None, 50_000, -1, 900)


def test_no_price_is_negative_whatever_the_simulated_market_sends(
    warehouse: DuckDBPyConnection, tmp_path: Path
) -> None:
    """F51."""
    buy(tmp_path)
    assert len(list(load_landed(warehouse, tmp_path))) > 6
    for name in ("recent_deal", "backfilled_deal", "product_stats"):
        for column, kind in zip(warehouse.table(name).columns, warehouse.table(name).types, strict=True):
            if str(kind) == "INTEGER[]" and not column.startswith("delta"):
                assert one(warehouse, f"SELECT count(*), min(list_min({column})) >= 0 FROM {name}")[1] in (True, None)
    for name in ("price_point", "deal"):
        for column in warehouse.table(name).columns:
            if column in ("value", "shipping") or (column.endswith(("_cents", "_rank")) and "drop" not in column):
                assert one(warehouse, f"SELECT min({column}) >= 0 FROM {name}") in ((True,), (None,)), column
    assert one(warehouse, "SELECT count(*) > 0 FROM quarantine") == (True,)


def test_times_are_utc_instants(warehouse: DuckDBPyConnection) -> None:
    """F33, F47."""
    load(warehouse, a_page([a_deal()]))
    created, updated, since = one(warehouse, "SELECT created_at, last_update, used_since FROM deal")
    assert created == datetime.fromtimestamp(SERVER_MS / 1000, START.tzinfo) - timedelta(minutes=60)
    assert (created, updated, since) == (hours(-1), hours(-0.5), hours(-1.5))


def test_a_malformed_deal_is_put_aside_with_its_reason_and_the_others_are_loaded(warehouse: DuckDBPyConnection) -> None:
    """F53."""
    page = a_page([a_deal(0), a_deal(1, title=[1]), "no deal", a_deal(2, lastUpdate=minute(hours(48)))])
    loaded = load(warehouse, page)
    assert (loaded.rows_seen, loaded.quarantined) == (1, 3)
    rows = warehouse.execute(
        "SELECT landed_file, position, item_id, reason FROM quarantine ORDER BY position"
    ).fetchall()
    assert [(row[0], row[1], row[2]) for row in rows] == [
        (page.file_id, 1, asin(1)),
        (page.file_id, 2, None),
        (page.file_id, 3, asin(2)),
    ]
    assert "implausible" in rows[2][3]
    assert one(warehouse, "SELECT items, quarantined FROM landed_file") == (1, 3)


def test_duplicates_within_and_across_shifted_pages_are_one_deal(warehouse: DuckDBPyConnection) -> None:
    """F30."""
    scan = a_scan()
    first = load(warehouse, a_page([*deals(0, 148), a_deal(5), a_deal(6)], scan=scan, number=0))
    second = load(warehouse, a_page(deals(146, 10), scan=scan, number=1))
    assert (first.rows_seen, first.duplicates, second.rows_new) == (148, 2, 8)
    assert one(warehouse, "SELECT count(*), count(DISTINCT asin) FROM deal") == (156, 156)


@pytest.mark.parametrize(
    "title", ["\u6f22\u5b57 \U0001f4da e\u0301", "'); DROP TABLE recent_deal; --", "<b>&amp;", "", None]
)
def test_any_title_is_stored_as_sent(warehouse: DuckDBPyConnection, title: str | None) -> None:
    load(warehouse, a_page([a_deal(title=title)]))
    load(warehouse, some_products([0], title=title))
    assert (
        one(warehouse, "SELECT deal.title, product.title FROM deal JOIN product USING (domain_id, asin)")
        == (title,) * 2
    )


def test_a_shards_deals_are_backfilled_and_the_union_shows_the_newest(warehouse: DuckDBPyConnection) -> None:
    """F64."""
    shard = a_scan(kind="shard", shard="us/books/0-1500", selection="wide")
    load(warehouse, a_page([a_deal(0, title="backfilled"), a_deal(1)], scan=shard))
    newer = a_deal(0, title="recent", lastUpdate=minute(hours(2)))
    load(warehouse, a_page([newer, a_deal(2)], at=hours(2), scan=a_scan(2)))
    assert one(warehouse, "SELECT count(*) FROM backfilled_deal") == (2,)
    assert one(warehouse, "SELECT count(*) FROM recent_deal") == (2,)
    rows = warehouse.execute("SELECT asin, source, first_seen, last_seen FROM deal ORDER BY asin").fetchall()
    assert rows == [
        (asin(0), "recent", hours(0), hours(2)),
        (asin(1), "backfilled", hours(0), hours(0)),
        (asin(2), "recent", hours(2), hours(2)),
    ]


def test_every_row_tells_its_answer_and_the_version_that_loaded_it(warehouse: DuckDBPyConnection) -> None:
    """F22."""
    page, products = a_page([a_deal(), {}], name="a-page"), some_products([0], name="products")
    load(warehouse, page)
    load(warehouse, products)
    for table, file in {
        "recent_deal": "a-page",
        "quarantine": "a-page",
        "product": "products",
        "price_history": "products",
    }.items():
        rows = warehouse.execute(f"SELECT DISTINCT landed_file, code_version FROM {table}").fetchall()
        assert rows == [(file, __version__)], table


def test_a_product_is_its_newest_answer(warehouse: DuckDBPyConnection) -> None:
    load(warehouse, some_products([0], at=hours(0), title="first"))
    load(warehouse, some_products([0], at=hours(2), title="newest", fbaFees={"pickAndPackFee": -1}))
    load(warehouse, some_products([0], at=hours(1), title="between"))
    assert one(warehouse, "SELECT title, pick_and_pack_fee, observed_at FROM product") == ("newest", None, hours(2))


def test_statistics_stay_when_a_newer_answer_has_none(warehouse: DuckDBPyConnection) -> None:
    """F45: what was not asked for is not overwritten."""
    wire_stats = {"current": [1999, -1, 1500], "avg": [-1, 2100], "salesRankDrops30": 4}
    load(warehouse, some_products([0], days=90, stats=wire_stats))
    load(warehouse, some_products([0], at=hours(1)))
    columns = "current, average, average_30_days, sales_rank_drops_30_days, observed_at"
    expected = ([1999, None, 1500], [None, 2100], None, 4, hours(0))
    assert one(warehouse, f"SELECT {columns} FROM product_stats") == expected


def history(points: int, value: int = 100) -> list[list[int] | None]:
    start = minute(hours(-1000))
    return [[part for index in range(points) for part in (start + index, value + index)]]


def test_a_history_is_replaced_by_the_newest_and_never_by_an_older_or_shorter_answer(
    warehouse: DuckDBPyConnection,
) -> None:
    def stored() -> tuple[object, ...]:
        return one(warehouse, 'SELECT len(times), "values"[1], days, observed_at FROM price_history')

    loads = [
        ({"at": hours(0), "csv": history(10, 100), "days": 30}, (10, 100, 30, hours(0))),
        ({"at": hours(5), "csv": history(50, 200)}, (50, 200, None, hours(5))),
        ({"at": hours(1), "csv": history(20, 300)}, (50, 200, None, hours(5))),
        ({"at": hours(9), "csv": history(5, 400), "days": 30}, (50, 200, None, hours(5))),
        ({"at": hours(6), "csv": [None]}, (50, 200, None, hours(5))),
        ({"at": hours(7), "csv": history(51, 500)}, (51, 500, None, hours(7))),
    ]
    for number, (fields, expected) in enumerate(loads):
        load(warehouse, some_products([0], name=str(number), **fields))  # type: ignore[arg-type]
        assert stored() == expected, number


def test_points_are_the_history_unnested(warehouse: DuckDBPyConnection) -> None:
    loaded = load(warehouse, some_products([0]))
    rows = warehouse.execute('SELECT price_type, "time", "value", shipping FROM price_point ORDER BY ALL').fetchall()
    early, late = (hours(0) - timedelta(minutes=minutes) for minutes in (3000, 2000))
    assert rows == [(0, early, 1999, None), (0, late, None, None), (7, early, 1500, 399), (7, late, None, None)]
    assert loaded.points == 4


def test_products_that_did_not_come_are_remembered(warehouse: DuckDBPyConnection) -> None:
    """F27, F41."""
    for hour in (1, 0, 4):
        loaded = load(warehouse, some_products([0], at=hours(hour), asked=[asin(7)]))
        assert loaded.missing == (asin(7),)
    assert one(warehouse, "FROM missing_product") == (1, asin(7), 3, hours(0), hours(4))


@pytest.mark.parametrize(
    ("status", "document", "outcome", "detail"),
    [
        (429, {"tokensLeft": -3}, "throttled", None),
        (500, {}, "retryable", "the server failed: HTTP 500"),
        (200, {"deals": 1}, "retryable", "the body lacks what every such answer has: no token fields"),
        (400, {}, "fatal", "the request was rejected as invalid: HTTP 400"),
    ],
)
def test_an_answer_that_gave_nothing_is_recorded_and_moves_no_scan(
    warehouse: DuckDBPyConnection, status: int, document: object, outcome: str, detail: str | None
) -> None:
    """F29."""
    answer = landed(a_page([]).request, document, status=status, scan=a_scan())
    assert load(warehouse, answer) == Loaded(answer.file_id, outcome)
    assert one(warehouse, "SELECT outcome, detail, status FROM landed_file") == (outcome, detail, status)
    assert {name for name, rows in contents(warehouse).items() if rows} == {"landed_file"}


def test_sellers_and_balances_are_recorded(warehouse: DuckDBPyConnection, tmp_path: Path) -> None:
    landing = Landing(tmp_path, "run-1", VirtualClock(START))
    page = a_page([])
    for request in (SellerRequest(seller_ids=("A2L77EE7U53NWQ",)), TokenStatusRequest()):
        landing(request, UncheckedHold(request), page.answer)
    assert [loaded.outcome for loaded in load_landed(warehouse, tmp_path)] == ["sellers", "token status"]


def test_only_what_is_not_loaded_yet_is_loaded(warehouse: DuckDBPyConnection, tmp_path: Path) -> None:
    """F31, F44: what a crash left is loaded by the next run."""
    buy(tmp_path)
    files = list(landed_files(tmp_path))
    some = [next(iter(replay(tmp_path)))]
    for landed_answer in some:
        load(warehouse, landed_answer)
    files[1].write_bytes(b"damaged")
    skipped: list[Path] = []
    rest = list(load_landed(warehouse, tmp_path, skipped=lambda path, _: skipped.append(path)))
    assert [loaded.file_id for loaded in rest] == [path.stem for path in files[2:]]
    assert skipped == [files[1]]
    assert list(load_landed(warehouse, tmp_path, skipped=lambda *_: None)) == []


@pytest.mark.parametrize("which", ["page", "products"])
def test_a_loader_killed_before_any_statement_leaves_all_of_an_answer_or_nothing(
    migrated: Path, tmp_path: Path, which: str
) -> None:
    """F26, F31: rows and cursor are consistent, and loading again gives what an undisturbed load gives."""
    landing, folder = Landing(tmp_path / "landing", "run-1", VirtualClock(START)), tmp_path / "killed"
    folder.mkdir()
    answer = a_page([*deals(0, 20), 1], scan=a_scan()) if which == "page" else some_products([0, 1], asked=[asin(9)])
    with landing.reading(a_scan()):
        landing(answer.request, UncheckedHold(answer.request), answer.answer)
    (landed_answer,) = replay(tmp_path / "landing")
    with connect(Path(shutil.copy(migrated, tmp_path))) as connection:
        nothing = contents(connection)
    program = Path(__file__).with_name("load_program.py")
    arguments = [sys.executable, *map(str, (program, migrated, landing.latest, folder))]
    attempts = int(subprocess.run(arguments, check=True, timeout=120, capture_output=True, text=True).stdout)
    paths = sorted(folder.glob("*.duckdb"))
    assert attempts == len(paths) > 8
    with connect(paths[-1]) as connection:
        everything = contents(connection)
    assert everything != nothing
    found = []
    for path in paths[:-1]:
        with connect(path) as connection:
            found.append(contents(connection))
            if path in paths[-4:-1]:
                load(connection, landed_answer)
                assert contents(connection) == everything
    assert all(state in (nothing, everything) for state in found)
    assert found == sorted(found, key=lambda state: state == everything)
    assert nothing in found
