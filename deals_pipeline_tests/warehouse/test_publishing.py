import csv
import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from duckdb import DuckDBPyConnection

from deals_pipeline import __version__
from deals_pipeline.warehouse import publishing
from deals_pipeline.warehouse.connection import WarehouseError
from deals_pipeline.warehouse.loading import load
from deals_pipeline.warehouse.publishing import (
    WRITING_SECONDS_MAX,
    PublishedHistories,
    histories_columns,
    publish,
    publish_histories,
    write_aside,
)
from deals_pipeline_tests.keepa.wire_examples import SERVER_TIME, a_deal
from deals_pipeline_tests.warehouse.answers import a_page, some_products

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
    titles = {row["asin"]: row["title"] for row in pq.read_table(parquet).to_pylist()}
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
    table = pq.read_table(parquet)
    ((count,),) = warehouse.execute("SELECT count(*) FROM deal").fetchall()
    assert table.num_rows == count
    updates = table["last_update"].to_pylist()
    assert updates == sorted(updates, reverse=True)
    header = comma.read_text(encoding="utf-8").splitlines()[0].split(",")
    deal, metrics = (warehouse.table(name).columns for name in ("deal", "deal_metrics"))
    assert header == table.column_names == [*deal, *(name for name in metrics if name not in deal)]
    assert len(set(header)) == len(header)
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
    left = tmp_path / ".deals.parquet.0123abcd"
    left.write_bytes(b"PAR1")
    os.utime(left, (0, time.time() - WRITING_SECONDS_MAX - 1))
    publish(warehouse, tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*deals*")) == ["deals.csv", "deals.parquet"]


def test_two_who_write_a_file_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    """F50: the page of deals is written while the warehouse is another run's."""
    path = tmp_path / "page.html"

    def write_slowly(aside: str) -> None:
        Path(aside).write_text("first")
        write_aside(path, lambda other: Path(other).write_text("second"))
        assert path.read_text() == "second"

    write_aside(path, write_slowly)
    assert path.read_text() == "first"
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]


METRICS = """
    INSERT INTO deal_metrics BY NAME
    SELECT
      1 AS domain_id,
      $asin AS asin,
      1234 AS profit,
      '=evil' AS screened_reason,
      'rejected' AS screened,
      'history' AS screened_stage,
      now() AS screened_inputs_at,
      now() AS screened_next_try_at,
      'test' AS code_version
"""


def test_deals_are_published_with_what_was_computed_of_them(warehouse: DuckDBPyConnection, tmp_path: Path) -> None:
    """F64: one row a deal, whether or not its metrics are known."""
    asins = fill(warehouse)
    warehouse.execute(METRICS, {"asin": asins[0]})
    warehouse.execute(METRICS, {"asin": "no deal"})
    parquet, comma = publish(warehouse, tmp_path)
    rows = {row["asin"]: row for row in pq.read_table(parquet).to_pylist()}
    assert len(rows) == len(HOSTILE) + 1
    assert (rows[asins[0]]["profit"], rows[asins[1]]["profit"]) == (1234, None)
    assert rows[asins[0]]["screened_reason"] == "=evil"
    assert rows[asins[0]]["code_version"] == __version__, "of the deal"
    with comma.open(newline="", encoding="utf-8") as file:
        (row,) = (row for row in csv.DictReader(file) if row["asin"] == asins[0])
    assert row["screened_reason"] == "'=evil"


def points(path: Path) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in pq.read_table(path).to_pylist()]


def published_at(connection: DuckDBPyConnection, folder: Path, hours: float = 0) -> PublishedHistories:
    now = SERVER_TIME + timedelta(hours=hours)
    return publish_histories(lambda: nullcontext(connection), folder, now)


def test_histories_are_published_point_by_point_in_order_in_a_file_for_each_marketplace(
    warehouse: DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "BATCH_PRODUCTS", 2)
    for number in range(9, 4, -1):
        load(warehouse, some_products([number]))
    warehouse.execute(
        "INSERT INTO price_history SELECT * REPLACE (3 AS domain_id) FROM price_history WHERE price_type < 4"
    )
    published = published_at(warehouse, tmp_path)
    folder = tmp_path / "price_history"
    assert published.files == published.written == (folder / "US.parquet", folder / "DE.parquet")
    for path, domain in zip(published.files, (1, 3), strict=True):
        query = """
            SELECT $marketplace, asin, price_type.name, "time", "value", shipping
            FROM price_point JOIN price_type ON price_type.price_type = price_point.price_type
            WHERE domain_id = $domain
            ORDER BY asin, price_point.price_type, "time"
        """
        stored = warehouse.execute(query, {"marketplace": path.stem, "domain": domain}).fetchall()
        assert points(path) == stored
        assert len({asin for _, asin, *_ in stored}) == 5
    schema = pq.read_schema(folder / "US.parquet")
    assert schema.names == [column.name for column in histories_columns(warehouse)]
    assert str(schema.field("time").type) == "timestamp[us, tz=UTC]"
    assert pq.read_table(folder).num_rows == sum(len(points(path)) for path in published.files), "one table of all"


