import csv
import errno
import os
from pathlib import Path

import pyarrow.parquet
import pytest
from duckdb import DuckDBPyConnection

from deals_pipeline.warehouse.connection import WarehouseError
from deals_pipeline.warehouse.loading import load
from deals_pipeline.warehouse.publishing import publish
from deals_pipeline_tests.keepa.wire_examples import a_deal
from deals_pipeline_tests.warehouse.answers import a_page

HOSTILE = [
    "=HYPERLINK(A1)",
    "+1",
    "-1",
    "@SUM(1)",
    "\tx",
    "\rx",
    'say "x", <b>y</b>;\nz',
    "\u202e\u6f22\u5b57 \U0001f4da",
    "'quoted'",
    "",
    "=",
]


def fill(warehouse: DuckDBPyConnection) -> list[str]:
    deals = [
        a_deal(number, title=title, warehouseConditionComment=title, lastUpdate=a_deal()["lastUpdate"] - number)
        for number, title in enumerate(HOSTILE)
    ]
    load(warehouse, a_page([*deals, a_deal(99, title=None)]))
    return [deal["asin"] for deal in deals]


def test_hostile_titles_are_as_sent_in_parquet_and_harmless_in_csv(
    warehouse: DuckDBPyConnection, tmp_path: Path
) -> None:
    asins = fill(warehouse)
    parquet, comma = publish(warehouse, tmp_path / "published")
    titles = {row["asin"]: row["title"] for row in pyarrow.parquet.read_table(parquet).to_pylist()}
    assert [titles[asin] for asin in asins] == HOSTILE
    with comma.open(newline="", encoding="utf-8") as file:
        rows = {row["asin"]: row for row in csv.DictReader(file)}
    assert len(rows) == len(HOSTILE) + 1
    for asin, title in zip(asins, HOSTILE, strict=True):
        expected = f"'{title}" if title[:1] and title[0] in "=+-@\t\r" else title
        assert rows[asin]["title"] == rows[asin]["warehouse_comment"] == expected
    for row in rows.values():
        for name, value in row.items():
            assert not value or value[0] not in "=+@\t\r", (name, value)


def test_both_files_hold_the_view_of_deals_newest_first(warehouse: DuckDBPyConnection, tmp_path: Path) -> None:
    """F64."""
    fill(warehouse)
    parquet, comma = publish(warehouse, tmp_path)
    table = pyarrow.parquet.read_table(parquet)
    ((count,),) = warehouse.execute("SELECT count(*) FROM deal").fetchall()
    assert table.num_rows == count
    updates = table["last_update"].to_pylist()
    assert updates == sorted(updates, reverse=True)
    header = comma.read_text(encoding="utf-8").splitlines()[0].split(",")
    assert header == table.column_names == warehouse.table("deal").columns
    assert str(table.schema.field("last_update").type) == "timestamp[us, tz=UTC]"
    assert str(table.schema.field("used_cents").type) == "int32"


def test_what_was_published_before_stays_when_publishing_fails(warehouse: DuckDBPyConnection, tmp_path: Path) -> None:
    fill(warehouse)
    publish(warehouse, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("deals.*")}
    warehouse.execute("INSERT OR REPLACE INTO recent_deal BY NAME SELECT * REPLACE ('x' AS title) FROM recent_deal")
    (tmp_path / "deals.csv").unlink()
    (tmp_path / "deals.csv").mkdir()
    with pytest.raises(WarehouseError, match=r"deals\.csv"):
        publish(warehouse, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(WarehouseError, match="file"):
        publish(warehouse, tmp_path / "file")
    assert before.keys() == {"deals.parquet", "deals.csv"}
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".deals")] == []


def test_a_full_disk_leaves_what_was_published_before(
    warehouse: DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(warehouse)
    before = [path.read_bytes() for path in publish(warehouse, tmp_path)]
    load(warehouse, a_page([a_deal(500, title="later")]))

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WarehouseError, match=r"deals\.parquet cannot be written: .*No space left"):
        publish(warehouse, tmp_path)
    assert [(tmp_path / name).read_bytes() for name in ("deals.parquet", "deals.csv")] == before


def test_a_reader_keeps_its_whole_file_while_another_is_published(
    warehouse: DuckDBPyConnection, tmp_path: Path
) -> None:
    """F50."""
    fill(warehouse)
    parquet, comma = publish(warehouse, tmp_path)
    before = parquet.read_bytes(), comma.read_bytes()
    with parquet.open("rb") as first, comma.open("rb") as second:
        load(warehouse, a_page([a_deal(500, title="later")]))
        publish(warehouse, tmp_path)
        assert (first.read(), second.read()) == before
    assert parquet.read_bytes() != before[0]


def test_what_a_killed_publisher_left_is_removed(warehouse: DuckDBPyConnection, tmp_path: Path) -> None:
    (tmp_path / ".deals.parquet.123").write_bytes(b"PAR1")
    publish(warehouse, tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*deals*")) == ["deals.csv", "deals.parquet"]
