"""Who waits for whom while Keepa takes its time."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import dagster as dg
import pytest
import requests
from duckdb import DuckDBPyConnection

from deals_pipeline.assets.spending import TURN
from deals_pipeline.resources import warehouse
from deals_pipeline.simulator.transport import SimulatorAdapter
from deals_pipeline.warehouse.connection import connect
from deals_pipeline_tests.dagster_world import DagsterWorld

Asked = list[tuple[str, int]]
"""The path of each call, and how often the warehouse was open when it was made."""


HOLDER: Final = """
import fcntl, sys, time
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(600)
"""


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


def test_who_has_a_place_in_the_pool_spends_when_whoever_else_has_one_has_ended_or_is_killed(
    make: Callable[..., DagsterWorld],
) -> None:
    """F17, F20: Dagster may grant one place to two who ask for it at the same moment."""
    world = make()
    world.settings.places.home.mkdir(parents=True)
    command = [sys.executable, "-c", HOLDER, str(world.settings.places.home / TURN)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other, ThreadPoolExecutor(1) as pool:
        try:
            assert other.stdout is not None
            other.stdout.readline()
            run = pool.submit(world.execute, "recent_deals_job", assets=["recent_deals"])
            while not (run.done() or has_said(world.instance, "Another run spends")):
                time.sleep(0.05)
            assert world.spent == 0
        finally:
            other.kill()
        assert run.result(timeout=60).success
    assert world.spent > 0


def has_said(instance: dg.DagsterInstance, words: str) -> bool:
    return any(words in entry.user_message for run in instance.get_runs() for entry in instance.all_logs(run.run_id))
