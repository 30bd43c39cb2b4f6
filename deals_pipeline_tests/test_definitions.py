"""What Dagster sees of the pipeline, and what loading it does not do."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from deals_pipeline.assets.spending import POOL
from deals_pipeline.definitions import defs
from deals_pipeline_tests.dagster_world import ROOT

GRAPH = defs.resolve_asset_graph()
SPENDING = {"recent_deals", "backfilled_deals", "price_history", "live_offers"}
ASSETS = SPENDING | {"deals", "deal_metrics", "published_deals", "deals_report"}
WATCHED = """
import sys

import dagster, requests

def refuse(event, arguments):
    if event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess.Popen"):
        sys.exit(f"{event} {arguments}")
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        sys.exit(f"{event} {arguments}")
    if event in ("os.mkdir", "os.rename", "os.remove", "sqlite3.connect"):
        sys.exit(f"{event} {arguments}")

sys.addaudithook(refuse)
import deals_pipeline.definitions
print("loaded")
"""


def test_loading_reaches_no_network_and_writes_nothing(tmp_path: Path) -> None:
    """F19."""
    environment = {"PYTHONDONTWRITEBYTECODE": "1", "DEALS_CONFIG": str(ROOT / "deals.toml"), "HOME": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", WATCHED], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (result.stdout, list(tmp_path.iterdir())) == ("loaded\n", []), result.stderr


def test_loading_does_without_what_takes_as_long_as_dagster() -> None:
    """SQLAlchemy and Alembic serve Dagster's storages, Altair the report's charts."""
    told = "import sys, deals_pipeline.definitions; print({'sqlalchemy', 'alembic', 'altair'} & sys.modules.keys())"
    result = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.stdout == "set()\n", result.stderr


def test_a_wrong_setting_is_said_when_the_definitions_load(tmp_path: Path) -> None:
    toml = tmp_path / "deals.toml"
    toml.write_text((ROOT / "deals.toml").read_text().replace("full_scan = 30", "full_scan = 31"))
    result = subprocess.run(
        [sys.executable, "-c", "import deals_pipeline.definitions"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith(f"deals_pipeline.config.values.ConfigError: {toml}: ")


def test_the_assets_are_the_eight() -> None:
    assert {key.to_user_string() for key in GRAPH.get_all_asset_keys()} == ASSETS


@pytest.mark.parametrize("name", sorted(ASSETS))
def test_every_asset_says_what_it_is(name: str) -> None:
    node = GRAPH.get(dg.AssetKey(name))
    assert node.group_name == "deals"
    assert node.owners
    assert node.kinds
    assert node.code_version
    assert len((node.description or "").split()) > 8
    assert node.pools == ({POOL} if name in SPENDING else set())


def test_everything_that_runs_holds_the_lease_of_its_run() -> None:
    """F17: a run without a living lease is dead, so that every step requires the resource that takes it."""
    for name in ("recent_deals_job", "history_job", "offers_job", "backfill_job", "refresh_job", "housekeeping_job"):
        job = defs.resolve_job_def(name)
        for node in job.graph.node_defs:
            assert isinstance(node, dg.OpDefinition)
            assert "token_bucket" in node.required_resource_keys, f"{name}: {node.name}"


def test_guards_and_schedules_run_by_default() -> None:
    running = {
        *(sensor.name for sensor in defs.sensors or () if sensor.default_status is dg.DefaultSensorStatus.RUNNING),
        *(
            schedule.name
            for schedule in defs.schedules or ()
            if isinstance(schedule, dg.ScheduleDefinition)
            and schedule.default_status is dg.DefaultScheduleStatus.RUNNING
        ),
    }
    sensors = {"planner_sensor", "deficit_sensor", "reaper_sensor", "failure_sensor"}
    assert running == {"recent_deals_schedule", "housekeeping_job_schedule", *sensors}


def test_every_check_has_a_description() -> None:
    keys = GRAPH.asset_check_keys
    assert len(keys) == 10
    assert all(len((GRAPH.get_check_spec(key).description or "").split()) > 4 for key in keys)
