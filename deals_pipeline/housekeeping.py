"""Keeps a home small for months: a daily job that deletes what is older than `[retention]` says (F65)."""

from datetime import timedelta
from typing import Final

import dagster as dg

from deals_pipeline.landing import remove_old
from deals_pipeline.resources.token_bucket import TokenBucketResource


@dg.op(out=dg.Out(dg.Nothing))
def remove_what_is_old(context: dg.OpExecutionContext, token_bucket: TokenBucketResource) -> None:
    """Delete the landed days and the runs that are older than the settings keep them."""
    from deals_pipeline.old_runs import remove_orphaned_files, remove_runs  # noqa: PLC0415 - slow to load

    settings, now = token_bucket.settings, token_bucket.clock.now()
    days = remove_old(settings.places.landing, now, timedelta(days=settings.retention.landing_days))
    runs = remove_runs(context.instance, settings.mode, now - timedelta(days=settings.retention.runs_days))
    files = remove_orphaned_files(context.instance)
    context.add_output_metadata({"landed_days_removed": len(days), "runs_removed": runs, "event_files_removed": files})
    context.log.info("removed %d landed days, %d runs and %d files of events", len(days), runs, files)


@dg.job(description="Delete landed days and runs that are older than [retention] in deals.toml keeps them.")
def housekeeping_job() -> None:
    """Keep the home small."""
    remove_what_is_old()


housekeeping_schedule: Final = dg.ScheduleDefinition(
    job=housekeeping_job, cron_schedule="41 3 * * *", default_status=dg.DefaultScheduleStatus.RUNNING
)
