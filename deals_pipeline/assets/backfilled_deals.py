"""The asset `backfilled_deals`: wide selections, worked off in shards."""

from collections.abc import Iterator
from typing import Final

import dagster as dg

from deals_pipeline.assets.metadata import (
    OF_OFFERS,
    OF_PRODUCTS,
    bucket_metadata,
    coverage_metadata,
    outcome_metadata,
    table_metadata,
)
from deals_pipeline.assets.spending import SpendingConfig, buying, spending_asset
from deals_pipeline.buying.outcome import StoppedBy
from deals_pipeline.buying.shards import UnknownShard, read_shard, shard_named, shard_states
from deals_pipeline.config import Settings
from deals_pipeline.resources.keepa import KeepaResource
from deals_pipeline.resources.token_bucket import TokenBucketResource
from deals_pipeline.resources.warehouse import WarehouseResource

SHARDS: Final = dg.DynamicPartitionsDefinition(name="shard")


def announce_shards(instance: dg.DagsterInstance, settings: Settings) -> None:
    """Make the first shards of each selection partitions, unless it has some."""
    name = SHARDS.name or ""
    there = {key.partition("_")[0] for key in instance.get_dynamic_partitions(name)}
    new = [shard.key for selection in settings.backfill if selection.name not in there for shard in selection.shards()]
    instance.add_dynamic_partitions(name, new)


class BackfilledDealsConfig(SpendingConfig):
    """What a run may spend on a shard."""


@spending_asset(partitions_def=SHARDS, output_required=False)
def backfilled_deals(
    context: dg.AssetExecutionContext,
    config: BackfilledDealsConfig,
    token_bucket: TokenBucketResource,
    keepa: KeepaResource,
    warehouse: WarehouseResource,
) -> Iterator[dg.MaterializeResult[None]]:
    """One row per marketplace and ASIN that a shard of a wide selection listed: its newest observation.

    A partition is a shard: a category and a price band. It is materialized when it was read to its end, over as
    many runs as its tokens take; one that shows more than 10 000 deals is cut in two. Until then a run observes how far
    it came.
    """
    settings = warehouse.settings
    try:
        shard = shard_named(context.partition_key, settings.backfill)
    except UnknownShard as unknown:
        raise dg.Failure(str(unknown), allow_retries=False) from unknown
    context.instance.add_dynamic_partitions(SHARDS.name or "", [shard.key])
    with buying(context, config, token_bucket, keepa, warehouse) as buyer:
        outcome = read_shard(buyer, shard)
    metadata = outcome_metadata(outcome, without=OF_PRODUCTS | OF_OFFERS) | bucket_metadata(token_bucket.status())
    if outcome.stopped_by is StoppedBy.TOO_WIDE:
        halves = [half.key for half in shard.halves()]
        context.instance.add_dynamic_partitions(SHARDS.name or "", halves)
        metadata["cut_into"] = ", ".join(halves)
    with warehouse.connect() as connection:
        states = [state for selection in settings.backfill for state in shard_states(connection, selection)]
        metadata |= table_metadata(connection, settings, "backfilled_deal")
    metadata |= coverage_metadata(sum(state.is_complete for state in states) / len(states))
    if outcome.stopped_by is StoppedBy.COMPLETE:
        yield dg.MaterializeResult(metadata=metadata)
    else:
        context.log.info("%s is not complete: %s", shard.key, outcome.reason)
        context.log_event(dg.AssetObservation(context.asset_key, partition=shard.key, metadata=metadata))
