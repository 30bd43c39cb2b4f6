"""The asset `deals_report`: the page that a reseller opens in the morning."""

import dagster as dg

from deals_pipeline import __version__
from deals_pipeline.assets.deal_metrics import deal_metrics
from deals_pipeline.assets.live_offers import live_offers
from deals_pipeline.assets.metadata import GROUP, OWNERS, bucket_metadata, file_metadata
from deals_pipeline.report import publish_report, read_deals
from deals_pipeline.resources.token_bucket import TokenBucketResource
from deals_pipeline.resources.warehouse import WarehouseResource
from deals_pipeline.state import gather


@dg.asset(deps=[deal_metrics, live_offers], group_name=GROUP, owners=OWNERS, kinds={"html"}, code_version=__version__)
def deals_report(token_bucket: TokenBucketResource, warehouse: WarehouseResource) -> dg.MaterializeResult[None]:
    """Page in one file that asks no network: the deals, best expected profit first, with the reasoning in numbers.

    One can sort, search and filter them; each shows its costs line by line, and a chart of its history with the
    inferred sales. Above stands the state of the pipeline. All deals that survive screening are in it, and the best of
    the rest.
    """
    settings = warehouse.settings
    with warehouse.connect() as connection:
        deals = read_deals(connection)
        state = gather(connection, token_bucket.ledger, settings, token_bucket.status().at)
    path = publish_report(deals, state, settings.places.published, settings.places.cache)
    told = {"deals_shown": deals.shown, "deals_worth_buying": deals.worth_buying, "deals_left_out": deals.left_out}
    return dg.MaterializeResult(
        metadata={"dagster/uri": path.as_uri(), "mode": settings.mode.value}
        | told
        | file_metadata({"html": path})
        | bucket_metadata(state.bucket)
    )
