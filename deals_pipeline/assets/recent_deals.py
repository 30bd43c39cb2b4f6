"""The asset `recent_deals`: what the watched selections list now."""

import dagster as dg
from pydantic import Field

from deals_pipeline.assets.metadata import (
    OF_OFFERS,
    OF_PRODUCTS,
    bucket_metadata,
    coverage_metadata,
    outcome_metadata,
    table_metadata,
)
from deals_pipeline.assets.spending import SpendingConfig, asked_at, buying, spending_asset
from deals_pipeline.buying.feeds import Reading, read_feeds
from deals_pipeline.config import ConfigError, RecentSelection, Settings
from deals_pipeline.resources.keepa import KeepaResource
from deals_pipeline.resources.token_bucket import TokenBucketResource
from deals_pipeline.resources.warehouse import WarehouseResource
from deals_pipeline.warehouse.quality import coverage


class RecentDealsConfig(SpendingConfig):
    """Which selections to read, and how much of them."""

    reading: Reading = Field(
        default=Reading.DUE,
        description="DUE: all pages if a full scan is due, else the head. HEAD: until nothing is new. FULL: all pages.",
    )
    selections: list[str] = Field(default=[], description="Names of [[recent]] in deals.toml; none means all.")


@spending_asset()
def recent_deals(
    context: dg.AssetExecutionContext,
    config: RecentDealsConfig,
    token_bucket: TokenBucketResource,
    keepa: KeepaResource,
    warehouse: WarehouseResource,
) -> dg.MaterializeResult[None]:
    """One row per marketplace and ASIN that a watched selection listed: its newest observation.

    Head scans every few minutes find what is new; full scans, as their share of the refill allows, prove what is still
    listed. A page of 150 deals costs 5 tokens. A run that stops for tokens succeeds, with all that it read stored.
    """
    settings = warehouse.settings
    selections = chosen(settings, config.selections)
    with buying(context, config, token_bucket, keepa, warehouse) as buyer:
        interval = settings.budget.intervals.full_scan
        outcome = read_feeds(buyer, selections, config.reading, interval, asked_at(context, buyer.clock.now()))
    with warehouse.connect() as connection:
        table = table_metadata(connection, settings, "recent_deal")
        covered = coverage(connection, settings.places.landing, settings.recent).numbers["coverage"]
    told = outcome_metadata(outcome, without=OF_PRODUCTS | OF_OFFERS) | coverage_metadata(covered)
    return dg.MaterializeResult(metadata=told | bucket_metadata(token_bucket.status()) | table)


def chosen(settings: Settings, names: list[str]) -> tuple[RecentSelection, ...]:
    """Return the selections of these names, all if there are none. Raises `ConfigError`."""
    known = {selection.name: selection for selection in settings.recent}
    for name in names:
        if name not in known:
            raise ConfigError(f"run config: selections = {name}: allowed are {', '.join(known)}")
    return tuple(known[name] for name in names) or settings.recent
