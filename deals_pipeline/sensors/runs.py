"""The runs that spend tokens, as the planner and the guards see them."""

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Final

import dagster as dg

from deals_pipeline.jobs import backfill_job, history_job, offers_job, recent_deals_job, refresh_job

UNIT_TAG: Final = "deals_pipeline/unit"
"""Tag of a run that the planner asked for: which unit of work it is."""
SPENDING_JOBS: Final = tuple(job.name for job in (recent_deals_job, history_job, offers_job, backfill_job, refresh_job))
SPENDING_ASSETS: Final = frozenset(
    dg.AssetKey(name) for name in ("recent_deals", "backfilled_deals", "price_history", "live_offers")
)
WAITING: Final = (dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.QUEUED)
IN_PROGRESS: Final = (
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)
ENDED: Final = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


def spends(run: dg.DagsterRun) -> bool:
    """Return whether a run spends tokens: one of our jobs, or assets that somebody materializes by hand."""
    if run.asset_selection is not None:
        return not SPENDING_ASSETS.isdisjoint(run.asset_selection)
    return run.job_name in SPENDING_JOBS


def spending_runs(instance: dg.DagsterInstance, statuses: tuple[dg.DagsterRunStatus, ...]) -> list[dg.DagsterRun]:
    """Return the runs in some statuses that spend tokens, oldest first."""
    runs = instance.get_runs(dg.RunsFilter(statuses=list(statuses)))
    return [run for run in reversed(runs) if spends(run)]


def ended_units(instance: dg.DagsterInstance, since: datetime) -> Mapping[str, datetime]:
    """Return the units whose runs are over, and when they ended."""
    records = instance.get_run_records(dg.RunsFilter(statuses=list(ENDED), created_after=since))
    return {
        record.dagster_run.tags[UNIT_TAG]: datetime.fromtimestamp(record.end_time, timezone.utc)
        for record in records
        if UNIT_TAG in record.dagster_run.tags and record.end_time is not None
    }
