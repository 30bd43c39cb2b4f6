"""The jobs: which assets are materialized together."""

from typing import Final

import dagster as dg

from deals_pipeline.assets.backfilled_deals import backfilled_deals
from deals_pipeline.assets.deals import deals, published_deals
from deals_pipeline.assets.price_history import price_history
from deals_pipeline.assets.recent_deals import recent_deals

recent_deals_job: Final = dg.define_asset_job(
    "recent_deals_job",
    [recent_deals, deals, published_deals],
    description="Read the watched selections and publish what they list.",
)
history_job: Final = dg.define_asset_job(
    "history_job", [price_history], description="Buy price histories of listed products."
)
backfill_job: Final = dg.define_asset_job(
    "backfill_job", [backfilled_deals], description="Read a shard of a wide selection, or go on reading it."
)
refresh_job: Final = dg.define_asset_job(
    "refresh_job",
    [recent_deals, price_history, deals, published_deals],
    description="The main job: read the watched selections, buy the histories of what they list, publish.",
)
