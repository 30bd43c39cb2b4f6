import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest

from deals_pipeline_tests.token_bucket.places import Place, PostgresPlace, SqlitePlace
from deals_pipeline_tests.token_bucket.served_postgres import MISSING, postgres_served, server_binaries


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a throwaway server's database, shared by the tests of a process."""
    binaries = server_binaries()
    if binaries is None:
        pytest.skip(MISSING)
    with postgres_served(binaries) as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """The URL of an empty schema on a throwaway server."""
    schema = f"test_{uuid.uuid4().hex}"
    with closing(psycopg.connect(postgres_server, autocommit=True)) as connection:
        connection.execute(f"CREATE SCHEMA {schema}".encode())
    return f"{postgres_server}?options=-csearch_path%3D{schema}"


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """An empty place for a ledger; ledgers opened there are closed when the test ends."""
    with ExitStack() as closing_all:
        if request.param == "sqlite":
            yield SqlitePlace(str(tmp_path / "home" / "ledger.sqlite"), closing_all)
        else:
            yield PostgresPlace(request.getfixturevalue("postgres_url"), closing_all)
