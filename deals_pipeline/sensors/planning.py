"""The sensor that asks the planner what to buy next, and for the run that buys it."""

from collections.abc import Mapping
from contextlib import closing
from datetime import datetime, timedelta
from typing import Final

import dagster as dg
from typing_extensions import assert_never

from deals_pipeline.assets.backfilled_deals import SHARDS
from deals_pipeline.buying.backlog import survey
from deals_pipeline.buying.feeds import Reading
from deals_pipeline.jobs import backfill_job, history_job, offers_job, recent_deals_job
from deals_pipeline.planner import costs, plan, spent_by_work
from deals_pipeline.resources.keepa import KeepaResource
from deals_pipeline.resources.token_bucket import TokenBucketResource
from deals_pipeline.resources.warehouse import WarehouseResource
from deals_pipeline.sensors.halting import LOCK_SECONDS_MAX, LOOK_SECONDS_MAX, halted_because
from deals_pipeline.sensors.runs import IN_PROGRESS, UNIT_TAG, WAITING, ended_units, spending_runs
from deals_pipeline.token_bucket.reservation import BalanceUnknown
from deals_pipeline.warehouse.connection import WarehouseError
from deals_pipeline.work import History, ProductUnit, ScanUnit, Unit, Wait, Work

UNITS_REMEMBERED: Final = timedelta(days=1)
READINGS: Final = {Work.HEAD_SCAN: Reading.HEAD, Work.FULL_SCAN: Reading.FULL}


@dg.sensor(
    jobs=[recent_deals_job, history_job, offers_job, backfill_job],
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for the next unit when its tokens are there: scans, histories, offers, shards, by their shares.",
)
def planner_sensor(
    context: dg.SensorEvaluationContext,
    token_bucket: TokenBucketResource,
    keepa: KeepaResource,
    warehouse: WarehouseResource,
) -> dg.SensorResult:
    """Ask for one run where its tokens are affordable, and say in words why not otherwise."""
    settings, now = warehouse.settings, token_bucket.clock.now()
    if running := spending_runs(context.instance, (*WAITING, *IN_PROGRESS)):
        return dg.SensorResult(skip_reason=f"{running[0].job_name} {running[0].run_id[:8]} is under way.")
    with closing(keepa.client(read_seconds_max=LOOK_SECONDS_MAX)) as client:
        try:
            status = token_bucket.fresh_status(client.token_status)
        except BalanceUnknown as unknown:
            return dg.SensorResult(skip_reason=f"The balance is not known: {unknown}. Check KEEPA_API_KEY.")
    if halted := halted_because(status):
        return dg.SensorResult(skip_reason=halted)
    try:
        with warehouse.connect(LOCK_SECONDS_MAX) as connection:
            found = survey(connection, settings, now)
    except WarehouseError as locked:
        return dg.SensorResult(skip_reason=str(locked))
    shards = partition_changes(
        {state.shard.key for state in found.shards}, set(context.instance.get_dynamic_partitions(SHARDS.name or ""))
    )
    state, _ = token_bucket.ledger.read()
    history = History(
        spent=spent_by_work(status), ended=ended_units(context.instance, now - UNITS_REMEMBERED), costs=costs(state)
    )
    decision = plan(status, found.backlog, history, now, settings.budget)
    match decision:
        case Wait():
            said = f"{decision.reason}; next look at {decision.until:%H:%M:%S} UTC."
            return dg.SensorResult(skip_reason=said, dynamic_partitions_requests=shards)
        case ScanUnit() | ProductUnit():
            return dg.SensorResult(run_requests=[run_request(decision, now)], dynamic_partitions_requests=shards)
        case _ as never:
            assert_never(never)


def run_request(unit: Unit, now: datetime) -> dg.RunRequest:
    """Return the request for the run of a unit; ten ticks that plan the same ask for one run (F20)."""
    tags = {UNIT_TAG: unit.run_key}
    run_key = f"{unit.run_key}/{now:%Y-%m-%dT%H}"
    budget: dict[str, object] = {"tokens_max": unit.tokens_max}
    match unit:
        case ScanUnit(work=Work.BACKFILL):
            shard = unit.scan.key.partition("@")[0]
            config = _config("backfilled_deals", budget)
            return dg.RunRequest(run_key, config, tags, backfill_job.name, partition_key=shard)
        case ScanUnit():
            reading = {"reading": READINGS[unit.work].name, "selections": [unit.scan.key.partition("@")[0]]}
            return dg.RunRequest(run_key, _config("recent_deals", budget | reading), tags, recent_deals_job.name)
        case ProductUnit(work=Work.OFFERS):
            config = _config("live_offers", budget | {"skip": list(unit.skip)})
            return dg.RunRequest(run_key, config, tags, offers_job.name)
        case ProductUnit():
            config = _config("price_history", budget | {"skip": list(unit.skip)})
            return dg.RunRequest(run_key, config, tags, history_job.name)
        case _ as never:
            assert_never(never)


def partition_changes(
    wanted: set[str], there: set[str]
) -> list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest]:
    """Return what makes the partitions the shards that there are: those that were cut, or are not set any more, go."""
    changes: list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest] = []
    if new := sorted(wanted - there):
        changes.append(SHARDS.build_add_request(new))
    if old := sorted(there - wanted):
        changes.append(SHARDS.build_delete_request(old))
    return changes


def _config(asset: str, config: Mapping[str, object]) -> dict[str, object]:
    return {"ops": {asset: {"config": dict(config)}}}
