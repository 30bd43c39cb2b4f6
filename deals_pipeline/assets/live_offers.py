"""The asset `live_offers`: who offers now what looks profitable, for how much, and how good a seller that is."""

import dagster as dg

from deals_pipeline.analytics import bring_up_to_date
from deals_pipeline.assets.metadata import (
    OF_PAGES,
    bucket_metadata,
    coverage_metadata,
    outcome_metadata,
    table_metadata,
)
from deals_pipeline.assets.price_history import price_history
from deals_pipeline.assets.spending import ProductsConfig, buying, spending_asset
from deals_pipeline.buying.offers import buy_offers, offers_coverage
from deals_pipeline.resources.keepa import KeepaResource
from deals_pipeline.resources.token_bucket import TokenBucketResource
from deals_pipeline.resources.warehouse import WarehouseResource


class LiveOffersConfig(ProductsConfig):
    """What a run may spend on live offers."""


@spending_asset(deps=[price_history])
def live_offers(
    context: dg.AssetExecutionContext,
    config: LiveOffersConfig,
    token_bucket: TokenBucketResource,
    keepa: KeepaResource,
    warehouse: WarehouseResource,
) -> dg.MaterializeResult[None]:
    """One row per live offer of a deal that survives screening, by its newest answer, for 5 to 12 tokens a deal.

    The largest expected profit first; again where the used price has moved since, or after a day. Of the cheapest used
    offer that can be bought the seller is bought too, for 1 token a week.
    """
    interval = warehouse.settings.budget.intervals.offers
    with buying(context, config, token_bucket, keepa, warehouse) as buyer:
        with warehouse.connect() as connection:  # what this very run has bought decides who survives
            bring_up_to_date(connection, warehouse.settings, token_bucket.status())
        outcome = buy_offers(buyer, interval, config.skip)
    with warehouse.connect() as connection:
        table = table_metadata(connection, warehouse.settings, "live_offer")
        covered = offers_coverage(connection, buyer.clock.now(), interval)
    told = outcome_metadata(outcome, without=OF_PAGES) | coverage_metadata(covered.share)
    told |= {"survivors": covered.survivors, "survivors_without_fresh_offer": covered.survivors - covered.fresh}
    return dg.MaterializeResult(metadata=told | bucket_metadata(token_bucket.status()) | table)
