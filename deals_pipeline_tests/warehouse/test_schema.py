import re
from pathlib import Path

import duckdb
import pytest
from duckdb import DuckDBPyConnection

from deals_pipeline import __version__
from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.warehouse.connection import WarehouseError, connect
from deals_pipeline.warehouse.schema import Migration, migrate, migrations


def test_every_table_view_and_column_is_documented_in_the_catalogue(warehouse: DuckDBPyConnection) -> None:
    undocumented = warehouse.execute(
        """
        SELECT table_name || '.' || column_name FROM duckdb_columns() WHERE NOT internal AND comment IS NULL
        UNION ALL SELECT table_name FROM duckdb_tables() WHERE comment IS NULL
        UNION ALL SELECT view_name FROM duckdb_views() WHERE NOT internal AND comment IS NULL
        """
    ).fetchall()
    assert undocumented == []


def test_every_file_states_its_grain_and_makes_what_it_is_named_for() -> None:
    for step in migrations():
        made = re.search(rf"^CREATE (TABLE|VIEW|MACRO) {step.relation}\b", step.sql, re.MULTILINE)
        assert made, step.name
        assert step.grain.startswith("Why " if made[1] == "MACRO" else "One row "), step.name


def test_times_have_a_zone_money_is_whole_and_nothing_is_text_that_is_a_number(warehouse: DuckDBPyConnection) -> None:
    """F47."""
    columns = warehouse.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal"
    ).fetchall()
    for table, column, kind in columns:
        assert not re.search(r"\bTIMESTAMP\b(?! WITH TIME ZONE)|\bDATE\b", kind), (table, column, kind)
        if re.search(r"_cents$|^current$|^average|^delta|^values?$|^shipping$|rank|_fee$", column):
            assert kind in ("INTEGER", "INTEGER[]"), (table, column, kind)
        if re.search(r"_at$|_seen$|_since$|^last_update$|^server_|^times?$", column) and not table.startswith(
            "missing_"
        ):
            assert kind in ("TIMESTAMP WITH TIME ZONE", "TIMESTAMP WITH TIME ZONE[]"), (table, column, kind)


def test_what_is_in_cents_is_whole_whatever_its_name(warehouse: DuckDBPyConnection) -> None:
    """F47."""
    columns = warehouse.execute(
        r"""
        SELECT table_name, column_name, data_type
        FROM duckdb_columns()
        WHERE NOT internal AND table_name <> 'price_type' AND regexp_matches(comment, '\bcents\b')
        """
    ).fetchall()
    assert len(columns) > 50
    assert [column for column in columns if column[2] not in ("INTEGER", "INTEGER[]")] == []


def test_recent_and_backfilled_deals_have_the_same_columns() -> None:
    """F45."""
    by_relation = {step.relation: step.sql for step in migrations()}
    recent, backfilled = (by_relation[name].split("(", 1)[1] for name in ("recent_deal", "backfilled_deal"))
    assert recent == backfilled


def test_the_price_types_are_those_of_the_language(warehouse: DuckDBPyConnection) -> None:
    stored = warehouse.execute("FROM price_type ORDER BY price_type").fetchall()
    assert stored == [(int(kind), kind.name, kind.measure.value, kind.with_shipping) for kind in PriceType]


def test_the_named_columns_of_a_deal_are_the_price_types_they_are_named_for() -> None:
    """F45: a list's index is the price type + 1."""
    sql = next(step.sql for step in migrations() if step.relation == "deal")
    named = {
        "used": PriceType.USED,
        "used_like_new": PriceType.USED_NEW_SHIPPING,
        "used_very_good": PriceType.USED_VERY_GOOD_SHIPPING,
        "used_good": PriceType.USED_GOOD_SHIPPING,
        "used_acceptable": PriceType.USED_ACCEPTABLE_SHIPPING,
        "amazon": PriceType.AMAZON,
        "new": PriceType.NEW,
        "new_fba": PriceType.NEW_FBA,
        "new_fbm": PriceType.NEW_FBM_SHIPPING,
        "buy_box": PriceType.BUY_BOX_SHIPPING,
        "buy_box_used": PriceType.BUY_BOX_USED_SHIPPING,
        "warehouse": PriceType.WAREHOUSE,
        "list_price": PriceType.LISTPRICE,
        "sales_rank": PriceType.SALES,
        "new_offers": PriceType.COUNT_NEW,
        "used_offers": PriceType.COUNT_USED,
        "rating": PriceType.RATING,
        "reviews": PriceType.COUNT_REVIEWS,
    }
    found = re.findall(r"listed\.(\w+)\[(\d+)\] AS (\w+)", sql)
    assert len(found) > 20
    for _, index, column in found:
        name = re.sub(r"(_(average|drop)_(day|week|month|quarter))?(_cents|_percent|_since)?$", "", column)
        assert int(index) == named[name] + 1, column
    for values, _, column in found:
        if window := re.search(r"(day|week|month|quarter)", column):
            assert values.endswith(window[0]), column


