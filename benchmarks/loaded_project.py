"""The empty assets and checks of `hollow_project.py`, the pipeline imported: what is left if ours do nothing."""

import deals_pipeline.definitions
from benchmarks.hollow_project import defs

__all__ = ["deals_pipeline", "defs"]
