import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from duckdb import DuckDBPyConnection

from deals_pipeline.warehouse.connection import connect
from deals_pipeline.warehouse.schema import migrate


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty warehouse to be copied, because making one takes longer than most tests."""
    path = tmp_path_factory.mktemp("migrated") / "warehouse.duckdb"
    with connect(path) as connection:
        migrate(connection)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "warehouse.duckdb"


@pytest.fixture
def warehouse(migrated: Path, path: Path) -> Iterator[DuckDBPyConnection]:
    shutil.copy(migrated, path)
    with connect(path) as connection:
        yield connection
