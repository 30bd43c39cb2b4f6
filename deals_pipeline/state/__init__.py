"""The state of the pipeline: one view of each number, for the terminal, the report and the checks (F64). No Dagster."""

from deals_pipeline.state.gathering import gather
from deals_pipeline.state.model import (
    Counts,
    FreshnessPlan,
    Hour,
    Next,
    PipelineState,
    Rejection,
    Screening,
    Stuck,
    WatchedSelection,
)
from deals_pipeline.state.progress import progress

__all__ = (
    "Counts",
    "FreshnessPlan",
    "Hour",
    "Next",
    "PipelineState",
    "Rejection",
    "Screening",
    "Stuck",
    "WatchedSelection",
    "gather",
    "progress",
)