@pytest.mark.parametrize("asked", ["count(*)", "title"])
def test_who_asks_the_view_of_deals_for_little_does_not_read_all_columns(
    warehouse: DuckDBPyConnection, asked: str
) -> None:
    """The lists are nine tenths of a deal, and the optimizer leaves them out only where it sees through the view."""
    explain = f"EXPLAIN (FORMAT JSON) SELECT {asked} FROM deal WHERE gone_at IS NULL"
    ((_, plan),) = warehouse.execute(explain).fetchall()
    assert "last_seen_scan" in plan
    assert "average_quarter" not in plan


def test_migrating_again_changes_nothing(path: Path) -> None:
    for _ in range(2):
        with connect(path) as connection:
            migrate(connection)
            versions = connection.execute("SELECT version, name FROM migration ORDER BY version").fetchall()
            assert versions == [(step.version, step.name) for step in migrations()]
            assert connection.execute("SELECT count(*) FROM write_probe").fetchall() == [(0,)]


@pytest.mark.parametrize("version", [2, len(migrations()) // 2, len(migrations()) - 1])
def test_a_warehouse_of_an_older_version_is_brought_up_to_date(path: Path, version: int) -> None:
    with connect(path) as connection:
        migrate(connection, migrations()[:version])
    with connect(path) as connection:
        migrate(connection)
        assert connection.execute("SELECT count(*) FROM deal").fetchall() == [(0,)]


def test_views_and_macros_of_an_older_version_of_the_code_are_made_anew(path: Path) -> None:
    """F22: the tables stay as they are."""
    with connect(path) as connection:
        migrate(connection)
        before = connection.execute("SELECT view_name, sql FROM duckdb_views() WHERE NOT internal").fetchall()
        connection.execute("CREATE OR REPLACE VIEW deal AS SELECT 1 AS domain_id")
        connection.execute("CREATE OR REPLACE MACRO page_rejection(price) AS NULL")
        connection.execute("UPDATE migration SET code_version = '0.0.1'")
        connection.execute("INSERT INTO missing_seller SELECT 1, 'A2L77EE7U53NWQ', 1, now(), now()")
    with connect(path) as connection:
        migrate(connection)
        after = connection.execute("SELECT view_name, sql FROM duckdb_views() WHERE NOT internal").fetchall()
        assert sorted(after) == sorted(before)
        assert connection.sql("SELECT page_rejection(true, 0, 0, 0)").fetchall() == [("no used price",)]
        assert connection.sql("SELECT count(*) FROM missing_seller").fetchall() == [(1,)]
        assert connection.sql("SELECT DISTINCT code_version FROM migration").fetchall() == [(__version__,)]


def test_a_newer_schema_is_refused_and_said_so(path: Path) -> None:
    newer = Migration(
        len(migrations()) + 1, "0099_more.sql", "more", "-- One row per more.\nCREATE TABLE more (x INTEGER);"
    )
    with connect(path) as connection:
        migrate(connection, (*migrations(), newer))
        with pytest.raises(WarehouseError, match=rf"has schema version {newer.version}.*up to {newer.version - 1}"):
            migrate(connection)


def test_another_programs_database_is_refused(path: Path) -> None:
    with connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x INTEGER)")
        with pytest.raises(WarehouseError, match="another program, with table theirs"):
            migrate(connection)


def test_a_migration_that_fails_leaves_the_version_before_it(path: Path) -> None:
    broken = Migration(
        len(migrations()) + 1, "0099_broken.sql", "broken", "CREATE TABLE broken (x INTEGER); SELECT * FROM nowhere;"
    )
    with connect(path) as connection:
        with pytest.raises(WarehouseError, match="nowhere"):
            migrate(connection, (*migrations(), broken))
        migrate(connection)
        tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        assert ("broken",) not in tables


def test_a_warehouse_that_cannot_be_written_is_found_out_before_a_token_is_spent(path: Path) -> None:
    """F44."""
    with connect(path) as connection:
        migrate(connection)
    reading = duckdb.connect(path, read_only=True)
    with pytest.raises(WarehouseError, match="read-only"):
        migrate(reading)
    reading.close()
