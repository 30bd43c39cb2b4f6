"""What a deal is worth, computed in SQL from what is stored, at no tokens; docs/data.md describes the tables."""

from deals_pipeline.analytics.freshness import RefreshPlan
from deals_pipeline.analytics.recompute import Recomputed, bring_up_to_date, recompute

__all__ = ["Recomputed", "RefreshPlan", "bring_up_to_date", "recompute"]
