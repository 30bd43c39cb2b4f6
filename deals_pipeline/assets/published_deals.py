"""The asset `published_deals`: snapshots for readers, who must not open the warehouse."""

import dagster as dg

from deals_pipeline import __version__
from deals_pipeline.assets.deal_metrics import deal_metrics
from deals_pipeline.assets.deals import deals
from deals_pipeline.assets.metadata import GROUP, OWNERS, Metadata, bucket_metadata, file_metadata, table_metadata
from deals_pipeline.assets.price_history import price_history
from deals_pipeline.resources.token_bucket import TokenBucketResource
from deals_pipeline.resources.warehouse import WarehouseResource
from deals_pipeline.warehouse.publishing import deals_columns, publish, publish_histories


@dg.asset(
    deps=[deals, price_history, deal_metrics],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"parquet", "csv"},
    code_version=__version__,
)
def published_deals(token_bucket: TokenBucketResource, warehouse: WarehouseResource) -> dg.MaterializeResult[None]:
    """Snapshots for whoever must not open the warehouse: `deals` and its metrics as Parquet and CSV, price histories.

    Each file is replaced as a whole; those of histories, one for each marketplace with a row for each point, only where
    they changed, and every six hours at most. In the CSV, an apostrophe stands before what a spreadsheet would take for
    a formula.
    """
    settings = warehouse.settings
    with warehouse.connect() as connection:
        parquet, csv = publish(connection, settings.places.published)
        columns = [dg.TableColumn(each.name, each.kind, each.comment) for each in deals_columns(connection)]
        table = table_metadata(connection, settings, "deal")
    histories = publish_histories(warehouse.connect, settings.places.published, token_bucket.clock.now())
    files = {"parquet": parquet, "csv": csv} | {f"price_history_{path.stem}": path for path in histories.files}
    told: Metadata = {"dagster/uri": parquet.as_uri(), "histories_written": len(histories.written)}
    schema: Metadata = {"dagster/column_schema": dg.MetadataValue.table_schema(dg.TableSchema(columns))}
    return dg.MaterializeResult(
        metadata=told | file_metadata(files) | bucket_metadata(token_bucket.status()) | table | schema
    )
