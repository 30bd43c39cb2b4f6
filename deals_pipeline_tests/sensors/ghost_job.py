"""Runs to be killed: a code location, whose jobs `dagster job execute` runs in processes of their own.

Each says in a file named for it, in the folder GHOST_FOLDER, how far it is: `started` before it takes its lease,
`working` when it has a place in the pool. It takes its lease when there is a file `<job>.lease`, and ends when there is
one `<job>.end`.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from deals_pipeline.assets.spending import POOL
from deals_pipeline.clock import SystemClock
from deals_pipeline.config import load_settings
from deals_pipeline.resources.token_bucket import TokenBucketResource

FOLDER = Path(os.environ["GHOST_FOLDER"])
SECONDS_MAX = 60.0


def wait_for_file(name: str) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not (FOLDER / name).exists():
        assert time.monotonic() < deadline, name
        time.sleep(0.02)


class PausingTokenBucket(TokenBucketResource):
    """Takes its lease when told to."""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[TokenBucketResource]:
        if context.run is not None:
            (FOLDER / f"{context.run.job_name}.started").write_text(context.run.run_id)
            wait_for_file(f"{context.run.job_name}.lease")
        with super().yield_for_execution(context) as bucket:
            yield bucket


@dg.asset(pool=POOL)
def spending(context: dg.AssetExecutionContext, token_bucket: PausingTokenBucket) -> None:
    assert token_bucket.ledger.dead_leases() == ()
    (FOLDER / f"{context.run.job_name}.working").write_text(context.run.run_id)
    wait_for_file(f"{context.run.job_name}.end")


defs = dg.Definitions(
    assets=[spending],
    jobs=[dg.define_asset_job(name, [spending]) for name in ("one_job", "other_job")],
    resources={"token_bucket": PausingTokenBucket(settings=load_settings(), clock=SystemClock())},
    executor=dg.in_process_executor,
)
