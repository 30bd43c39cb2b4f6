"""The tables are a function of the set of answers that were loaded."""

import logging
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import pytest
from duckdb import DuckDBPyConnection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deals_pipeline.clock import VirtualClock
from deals_pipeline.keepa.requests import DealPageRequest
from deals_pipeline.landing import Landed, Landing, landed_files, path_of, replay
from deals_pipeline.warehouse import loading
from deals_pipeline.warehouse.connection import connect
from deals_pipeline.warehouse.loading import NotLoaded, load, load_landed
from deals_pipeline.warehouse.schema import migrate
from deals_pipeline_tests.keepa.wire_examples import a_deal, an_offer, asin, page_of
from deals_pipeline_tests.simulator.services import START, UncheckedHold
from deals_pipeline_tests.warehouse.answers import (
    COMPUTED,
    SELECTION,
    a_page,
    a_scan,
    buy,
    contents,
    deals,
    hours,
    landed,
    minute,
    some_offers,
    some_products,
    some_sellers,
)


def seller_id(number: int) -> str:
    return f"A{number:012d}"


Contents: TypeAlias = dict[str, list[tuple[object, ...]]]


Load: TypeAlias = Callable[[list[Landed]], Contents]


@pytest.fixture(scope="module")
def loaded(migrated: Path) -> Load:
    def load_all(answers: list[Landed]) -> Contents:
        with TemporaryDirectory() as folder:
            shutil.copy(migrated, folder)
            with connect(Path(folder) / migrated.name) as connection:
                for answer in answers:
                    load(connection, answer)
                return contents(connection) | {"deal": connection.execute("FROM deal ORDER BY ALL").fetchall()}

    return load_all


@pytest.fixture(scope="module")
def bought(tmp_path_factory: pytest.TempPathFactory, loaded: Load) -> tuple[list[Landed], Contents]:
    root = tmp_path_factory.mktemp("landing")
    buy(root)
    answers = list(replay(root))
    return answers, loaded(answers)


@settings(max_examples=3, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.data())
def test_bought_answers_give_the_same_tables_in_any_order_some_of_them_twice(
    bought: tuple[list[Landed], Contents], loaded: Load, data: st.DataObject
) -> None:
    """F31, F44."""
    answers, expected = bought
    assert {name for name, rows in expected.items() if not rows} - {"missing_product"} == COMPUTED
    again = data.draw(st.lists(st.sampled_from(answers), max_size=3))
    assert loaded(data.draw(st.permutations([*answers, *again]))) == expected


@st.composite
def small_answers(draw: st.DrawFn) -> list[Landed]:
    """Draw pages, products, offers and sellers of three each, with times and scans that often tie."""
    answers = []
    for answer in range(draw(st.integers(2, 6))):
        at = hours(draw(st.integers(0, 3)))
        numbers = draw(st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True))
        what = draw(st.sampled_from(["deals", "products", "offers", "sellers"]))
        if what == "deals":
            updates = [draw(st.sampled_from([0, 1, 2])) for _ in numbers]
            deals = [
                a_deal(each, lastUpdate=minute(hours(update)) - 200, title=f"{answer}")
                for each, update in zip(numbers, updates, strict=True)
            ]
            scan = draw(st.sampled_from([None, a_scan(0), a_scan(1), a_scan(0, kind="shard", shard="x")]))
            page = draw(st.integers(0, 2))
            answers.append(a_page(deals, at=at, number=page, scan=scan, name=f"file-{answer}"))
        elif what == "offers":
            offers = st.none() | st.lists(st.builds(an_offer, st.integers(0, 2), condition=st.just(answer)), max_size=3)
            found = {each: draw(offers) for each in numbers}
            answers.append(some_offers(found, at=at, asked=[asin(9)], name=f"file-{answer}"))
        elif what == "sellers":
            known, unknown = ([seller_id(each) for each in each_of] for each_of in (numbers, {0, 1, 2} - set(numbers)))
            answers.append(some_sellers(known, at=at, asked=unknown, name=f"file-{answer}", sellerName=f"{answer}"))
        else:
            days = draw(st.sampled_from([None, 30, 90]))
            asked = [asin(missing) for missing in {0, 1, 2} - set(numbers)]
            fields = {} if days is None else {"days": days}
            answers.append(
                some_products(numbers, at=at, asked=asked, name=f"file-{answer}", title=f"{answer}", **fields)
            )
    return answers


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(small_answers(), st.data())
def test_answers_that_tie_give_the_same_tables_in_any_order(
    loaded: Load, answers: list[Landed], data: st.DataObject
) -> None:
    """F30, F31."""
    assert loaded(data.draw(st.permutations(answers))) == loaded(answers)


def test_a_warehouse_that_was_lost_is_made_again_from_the_landed_answers(tmp_path: Path) -> None:
    """F21."""
    buy(tmp_path / "landing")
    found = []
    for name in ("first", "second"):
        with connect(tmp_path / name) as connection:
            migrate(connection)
            assert [each.file_id for each in load_landed(connection, tmp_path / "landing")]
            found.append(contents(connection))
    assert found[0] == found[1]


def land(root: Path, answers: list[Landed]) -> list[str]:
    """Land answers, in order; return their files."""
    landing = Landing(root, "run-1", VirtualClock(START))
    for answer in answers:
        with landing.reading(answer.header.scan or a_scan()):
            landing(answer.request, UncheckedHold(answer.request), answer.answer)
    return [path.stem for path in landed_files(root)]


def pages(count: int) -> list[Landed]:
    """Return so many pages of a scan, each of which repeats a deal of the one before it."""
    return [
        a_page(deals(2 * number, 3, hours(number)), at=hours(number), number=number, scan=a_scan())
        for number in range(count)
    ]


