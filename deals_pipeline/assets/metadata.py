"""What a materialization says of itself: numbers for the plots, and the table behind it."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TypeAlias

import dagster as dg
from dagster import MetadataValue
from duckdb import DuckDBPyConnection

from deals_pipeline.buying.outcome import Outcome
from deals_pipeline.config import Settings
from deals_pipeline.token_bucket.status import BucketStatus
from deals_pipeline.warehouse.statements import statement

GROUP: Final = "deals"
OWNERS: Final = ["team:deals"]
OF_PAGES: Final = frozenset({"pages", "duplicates"})
OF_PRODUCTS: Final = frozenset({"points", "products_missing"})
OF_OFFERS: Final = frozenset({"offers", "sellers", "sellers_missing"})

Metadata: TypeAlias = dict[str, MetadataValue[Any] | str | int | float]


def outcome_metadata(outcome: Outcome, *, without: frozenset[str]) -> Metadata:
    """Return what a unit bought and why it stopped; the names are those of `Tally`, without those of other units."""
    tally = outcome.tally
    metadata: Metadata = {name: count for name, count in asdict(tally).items() if name not in without}
    if tally.rows_seen:
        metadata["tokens_per_row"] = round(tally.tokens_spent / tally.rows_seen, 4)
    metadata |= {"stopped_by": outcome.stopped_by.value, "stopped_because": outcome.reason}
    if outcome.retry_at is not None:
        metadata["retry_at"] = MetadataValue.timestamp(outcome.retry_at)
    return metadata


def coverage_metadata(coverage: object) -> Metadata:
    """Return the share, 0 to 1, of what there is that is stored: listed deals, shards, histories, live offers."""
    return {"coverage": round(coverage, 4)} if isinstance(coverage, int | float) else {}


def bucket_metadata(status: BucketStatus) -> Metadata:
    """Return the state of the bucket afterwards, in tokens."""
    return {
        "balance_after": status.available,
        "deficit": status.deficit,
        "refill_rate": status.refill_rate,
        "foreign_spend": status.foreign,
        "refill_lost": status.lost,
    }


def table_metadata(connection: DuckDBPyConnection, settings: Settings, relation: str) -> Metadata:
    """Return what is known of a table or view of the warehouse: rows, columns with their comments, and where it is."""
    ((rows,),) = connection.sql(f'SELECT count(*) FROM "{relation}"').fetchall()  # noqa: S608 - a name of ours
    columns = [
        dg.TableColumn(name, kind, comment, dg.TableColumnConstraints(nullable=nullable))
        for name, kind, comment, nullable in connection.execute(statement("columns"), {"relation": relation}).fetchall()
    ]
    return {
        "dagster/row_count": int(rows),
        "dagster/column_schema": MetadataValue.table_schema(dg.TableSchema(columns)),
        "dagster/table_name": f"{settings.places.warehouse.stem}.main.{relation}",
        "mode": settings.mode.value,
    }


def file_metadata(paths: Mapping[str, Path]) -> Metadata:
    """Return where files are and how large."""
    metadata: Metadata = {}
    for name, path in paths.items():
        metadata |= {name: MetadataValue.path(str(path)), f"{name}_bytes": path.stat().st_size}
    return metadata
