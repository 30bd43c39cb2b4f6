"""Ends what a crash left behind: runs whose process is gone, and their places in the pool (F17).

A run of ours holds its lease, a lock that dies with its process, until it ends. Runs of others that share the Dagster
instance hold none, so that a missing lease says something of a run with a step in our pool alone.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final, TypeAlias

import dagster as dg
from typing_extensions import assert_never

from deals_pipeline.assets.spending import POOL
from deals_pipeline.resources.token_bucket import TokenBucketResource
from deals_pipeline.sensors.runs import ENDED, IN_PROGRESS
from deals_pipeline.token_bucket.ledger import Lease, Ledger, LedgerError

UNENDED: Final = (dg.DagsterRunStatus.NOT_STARTED, *IN_PROGRESS)
"""What a run may be whose process was killed; one that is queued has none, and may wait for long."""
SILENCE_MAX: Final = timedelta(minutes=2)
"""How long a run may say nothing before it holds its lease: it may wait a minute for the warehouse meanwhile."""
NEXT: Final = "What it landed is kept, its place in the pool is free, and the next run goes on from there."
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SeenRun:
    """A run as the instance knows it."""

    run_id: str
    status: dg.DagsterRunStatus
    spoke_at: datetime
    """When it logged its latest event."""
    is_in_pool: bool
    """Whether it has a step in our pool."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is at a moment: the runs under way, dead leases, who has places in our pool and what became of them.

    `dead` are the registered leases of processes that are gone, `holders` the runs that have a place in the pool or
    wait for one; `runs` lacks those that the instance does not know.
    """

    runs: Mapping[str, SeenRun]
    dead: Mapping[str, Lease]
    holders: Collection[str]


@dataclass(frozen=True, slots=True)
class Fail:
    """Say of a run that it failed."""

    run_id: str
    message: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """Say of a run that was being cancelled that it is."""

    run_id: str
    message: str


@dataclass(frozen=True, slots=True)
class Free:
    """Take a run's places in the pool, and its turn to get one."""

    run_id: str


@dataclass(frozen=True, slots=True)
class Revoke:
    """Forget a run's lease, and let it spend nothing more."""

    run_id: str


Action: TypeAlias = Fail | Cancel | Free | Revoke


@dg.sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=15,
    description="Ends runs whose process is gone and frees their places in the pool, so that the next one can start.",
)
def reaper_sensor(context: dg.SensorEvaluationContext, token_bucket: TokenBucketResource) -> dg.SkipReason:
    """End what is dead; the reason says what was found."""
    return dg.SkipReason(reap(context.instance, token_bucket.ledger, token_bucket.clock.now()))


def reap(instance: dg.DagsterInstance, ledger: Ledger, now: datetime) -> str:
    """End what is dead and return, in a line, what was done. Raises `LedgerError`."""
    seen = look(instance, ledger)
    gone = frozenset(run_id for run_id in suspects(seen, now) if _is_free(ledger, run_id))
    actions = decide(seen, gone)
    for action in actions:
        _carry_out(action, instance, ledger)
    if not actions:
        alive = sum(run.status in UNENDED for run in seen.runs.values())
        return f"Nothing to do: {alive} runs under way, none of ours without its process."
    report = "; ".join(f"{type(action).__name__.lower()} {action.run_id[:8]}" for action in actions)
    _log.warning("cleared what a crash left behind: %s", report)
    return f"Cleared what a crash left behind: {report}."


def suspects(seen: Seen, now: datetime) -> tuple[str, ...]:
    """Return the runs without a dead lease that are dead if nobody holds their lease.

    These are silent runs under way with a step in our pool, and holders of a place in it that ended or were deleted.
    Others are not asked: a run that is about to take its lease must not find it taken by the one who asks.
    """
    silent = {
        run.run_id
        for run in seen.runs.values()
        if run.status in UNENDED and run.is_in_pool and now - run.spoke_at > SILENCE_MAX
    }
    ended = {holder for holder in seen.holders if holder not in seen.runs or seen.runs[holder].status in ENDED}
    return tuple(sorted((silent | ended) - seen.dead.keys()))


def decide(seen: Seen, gone: Collection[str]) -> tuple[Action, ...]:
    """Return what to do, in order; `gone` are the suspects whose lease nobody holds.

    The lease goes last: should this be interrupted, it shows the next one that there is something to do.
    """
    actions: list[Action] = []
    for run_id in sorted({*seen.dead, *gone}):
        run = seen.runs.get(run_id)
        is_unended = run is not None and run.status in UNENDED
        if run is not None and is_unended:
            end = Cancel if run.status is dg.DagsterRunStatus.CANCELING else Fail
            actions.append(end(run_id, f"{_cause(run, seen.dead.get(run_id))} {NEXT}"))
        if is_unended or run_id in seen.holders:
            actions.append(Free(run_id))
        if is_unended or run_id in seen.dead:
            actions.append(Revoke(run_id))
    return tuple(actions)


def look(instance: dg.DagsterInstance, ledger: Ledger) -> Seen:
    """Return what there is. Raises `LedgerError`."""
    dead = {lease.run_id: lease for lease in ledger.dead_leases()}
    pool = instance.event_log_storage.get_concurrency_info(POOL)
    holders = {slot.run_id for slot in pool.claimed_slots} | {step.run_id for step in pool.pending_steps}
    known = [dg.RunsFilter(statuses=list(UNENDED))]
    if named := [*dead, *holders]:
        known.append(dg.RunsFilter(run_ids=named))
    records = [record for runs in known for record in instance.get_run_records(runs)]
    return Seen({record.dagster_run.run_id: _seen(instance, record) for record in records}, dead, holders)


def _seen(instance: dg.DagsterInstance, record: dg.RunRecord) -> SeenRun:
    run = record.dagster_run
    events = instance.get_records_for_run(run.run_id, limit=1, ascending=False).records
    spoke = [datetime.fromtimestamp(event.timestamp, timezone.utc) for event in events]
    plan_id = run.execution_plan_snapshot_id
    steps = instance.get_execution_plan_snapshot(plan_id).steps if plan_id else ()
    is_in_pool = any(step.pool == POOL for step in steps)
    return SeenRun(run.run_id, run.status, max([record.create_timestamp, *spoke]), is_in_pool)


def _cause(run: SeenRun, lease: Lease | None) -> str:
    if lease is not None:
        return f"Process {lease.pid} on {lease.host}, which executed this run, is gone."
    return f"No process executes this run: nobody holds its lease, and its last word is of {run.spoke_at:%F %T} UTC."


def _is_free(ledger: Ledger, run_id: str) -> bool:
    try:
        with ledger.lease(run_id):
            return True
    except LedgerError:
        return False


def _carry_out(action: Action, instance: dg.DagsterInstance, ledger: Ledger) -> None:
    match action:
        case Fail(run_id, message):
            if run := _unended(instance, run_id):
                instance.report_run_failed(run, message)
        case Cancel(run_id, message):
            if run := _unended(instance, run_id):
                instance.report_run_canceled(run, message)
        case Free(run_id):
            instance.event_log_storage.free_concurrency_slots_for_run(run_id)
        case Revoke(run_id):
            ledger.revoke(run_id)
        case _:
            assert_never(action)


def _unended(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRun | None:
    """Return a run that has not ended meanwhile."""
    run = instance.get_run_by_id(run_id)
    return run if run is not None and run.status in UNENDED else None
