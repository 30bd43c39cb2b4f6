"""The schedule that keeps `recent_deals` recent."""

from datetime import timedelta
from typing import Final

import dagster as dg
from typing_extensions import assert_never

from deals_pipeline.buying.backlog import survey
from deals_pipeline.config import Settings
from deals_pipeline.jobs import recent_deals_job
from deals_pipeline.planner import plan
from deals_pipeline.resources.token_bucket import TokenBucketResource
from deals_pipeline.resources.warehouse import WarehouseResource
from deals_pipeline.sensors.halting import LOCK_SECONDS_MAX, balance_in_words, halted_because
from deals_pipeline.sensors.planning import run_request
from deals_pipeline.sensors.runs import WAITING, spending_runs
from deals_pipeline.warehouse.connection import WarehouseError
from deals_pipeline.work import Backlog, History, ProductUnit, ScanUnit, Wait

EARLY: Final = timedelta(minutes=1)
"""How much sooner than an interval after the last one a scan may begin: that one began a little after its tick."""
HOUR: Final = 60


def cron_of(minutes: int) -> str:
    """Return the cron expression of a regular interval: the given one, or the next shorter that divides hour or day."""
    if minutes < HOUR:
        return f"*/{max(each for each in range(1, HOUR) if HOUR % each == 0 and each <= minutes)} * * * *"
    hours = max(each for each in range(1, 25) if 24 % each == 0 and each <= minutes // HOUR)
    return "0 0 * * *" if hours == 24 else f"0 */{hours} * * *"  # noqa: PLR2004 - a day


def recent_deals_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """Return the schedule that reads the head of the watched selections, every `head_scan_minutes`."""

    @dg.schedule(
        job=recent_deals_job,
        cron_schedule=cron_of(settings.budget.intervals.head_scan_minutes),
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Reads what is new in the watched selections, by a head scan or as a full scan begins.",
    )
    def recent_deals_schedule(
        context: dg.ScheduleEvaluationContext, token_bucket: TokenBucketResource, warehouse: WarehouseResource
    ) -> dg.RunRequest | dg.SkipReason:
        status, now = token_bucket.status(settings.budget.shares.window), token_bucket.clock.now()
        if halted := halted_because(status):
            return dg.SkipReason(halted)
        if waiting := [
            run for run in spending_runs(context.instance, WAITING) if run.job_name == recent_deals_job.name
        ]:
            return dg.SkipReason(f"{recent_deals_job.name} {waiting[0].run_id[:8]} is queued already.")
        try:
            with warehouse.connect(LOCK_SECONDS_MAX) as connection:
                found = survey(connection, settings, now).backlog
        except WarehouseError as locked:
            return dg.SkipReason(str(locked))
        beginnings = Backlog(found.head_scans, [scan for scan in found.full_scans if scan.page == 0])
        decision = plan(status, beginnings, History(), now + EARLY, settings.budget)
        match decision:
            case Wait():
                return dg.SkipReason(f"{decision.reason}. {balance_in_words(status)}")
            case ScanUnit() | ProductUnit():
                return run_request(decision, now)
            case _ as never:
                assert_never(never)

    return recent_deals_schedule
