"""Everything that Dagster sees: assets, jobs, schedules, sensors and resources, wired by name.

`dagster dev -m deals_pipeline.definitions`; loading it reads the settings, and does no other I/O.
"""

from functools import partial

import dagster as dg

from deals_pipeline.assets.backfilled_deals import backfilled_deals
from deals_pipeline.assets.deal_metrics import deal_metrics
from deals_pipeline.assets.deals import deals
from deals_pipeline.assets.deals_report import deals_report
from deals_pipeline.assets.live_offers import live_offers
from deals_pipeline.assets.price_history import price_history
from deals_pipeline.assets.published_deals import published_deals
from deals_pipeline.assets.recent_deals import recent_deals
from deals_pipeline.checks import CHECKS
from deals_pipeline.clock import Clock, SystemClock
from deals_pipeline.config import Settings, load_settings
from deals_pipeline.home import require_own_home
from deals_pipeline.housekeeping import housekeeping_job, housekeeping_schedule
from deals_pipeline.jobs import backfill_job, history_job, offers_job, recent_deals_job, refresh_job
from deals_pipeline.resources.keepa import Connect, KeepaResource, connect
from deals_pipeline.resources.token_bucket import TokenBucketResource
from deals_pipeline.resources.warehouse import WarehouseResource
from deals_pipeline.schedules import recent_deals_schedule
from deals_pipeline.sensors.deficit import deficit_sensor
from deals_pipeline.sensors.failures import failure_sensor
from deals_pipeline.sensors.planning import planner_sensor
from deals_pipeline.sensors.reaper import reaper_sensor


def make_definitions(settings: Settings, clock: Clock, connect: Connect) -> dg.Definitions:
    """Return the definitions for some settings; tests bring a clock and a simulator of their own."""
    return dg.Definitions(
        assets=[
            recent_deals,
            backfilled_deals,
            price_history,
            live_offers,
            deals,
            deal_metrics,
            published_deals,
            deals_report,
        ],
        asset_checks=CHECKS,
        jobs=[recent_deals_job, history_job, offers_job, backfill_job, refresh_job, housekeeping_job],
        schedules=[recent_deals_schedule(settings), housekeeping_schedule],
        sensors=[planner_sensor, deficit_sensor, reaper_sensor, failure_sensor],
        resources={
            "token_bucket": TokenBucketResource(settings=settings, clock=clock),
            "keepa": KeepaResource(settings=settings, connect=connect),
            "warehouse": WarehouseResource(settings=settings),
        },
        executor=dg.in_process_executor,
    )


_settings = load_settings()
require_own_home(_settings)
defs = make_definitions(_settings, SystemClock(), partial(connect, _settings))
