"""Eight processes that reserve, call, settle and are killed: no over-grant, no lost settlement, no error.

`LEDGER_STORM_SECONDS` sets how long (6 s), `LEDGER_STORM_SEED` which storm (each its own by default).
"""

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from random import SystemRandom

from deals_pipeline.keepa.tokens import TokenObservation
from deals_pipeline.simulator.account import AccountConfig
from deals_pipeline.simulator.store import SqliteStore
from deals_pipeline.token_bucket import bucket
from deals_pipeline.token_bucket.ledger import Change
from deals_pipeline.token_bucket.model import BucketState, Outcome
from deals_pipeline_tests.token_bucket.places import ACCOUNT, Place, PostgresPlace, SqlitePlace
from deals_pipeline_tests.token_bucket.storm import DEFICIT, Service

PROGRAM = Path(__file__).with_name("storm.py")
EVER = datetime(2000, 1, 1, tzinfo=timezone.utc)
SECONDS = float(os.environ.get("LEDGER_STORM_SECONDS", "6"))
SEED = int(os.environ.get("LEDGER_STORM_SEED") or SystemRandom().randrange(10_000))
TOKENS_PER_SECOND = {SqlitePlace: 3000, PostgresPlace: 600}
TICK_MS = 60_300


def test_in_a_storm_of_crashes_nothing_is_granted_twice_and_no_settlement_is_lost(place: Place, tmp_path: Path) -> None:
    service, reports = tmp_path / "service.db", tmp_path / "reports"
    reports.mkdir()
    # The tokens last for a third of the storm; a tick in its middle brings as many again.
    tokens = round(SECONDS * TOKENS_PER_SECOND[type(place)] / 3)
    started_at = round(time.time() * 1000 - TICK_MS + SECONDS * 1000 / 2)
    config = AccountConfig(seed=SEED, refill_rate=tokens, started_at=started_at, tokens=tokens)
    store = SqliteStore(service, config)

    command = [sys.executable, "-W", "error", str(PROGRAM), place.url, ACCOUNT, str(service), str(reports)]
    command += [str(SECONDS), str(SEED)]
    storm = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS + 60)
    assert (storm.returncode, storm.stderr) == (0, ""), f"LEDGER_STORM_SEED={SEED}"

    told = [line.split() for log in reports.glob("*.log") for line in log.read_text().splitlines()]
    acknowledged = {words[1]: int(words[2]) for words in told if words[0] == "settled"}
    voided = {words[1] for words in told if words[0] == "voided"}
    with closing(sqlite3.connect(service)) as connection:
        charged = dict(connection.execute("SELECT asin, at_ms FROM refreshed WHERE kind = 'product'").fetchall())

    ledger = place.open()
    seen = Service(service).answer()
    state, available = ledger.transact(partial(_look_last, seen))
    rows = place.execute("SELECT hold_id, outcome, tokens FROM token_settlement")
    ended = {each: {hold_id: tokens for hold_id, outcome, tokens in rows if outcome == each.value} for each in Outcome}
    with store.transaction() as tx:
        truth = tx.account

    assert acknowledged.items() <= ended[Outcome.SETTLED].items(), "no settlement is lost"
    assert ended[Outcome.SETTLED].items() <= charged.items(), "each is what the call cost"
    assert voided <= ended[Outcome.VOIDED].keys()
    assert charged.keys() <= ended[Outcome.SETTLED].keys() | ended[Outcome.EXPIRED].keys(), "every charge has its hold"
    assert not charged.keys() & ended[Outcome.VOIDED].keys()
    assert state.holds == (), "no hold outlives its life"
    assert available == seen.tokens_left, "at rest the ledger has the server's balance"
    assert ledger.record(EVER).left == truth.spent == sum(charged.values()), "every token that left was seen to leave"
    assert truth.refused == 0
    assert truth.balance >= -DEFICIT
    # The storm was one:
    killed = int(storm.stdout)
    assert killed >= SECONDS
    assert len(acknowledged) >= SECONDS
    assert ended[Outcome.EXPIRED]
    assert 0 < len(ledger.dead_leases()) <= killed


def _look_last(seen: TokenObservation, state: BucketState, now: datetime) -> Change[tuple[BucketState, int]]:
    """Take in a look from after the life of all holds."""
    later = max([now, *(hold.expires_at for hold in state.holds)])
    after, flow, expired = bucket.observe(state, seen, later, asked_at=later)
    return Change(after, (after, bucket.available_at(after, later)), expired, (flow,) if flow else ())
