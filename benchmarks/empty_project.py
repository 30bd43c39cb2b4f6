"""Dagster definitions of one empty asset: what `dagster_overhead.py` compares the pipeline with."""

import dagster as dg


@dg.asset
def empty() -> None:
    """Do nothing."""


defs = dg.Definitions(assets=[empty], jobs=[dg.define_asset_job("empty_job", [empty])], executor=dg.in_process_executor)
