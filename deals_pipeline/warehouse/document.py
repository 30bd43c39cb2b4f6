"""Prints docs/data.md: every published file, table and view with the grain, the columns, and where it comes from.

`python -m deals_pipeline.warehouse.document > docs/data.md`, or `make data-doc`
"""

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from duckdb import DuckDBPyConnection

from deals_pipeline.warehouse.connection import connect
from deals_pipeline.warehouse.publishing import Column, columns_of, deals_columns, histories_columns
from deals_pipeline.warehouse.schema import migrate
from deals_pipeline.warehouse.statements import statement

BEGINNING: Final = """\
# Data

Generated from the schema by `make data-doc`; a test keeps it up to date. Money is in whole cents of the marketplace's
currency (yen in Japan), times are UTC, what is unknown is NULL. Keepa's clock is the time that an answer itself names.

## Published files

In `.deals/<mode>/published/`, for whoever must not open the warehouse: notebooks, spreadsheets, BI. Each file is
replaced as a whole, so that a reader never meets half of one.

| file | a row is |
|---|---|
| `deals.parquet`, `deals.csv` | a deal, listed or gone, with its metrics; newest change first |
| `price_history/<marketplace>.parquet` | a point of a history: marketplace, ASIN, price type and time |
| `deals_report.html` | a page to look at |

In the CSV, an apostrophe stands before what a spreadsheet would take for a formula. `price_history/*.parquet` is all
histories: `FROM read_parquet('price_history/*.parquet')`, `pandas.read_parquet('price_history')`.
"""
WAREHOUSE: Final = """\
## The warehouse

`.deals/<mode>/warehouse.duckdb`. DuckDB lets one process in: while the pipeline runs, a reader gets in between two
runs. Whatever is loaded from answers can be made again from `.deals/<mode>/landing/`, at no tokens, as far as that
reaches back: `landing_days`.
"""
ANSWERS: Final = "Loaded from answers to `{}`."
SOURCES: Final = {
    "backfilled_deal": ANSWERS.format("/deal") + " What shards of `[[backfill]]` list.",
    "filled_table": "Written with the rows of answers.",
    "landed_file": "Loaded from all answers.",
    "migration": "Written when the schema changes.",
    "missing_product": ANSWERS.format("/product"),
    "price_history": ANSWERS.format("/product"),
    "price_type": "Keepa's documentation; written with the schema.",
    "product": ANSWERS.format("/product"),
    "product_stats": ANSWERS.format("/product"),
    "quarantine": "Loaded from all answers.",
    "recent_deal": ANSWERS.format("/deal") + " What `[[recent]]` selections list.",
    "scan": ANSWERS.format("/deal"),
    "scan_page": ANSWERS.format("/deal"),
    "write_probe": "Written and removed at the start of each run.",
    "marketplace": "`[[marketplaces]]` of `deals.toml`.",
    "offer_snapshot": ANSWERS.format("/product") + " Those that asked for offers.",
    "live_offer": ANSWERS.format("/product") + " Those that asked for offers.",
    "seller": ANSWERS.format("/seller"),
    "missing_seller": ANSWERS.format("/seller"),
    "offer_drop": "Computed from `price_history`.",
    "product_sales": "Computed from `offer_drop`, `price_history` and `product_stats`.",
    "deal_metrics": "Computed from `deal`, `product_sales`, `product_stats`, `chosen_offer`, `seller` and settings.",
}
"""Where each table comes from; what a view reads is found in it."""


def document(connection: DuckDBPyConnection) -> str:
    """Return the page for a migrated warehouse. Raises `KeyError` for a table whose source is not told."""
    return "\n".join(_parts(connection))


def _parts(connection: DuckDBPyConnection) -> Iterator[str]:
    yield BEGINNING
    yield "### `deals.parquet`, `deals.csv`\n"
    yield from _table(deals_columns(connection))
    yield "### `price_history/<marketplace>.parquet`\n"
    yield from _table(histories_columns(connection))
    yield WAREHOUSE
    relations = connection.execute(statement("relations")).fetchall()
    names = [name for name, *_ in relations]
    for relation, grain, view in relations:
        yield f"### `{relation}`\n"
        yield f"{grain} {_reads(view, names) if view else SOURCES[relation]}\n"
        yield from _table(columns_of(connection, relation))


def _reads(view: str, names: Sequence[str]) -> str:
    """Return of which tables and views a view is made."""
    words = set(re.findall(r"\b(?:FROM|JOIN)\s+\(*(\w+)", view, re.IGNORECASE))
    return f"A view of {', '.join(f'`{name}`' for name in names if name in words)}."


def _table(columns: Sequence[Column]) -> Iterator[str]:
    yield "| column | type | meaning |"
    yield "|---|---|---|"
    for column in columns:
        kind = column.kind.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ")
        yield f"| `{column.name}` | {kind} | {column.comment or ''} |"
    yield ""


def main() -> None:
    """Print the page."""
    with TemporaryDirectory() as folder, connect(Path(folder) / "warehouse.duckdb") as connection:
        migrate(connection)
        sys.stdout.write(document(connection))


if __name__ == "__main__":
    main()
