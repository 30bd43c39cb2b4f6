"""The asset `deals`: the one table of all deals."""

import dagster as dg

from deals_pipeline import __version__
from deals_pipeline.assets.backfilled_deals import backfilled_deals
from deals_pipeline.assets.metadata import GROUP, OWNERS, bucket_metadata, table_metadata
from deals_pipeline.assets.recent_deals import recent_deals
from deals_pipeline.resources.token_bucket import TokenBucketResource
from deals_pipeline.resources.warehouse import WarehouseResource


@dg.asset(
    deps=[recent_deals, backfilled_deals], group_name=GROUP, owners=OWNERS, kinds={"duckdb"}, code_version=__version__
)
def deals(token_bucket: TokenBucketResource, warehouse: WarehouseResource) -> dg.MaterializeResult[None]:
    """One row per marketplace and ASIN that any scan listed: its newest observation, and whether it is gone.

    The union of recent and backfilled deals, a view: it is never older than these. Gone is what two complete scans did
    not list.
    """
    with warehouse.connect() as connection:
        table = table_metadata(connection, warehouse.settings, "deal")
        ((listed,),) = connection.sql("SELECT count(*) FROM deal WHERE gone_at IS NULL").fetchall()
    return dg.MaterializeResult(metadata={"deals_listed": int(listed)} | bucket_metadata(token_bucket.status()) | table)
