"""The sensor that watches the deficit, and halts materialization while it is larger than allowed."""

from contextlib import closing

import dagster as dg

from deals_pipeline.resources.keepa import KeepaResource
from deals_pipeline.resources.token_bucket import TokenBucketResource
from deals_pipeline.sensors.halting import LOOK_SECONDS_MAX, balance_in_words, halted_because
from deals_pipeline.sensors.runs import WAITING, spending_runs
from deals_pipeline.token_bucket.model import TICK
from deals_pipeline.token_bucket.reservation import BalanceUnknown


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Cancels queued runs that spend while the token deficit is larger than max_deficit allows.",
)
def deficit_sensor(
    context: dg.SensorEvaluationContext, token_bucket: TokenBucketResource, keepa: KeepaResource
) -> dg.SkipReason:
    """Look at the balance where nothing told it for a tick, and cancel what is queued while it is too deep.

    A run in progress stops by itself, at its next `reserve`, with what it has stored.
    """
    with closing(keepa.client(read_seconds_max=LOOK_SECONDS_MAX)) as client:
        try:
            status = token_bucket.fresh_status(client.token_status, age_max=TICK)
        except BalanceUnknown as unknown:
            return dg.SkipReason(f"The balance is not known: {unknown}. Check KEEPA_API_KEY and the plan behind it.")
    halted = halted_because(status)
    if halted is None:
        return dg.SkipReason(f"Not halted: {balance_in_words(status)}")
    cancelled = [run for run in spending_runs(context.instance, WAITING) if cancel(context.instance, run)]
    return dg.SkipReason(f"{halted} {len(cancelled)} queued runs were cancelled.")


def cancel(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Cancel a queued run; return whether it was still to be cancelled."""
    return bool(instance.run_coordinator.cancel_run(run.run_id))