UNLOADABLE = landed(DealPageRequest(selection=SELECTION), page_of([a_deal(900)]), status=40_000)
"""An answer that no table takes: its status has no room in its column."""


def test_answers_loaded_together_give_the_tables_and_counts_of_each_loaded_alone(
    warehouse: DuckDBPyConnection, tmp_path: Path, migrated: Path
) -> None:
    """F31."""
    buy(tmp_path)
    land(tmp_path, pages(40))
    together = list(load_landed(warehouse, tmp_path))
    with connect(Path(shutil.copy(migrated, tmp_path / "alone.duckdb"))) as connection:
        assert [load(connection, landed) for landed in replay(tmp_path)] == together
        assert contents(connection) == contents(warehouse)


class Commits:
    """A connection that counts the answers that are stored at each of its commits."""

    def __init__(self, connection: DuckDBPyConnection) -> None:
        self.stored: list[int] = []
        self._connection = connection

    def commit(self) -> None:
        self._connection.commit()
        self.stored += [count for (count,) in self._connection.execute("SELECT count(*) FROM landed_file").fetchall()]

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


@pytest.mark.parametrize(
    ("bytes_max", "expected"), [(4_000_000, [32, 40]), (1, list(range(1, 41)))], ids=["by number", "by size"]
)
def test_a_transaction_takes_in_a_bounded_number_of_answers_and_bytes(
    warehouse: DuckDBPyConnection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    bytes_max: int,
    expected: list[int],
) -> None:
    monkeypatch.setattr(loading, "BATCH_BYTES_MAX", bytes_max)
    land(tmp_path, pages(40))
    commits = Commits(warehouse)
    told = 0
    for _ in load_landed(commits, tmp_path):  # type: ignore[arg-type]
        told += 1
        assert told <= commits.stored[-1]
    assert (told, commits.stored) == (40, expected)


@pytest.mark.parametrize("where", [[0], [17], [39], [3, 31, 32, 33]], ids=str)
def test_an_answer_that_cannot_be_loaded_holds_up_no_other(
    warehouse: DuckDBPyConnection, tmp_path: Path, where: list[int]
) -> None:
    """F53: a whole answer of them; it is told of each time, and stays landed."""
    answers = pages(40)
    for index in where:
        answers.insert(index, UNLOADABLE)
    files = land(tmp_path, answers)
    bad = {files[index] for index in where}
    skipped: list[tuple[str, str]] = []
    for expected in ([file for file in files if file not in bad], []):
        loaded = load_landed(warehouse, tmp_path, skipped=lambda path, why: skipped.append((path.stem, why)))
        assert [each.file_id for each in loaded] == expected
    assert [name for name, _ in skipped] == sorted(bad) * 2
    assert all(f"{name} cannot be loaded: Value 40000 too large" in why for name, why in skipped)
    assert warehouse.execute("SELECT pages FROM scan").fetchall() == [(40,)]
    assert {path.stem for path in landed_files(tmp_path)} == set(files)


def test_an_answer_that_cannot_be_loaded_by_itself_is_named(warehouse: DuckDBPyConnection) -> None:
    with pytest.raises(NotLoaded, match=f"{UNLOADABLE.file_id} cannot be loaded: Value 40000 too large"):
        load(warehouse, UNLOADABLE)
    assert not any(contents(warehouse).values())


def test_what_is_passed_over_is_logged_unless_somebody_wants_to_be_told(
    warehouse: DuckDBPyConnection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = land(tmp_path, [UNLOADABLE])
    with caplog.at_level(logging.WARNING):
        assert list(load_landed(warehouse, tmp_path)) == []
    assert files[0] in caplog.text


def test_a_replay_killed_anywhere_has_loaded_what_it_told_and_the_next_loads_the_rest(
    migrated: Path, tmp_path: Path
) -> None:
    """F31, F44: nothing is lost, and nothing is half."""
    landing, folder = tmp_path / "landing", tmp_path / "killed"
    folder.mkdir()
    land(landing, [*pages(9), UNLOADABLE, *pages(1)])
    program = Path(__file__).with_name("replay_program.py")
    command = [sys.executable, *map(str, (program, migrated, landing, folder, 4, 11))]
    output = subprocess.run(command, check=True, timeout=100, capture_output=True, text=True).stdout
    told: dict[str, list[str]] = defaultdict(list)
    for line in output.splitlines():
        number, file_id = line.split()
        told[f"{int(number):03d}"].append(file_id)
    paths = sorted(folder.glob("*.duckdb"))
    with connect(paths[-1]) as connection:
        everything = contents(connection)
    kept = []
    for path in paths:
        with connect(path) as connection:
            rows = connection.execute("SELECT landed_file FROM landed_file ORDER BY ALL").fetchall()
            files = [file for (file,) in rows]
            assert told[path.stem] == files[: len(told[path.stem])]
            kept.append(len(files))
            list(load_landed(connection, landing, skipped=lambda *_: None))
            assert contents(connection) == everything
    assert kept == sorted(kept)
    assert set(kept) == {0, 4, 8, 9, 10}, "the third transaction is rolled back, and its answers loaded one by one"


def test_an_answer_lies_where_its_name_says(tmp_path: Path) -> None:
    (file_id,) = land(tmp_path, pages(1))
    assert [path_of(tmp_path, file_id)] == list(landed_files(tmp_path))
    for name in ("", "../secret", f"{file_id}.landed", f"{file_id}\n"):
        with pytest.raises(ValueError, match="allowed is the name of a landed file") as refused:
            path_of(tmp_path, name)
        assert repr(name) in str(refused.value)
