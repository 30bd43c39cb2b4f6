"""The assets that cost nothing: `deals`, the one table of all deals, and its snapshot for readers."""

import dagster as dg

from deals_pipeline import __version__
from deals_pipeline.assets.backfilled_deals import backfilled_deals
from deals_pipeline.assets.metadata import GROUP, OWNERS, bucket_metadata, file_metadata, table_metadata
from deals_pipeline.assets.price_history import price_history
from deals_pipeline.assets.recent_deals import recent_deals
from deals_pipeline.resources.token_bucket import TokenBucketResource
from deals_pipeline.resources.warehouse import WarehouseResource
from deals_pipeline.warehouse.publishing import publish


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


@dg.asset(
    deps=[deals, price_history],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"parquet", "csv"},
    code_version=__version__,
)
def published_deals(token_bucket: TokenBucketResource, warehouse: WarehouseResource) -> dg.MaterializeResult[None]:
    """Snapshot of `deals` as Parquet and CSV, for whoever must not open the warehouse; replaced as a whole.

    In the CSV, a text that a spreadsheet would take for a formula begins with an apostrophe.
    """
    settings = warehouse.settings
    with warehouse.connect() as connection:
        parquet, csv = publish(connection, settings.places.published)
        table = table_metadata(connection, settings, "deal")
    files = file_metadata({"parquet": parquet, "csv": csv})
    return dg.MaterializeResult(
        metadata={"dagster/uri": parquet.as_uri()} | files | bucket_metadata(token_bucket.status()) | table
    )
