"""What the daily job deletes, and what it leaves: on a real Dagster instance on disk."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pytest

from deals_pipeline.clock import SystemClock, VirtualClock
from deals_pipeline.config import Mode
from deals_pipeline.housekeeping import housekeeping_job, housekeeping_schedule
from deals_pipeline.old_runs import remove_runs
from deals_pipeline.resources.token_bucket import TokenBucketResource
from deals_pipeline_tests.sensors.places import Home, open_home

SHARDS = dg.DynamicPartitionsDefinition(name="shard")
LONG = timedelta(days=31)


@dg.asset
def whole(token_bucket: TokenBucketResource) -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"available": token_bucket.status().available})


@dg.asset_check(asset=whole)
def right() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


@dg.asset(partitions_def=SHARDS)
def sharded(token_bucket: TokenBucketResource) -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"available": token_bucket.status().available})


@dg.asset
def of_others() -> None: ...


@dg.asset
def broken(token_bucket: TokenBucketResource) -> None:
    raise ValueError(token_bucket.status().at)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path) as home:
        home.instance.add_dynamic_partitions("shard", ["x", "y"])
        yield home


def materialize(home: Home, *assets: dg.AssetsDefinition | dg.AssetChecksDefinition, shard: str | None = None) -> str:
    return dg.materialize(
        assets,
        instance=home.instance,
        resources={"token_bucket": home.token_bucket()},
        partition_key=shard,
        raise_on_error=False,
    ).run_id


def keep_house(home: Home, later: timedelta = LONG) -> dict[str, object]:
    """Run the job `later`, and return the numbers that it reports."""
    clock = VirtualClock(SystemClock().now() + later)
    done = housekeeping_job.execute_in_process(
        instance=home.instance, resources={"token_bucket": home.token_bucket(clock)}
    )
    (output,) = (event.step_output_data for event in done.all_node_events if event.is_successful_output)
    return {name: entry.value for name, entry in output.metadata.items()}


def runs(home: Home) -> set[str]:
    return {run.run_id for run in home.instance.get_runs() if run.job_name != housekeeping_job.name}


def event_files(home: Home) -> set[str]:
    return {path.stem for path in (home.settings.places.dagster_home / "history" / "runs").glob("*-*.db")}


def log_folders(home: Home) -> set[str]:
    return {path.name for path in (home.settings.places.dagster_home / "storage").iterdir()}


def rows(home: Home, table: str) -> int:
    with closing(sqlite3.connect(home.settings.places.dagster_home / "history" / "runs" / "index.db")) as index:
        ((count,),) = index.execute(f"SELECT count(*) FROM {table}").fetchall()
    return int(count)


def test_old_runs_go_with_all_that_they_left_on_disk(home: Home) -> None:
    """F65."""
    old = {materialize(home, whole, right), materialize(home, broken)}
    newest = materialize(home, whole, right)
    assert rows(home, "asset_check_executions") == 2
    assert keep_house(home) == {"landed_days_removed": 0, "runs_removed": 2, "event_files_removed": 2}
    assert runs(home) == {newest}
    assert not old & (event_files(home) | log_folders(home))
    assert newest in event_files(home)
    assert rows(home, "asset_check_executions") == 1
    assert rows(home, "asset_event_tags") == 1


def test_what_was_materialized_last_is_not_forgotten(home: Home) -> None:
    first_whole, whole_run = materialize(home, whole), materialize(home, whole)
    y, first_x, x = (materialize(home, sharded, shard=shard) for shard in "yxx")
    key = dg.AssetKey("sharded")
    keep_house(home)
    assert runs(home) == {whole_run, x, y}
    assert first_whole not in event_files(home)
    assert first_x not in event_files(home)
    assert home.instance.get_materialized_partitions(key) == {"x", "y"}
    latest = home.instance.get_latest_materialization_event(dg.AssetKey("whole"))
    assert latest is not None
    assert latest.run_id == whole_run
    keep_house(home, LONG * 2)
    assert runs(home) == {whole_run, x, y}


def test_runs_that_are_young_under_way_or_of_others_stay(home: Home) -> None:
    older, newest = materialize(home, whole), materialize(home, whole)
    keep_house(home, timedelta(days=29))
    assert runs(home) == {older, newest}
    under_way = home.instance.create_run_for_job(housekeeping_job, status=dg.DagsterRunStatus.STARTED)
    strangers = {dg.materialize([of_others], instance=home.instance).run_id for _ in range(2)}
    assert keep_house(home)["runs_removed"] == 2, "one of `whole`, and the housekeeping of before"
    left = {run.run_id for run in home.instance.get_runs()}
    assert {under_way.run_id, newest, *strangers} < left
    assert older not in left


def test_a_day_deletes_a_bounded_number_of_runs_the_oldest_first(home: Home) -> None:
    first, second, third, newest = (materialize(home, whole) for _ in range(4))
    later = datetime.now(timezone.utc) + LONG
    assert remove_runs(home.instance, Mode.LIVE, later) == 0
    assert remove_runs(home.instance, Mode.SIMULATED, later, runs_max=2) == 2
    assert runs(home) == {third, newest}
    assert remove_runs(home.instance, Mode.SIMULATED, later, runs_max=2) == 1
    assert remove_runs(home.instance, Mode.SIMULATED, later) == 0
    assert {first, second} <= event_files(home)


def test_event_files_of_runs_that_somebody_else_deleted_go_too(home: Home) -> None:
    gone, stays = materialize(home, whole), materialize(home, whole)
    home.instance.delete_run(gone)
    assert gone in event_files(home), "Dagster leaves it"
    assert keep_house(home, timedelta(0))["event_files_removed"] == 1
    assert gone not in event_files(home)
    assert stays in event_files(home)
    assert home.instance.all_logs(stays)


def test_landed_days_are_kept_as_long_as_the_settings_say(home: Home) -> None:
    landing = home.settings.places.landing
    today = datetime.now(timezone.utc)
    for days in (0, 1, 2):
        (landing / f"{today - timedelta(days=days):%Y-%m-%d}").mkdir(parents=True)
    assert keep_house(home, timedelta(days=29))["landed_days_removed"] == 1
    assert len(list(landing.iterdir())) == 2


def test_it_runs_every_day_by_itself() -> None:
    assert housekeeping_schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert housekeeping_schedule.job_name == housekeeping_job.name
    starts = housekeeping_schedule.cron_schedule
    assert isinstance(starts, str)
    assert starts.split()[2:] == ["*", "*", "*"]
