"""Another program on the key spends more than there is: everything halts, says so in numbers, and resumes by itself."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

import dagster as dg

from deals_pipeline.assets.spending import POOL
from deals_pipeline.clock import SystemClock
from deals_pipeline.keepa.requests import DealPageRequest
from deals_pipeline.keepa.time import to_unix_ms
from deals_pipeline.sensors.runs import ENDED, UNIT_TAG
from deals_pipeline.simulator.account import observe
from deals_pipeline.token_bucket.model import TICK
from deals_pipeline.work import Work
from deals_pipeline_tests.e2e.processes import RunningDev, Workplace, dev, instance, wait_until
from deals_pipeline_tests.e2e.service import Service, bucket_state, has_landed, require_nothing_lost, served

PATIENCE_SECONDS: Final = 300
RESUMES_MAX: Final = timedelta(seconds=60)
"""From the tick that makes a page affordable to the start of the run that buys it."""
JITTER: Final = timedelta(seconds=1)
RATE: Final = 60
MAX_DEFICIT: Final = 20
MARGIN: Final = 20
"""Tokens that are there after the tick that is waited for: more than a page under way can cost."""
LAUNCH: Final = """mutation Launch($run: ExecutionParams!) {
  launchRun(executionParams: $run) { ... on LaunchRunSuccess { run { runId } } }
}"""
HALTED: Final = re.compile(
    rf"Halted: the deficit is (\d+) tokens, allowed are {MAX_DEFICIT}\. (\d+) tokens were spent by others lately\. "
    r"It resumes by itself at [-0-9]+ [:0-9]+ UTC\."
)
GOES_ON: Final = re.compile(rf"{Work.FULL_SCAN.value}/.*/[1-9][0-9]*/\d+$")
"""The key of a unit that does not begin with the first page."""
GUARDS: Final = ("deficit_sensor", "planner_sensor", "recent_deals_schedule")


@dataclass(frozen=True)
class ForeignSpend:
    """What another program spent, the deficit that this makes with a page that is under way, and when that is over."""

    tokens: int
    deficit_max: int
    over_at: datetime


@dataclass(frozen=True)
class Begun:
    """A run, and when it began to be executed."""

    at: datetime
    run_id: str


def test_a_deficit_that_another_program_makes_halts_everything_until_it_is_refilled(tmp_path: Path) -> None:
    """F06, F08, F12, F14: no mode is set, and none has to be reset."""
    with (
        served(
            tmp_path,
            refill_rate=RATE,
            tokens=250,
            head_scan_minutes=1,  # the schedule ticks each minute, and leaves all pages but one to the planner
            head_scan_percent_max=1,
            history_share=0,
            max_deficit=MAX_DEFICIT,
        ) as service,
        dev(service.at) as running,
        instance(service.at) as runs,
    ):
        at, log = service.at, running.started
        wait_until(lambda: bool(scans_under_way(at, runs)), "a scan is under way", PATIENCE_SECONDS, log)
        (scan,) = scans_under_way(at, runs)
        with service.frozen():
            runs.event_log_storage.set_concurrency_slots(POOL, 0)  # what is queued now stays so
            queued = [launched(running, job) for job in ("history_job", "recent_deals_job")]
        foreign = spend_elsewhere(service)

        wait_until(lambda: status_of(runs, scan) in ENDED, "the run stops", PATIENCE_SECONDS, log)
        since = seen_at(service)
        saved = materialized(runs, scan)
        assert saved["stopped_by"] == "tokens"

        wait_until(lambda: bool(reasons(runs, "deficit_sensor", since)), "the sensor looks", PATIENCE_SECONDS, log)
        assert {status_of(runs, run_id) for run_id in queued} == {dg.DagsterRunStatus.CANCELED}
        assert "queued runs were cancelled" in reasons(runs, "deficit_sensor", since)[0]
        runs.event_log_storage.set_concurrency_slots(POOL, 1)

        wait_until(lambda: bool(begun_since(runs, since)), "work resumes", PATIENCE_SECONDS, log)
        resumed = begun_since(runs, since)[0]
        assert foreign.over_at - JITTER <= resumed.at <= foreign.over_at + RESUMES_MAX
        for guard in GUARDS:
            said = reasons(runs, guard, since, until=foreign.over_at)
            halts = [halt for reason in said if (halt := HALTED.match(reason))]
            assert halts, (guard, said)
            assert all(MAX_DEFICIT < int(halt[1]) <= foreign.deficit_max for halt in halts)
            assert {int(halt[2]) for halt in halts} == {foreign.tokens}
        wait_until(lambda: all_over(runs), "it ends", PATIENCE_SECONDS, log)
    assert service.account.foreign_spent == foreign.tokens
    assert service.account.refused <= 1
    bought = require_nothing_lost(service)
    assert sum(each.header.run_id == scan for each in bought) == saved["pages"]
    assert any(each.header.run_id == resumed.run_id for each in bought), "it buys, and at once"


def spend_elsewhere(service: Service) -> ForeignSpend:
    """Let another program spend so much that it takes a tick and a half, or more, until there is a token again."""
    now = SystemClock().now()
    next_tick_in = timedelta(milliseconds=observe(service.store.config, service.account, to_unix_ms(now)).refill_in)
    ticks = 2 if next_tick_in > TICK / 2 else 3
    deficit = ticks * RATE - MARGIN
    tokens = service.account.balance + deficit
    service.spend_elsewhere(tokens)
    return ForeignSpend(tokens, deficit + DealPageRequest.cost.high, now + next_tick_in + (ticks - 1) * TICK)


def seen_at(service: Service) -> datetime:
    """Return when the deficit was seen."""
    seen = bucket_state(service.at).observation
    assert seen is not None
    assert seen.tokens_left < -MAX_DEFICIT
    return seen.received_at


def scans_under_way(at: Workplace, runs: dg.DagsterInstance) -> list[str]:
    """Return the runs that the planner asked for to go on with a full scan, and that have read a page of it."""
    tags = {run.run_id: run.tags.get(UNIT_TAG, "") for run in runs.get_runs()}
    return [run_id for run_id, tag in tags.items() if GOES_ON.match(tag) and has_landed(at, run_id)]


def launched(running: RunningDev, job: str) -> str:
    """Launch a job as the web page does; return its run."""
    selector = {
        "repositoryLocationName": "deals_pipeline.definitions",
        "repositoryName": "__repository__",
        "jobName": job,
    }
    answer = running.graphql(LAUNCH, run={"selector": selector, "mode": "default"})
    return str(answer["launchRun"]["run"]["runId"])


def status_of(runs: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = runs.get_run_by_id(run_id)
    assert run is not None
    return run.status


def all_over(runs: dg.DagsterInstance) -> bool:
    return all(run.status in ENDED for run in runs.get_runs())


def begun_since(runs: dg.DagsterInstance, since: datetime) -> list[Begun]:
    """Return the runs that began to be executed after a time, the first first."""
    starts = {record.dagster_run.run_id: record.start_time for record in runs.get_run_records()}
    begun = [
        Begun(datetime.fromtimestamp(start, timezone.utc), run_id)
        for run_id, start in starts.items()
        if start is not None
    ]
    return sorted((each for each in begun if each.at > since), key=lambda each: each.at)


def materialized(runs: dg.DagsterInstance, run_id: str) -> dict[str, Any]:
    """Return what a run said of the asset `recent_deals`."""
    records = runs.get_records_for_run(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION).records
    (found,) = (
        record.asset_materialization.metadata
        for record in records
        if record.asset_key == dg.AssetKey("recent_deals") and record.asset_materialization is not None
    )
    return {name: value.value for name, value in found.items()}


def reasons(runs: dg.DagsterInstance, name: str, since: datetime, until: datetime | None = None) -> Sequence[str]:
    """Return why a sensor or schedule did nothing, in each tick that began in a time, oldest first."""
    (state,) = (state for state in runs.all_instigator_state() if state.name == name)
    before = until.timestamp() if until else None
    ticks = runs.get_ticks(state.instigator_origin_id, state.selector_id, before=before, after=since.timestamp())
    return [tick.skip_reason for tick in reversed(ticks) if tick.skip_reason]
