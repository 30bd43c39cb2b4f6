"""The asset `price_history`: what listed products cost, ranked and sold, over three years."""

import dagster as dg

from deals_pipeline.assets.backfilled_deals import backfilled_deals
from deals_pipeline.assets.metadata import (
    OF_OFFERS,
    OF_PAGES,
    bucket_metadata,
    coverage_metadata,
    outcome_metadata,
    table_metadata,
)
from deals_pipeline.assets.recent_deals import recent_deals
from deals_pipeline.assets.spending import ProductsConfig, buying, spending_asset
from deals_pipeline.buying.histories import buy_histories
from deals_pipeline.resources.keepa import KeepaResource
from deals_pipeline.resources.token_bucket import TokenBucketResource
from deals_pipeline.resources.warehouse import WarehouseResource
from deals_pipeline.warehouse.statements import statement


class PriceHistoryConfig(ProductsConfig):
    """What a run may spend on histories."""


@spending_asset(deps=[recent_deals, backfilled_deals])
def price_history(
    context: dg.AssetExecutionContext,
    config: PriceHistoryConfig,
    token_bucket: TokenBucketResource,
    keepa: KeepaResource,
    warehouse: WarehouseResource,
) -> dg.MaterializeResult[None]:
    """One row per marketplace, ASIN and price type: its points in time; 1 token buys all of a product.

    First what has none, the largest drops first; then what moved since its last one. What Keepa does not know, or sends
    malformed, is tried again later and later.
    """
    settings = warehouse.settings
    with buying(context, config, token_bucket, keepa, warehouse) as buyer:
        outcome = buy_histories(buyer, settings.budget.intervals.history, config.skip)
    with warehouse.connect() as connection:
        table = table_metadata(connection, settings, "price_history")
        ((covered,),) = connection.execute(statement("history_coverage")).fetchall()
    told = outcome_metadata(outcome, without=OF_PAGES | OF_OFFERS) | coverage_metadata(covered)
    return dg.MaterializeResult(metadata=told | bucket_metadata(token_bucket.status()) | table)
