"""docs/data.md is what the schema says now, and the schema says something of everything."""

import re
from pathlib import Path

import pytest
from duckdb import DuckDBPyConnection

from deals_pipeline.warehouse.document import document
from deals_pipeline.warehouse.publishing import columns_of, deals_columns, histories_columns

PAGE = Path(__file__).parents[2] / "docs" / "data.md"


def test_the_page_is_up_to_date(warehouse: DuckDBPyConnection) -> None:
    assert PAGE.read_text(encoding="utf-8") == document(warehouse), "make data-doc"


def test_every_table_view_and_published_column_says_what_it_means(warehouse: DuckDBPyConnection) -> None:
    relations = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main'"
    names = [name for (name,) in warehouse.execute(relations).fetchall()]
    assert {"deal", "deal_metrics", "price_point", "live_offer"} < set(names)
    told = {name: columns_of(warehouse, name) for name in names}
    told |= {"deals.parquet": deals_columns(warehouse), "price_history/": histories_columns(warehouse)}
    assert [f"{name}.{column.name}" for name in told for column in told[name] if not column.comment] == []
    page = document(warehouse)
    assert all(f"### `{name}`\n" in page for name in names)


def test_a_view_names_what_it_reads(warehouse: DuckDBPyConnection) -> None:
    warehouse.execute(
        "CREATE VIEW read_two AS SELECT s.scan_id FROM (scan AS s JOIN scan_page AS p ON s.scan_id = p.scan_id)"
    )
    warehouse.execute("COMMENT ON VIEW read_two IS 'One row.'")
    assert "### `read_two`\n\nOne row. A view of `scan`, `scan_page`.\n" in document(warehouse)


def test_a_table_of_unknown_origin_is_refused(warehouse: DuckDBPyConnection) -> None:
    warehouse.execute("CREATE TABLE found (x INTEGER)")
    with pytest.raises(KeyError, match="found"):
        document(warehouse)


def test_no_line_of_the_page_breaks_its_table() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    assert rows
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {3, 4}
