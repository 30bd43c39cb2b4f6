"""The schema: numbered migrations, a file for each table or view, whose comments become the catalogue's own."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import duckdb
from duckdb import DuckDBPyConnection

from deals_pipeline import __version__
from deals_pipeline.warehouse.connection import WarehouseError, transaction
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

    def comments(self) -> Iterator[str]:
        """Yield the statements that put the comments into the catalogue."""
        (kind,) = (kind for kind in KINDS if f"CREATE {kind} {self.relation}" in self.sql)
        yield f"COMMENT ON {kind} {self.relation} IS {_quoted(self.grain)}"
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

    Raises `WarehouseError` for a newer schema, another program's database, or one that cannot be written.
    """
    known = migrations() if steps is None else steps
    version = _version(connection)
    if version > len(known):
        raise WarehouseError(
            f"the warehouse has schema version {version}, this program knows versions up to {len(known)}: install the "
            "newer deals_pipeline, or move the file away and load the landed answers again"
        )
    try:
        for step in known[version:]:
            _apply(connection, step)
        connection.execute(statement("write_probe"), {"code_version": __version__})
        connection.execute(statement("remove_probe"))
    except duckdb.Error as failure:
        raise WarehouseError(f"the warehouse cannot be migrated or written: {failure}") from failure


def _version(connection: DuckDBPyConnection) -> int:
    tables = {name for (name,) in connection.execute(statement("tables")).fetchall()}
    if not tables:
        return 0
    if "migration" not in tables:
        raise WarehouseError(
            f"the file is the database of another program, with table {min(tables)}: name another file"
        )
    ((version,),) = connection.execute(statement("schema_version")).fetchall()
    return int(version)


def _apply(connection: DuckDBPyConnection, step: Migration) -> None:
    with transaction(connection):
        connection.execute(step.sql)
        for comment in step.comments():
            connection.execute(comment)
        values = {"version": step.version, "name": step.name, "code_version": __version__}
        connection.execute(statement("add_migration"), values)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
