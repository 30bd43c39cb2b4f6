"""The numbered migrations that make a ledger's tables, one directory for each database."""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, Literal

Database = Literal["sqlite", "postgres"]

NAME: Final = re.compile(r"(\d{4})_\w+\.sql")


@dataclass(frozen=True, order=True)
class Migration:
    """One step of the schema; its number is the version that it leads to."""

    version: int
    name: str
    sql: str


@cache
def migrations(database: Database) -> tuple[Migration, ...]:
    """Return all migrations in order; they are numbered from 1 without gaps."""
    found = sorted(
        Migration(int(match[1]), file.name, file.read_text(encoding="utf-8"))
        for file in (files(__name__) / database).iterdir()
        if (match := NAME.fullmatch(file.name))
    )
    assert [each.version for each in found] == list(range(1, len(found) + 1)), f"{database}: gaps among the migrations"
    return tuple(found)
