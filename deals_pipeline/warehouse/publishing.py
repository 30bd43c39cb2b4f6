"""Snapshots for readers: Parquet and CSV, written aside and renamed, so that a reader never meets half a file (F50)."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Final, TypeAlias

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
HISTORIES_INTERVAL: Final = timedelta(hours=6)
"""A file of histories is written anew no more often: it has all points of all products, a gigabyte of 20 000."""
CODE, HELD, AT = b"code_version", b"histories", b"published_at"
"""Under which names a file of histories says by what it was written, which it holds, and when."""
BATCH_PRODUCTS: Final = 500
"""How many products' points are in memory at once: some 700 000 at three years of history."""
WRITING_SECONDS_MAX: Final = 3600.0
"""What nobody has written to for so long, beside a published file, is of a writer that was killed."""

Connect: TypeAlias = Callable[[], AbstractContextManager[DuckDBPyConnection]]
"""Opens the warehouse for the length of a block."""


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


def publish_histories(connect: Connect, folder: Path, now: datetime) -> PublishedHistories:
    """Write all points as `price_history/<marketplace>.parquet` into a folder, where they changed since (F50).

    Each file is replaced as a whole, no more often than every `HISTORIES_INTERVAL`, and says in its metadata which
    histories it holds: whether it has to be written follows from it, the warehouse and the time alone. The warehouse
    is closed between batches, so that nobody waits for all. Raises `WarehouseError`.
    """
    with connect() as connection:
        versions = connection.execute(statement("history_versions")).fetchall()
    wanted = {
        folder / HISTORIES / f"{Domain(domain_id).name}.parquet": (Domain(domain_id), held)
        for domain_id, held in versions
    }
    stale = [path for path, (_, held) in wanted.items() if _is_due(path, held, now)]
    for path in stale:
        domain, held = wanted[path]
        said = {CODE: __version__.encode(), HELD: held.encode(), AT: now.isoformat().encode()}
        write_aside(path, partial(_write_histories, connect, domain, said))
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


def _is_due(path: Path, held: str, now: datetime) -> bool:
    """Return whether a file has to be written: it is of other code or not readable, or was long ago and of others."""
    try:
        said: dict[bytes, bytes] = pq.read_schema(path).metadata or {}
        at = datetime.fromisoformat(said[AT].decode())
    except (OSError, pa.ArrowException, KeyError, ValueError):
        return True
    if said.get(CODE) != __version__.encode():
        return True
    return said.get(HELD) != held.encode() and not timedelta(0) <= now - at < HISTORIES_INTERVAL


def _write_histories(connect: Connect, domain: Domain, said: Mapping[bytes, bytes], path: str) -> None:
    batches = _batches(connect, domain)
    first = next(batches)
    schema = first.schema.with_metadata(dict(said))
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        writer.write_table(first)
        for batch in batches:
            writer.write_table(batch)


def _batches(connect: Connect, domain: Domain) -> Iterator[pa.Table]:
    """Yield the points in order: to sort them all at once takes five times the memory, and longer."""
    with connect() as connection:
        rows = connection.execute(statement("history_asins"), {"domain_id": int(domain)}).fetchall()
    asins = [asin for (asin,) in rows]
    for start in range(0, len(asins), BATCH_PRODUCTS):
        batch = asins[start : start + BATCH_PRODUCTS]
        with connect() as connection, all_cores(connection):
            points = _points(connection, domain, batch[0], batch[-1]).to_arrow_table()
        yield points


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