def test_points_are_in_order_where_there_are_too_many_for_an_index(
    warehouse: DuckDBPyConnection, tmp_path: Path
) -> None:
    load(warehouse, some_products([1]))
    warehouse.execute("""
        INSERT INTO price_history
        SELECT history.* REPLACE (printf('B%09d', 9000 - number) AS asin)
        FROM range(3000) AS numbers(number)
        CROSS JOIN (FROM price_history LIMIT 1) AS history
    """)
    (path,) = published_at(warehouse, tmp_path).files
    asins = pq.read_table(path)["asin"].to_pylist()
    assert asins == sorted(asins)
    assert len(set(asins)) == 3001


def test_histories_are_written_again_only_where_they_changed(warehouse: DuckDBPyConnection, tmp_path: Path) -> None:
    load(warehouse, some_products([1, 2]))
    warehouse.execute("INSERT INTO price_history SELECT * REPLACE (3 AS domain_id) FROM price_history")
    us, de = published_at(warehouse, tmp_path).files
    assert published_at(warehouse, tmp_path).written == ()
    load(warehouse, some_products([3]))
    assert published_at(warehouse, tmp_path, 6).written == (us,)
    load(warehouse, some_products([3], at=SERVER_TIME + timedelta(hours=1)))
    assert published_at(warehouse, tmp_path, 12).written == (us,), "as many points, of another answer"
    de.write_bytes(b"no Parquet")
    us.unlink()
    assert published_at(warehouse, tmp_path, 12).written == (us, de)
    warehouse.execute("DELETE FROM price_history WHERE domain_id = 3")
    assert published_at(warehouse, tmp_path, 12) == PublishedHistories((us,), ())
    assert list(us.parent.iterdir()) == [us]


def test_a_file_of_histories_is_written_no_more_often_than_every_six_hours(
    warehouse: DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F50: with ten thousands of products each head scan would else write a gigabyte."""
    load(warehouse, some_products([1]))
    (us,) = published_at(warehouse, tmp_path).written
    load(warehouse, some_products([2]))
    assert published_at(warehouse, tmp_path, 5.9).written == ()
    assert published_at(warehouse, tmp_path, -1).written == (us,), "the clock was set"
    load(warehouse, some_products([3]))
    monkeypatch.setattr(publishing, "__version__", "another")
    assert published_at(warehouse, tmp_path, -1).written == (us,), "it may have other columns"


def test_the_warehouse_is_closed_between_batches_of_histories(
    warehouse: DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F50."""
    monkeypatch.setattr(publishing, "BATCH_PRODUCTS", 1)
    load(warehouse, some_products([1, 2, 3]))
    opened = 0

    @contextmanager
    def connect() -> Iterator[DuckDBPyConnection]:
        nonlocal opened
        opened += 1
        yield warehouse

    publish_histories(connect, tmp_path, SERVER_TIME)
    assert opened == 2 + 3


def test_histories_that_cannot_be_written_leave_those_that_were(
    warehouse: DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F50."""
    load(warehouse, some_products([1]))
    (path,) = published_at(warehouse, tmp_path).files
    before = path.read_bytes()
    load(warehouse, some_products([2]))

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as broken:
        broken.setattr(pq.ParquetWriter, "write_table", full)
        with pytest.raises(WarehouseError, match=r"US\.parquet cannot be written: .*No space"):
            published_at(warehouse, tmp_path, 6)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    assert published_at(warehouse, tmp_path, 6).written == (path,)


def test_without_histories_nothing_is_published(warehouse: DuckDBPyConnection, tmp_path: Path) -> None:
    assert published_at(warehouse, tmp_path / "published") == PublishedHistories((), ())
    assert not (tmp_path / "published").exists()
