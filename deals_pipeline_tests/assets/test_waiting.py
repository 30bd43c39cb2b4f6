"""What the assets keep from others while Keepa takes its time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from duckdb import DuckDBPyConnection

from deals_pipeline.resources import warehouse
from deals_pipeline.simulator.transport import SimulatorAdapter
from deals_pipeline.warehouse.connection import connect
from deals_pipeline_tests.dagster_world import DagsterWorld

Asked = list[tuple[str, int]]
"""The path of each call, and how often the warehouse was open when it was made."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    opened: list[Path] = []
    calls: Asked = []
    send = SimulatorAdapter.send

    @contextmanager
    def opening(path: Path, lock_seconds_max: float) -> Iterator[DuckDBPyConnection]:
        with connect(path, lock_seconds_max) as connection:
            opened.append(path)
            try:
                yield connection
            finally:
                opened.remove(path)

    def sending(
        adapter: SimulatorAdapter, request: requests.PreparedRequest, *, timeout: float, **_: object
    ) -> requests.Response:
        calls.append((request.path_url.partition("?")[0], len(opened)))
        return send(adapter, request, timeout=timeout)

    monkeypatch.setattr(warehouse, "connect", opening)
    monkeypatch.setattr(SimulatorAdapter, "send", sending)
    return calls


def test_the_warehouse_is_free_while_keepa_is_asked(make: Callable[..., DagsterWorld], asked: Asked) -> None:
    """F18, F50: by the assets that spend, and by the sensor."""
    world = make()
    world.execute("refresh_job", {"ops": {"price_history": {"config": {"tokens_max": 100}}}})
    world.sensor("planner_sensor")
    shard = "all-used-books_283155_600-999"
    world.execute("backfill_job", assets=["backfilled_deals"], partition=shard)
    assert {path for path, _ in asked} == {"/deal", "/product", "/seller", "/token"}
    assert {opened for _, opened in asked} == {0}
