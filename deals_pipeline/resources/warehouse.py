"""The warehouse as a Dagster resource."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from duckdb import DuckDBPyConnection
from pydantic import PrivateAttr

from deals_pipeline.config import Settings
from deals_pipeline.warehouse.connection import LOCK_SECONDS_MAX, connect
from deals_pipeline.warehouse.schema import migrate


class WarehouseResource(dg.ConfigurableResource["WarehouseResource"]):
    """The DuckDB file: migrated, and proved to be writable, before a run spends a token (F44)."""

    settings: dg.ResourceDependency[Settings]

    _is_migrated: bool = PrivateAttr(default=False)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["WarehouseResource"]:
        """Bring the schema up to date before a run; the file is closed again until somebody connects."""
        if context.run is not None:
            with self.connect():
                pass
        yield self

    @contextmanager
    def connect(self, lock_seconds_max: float = LOCK_SECONDS_MAX) -> Iterator[DuckDBPyConnection]:
        """Open the file for the length of a block, alone; never wait for a request within it (F50).

        Raises `WarehouseError`, where another process keeps it open for longer than `lock_seconds_max`.
        """
        with connect(self.settings.places.warehouse, lock_seconds_max) as connection:
            if not self._is_migrated:
                migrate(connection)
                self._is_migrated = True
            yield connection
