"""What the tests do at a ledger's place beside what a ledger does there."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg

from deals_pipeline.token_bucket.ledger import PATIENCE_SECONDS, Ledger
from deals_pipeline.token_bucket.postgres_ledger import PostgresLedger
from deals_pipeline.token_bucket.sqlite_ledger import SqliteLedger

ACCOUNT = "0123456789abcdef"
OTHER_ACCOUNT = "fedcba9876543210"


class Place(Protocol):
    url: str
    """As a setting names it."""
    newest_version: str
    """SQL that pretends that a newer program was here."""

    @property
    def shown(self) -> str:
        """As an error names it."""

    def open(self, account: str = ACCOUNT, patience_seconds: float = PATIENCE_SECONDS) -> Ledger: ...

    def execute(self, sql: str) -> list[Any]: ...

    def locked(self) -> AbstractContextManager[None]:
        """Keep the account locked while the block lasts."""


@dataclass
class SqlitePlace:
    url: str
    closing_all: ExitStack
    newest_version: str = "PRAGMA user_version = 999"

    @property
    def shown(self) -> str:
        return self.url

    def open(self, account: str = ACCOUNT, patience_seconds: float = PATIENCE_SECONDS) -> SqliteLedger:
        ledger = SqliteLedger(Path(self.url), account, patience_seconds=patience_seconds)
        return self.closing_all.enter_context(closing(ledger))

    def execute(self, sql: str) -> list[Any]:
        with closing(sqlite3.connect(self.url, isolation_level=None)) as connection:
            return connection.execute(sql).fetchall()

    @contextmanager
    def locked(self) -> Iterator[None]:
        with closing(sqlite3.connect(self.url, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield


@dataclass
class PostgresPlace:
    url: str
    closing_all: ExitStack
    newest_version: str = "INSERT INTO token_schema (version, name) VALUES (999, '0999_later.sql')"

    @property
    def shown(self) -> str:
        return re.sub(r"postgresql://.*@(.*)\?.*", r"PostgreSQL at \1", self.url)

    def open(self, account: str = ACCOUNT, patience_seconds: float = PATIENCE_SECONDS) -> PostgresLedger:
        ledger = PostgresLedger(self.url, account, patience_seconds=patience_seconds)
        return self.closing_all.enter_context(closing(ledger))

    def execute(self, sql: str) -> list[Any]:
        with closing(psycopg.connect(self.url, autocommit=True)) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def locked(self) -> Iterator[None]:
        with closing(psycopg.connect(self.url)) as connection:
            connection.execute("SELECT 1 FROM token_bucket FOR UPDATE")
            yield
