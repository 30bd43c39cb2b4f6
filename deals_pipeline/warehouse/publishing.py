"""Snapshots for readers: Parquet and CSV, written aside and renamed, so that a reader never meets half a file (F50)."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from duckdb import DuckDBPyConnection, DuckDBPyRelation

from deals_pipeline import __version__
from deals_pipeline.keepa.selection import Domain
from deals_pipeline.warehouse.connection import WarehouseError, all_cores
from deals_pipeline.warehouse.statements import statement

HISTORIES: Final = "price_history"
"""The folder of histories: a file for each marketplace."""
VERSION: Final = b"histories"
"""Under which name a file of histories says which they are."""
BATCH_PRODUCTS: Final = 500
"""How many products' points are in memory at once: some 700 000 at three years of history."""
WRITING_SECONDS_MAX: Final = 3600.0
"""What nobody has written to for so long, beside a published file, is of a writer that was killed."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a published file or of a table: DuckDB's type, and what it means."""

    name: str
    kind: str
    comment: str | None


@dataclass(frozen=True, slots=True)
class PublishedHistories:
    """The files of histories, one for each marketplace; `written` are those that had to be written anew."""

    files: tuple[Path, ...]
    written: tuple[Path, ...]


def publish(connection: DuckDBPyConnection, folder: Path, name: str = "deals") -> tuple[Path, Path]:
    """Write `<name>.parquet` and `<name>.csv` of the statement `publish_<name>` into a folder; return their paths.

    In the CSV, an apostrophe stands before what a spreadsheet would take for a formula. Raises `WarehouseError`
    where the folder cannot be written; what was there before is then still there.
    """
    connection.execute(statement("neutral_text"))
    rows = connection.sql(statement(f"publish_{name}"))
    parquet, csv = folder / f"{name}.parquet", folder / f"{name}.csv"
    write_aside(parquet, lambda path: rows.write_parquet(path, compression="zstd"))
    write_aside(csv, lambda path: _neutral(rows).write_csv(path, header=True))
    return parquet, csv


def publish_histories(connection: DuckDBPyConnection, folder: Path) -> PublishedHistories:
    """Write all points as `price_history/<marketplace>.parquet` into a folder, where they changed since (F50).

    Each file is replaced as a whole, and says in its metadata which histories it holds: whether it has to be written
    follows from it and from the warehouse alone. Raises `WarehouseError`.
    """
    wanted = {
        folder / HISTORIES / f"{Domain(domain_id).name}.parquet": (Domain(domain_id), f"{__version__} {histories}")
        for domain_id, histories in connection.execute(statement("history_versions")).fetchall()
    }
    stale = [path for path, (_, version) in wanted.items() if _version(path) != version]
    with all_cores(connection):
        for path in stale:
            write_aside(path, partial(_write_histories, connection, *wanted[path]))
    for left in (folder / HISTORIES).glob("*.parquet"):  # of a marketplace whose histories are not here any more
        if left not in wanted:
            left.unlink()
    return PublishedHistories(tuple(wanted), tuple(stale))


def deals_columns(connection: DuckDBPyConnection) -> tuple[Column, ...]:
    """Return the columns of `deals.parquet` and `deals.csv`."""
    return _described(connection.sql(statement("publish_deals")), _comments(connection, "deal_metrics", "deal"))


def histories_columns(connection: DuckDBPyConnection) -> tuple[Column, ...]:
    """Return the columns of the files of histories."""
    comments = _comments(connection, "price_point") | {
        "marketplace": "name of the marketplace, as in deals.toml",
        "price_type": "name in table price_type, which tells the unit",
    }
    return _described(_points(connection, Domain.US, "", ""), comments)


def columns_of(connection: DuckDBPyConnection, relation: str) -> tuple[Column, ...]:
    """Return the columns of a table or view, in order."""
    rows = connection.execute(statement("columns"), {"relation": relation}).fetchall()
    return tuple(Column(name, kind, comment) for name, kind, comment, _ in rows)


def _comments(connection: DuckDBPyConnection, *relations: str) -> dict[str, str | None]:
    return {column.name: column.comment for relation in relations for column in columns_of(connection, relation)}


def _described(rows: DuckDBPyRelation, comments: dict[str, str | None]) -> tuple[Column, ...]:
    return tuple(
        Column(name, str(kind), comments.get(name)) for name, kind in zip(rows.columns, rows.types, strict=True)
    )


def _version(path: Path) -> str | None:
    """Return which histories a file holds, `None` where there is none, or none that can be read."""
    try:
        metadata: dict[bytes, bytes] = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowException):
        return None
    return metadata.get(VERSION, b"").decode()


def _write_histories(connection: DuckDBPyConnection, domain: Domain, version: str, path: str) -> None:
    batches = _batches(connection, domain)
    first = next(batches)
    schema = first.schema.with_metadata({VERSION: version.encode()})
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        writer.write_table(first)
        for batch in batches:
            writer.write_table(batch)


def _batches(connection: DuckDBPyConnection, domain: Domain) -> Iterator[pa.Table]:
    """Yield the points in order: to sort them all at once takes five times the memory, and longer."""
    asins = [asin for (asin,) in connection.execute(statement("history_asins"), {"domain_id": int(domain)}).fetchall()]
    for start in range(0, len(asins), BATCH_PRODUCTS):
        batch = asins[start : start + BATCH_PRODUCTS]
        yield _points(connection, domain, batch[0], batch[-1]).to_arrow_table()


def _points(connection: DuckDBPyConnection, domain: Domain, first: str, last: str) -> DuckDBPyRelation:
    values = {"domain_id": int(domain), "marketplace": domain.name, "first": first, "last": last}
    return connection.sql(statement("publish_price_history"), params=values)


def _neutral(rows: DuckDBPyRelation) -> DuckDBPyRelation:
    """Return the rows with all columns of text made harmless, by their type so that none is forgotten."""
    names = [
        f'neutral_text("{name}") AS "{name}"' if kind == "VARCHAR" else f'"{name}"'
        for name, kind in zip(rows.columns, rows.types, strict=True)
    ]
    return rows.project(", ".join(names))


def write_aside(path: Path, write: Callable[[str], object]) -> None:
    """Write a file as a whole or not at all: `write` fills one beside it, which then takes its name (F50).

    Of several writers at once, the last counts. Raises `WarehouseError`; what was there before is then still there.
    """
    aside = path.with_name(f".{path.name}.{token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        write(str(aside))
        _sync(aside)
        aside.replace(path)
        _sync(path.parent)
    except (OSError, duckdb.Error) as failure:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        raise WarehouseError(f"{path} cannot be written: {failure}") from failure


def _remove_abandoned(path: Path) -> None:
    """Remove what writers that were killed left beside a file; those of others who write just now are younger."""
    for left in path.parent.glob(f".{path.name}.*"):
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > WRITING_SECONDS_MAX:
                left.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
