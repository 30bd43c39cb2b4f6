"""Words that somebody else writes, such as titles: data in the files, and harmless wherever they are shown."""

import csv
import logging
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from duckdb import DuckDBPyConnection

from deals_pipeline import demo, status
from deals_pipeline.analytics.best_deals import BestDeal, why
from deals_pipeline.keepa.reading import read_reply
from deals_pipeline.keepa.replies import Fatal, Retryable, Sellers
from deals_pipeline.keepa.selection import Domain
from deals_pipeline.warehouse.loading import load
from deals_pipeline.warehouse.publishing import publish
from deals_pipeline_tests.dagster_world import DagsterWorld
from deals_pipeline_tests.keepa.wire_examples import (
    PAGE,
    SELLERS,
    TOKEN_FIELDS,
    a_deal,
    a_seller,
    answered,
    error_of,
    per_price_type,
)
from deals_pipeline_tests.security.deliveries import CANARY, HOSTILE, with_hostile_words
from deals_pipeline_tests.warehouse.answers import a_page

Make = Callable[..., DagsterWorld]
SIGNS = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
FORMULAS = (*SIGNS, "\t", "\r", "\n")
DEAL = BestDeal(
    *(
        Domain.US,
        "B000000001",
        "title",
        2000,
        "offer",
        None,
        4000,
        "sales",
        None,
        3000,
        500,
        500,
        0.2,
        0.9,
        9,
        3,
        10,
        "seller",
        0.9,
    )
)


def is_harmless(cell: str) -> bool:
    """Return whether no spreadsheet takes a cell, or a part that it sees as one, for a formula."""
    parts = re.split(r"[;\t\r\n]", cell)
    return not cell.startswith(FORMULAS) and not any(part.strip(" \x00").startswith(SIGNS) for part in parts)


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    "title",
    [
        *HOSTILE,
        "=1",
        " =1",
        "\n=1",
        "\x00=1",
        "a;=1",
        "a; +1;-2",
        "a\t@x",
        "a\r\n=1\n\n-1",
        "\uff1d1",
        "a;\uff0b1",
    ],
    ids=ascii,
)
def test_no_text_in_a_csv_is_a_formula_even_to_who_splits_it_elsewhere(
    title: str, warehouse: DuckDBPyConnection, tmp_path: Path
) -> None:
    load(warehouse, a_page([a_deal(1, title=title, warehouseConditionComment=title)]))
    parquet, comma = publish(warehouse, tmp_path / "published")
    (row,) = pq.read_table(parquet).to_pylist()
    assert row["title"] == row["warehouse_comment"] == title, "data is as it was sent"
    with comma.open(newline="", encoding="utf-8") as file:
        (written,) = csv.DictReader(file)
    assert written["title"].replace("'", "") == title.replace("'", "")
    assert not [name for name, cell in written.items() if not is_number(cell) and not is_harmless(cell)]


def test_numbers_and_times_stay_what_they_are_in_a_csv(warehouse: DuckDBPyConnection, tmp_path: Path) -> None:
    rises = [per_price_type(-700, {})] * 4
    load(warehouse, a_page([a_deal(1, delta=rises, deltaPercent=rises)]))
    parquet, comma = publish(warehouse, tmp_path / "published")
    (row,) = pq.read_table(parquet).to_pylist()
    with comma.open(newline="", encoding="utf-8") as file:
        (written,) = csv.DictReader(file)
    numbers = {name: value for name, value in row.items() if type(value) in (int, float)}
    assert any(value < 0 for value in numbers.values()), "a drop that is a rise"
    assert {name: float(written[name]) for name in numbers} == numbers


@pytest.mark.parametrize("words", HOSTILE, ids=ascii)
def test_what_keepa_says_of_a_failure_is_one_short_printable_line(words: str) -> None:
    """It goes to logs, failures of runs and the terminal."""
    for status_code in (200, 400, 402, 500):
        reply = read_reply(PAGE, answered(error_of(words * 50), status_code))
        assert isinstance(reply, Fatal | Retryable)
        assert reply.detail.isprintable()
        assert len(reply.detail) <= 400


def test_a_seller_s_id_is_not_repeated_in_a_reason() -> None:
    """A reason is shown by an asset check."""
    sellers = TOKEN_FIELDS | {"sellers": {words: a_seller(sellerId=words) for words in HOSTILE}}
    reply = read_reply(SELLERS, answered(sellers))
    assert isinstance(reply, Sellers)
    assert {item.item_id for item in reply.quarantined} == set(HOSTILE)
    assert not [item for item in reply.quarantined if CANARY in item.reason]


@pytest.mark.parametrize("words", HOSTILE, ids=ascii)
def test_the_demo_s_lines_hold_no_escape_and_no_line_break(words: str) -> None:
    best = replace(DEAL, title=words, seller_name=words)
    for line in (*why(best), demo._title(best)):  # noqa: SLF001 - what the demo prints of a title
        assert line.isprintable()


def test_hostile_words_are_stored_and_reach_no_log_no_metadata_and_no_terminal(
    make: Make,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Dagster's page shows metadata and the messages of events: no title is in them, so none can be markup there."""
    caplog.set_level(logging.DEBUG)
    world = make(products=2_000, refill_rate=20)
    monkeypatch.setattr(world.server, "deliver", with_hostile_words(world.server.deliver))
    world.execute("refresh_job")
    assert world.rows(f"SELECT count(*) FROM deal WHERE title LIKE '%{CANARY}%'")[0][0] > 10
    assert world.rows(f"SELECT count(*) FROM product WHERE title LIKE '%{CANARY}%'")[0][0] > 10

    events = [repr(event) for run in world.runs for event in world.instance.all_logs(run)]
    logs = [record.getMessage() for record in caplog.records]
    assert [text for text in (*events, *logs, *capfd.readouterr()) if CANARY in text] == []

    monkeypatch.setattr(status, "SystemClock", lambda: world.clock)
    monkeypatch.setattr(demo, "SystemClock", lambda: world.clock)
    for line in (*status.tell(world.settings)[1], *demo._report(world.settings)):  # noqa: SLF001
        assert line.isprintable(), ascii(line)
