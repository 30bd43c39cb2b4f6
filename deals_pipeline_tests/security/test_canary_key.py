"""F66: after runs of the real jobs that succeed, fail and raise, the API key is nowhere on disk and in no log."""

import gzip
import logging
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import dagster as dg
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deals_pipeline.assets.backfilled_deals import announce_shards
from deals_pipeline.config import Mode, load_settings
from deals_pipeline.simulator.faults import Fault, Faults
from deals_pipeline_tests.conftest import market
from deals_pipeline_tests.dagster_world import ROOT, DagsterWorld, make_world
from deals_pipeline_tests.security.deliveries import refusing
from deals_pipeline_tests.security.traces import forms, traces, traces_under

KEY: Final = "q7.Xw~2fKz_R9-vBt4YmJ0sLh8DcPnE6gUa1Vo3TiWy5xQkMrZbHe~CjFdSGp7N"
SHARD: Final = "all-used-books_283155_600-999"
KINDS: Final = frozenset(Fault) - {Fault.FOREIGN_SPEND, Fault.LATENCY, Fault.CLOCK_SKEW}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def world(home: Path) -> Iterator[DagsterWorld]:
    """Return a live world with the canary for a key, whose instance keeps what the steps print."""
    dagster_home = home / "live" / "dagster"
    dagster_home.mkdir(parents=True)
    shutil.copy(ROOT / "dagster.yaml", dagster_home)
    with dg.DagsterInstance.from_config(str(dagster_home)) as instance:
        made = make_world(home, instance, endpoints=market(2_000), faults=Faults(3, KINDS, 0.4), refill_rate=20)
        variables = {"DEALS_HOME": str(home), "DEALS_CONFIG": str(ROOT / "deals.toml"), "KEEPA_API_KEY": KEY}
        settings = load_settings(variables, home)
        assert settings.mode is Mode.LIVE
        announce_shards(instance, settings)
        yield made.with_settings(settings)


def live(world: DagsterWorld, monkeypatch: pytest.MonkeyPatch) -> tuple[bool, bool, bool]:
    """Let runs meet faults, be refused in the words of the request, find no disk; return how the last three ended."""
    world.execute("refresh_job", raise_on_error=False)
    world.pass_time(minutes=20)
    world.execute("backfill_job", partition=SHARD, assets=["backfilled_deals"], raise_on_error=False)
    world.server.faults = Faults()
    with monkeypatch.context() as patch:
        patch.setattr(world.server, "deliver", refusing(world.server.deliver))
        refused = world.execute("recent_deals_job", assets=["recent_deals"], raise_on_error=False).success
    world.pass_time(days=1)
    day = world.settings.places.landing / f"{world.clock.now():%Y-%m-%d}"
    day.write_text("no folder")
    unlanded = world.execute("recent_deals_job", assets=["recent_deals"], raise_on_error=False).success
    day.unlink()
    return refused, unlanded, world.execute("recent_deals_job", assets=["recent_deals"]).success


def test_after_runs_that_succeed_fail_and_raise_the_key_is_nowhere(
    world: DagsterWorld,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """F66."""
    caplog.set_level(logging.DEBUG)
    assert live(world, monkeypatch) == (False, False, True)
    assert len(list(world.settings.places.landing.rglob("*.landed"))) >= 3
    assert len(list(world.settings.places.dagster_home.rglob("*.err"))) >= 5, "what steps print is kept"
    failed = [str(event) for run in world.runs for event in world.instance.all_logs(run)]
    assert any("cannot serve /deal?key=[redacted]" in event for event in failed)
    assert any("NotLanded" in event for event in failed)

    said = [*capfd.readouterr(), *(repr(vars(record)) for record in caplog.records)]
    assert sum(map(len, said)) > 10_000
    assert [found for text in said if (found := traces(KEY, text.encode()))] == []
    assert traces_under(home, KEY) == {}


def planted(folder: Path) -> None:
    """Leave the key behind in each kind of file, where the bytes of the file do not show it."""
    (folder / "log.err").write_text(f"GET /deal?key={KEY[8:]}")
    (folder / "a.landed").write_bytes(b"{}\n" + gzip.compress(KEY.encode() * 3))
    pq.write_table(pa.table({"a": [KEY * 3]}), folder / "a.parquet", compression="zstd")
    with closing(sqlite3.connect(folder / "a.sqlite")) as opened, opened:
        opened.execute("CREATE TABLE a (b)")
        opened.execute("INSERT INTO a VALUES (?)", [f"{'x' * 4_080}{KEY}"])
    with duckdb.connect(folder / "a.duckdb") as warehouse:
        warehouse.execute("CREATE TABLE a AS SELECT $key || range AS b FROM range(200000)", {"key": KEY})


def test_the_search_finds_a_key_in_each_kind_of_file(tmp_path: Path) -> None:
    """The search itself: one that finds nothing anywhere proves nothing."""
    planted(tmp_path)
    assert traces_under(tmp_path, KEY).keys() == {"log.err", "a.landed", "a.parquet", "a.sqlite", "a.duckdb"}
    for form, text in forms(KEY).items():
        assert form in traces(KEY, b"before " + text + b" after")
    assert traces(KEY, b"nothing of the kind") == []
