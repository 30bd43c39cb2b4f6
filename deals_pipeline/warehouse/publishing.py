"""Snapshots for readers: Parquet and CSV, written aside and renamed, so that a reader never meets half a file (F50)."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection, DuckDBPyRelation

from deals_pipeline.warehouse.connection import WarehouseError
from deals_pipeline.warehouse.statements import statement


def publish(connection: DuckDBPyConnection, folder: Path, name: str = "deals") -> tuple[Path, Path]:
    """Write `<name>.parquet` and `<name>.csv` of the statement `publish_<name>` into a folder; return their paths.

    In the CSV, a text that a spreadsheet would take for a formula begins with an apostrophe. Raises `WarehouseError`
    where the folder cannot be written; what was there before is then still there.
    """
    connection.execute(statement("neutral_text"))
    rows = connection.sql(statement(f"publish_{name}"))
    parquet, csv = folder / f"{name}.parquet", folder / f"{name}.csv"
    _write_aside(parquet, lambda path: rows.write_parquet(path, compression="zstd"))
    _write_aside(csv, lambda path: _neutral(rows).write_csv(path, header=True))
    return parquet, csv


def _neutral(rows: DuckDBPyRelation) -> DuckDBPyRelation:
    """Return the rows with all columns of text made harmless, by their type so that none is forgotten."""
    names = [
        f'neutral_text("{name}") AS "{name}"' if kind == "VARCHAR" else f'"{name}"'
        for name, kind in zip(rows.columns, rows.types, strict=True)
    ]
    return rows.project(", ".join(names))


def _write_aside(path: Path, write: Callable[[str], None]) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f".{path.name}.*"):  # by a writer that was killed: the warehouse is ours alone
            left.unlink(missing_ok=True)
        write(str(aside))
        _sync(aside)
        aside.replace(path)
        _sync(path.parent)
    except (OSError, duckdb.Error) as failure:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        raise WarehouseError(f"{path} cannot be written: {failure}") from failure


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
