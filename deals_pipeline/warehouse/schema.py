"""The schema: numbered migrations, a file for each table or view, whose comments become the catalogue's own."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import duckdb
from duckdb import DuckDBPyConnection

from deals_pipeline import __version__
from deals_pipeline.warehouse.connection import WarehouseError, transaction
from deals_pipeline.warehouse.restoring import restore
from deals_pipeline.warehouse.statements import statement

FILE: Final = re.compile(r"(?P<version>\d{4})_(?P<relation>\w+)\.sql")
KINDS: Final = ("TABLE", "VIEW", "MACRO")
COLUMN: Final = re.compile(r'^  (?:.*\bAS |\w+\.)?"?(?P<name>\w+)"?(?:,| .*)? -- (?P<comment>.+)$', re.MULTILINE)


@dataclass(frozen=True, order=True, slots=True)
class Migration:
    """One step of the schema; its number is the version that it leads to, its file names what it makes."""

    version: int
    name: str
    relation: str
    sql: str

    @property
    def grain(self) -> str:
        """What a row is: the comment that the file begins with."""
        lines = self.sql.splitlines()
        first = next(index for index, line in enumerate(lines) if not line.startswith("--"))
        return " ".join(line.removeprefix("--").strip() for line in lines[:first])

    @property
    def columns(self) -> dict[str, str]:
        """The comment of each column, which stands on its line."""
        return {match["name"]: match["comment"] for match in COLUMN.finditer(self.sql)}

    @property
    def kind(self) -> str:
        """What it makes, one of `KINDS`."""
        (kind,) = (kind for kind in KINDS if f"CREATE {kind} {self.relation}" in self.sql)
        return kind

    def comments(self) -> Iterator[str]:
        """Yield the statements that put the comments into the catalogue."""
        yield f"COMMENT ON {self.kind} {self.relation} IS {_quoted(self.grain)}"
        for column, comment in self.columns.items():
            yield f'COMMENT ON COLUMN {self.relation}."{column}" IS {_quoted(comment)}'


@cache
def migrations() -> tuple[Migration, ...]:
    """Return all migrations in order; they are numbered from 1 without gaps."""
    found = sorted(
        Migration(int(match["version"]), file.name, match["relation"], file.read_text(encoding="utf-8"))
        for file in (files(__package__) / "migrations").iterdir()
        if (match := FILE.fullmatch(file.name))
    )
    assert [each.version for each in found] == list(range(1, len(found) + 1)), "gaps among the migrations"
    return tuple(found)


def migrate(connection: DuckDBPyConnection, steps: tuple[Migration, ...] | None = None) -> None:
    """Bring the schema up to date and prove that the warehouse can be written, before a token is spent (F44).

    A table or view that is not there any more is made again, and what it held of answers is loaded anew (F21), unless
    `steps` lead to another version than this program's. Views and macros are those of this version of the code.
    Raises `WarehouseError` for a newer schema, another program's database, or one that cannot be written.
    """
    known = migrations() if steps is None else steps
    there = {name for name, *_ in connection.execute(statement("relations")).fetchall()}
    recorded = _recorded(connection, there)
    version = max(recorded or (step.version for step in known if step.relation in there), default=0)
    if version > len(known):
        raise WarehouseError(
            f"the warehouse has schema version {version}, this program knows versions up to {len(known)}: install the "
            "newer deals_pipeline, or move the file away and load the landed answers again"
        )
    try:
        there -= set(_drop_emptied(connection, known, there))
        for step in known:
            is_recorded = recorded.get(step.version) == (step.name, __version__)
            if step.kind == "TABLE":
                is_there = step.version <= version and step.relation in there
            else:
                is_there = is_recorded and (step.relation in there or step.kind == "MACRO")
            if not is_there or not is_recorded:
                _apply(connection, step, is_there=is_there)
        connection.execute(statement("write_probe"), {"code_version": __version__})
        connection.execute(statement("remove_probe"))
        if steps is None:
            restore(connection)
    except duckdb.Error as failure:
        raise WarehouseError(f"the warehouse cannot be migrated or written: {failure}") from failure


def _drop_emptied(connection: DuckDBPyConnection, known: tuple[Migration, ...], there: set[str]) -> Iterator[str]:
    """Drop tables that hold nothing although their own files fill them, so that these are executed again."""
    for step in known:
        is_filled = step.relation in there and f"INSERT INTO {step.relation} " in step.sql
        if is_filled and not connection.table(step.relation).limit(1).fetchall():
            connection.execute(f"DROP TABLE {step.relation}")
            yield step.relation


def _recorded(connection: DuckDBPyConnection, there: set[str]) -> Mapping[int, tuple[str, str]]:
    """Return the file and the code of each version that the warehouse went through, none where nobody knows."""
    if "migration" in there:
        rows = connection.execute(statement("recorded_versions")).fetchall()
        return {version: (name, code_version) for version, name, code_version in rows}
    if there and "write_probe" not in there:
        raise WarehouseError(f"the file is the database of another program, with table {min(there)}: name another file")
    return {}


def _apply(connection: DuckDBPyConnection, step: Migration, *, is_there: bool) -> None:
    with transaction(connection):
        if not is_there:
            if step.kind != "TABLE":
                connection.execute(f"DROP {step.kind} IF EXISTS {step.relation}")
            connection.execute(step.sql)
            for comment in step.comments():
                connection.execute(comment)
        values = {"version": step.version, "name": step.name, "code_version": __version__}
        connection.execute(statement("add_migration"), values)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
