"""The settings: `deals.toml` and the environment, validated as a whole. No Dagster, no network, nothing written."""

from deals_pipeline.config.environment import Mode, Places
from deals_pipeline.config.loading import Settings, load_settings
from deals_pipeline.config.sections import Budget, Intervals, Marketplace, Retention, Shares
from deals_pipeline.config.selections import BackfillSelection, RecentSelection, Shard
from deals_pipeline.config.values import ConfigError

__all__ = [
    "BackfillSelection",
    "Budget",
    "ConfigError",
    "Intervals",
    "Marketplace",
    "Mode",
    "Places",
    "RecentSelection",
    "Retention",
    "Settings",
    "Shard",
    "Shares",
    "load_settings",
]
