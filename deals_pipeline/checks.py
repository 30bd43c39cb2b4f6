"""The asset checks: whether the data can be believed, and whether the pipeline progresses (F23).

Each is a finding of `warehouse.quality` on the warehouse, the ledger and the settings. They spend nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeAlias

import dagster as dg
from duckdb import DuckDBPyConnection

from deals_pipeline.assets.backfilled_deals import backfilled_deals
from deals_pipeline.assets.deals import deals
from deals_pipeline.assets.recent_deals import recent_deals
from deals_pipeline.config import Settings
from deals_pipeline.resources.token_bucket import TokenBucketResource
from deals_pipeline.resources.warehouse import WarehouseResource
from deals_pipeline.state import gather, progress
from deals_pipeline.warehouse import quality
from deals_pipeline.warehouse.quality import Finding

LEDGER_WINDOW: Final = timedelta(days=30)

Examine: TypeAlias = Callable[[DuckDBPyConnection, TokenBucketResource, Settings], Finding]


@dataclass(frozen=True, slots=True)
class _Check:
    name: str
    description: str
    severity: dg.AssetCheckSeverity
    examine: Examine


def _checks(asset: dg.AssetsDefinition, *checks: _Check) -> dg.AssetChecksDefinition:
    """Return the checks of an asset as one step, which opens the warehouse once."""
    known = {check.name: check for check in checks}
    specs = [dg.AssetCheckSpec(check.name, asset=asset, description=check.description) for check in checks]

    @dg.multi_asset_check(name=f"checks_of_{asset.key.to_python_identifier()}", specs=specs, can_subset=True)
    def examined(
        context: dg.AssetCheckExecutionContext, token_bucket: TokenBucketResource, warehouse: WarehouseResource
    ) -> Iterator[dg.AssetCheckResult]:
        with warehouse.connect() as connection:
            for key in sorted(context.selected_asset_check_keys):
                check = known[key.name]
                found = check.examine(connection, token_bucket, warehouse.settings)
                yield dg.AssetCheckResult(
                    check_name=check.name,
                    asset_key=asset.key,
                    passed=found.passed,
                    severity=check.severity,
                    description=found.detail,
                    metadata=dict(found.numbers),
                )

    return examined


def _freshness(connection: DuckDBPyConnection, bucket: TokenBucketResource, settings: Settings) -> Finding:
    interval = settings.budget.intervals.full_scan
    return quality.freshness(connection, settings.recent, interval, bucket.clock.now())


def _ledger_agreement(connection: DuckDBPyConnection, bucket: TokenBucketResource, settings: Settings) -> Finding:
    """Compare over no more days than answers are kept for: a warehouse that was made again knows no others."""
    window = min(LEDGER_WINDOW, timedelta(days=settings.retention.landing_days))
    is_shared = settings.places.ledger_url is not None
    return quality.ledger_agreement(connection, bucket.ledger, window, is_shared=is_shared)


def _progresses(connection: DuckDBPyConnection, bucket: TokenBucketResource, settings: Settings) -> Finding:
    return progress(gather(connection, bucket.ledger, settings, bucket.clock.now()))


CHECKS: Final = (
    _checks(
        deals,
        _Check(
            "each_deal_once",
            "Each marketplace and ASIN is one row.",
            dg.AssetCheckSeverity.ERROR,
            lambda connection, _bucket, _settings: quality.unique(connection),
        ),
        _Check(
            "no_time_ahead_of_the_server",
            "No deal was found or changed later than Keepa's own clock stood when it told so.",
            dg.AssetCheckSeverity.ERROR,
            lambda connection, _bucket, _settings: quality.plausible_times(connection),
        ),
    ),
    _checks(
        recent_deals,
        _Check(
            "what_was_listed_is_stored",
            "What the last complete scan of each selection listed, by its landed answers, is stored: 99.9 % at least.",
            dg.AssetCheckSeverity.ERROR,
            lambda connection, _bucket, settings: quality.coverage(
                connection, settings.places.landing, settings.recent
            ),
        ),
        _Check(
            "seen_recently",
            "A deal was seen, or a scan came to its end, within twice the time between full scans.",
            dg.AssetCheckSeverity.ERROR,
            _freshness,
        ),
        _Check(
            "progresses",
            "What may be expected of the tokens comes: answers, full scans, and tokens are spent, not lost or refused.",
            dg.AssetCheckSeverity.ERROR,
            _progresses,
        ),
        _Check(
            "in_the_order_asked_for",
            "The newest scan of each selection came in the order that head scans rely on.",
            dg.AssetCheckSeverity.WARN,
            lambda connection, _bucket, settings: quality.feed_order(connection, settings.recent),
        ),
        _Check(
            "few_put_aside",
            "Of the items that came in the last day, at most 1 % were malformed and put aside.",
            dg.AssetCheckSeverity.WARN,
            lambda connection, bucket, _settings: quality.quarantine_rate(connection, bucket.clock.now()),
        ),
        _Check(
            "ledger_agrees_with_answers",
            "Each run of the last 30 days was charged what its landed answers say that they cost.",
            dg.AssetCheckSeverity.WARN,
            _ledger_agreement,
        ),
        _Check(
            "within_estimates",
            "No call of the last day cost more than was held for it.",
            dg.AssetCheckSeverity.WARN,
            lambda _connection, bucket, _settings: quality.estimates(bucket.ledger),
        ),
    ),
    _checks(
        backfilled_deals,
        _Check(
            "shards_are_whole",
            "No shard shows more than the 10 000 deals that Keepa lists, unless it was cut since.",
            dg.AssetCheckSeverity.WARN,
            lambda connection, _bucket, _settings: quality.whole_shards(connection),
        ),
    ),
)
