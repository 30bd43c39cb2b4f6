"""What the assets that spend tokens share: declaration, run config, buyer, and how a refusal fails the run."""

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

import dagster as dg
from pydantic import Field

from deals_pipeline import __version__
from deals_pipeline.assets.metadata import GROUP, OWNERS
from deals_pipeline.buying.buyer import Allowance, Buyer
from deals_pipeline.buying.outcome import Rejected
from deals_pipeline.config import Mode
from deals_pipeline.landing import Landing
from deals_pipeline.resources.keepa import KeepaResource
from deals_pipeline.resources.token_bucket import TokenBucketResource
from deals_pipeline.resources.warehouse import WarehouseResource
from deals_pipeline.token_bucket.reservation import BalanceUnknown

POOL: Final = "keepa_api"
"""The pool of all assets that spend: with a limit of 1, they take turns."""
TURN: Final = "spending.lock"
WAIT_MINUTES_MAX: Final = 1440


def spending_asset(
    *,
    deps: Sequence[dg.AssetsDefinition] = (),
    partitions_def: dg.PartitionsDefinition | None = None,
    output_required: bool = True,
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Declare an asset that spends tokens: alone in its pool, and into the warehouse."""
    return dg.asset(
        deps=deps,
        group_name=GROUP,
        owners=OWNERS,
        kinds={"keepa", "duckdb"},
        code_version=__version__,
        pool=POOL,
        tags={"spends": "tokens"},
        partitions_def=partitions_def,
        output_required=output_required,
    )


class SpendingConfig(dg.Config):
    """What a run may spend, and whether it may wait."""

    tokens_max: int | None = Field(
        default=None, ge=1, description="The most tokens to spend; all that the bucket grants."
    )
    wait_for_tokens: int = Field(
        default=0, ge=0, le=WAIT_MINUTES_MAX, description="Minutes to wait in place for tokens; 0 stops and says when."
    )


class ProductsConfig(SpendingConfig):
    """What a run may spend on products, and which of them it leaves out."""

    skip: list[str] = Field(
        default=[], description="Products to leave out, by stem: the planner's, of what was asked for in vain."
    )


@contextmanager
def buying(
    context: dg.AssetExecutionContext,
    config: SpendingConfig,
    token_bucket: TokenBucketResource,
    keepa: KeepaResource,
    warehouse: WarehouseResource,
) -> Iterator[Buyer]:
    """Hand out the buyer of a run when its turn has come; it has loaded what earlier ones had bought.

    A refusal fails the run.
    """
    run_id, clock, settings = context.run.run_id, token_bucket.clock, warehouse.settings
    if settings.mode is Mode.SIMULATED:
        context.log.info("No KEEPA_API_KEY: the simulator serves, and nothing here is real.")
    landing = Landing(settings.places.landing, run_id, clock)
    wait = timedelta(minutes=config.wait_for_tokens)
    with _turn(settings.places.home, context), closing(keepa.client(landing)) as client:
        allowance = Allowance.starting(clock.now(), tokens_max=config.tokens_max, wait=wait)
        bucket = token_bucket.bucket(client.token_status, run_id)
        buyer = Buyer(bucket, client, landing, warehouse, clock, allowance)
        buyer.load_landed()
        try:
            yield buyer
        except Rejected as refused:
            raise dg.Failure(f"Keepa refused: {refused}", allow_retries=False) from refused
        except BalanceUnknown as refused:
            said = f"Keepa refused: {refused}. Check KEEPA_API_KEY and the plan behind it"
            raise dg.Failure(said, allow_retries=False) from refused


@contextmanager
def _turn(home: Path, context: dg.AssetExecutionContext) -> Iterator[None]:
    """Spend alone while the block lasts, after whoever does now; the kernel ends the turn of a process that is dead.

    Dagster may grant the last place in a pool to two who ask for it within the same milliseconds: it looks for one that
    is free, and then takes it, whoever has it by then (`SqlEventLogStorage._claim_concurrency_slot`; on SQLite nothing
    is locked between the two). And a pool can be given more places by hand.
    """
    home.mkdir(parents=True, exist_ok=True)
    lock = os.open(home / TURN, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            context.log.info("Another run spends, although this one has a place in the pool: waiting until it ends.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def asked_at(context: dg.AssetExecutionContext, now: datetime) -> datetime:
    """Return when the run was asked for, which may be long before it started."""
    record = context.instance.get_run_record_by_id(context.run.run_id)
    return min(record.create_timestamp.astimezone(timezone.utc), now) if record else now
