"""The tables are a function of the set of answers that were loaded."""

import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deals_pipeline.landing import Landed, replay
from deals_pipeline.warehouse.connection import connect
from deals_pipeline.warehouse.loading import load, load_landed
from deals_pipeline.warehouse.schema import migrate
from deals_pipeline_tests.keepa.wire_examples import a_deal
from deals_pipeline_tests.warehouse.answers import a_page, a_scan, buy, contents, hours, minute, some_products

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


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_bought_answers_give_the_same_tables_in_any_order_some_of_them_twice(
    bought: tuple[list[Landed], Contents], loaded: Load, data: st.DataObject
) -> None:
    """F31, F44."""
    answers, expected = bought
    assert {len(rows) > 0 for name, rows in expected.items() if name != "missing_product"} == {True}
    again = data.draw(st.lists(st.sampled_from(answers), max_size=3))
    assert loaded(data.draw(st.permutations([*answers, *again]))) == expected


@st.composite
def small_answers(draw: st.DrawFn) -> list[Landed]:
    """Draw pages and products of three ASINs, times and scans that often tie."""
    answers = []
    for number in range(draw(st.integers(2, 6))):
        at = hours(draw(st.integers(0, 3)))
        asins = draw(st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True))
        if draw(st.booleans()):
            updates = [draw(st.sampled_from([0, 1, 2])) for _ in asins]
            deals = [
                a_deal(asin, lastUpdate=minute(hours(update)) - 200, title=f"{number}")
                for asin, update in zip(asins, updates, strict=True)
            ]
            scan = draw(st.sampled_from([None, a_scan(0), a_scan(1), a_scan(0, kind="shard", shard="x")]))
            page = draw(st.integers(0, 2))
            answers.append(a_page(deals, at=at, number=page, scan=scan, name=f"file-{number}"))
        else:
            days = draw(st.sampled_from([None, 30, 90]))
            asked = [f"B{missing:09d}" for missing in {0, 1, 2} - set(asins)]
            fields = {} if days is None else {"days": days}
            answers.append(some_products(asins, at=at, asked=asked, name=f"file-{number}", title=f"{number}", **fields))
    return answers


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
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
