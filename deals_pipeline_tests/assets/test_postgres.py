"""The pipeline on a ledger that several machines share."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone

import dagster as dg
import pytest
from pydantic import SecretStr

from deals_pipeline.state import progress
from deals_pipeline.status import lines, look
from deals_pipeline_tests.dagster_world import DagsterWorld
from deals_pipeline_tests.token_bucket.served_postgres import MISSING, PASSWORD, postgres_served, server_binaries


def test_the_main_job_spends_from_a_ledger_in_postgres_whose_password_shows_nowhere(
    make: Callable[..., DagsterWorld], capfd: pytest.CaptureFixture[str]
) -> None:
    """F05, F66: two homes on two machines, one bucket."""
    if (binaries := server_binaries()) is None:
        pytest.skip(MISSING)
    with postgres_served(binaries) as url:
        world = make(start=datetime.now(timezone.utc))
        here = world.with_settings(
            replace(world.settings, places=replace(world.settings.places, ledger_url=SecretStr(url)))
        )
        elsewhere = here.settings.places.home.parent / "elsewhere"
        there = here.with_settings(replace(here.settings, places=replace(here.settings.places, home=elsewhere)))
        one, other = here.execute("refresh_job"), there.execute("refresh_job")
        status = here.status()
        watched = here.sensor("deficit_sensor")
        state = look(here.settings)
    assert one.success
    assert other.success
    assert sum(status.spent_by_purpose.values()) == world.spent
    assert [status.spent_by_run[run.run_id] for run in (one, other)] == [290, 10], "all but the floor, and the floor"
    assert there.metadata(other, "recent_deals")["stopped_by"] == "tokens"
    assert isinstance(watched, dg.SkipReason)
    events = [str(event) for run in world.instance.get_runs() for event in world.instance.all_logs(run.run_id)]
    assert sum(state.bucket.spent_by_purpose.values()) == sum(state.hours[-1].spent.values()) == world.spent
    said = "".join([*events, *capfd.readouterr(), str(watched), *lines(state, progress(state))])
    assert PASSWORD not in said
