"""States, settlements and changes for the tests of the ledgers."""

from datetime import datetime, timedelta, timezone

from deals_pipeline.keepa.tokens import Cost
from deals_pipeline.token_bucket import bucket
from deals_pipeline.token_bucket.ledger import Change, Ledger
from deals_pipeline.token_bucket.model import (
    Amount,
    Ask,
    BucketState,
    Decision,
    Flow,
    Hold,
    Lane,
    Observation,
    Outcome,
    Settlement,
)

START = datetime.now(timezone.utc).replace(microsecond=123456) - timedelta(days=1)
PURPOSE = "Kopfhörer 'quoted' \U0001f600"
ASK = Ask(Lane.HISTORY, Cost(1, 3), "product", 1, Amount(0), Amount(10))


def hold(hold_id: str, *, lane: Lane = Lane.RECENT, run_id: str = "run-1", high: int = 7) -> Hold:
    return Hold(
        hold_id=hold_id,
        run_id=run_id,
        lane=lane,
        purpose=PURPOSE,
        kind="product+offers",
        units=3,
        cost=Cost(2, 7),
        high=high,
        reserved_at=START,
        expires_at=START + timedelta(seconds=180),
    )


FULL_STATE = BucketState(
    observation=Observation(
        server_time=START,
        received_at=START + timedelta(microseconds=1),
        tokens_left=-42,
        refill_in=timedelta(milliseconds=59_999),
        reduction=2,
    ),
    rates=(5, 20, 20),
    tick=timedelta(seconds=60.2875),
    holds=(hold("hold-1"), hold("hold-2", lane=Lane.BACKFILL)),
    bounds={"product+offers": 13, "deal": 5},
    revoked=frozenset({"run-8", "run-9"}),
)


def settlement(
    hold_id: str,
    at: datetime = START,
    *,
    tokens: int | None = 5,
    outcome: Outcome = Outcome.SETTLED,
    lane: Lane = Lane.RECENT,
    run_id: str = "run-1",
) -> Settlement:
    return Settlement(hold(hold_id, lane=lane, run_id=run_id), outcome, tokens, at)


def flow(at: datetime = START, *, left: int = 0, lost: int = 0) -> Flow:
    return Flow(at, 100, 5, left=left, lost=lost)


def write(ledger: Ledger, *settlements: Settlement, flows: tuple[Flow, ...] = (), throttled: int = 0) -> None:
    ledger.transact(lambda state, _: Change(state, None, settlements, flows, throttled))


def put(ledger: Ledger, state: BucketState) -> None:
    ledger.transact(lambda _, __: Change(state, None))


def reserve(ledger: Ledger, run_id: str) -> Decision:
    def change(state: BucketState, now: datetime) -> Change[Decision]:
        after, decision = bucket.reserve(state, ASK, now, hold_id=f"of-{run_id}", run_id=run_id, purpose="test")
        return Change(after, decision)

    return ledger.transact(change)
