"""The jobs: which assets are materialized together."""

from typing import Final

import dagster as dg

from deals_pipeline.assets.backfilled_deals import backfilled_deals
from deals_pipeline.assets.deal_metrics import deal_metrics
from deals_pipeline.assets.deals import deals
from deals_pipeline.assets.deals_report import deals_report
from deals_pipeline.assets.live_offers import live_offers
from deals_pipeline.assets.price_history import price_history
from deals_pipeline.assets.published_deals import published_deals
from deals_pipeline.assets.recent_deals import recent_deals

recent_deals_job: Final = dg.define_asset_job(
    "recent_deals_job",
    [recent_deals, deals, deal_metrics, published_deals, deals_report],
    description="Read the watched selections and publish what they list.",
)
history_job: Final = dg.define_asset_job(
    "history_job",
    [price_history, deal_metrics],
    description="Buy price histories of listed products that their page does not reject, best first.",
)
offers_job: Final = dg.define_asset_job(
    "offers_job",
    [live_offers, deal_metrics],
    description="Buy live offers of deals that survive screening, best first.",
)
backfill_job: Final = dg.define_asset_job(
    "backfill_job", [backfilled_deals], description="Read a shard of a wide selection, or go on reading it."
)
refresh_job: Final = dg.define_asset_job(
    "refresh_job",
    [recent_deals, price_history, live_offers, deals, deal_metrics, published_deals, deals_report],
    description="The main job: read the watched selections, buy histories and offers of what is worth it, publish.",
)
