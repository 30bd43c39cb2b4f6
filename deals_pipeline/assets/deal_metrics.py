"""The asset `deal_metrics`: what each deal would bring, and whether it is worth buying; computed, never bought."""

import dagster as dg
from duckdb import DuckDBPyConnection

from deals_pipeline import __version__
from deals_pipeline.analytics import RefreshPlan, bring_up_to_date
from deals_pipeline.analytics.recompute import statement
from deals_pipeline.assets.deals import deals
from deals_pipeline.assets.live_offers import live_offers
from deals_pipeline.assets.metadata import GROUP, OWNERS, Metadata, bucket_metadata, table_metadata
from deals_pipeline.assets.price_history import price_history
from deals_pipeline.resources.token_bucket import TokenBucketResource
from deals_pipeline.resources.warehouse import WarehouseResource


@dg.asset(
    deps=[deals, price_history, live_offers],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"duckdb"},
    code_version=__version__,
)
def deal_metrics(token_bucket: TokenBucketResource, warehouse: WarehouseResource) -> dg.MaterializeResult[None]:
    """One row per deal: inferred sales, estimated list price, costs, profit, trends, and the outcome of screening.

    Computed for all deals from what is stored, at 0 tokens. It also plans how often each history is bought again: the
    most valuable most often, as the refill allows; what the tokens cannot keep fresh is counted in the metadata.
    """
    settings = warehouse.settings
    with warehouse.connect() as connection:
        computed = bring_up_to_date(connection, settings, token_bucket.status())
        table = table_metadata(connection, settings, "deal_metrics")
        screened = screening_metadata(connection)
    told = {"sales_inferred_anew": computed.products} | freshness_metadata(computed.freshness) | screened
    return dg.MaterializeResult(metadata=told | bucket_metadata(token_bucket.status()) | table)


def freshness_metadata(plan: RefreshPlan) -> Metadata:
    """Return how many products the tokens keep fresh and how many not, of those whose history was bought."""
    return {
        "kept_fresh": plan.fresh,
        "refreshed_less_often": plan.rarer,
        "not_kept_fresh": plan.never,
        "refreshes_per_day": round(plan.refreshes_per_day, 1),
        "refreshes_wanted_per_day": round(plan.wanted_per_day, 1),
    }


def screening_metadata(connection: DuckDBPyConnection) -> Metadata:
    """Return how many listed deals each stage was asked about, and which share of these passed it."""
    metadata: Metadata = {}
    for stage, asked, passed in connection.execute(statement("screening_stages")).fetchall():
        metadata |= {f"{stage}_asked": asked, f"{stage}_passed": passed}
        if asked:
            metadata[f"{stage}_conversion"] = round(passed / asked, 4)
    return metadata
