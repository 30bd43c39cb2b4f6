"""States of a pipeline, for the tests of what is made of them."""

from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from deals_pipeline.config import Mode
from deals_pipeline.state import (
    Counts,
    FreshnessPlan,
    Hour,
    Next,
    PipelineState,
    Rejection,
    Screening,
    Stuck,
    WatchedSelection,
    gather,
)
from deals_pipeline.state.funding import Funding
from deals_pipeline.token_bucket.ledger import Record, Spend, account_of
from deals_pipeline.token_bucket.ledgers import open_ledger
from deals_pipeline.token_bucket.model import BucketState, Observation, Policy
from deals_pipeline.token_bucket.status import BucketStatus, status
from deals_pipeline.warehouse.connection import connect
from deals_pipeline.warehouse.quality import Finding
from deals_pipeline.warehouse.schema import migrate
from deals_pipeline.work import Work
from deals_pipeline_tests.dagster_world import DagsterWorld

NOW = datetime(2026, 3, 2, 12, 30, tzinfo=timezone.utc)
RATE = 5
HEAD = timedelta(minutes=15)
FULL = timedelta(hours=4)


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def a_bucket(tokens_left: int = 40, *, rate: int = RATE) -> BucketStatus:
    """Return a bucket of whose balance Keepa has just told; 300 tokens were spent today."""
    seen = Observation(NOW, NOW, tokens_left, timedelta(seconds=30), reduction=0)
    spends = (
        Spend("recent", "run-1", Work.HEAD_SCAN.value, calls=20, tokens=100, unknown=0, overshoots=0),
        Spend("history", "run-2", Work.HISTORY.value, calls=10, tokens=200, unknown=0, overshoots=0),
    )
    record = Record(spends, left=307, lost=11, throttled=2)
    return status(BucketState(observation=seen, rates=(rate,) * 5), record, Policy(), NOW)


def an_hour(back: int = 0, **fields: Any) -> Hour:  # noqa: ANN401 (passed on)
    """Return the hour of `NOW`, or one before it, in which all was well."""
    start = NOW.replace(minute=0) - timedelta(hours=back)
    values: dict[str, Any] = {
        "spent": {Work.HISTORY.value: 290},
        "foreign": 0,
        "lost": 0,
        "calls": 12,
        "throttled": 0,
        "balance": 40,
        "lowest": 3,
    }
    return Hour(start, **values | fields)


def a_state(**fields: Any) -> PipelineState:  # noqa: ANN401 (passed on)
    """Return the state of a pipeline that goes as it should, but for some fields."""
    state = PipelineState(
        at=NOW,
        mode=Mode.SIMULATED,
        served_by="the simulator",
        bucket=a_bucket(),
        hours=tuple(an_hour(back) for back in range(47, -1, -1)),
        funding=Funding(timedelta(minutes=4), None),
        selections=(
            WatchedSelection(
                name="used-books",
                marketplace="US",
                head_scan_at=ago(minutes=5),
                head_scan_due_at=NOW + timedelta(minutes=10),
                full_scan_at=ago(hours=2),
                full_scan_due_at=NOW + timedelta(hours=2),
                pages=6,
                page=0,
            ),
        ),
        coverage=Finding(True, "used-books: 0 of 753 listed deals are not stored", {"coverage": 1.0}),
        newest_deal_at=ago(minutes=6),
        seen_at=ago(minutes=5),
        full_scan_at=ago(hours=2),
        first_answer_at=ago(days=3),
        brought_at=ago(minutes=5),
        rows_today=4500,
        counts=Counts(753, 20, 100, 260, 1_100_207, 6, 1),
        screening=Screening({"history": 7, "page": 90}, (Rejection("page", "does not sell", 656),), 7, 0),
        freshness=FreshnessPlan(timedelta(days=1), fresh=100, rarer=40, never=3),
        pending={Work.HEAD_SCAN: 0, Work.FULL_SCAN: 0, Work.HISTORY: 40, Work.OFFERS: 2, Work.BACKFILL: 5},
        next=Next(NOW + timedelta(minutes=2), Work.HISTORY, "history of 25 products"),
        stuck=Stuck({}, 0, (), 0, 0),
        head_scan_interval=HEAD,
        full_scan_interval=FULL,
    )
    return replace(state, **fields)


def state_of(world: DagsterWorld) -> PipelineState:
    """Return the state of a world, as anybody would gather it."""
    settings = world.settings
    with (
        closing(open_ledger(settings.places.ledger, account_of(settings.key), world.clock)) as ledger,
        connect(settings.places.warehouse) as connection,
    ):
        migrate(connection)
        return gather(connection, ledger, settings, world.clock.now())
