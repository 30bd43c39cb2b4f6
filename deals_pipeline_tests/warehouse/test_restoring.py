"""What was deleted from the warehouse is there again after the next load of what is landed, at no tokens (F21)."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import pytest
from duckdb import DuckDBPyConnection

from deals_pipeline.keepa.requests import DealPageRequest
from deals_pipeline.landing import Landed, path_of
from deals_pipeline.warehouse.connection import WarehouseError, connect
from deals_pipeline.warehouse.loading import load_landed
from deals_pipeline.warehouse.schema import migrate, migrations
from deals_pipeline.warehouse.statements import statement
from deals_pipeline_tests.keepa.wire_examples import a_deal, an_offer, asin, error_of, stats
from deals_pipeline_tests.warehouse.answers import (
    COMPUTED,
    SELECTION,
    UNKNOWN_SELLER,
    a_page,
    a_scan,
    deals,
    hours,
    landed,
    some_offers,
    some_products,
    some_sellers,
)
from deals_pipeline_tests.warehouse.test_replay import land

OF_ANSWERS = [
    "landed_file",
    "scan_page",
    "scan",
    "recent_deal",
    "backfilled_deal",
    "product",
    "product_stats",
    "price_history",
    "missing_product",
    "quarantine",
    "offer_snapshot",
    "live_offer",
    "seller",
    "missing_seller",
]
OTHERS = {step.relation for step in migrations() if step.kind == "TABLE"} - {*OF_ANSWERS}
SHARD = a_scan(2, selection="wide", kind="shard", shard="0")
ANSWERS = [
    a_page([*deals(0, 3, hours(1)), a_deal(9, current=None)], at=hours(1), scan=a_scan(1)),
    a_page(deals(0, 1), scan=a_scan()),
    a_page(deals(1, 3, hours(2)), at=hours(2), scan=SHARD),
    some_products([0, 1], asked=[asin(7)], stats=stats()),
    some_products([0, 2], at=hours(1), asked=[asin(7)], title="newer"),
    some_offers({0: [an_offer(1), an_offer(2)], 1: [], 2: None}, at=hours(1)),
    some_offers({0: [an_offer(3)]}, at=hours(2)),
    some_sellers(["A000000000001", "A000000000002"], asked=[UNKNOWN_SELLER]),
    some_sellers(["A000000000001"], at=hours(1), asked=[UNKNOWN_SELLER], sellerName="newer"),
]
"""At least a row for each table of answers, and twice what is merged or counted."""

Contents: TypeAlias = dict[str, list[tuple[object, ...]]]


class Place:
    """A warehouse and a landing, as the processes of two runs find them."""

    def __init__(self, folder: Path, migrated: Path) -> None:
        self.landing = folder / "landing"
        self.path = Path(shutil.copy(migrated, folder / "warehouse.duckdb"))

    @contextmanager
    def opened(self) -> Iterator[DuckDBPyConnection]:
        """Open it as a new process does."""
        with connect(self.path) as connection:
            migrate(connection)
            yield connection

    def load(self) -> int:
        """Load as a run does when it begins; return how many answers."""
        with self.opened() as connection:
            return sum(1 for _ in load_landed(connection, self.landing))

    def contents(self) -> Contents:
        """Return the rows of all tables, which deals are gone, and the catalogue."""
        with connect(self.path) as connection:
            rows = {name: connection.execute(f"FROM {name} ORDER BY ALL").fetchall() for name in (*OF_ANSWERS, *OTHERS)}
            rows["deal"] = connection.execute("SELECT asin, gone_at FROM deal ORDER BY ALL").fetchall()
            return rows | {"relations": connection.execute(statement("relations")).fetchall()}

    def execute(self, sql: str) -> None:
        """Change it by hand."""
        with connect(self.path) as connection:
            connection.execute(sql)

    def fill(self, *answers: Landed) -> list[str]:
        """Land answers and load them; return their files."""
        files = land(self.landing, list(answers))
        assert self.load() == len(answers)
        return files


@pytest.fixture
def place(tmp_path: Path, migrated: Path) -> Place:
    return Place(tmp_path, migrated)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> tuple[Place, Contents]:
    place = Place(tmp_path_factory.mktemp("filled"), migrated)
    place.fill(*ANSWERS)
    contents = place.contents()
    assert {name for name, rows in contents.items() if not rows} == {*COMPUTED, "write_probe"}
    return place, contents


@pytest.fixture
def full(filled: tuple[Place, Contents], tmp_path: Path) -> Place:
    place = Place(tmp_path, filled[0].path)
    place.landing = filled[0].landing
    return place


@pytest.mark.parametrize("table", OF_ANSWERS)
def test_any_one_table_of_answers_that_was_deleted_is_missed_once(
    full: Place, filled: tuple[Place, Contents], table: str, caplog: pytest.LogCaptureFixture
) -> None:
    """F21: once, whether or not an answer still tells what it held."""
    full.execute(f"DROP TABLE {table}")
    for _ in range(2):
        with full.opened() as connection:
            assert connection.execute("FROM landed_file").fetchall() == []
    assert caplog.messages == [f"No rows are left in {table}: all landed answers are loaded anew."]
    with full.opened() as connection:
        assert connection.execute(statement("relations")).fetchall() == filled[1]["relations"]


@pytest.mark.parametrize(
    "tables",
    [
        ["landed_file"],
        ["scan", "product", "seller"],
        ["scan_page", "product_stats", "missing_seller"],
        ["recent_deal", "price_history", "missing_product"],
        ["backfilled_deal", "offer_snapshot"],
        ["quarantine", "live_offer"],
    ],
    ids=" ".join,
)
def test_tables_that_were_emptied_are_loaded_again_over_the_others(
    full: Place, filled: tuple[Place, Contents], tables: list[str]
) -> None:
    """F21, F44: those of one group do not meet in any statement."""
    for table in tables:
        full.execute(f"DELETE FROM {table}")
    assert [full.load(), full.load()] == [len(ANSWERS), 0]
    assert full.contents() == filled[1]


@pytest.mark.parametrize("table", sorted(OTHERS))
def test_a_table_that_no_answer_fills_is_there_again_at_once(
    full: Place, filled: tuple[Place, Contents], table: str
) -> None:
    """F21: what is computed is computed anew by the next run."""
    for verb in ("DROP TABLE", "DELETE FROM"):
        full.execute(f"{verb} {table}")
        assert full.load() == 0
    assert full.contents() == filled[1]


def test_a_view_that_was_dropped_is_made_again(full: Place, filled: tuple[Place, Contents]) -> None:
    full.execute("DROP VIEW deal")
    assert full.load() == 0
    assert full.contents() == filled[1]


def test_a_table_that_an_older_version_had_and_lost_is_made_again_with_the_newer_ones(path: Path) -> None:
    with connect(path) as connection:
        migrate(connection, migrations()[:20])
        connection.execute("DROP TABLE product")
    with connect(path) as connection:
        migrate(connection)
        assert connection.execute("SELECT count(*) FROM product").fetchall() == [(0,)]
        assert connection.execute("SELECT count(*) FROM migration").fetchall() == [(len(migrations()),)]


def test_without_its_migrations_a_database_is_still_told_from_another_programs(path: Path) -> None:
    with connect(path) as connection:
        connection.execute("CREATE TABLE product (id INTEGER)")
        with pytest.raises(WarehouseError, match="another program, with table product"):
            migrate(connection)


def test_a_load_that_was_cut_off_after_a_deletion_is_gone_on_with(
    full: Place, filled: tuple[Place, Contents], monkeypatch: pytest.MonkeyPatch
) -> None:
    """F31."""
    full.execute("DELETE FROM scan")
    monkeypatch.setattr("deals_pipeline.warehouse.loading.BATCH_FILES_MAX", 4)
    with full.opened() as connection:
        assert next(load_landed(connection, full.landing)).was_loaded is False
    assert full.load() == len(ANSWERS) - 4
    assert full.contents() == filled[1]


HEALTHY: dict[str, list[Landed]] = {
    "nothing": [],
    "answers that bring nothing": [
        landed(DealPageRequest(selection=SELECTION), error_of("not now"), status=500),
        a_page([], scan=a_scan()),
    ],
    "pages of no scan": [a_page([*deals(0, 3), a_deal(9, current=None)])],
    "a product without a history, or statistics": [some_products([0], csv=None)],
    "offers that failed": [some_offers({0: None})],
    "offers that are gone": [some_offers({0: [an_offer(1)]}), some_offers({0: []}, at=hours(1))],
    "offers that are gone by an answer that was loaded before": [
        some_offers({0: []}, at=hours(1)),
        some_offers({0: [an_offer(1)]}),
    ],
}


@pytest.mark.parametrize("answers", HEALTHY.values(), ids=HEALTHY)
def test_a_warehouse_that_lost_nothing_is_not_loaded_anew(
    place: Place, answers: list[Landed], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("deals_pipeline.warehouse.loading.BATCH_FILES_MAX", 1)
    place.fill(*answers)
    before = place.contents()
    assert [place.load(), place.load()] == [0, 0]
    assert place.contents() == before
    assert caplog.messages == []


@pytest.mark.parametrize("table", ["seller", "landed_file", "live_offer"])
def test_rows_of_answers_that_are_no_longer_landed_stay(place: Place, table: str) -> None:
    """F21: a scan that was complete stays complete, and what was bought stays known."""
    ended = a_page(deals(0, 3), scan=a_scan())
    old = [ended, some_products([0, 1]), some_offers({0: [an_offer(1)]})]
    new = [a_page(deals(7, 1, hours(1)), at=hours(1), scan=a_scan(1)), some_sellers(["A000000000001"])]
    files = place.fill(*old, *new)
    before = place.contents()
    for name in files[: len(old)]:
        path_of(place.landing, name).unlink()
    place.execute(f"DELETE FROM {table}")
    assert place.load() == len(new)
    after = place.contents()
    assert after.pop("landed_file") == before.pop("landed_file")[len(old) :]
    if table == "live_offer":
        assert (len(before.pop("live_offer")), after.pop("live_offer")) == (1, [])
    assert after == before
    assert place.load() == 0


def test_an_answer_that_breaks_a_constraint_is_named_and_holds_up_no_other(place: Place) -> None:
    """F53: the transaction that it aborts hides neither the reason nor the rest."""
    files = place.fill(*ANSWERS[:2])
    skipped: list[tuple[str, str]] = []
    with place.opened() as connection:
        connection.execute("DELETE FROM landed_file")
        loaded = load_landed(connection, place.landing, skipped=lambda path, why: skipped.append((path.stem, why)))
        assert [each.file_id for each in loaded] == files[1:]
    ((name, why),) = skipped
    assert name == files[0]
    assert 'Duplicate key "landed_file' in why
