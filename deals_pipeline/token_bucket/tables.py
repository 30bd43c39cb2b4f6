"""The tables of both ledgers, in the SQL that SQLite and Postgres have in common.

Nothing here begins or ends a transaction.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import msgspec

from deals_pipeline.token_bucket.ledger import RETENTION, Change, Lease, Record, Spend
from deals_pipeline.token_bucket.model import BucketState, Flow, Settlement

TRIMMED_ROWS_MAX: Final = 500
"""How many rows of each table one transaction deletes at most."""
TRIMMED_EVERY: Final = timedelta(hours=1)

SELECT_STATE: Final = "SELECT state FROM token_bucket WHERE account = ?"
UPSERT_STATE: Final = """
    INSERT INTO token_bucket (account, state) VALUES (?, ?)
    ON CONFLICT (account) DO UPDATE SET state = excluded.state
"""
INSERT_SETTLEMENT: Final = """
    INSERT INTO token_settlement (
      hold_id, account, run_id, lane, purpose, kind, units, cost_low, cost_high, high,
      reserved_at, expires_at, outcome, tokens, resolved_at
    ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
INSERT_FLOW: Final = """
    INSERT INTO token_flow (account, observed_at, tokens_left, refill_rate, left_tokens, lost_tokens)
    VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (account, observed_at) DO UPDATE SET
      tokens_left = excluded.tokens_left,
      refill_rate = excluded.refill_rate,
      left_tokens = token_flow.left_tokens + excluded.left_tokens,
      lost_tokens = token_flow.lost_tokens + excluded.lost_tokens
"""
INSERT_THROTTLE: Final = """
    INSERT INTO token_throttle (account, throttled_at, answers) VALUES (?, ?, ?)
    ON CONFLICT (account, throttled_at) DO UPDATE SET answers = token_throttle.answers + excluded.answers
"""
SELECT_SPENDS: Final = """
    SELECT
      lane,
      run_id,
      purpose,
      count(*) AS calls,
      coalesce(sum(tokens), 0) AS tokens,
      count(*) FILTER (WHERE outcome = 'expired') AS unknown,
      count(*) FILTER (WHERE tokens > high) AS overshoots
    FROM token_settlement
    WHERE account = ? AND resolved_at >= ? AND outcome <> 'voided'
    GROUP BY lane, run_id, purpose
    ORDER BY lane, run_id, purpose
"""
SELECT_FLOW: Final = """
    SELECT coalesce(sum(left_tokens), 0), coalesce(sum(lost_tokens), 0)
    FROM token_flow
    WHERE account = ? AND observed_at >= ?
"""
SELECT_FLOWS: Final = """
    SELECT observed_at, tokens_left, refill_rate, left_tokens, lost_tokens
    FROM token_flow
    WHERE account = ? AND observed_at >= ?
    ORDER BY observed_at
"""
SELECT_THROTTLED: Final = """
    SELECT coalesce(sum(answers), 0) FROM token_throttle WHERE account = ? AND throttled_at >= ?
"""
TRIMS: Final = (
    """
    DELETE FROM token_settlement WHERE hold_id IN (
      SELECT hold_id FROM token_settlement WHERE account = ? AND resolved_at < ? LIMIT ?
    )
    """,
    """
    DELETE FROM token_flow WHERE (account, observed_at) IN (
      SELECT account, observed_at FROM token_flow WHERE account = ? AND observed_at < ? LIMIT ?
    )
    """,
    """
    DELETE FROM token_throttle WHERE (account, throttled_at) IN (
      SELECT account, throttled_at FROM token_throttle WHERE account = ? AND throttled_at < ? LIMIT ?
    )
    """,
    """
    DELETE FROM token_revoked WHERE (account, run_id) IN (
      SELECT account, run_id FROM token_revoked WHERE account = ? AND revoked_at < ? LIMIT ?
    )
    """,
)
SELECT_REVOKED: Final = "SELECT run_id FROM token_revoked WHERE account = ?"
INSERT_REVOKED: Final = """
    INSERT INTO token_revoked (account, run_id, revoked_at) VALUES (?, ?, ?)
    ON CONFLICT (account, run_id) DO NOTHING
"""
DELETE_REVOKED: Final = "DELETE FROM token_revoked WHERE account = ? AND run_id = ?"
SELECT_LEASES: Final = "SELECT run_id, host, pid, since FROM token_lease WHERE account = ? ORDER BY since, run_id"
UPSERT_LEASE: Final = """
    INSERT INTO token_lease (account, run_id, host, pid, since) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (account, run_id) DO UPDATE SET host = excluded.host, pid = excluded.pid, since = excluded.since
"""
DELETE_LEASE: Final = "DELETE FROM token_lease WHERE account = ? AND run_id = ?"

_state = msgspec.json.Decoder(BucketState)


class Cursor(Protocol):
    """What a statement returns."""

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""

    def fetchall(self) -> list[Any]:
        """Return the rows."""


@dataclass(frozen=True, slots=True)
class Times:
    """How a database keeps a time, and how it is read back."""

    write: Callable[[datetime], object]
    read: Callable[[Any], datetime]


@dataclass(frozen=True, slots=True)
class Tables:
    """The rows of one account; `execute` runs a statement, with `?` for its parameters, in the transaction at hand."""

    account: str
    execute: Callable[[str, tuple[object, ...]], Cursor]
    times: Times

    def state(self) -> BucketState:
        """Return the state; a new one where there is none. Raises `msgspec.DecodeError` where it is not understood."""
        rows = self.execute(SELECT_STATE, (self.account,)).fetchall()
        state = _state.decode(rows[0][0]) if rows else BucketState()
        revoked = frozenset(run_id for (run_id,) in self.execute(SELECT_REVOKED, (self.account,)).fetchall())
        return replace(state, revoked=revoked) if revoked else state

    def write(self, before: BucketState, change: Change[Any], now: datetime) -> None:
        """Write what a change leaves behind; a state that is `before` itself is not written again."""
        after = change.state
        if after is not before:
            if after.revoked != before.revoked:
                for run_id in after.revoked - before.revoked:
                    self.revoke(run_id, now)
                for run_id in before.revoked - after.revoked:
                    self.execute(DELETE_REVOKED, (self.account, run_id))
            kept = replace(after, revoked=frozenset()) if after.revoked else after
            self.execute(UPSERT_STATE, (self.account, msgspec.json.encode(kept).decode()))
        for settlement in change.settlements:
            self._insert_settlement(settlement)
        for flow in change.flows:
            self._insert_flow(flow)
        if change.throttled:
            self.execute(INSERT_THROTTLE, (self.account, self.times.write(now), change.throttled))

    def _insert_settlement(self, settlement: Settlement) -> None:
        hold, time = settlement.hold, self.times.write
        row = (
            hold.hold_id,
            self.account,
            hold.run_id,
            hold.lane.value,
            hold.purpose,
            hold.kind,
            hold.units,
            hold.cost.low,
            hold.cost.high,
            hold.high,
            time(hold.reserved_at),
            time(hold.expires_at),
            settlement.outcome.value,
            settlement.tokens,
            time(settlement.resolved_at),
        )
        self.execute(INSERT_SETTLEMENT, row)

    def _insert_flow(self, flow: Flow) -> None:
        observed_at = self.times.write(flow.observed_at)
        row = (self.account, observed_at, flow.tokens_left, flow.refill_rate, flow.left, flow.lost)
        self.execute(INSERT_FLOW, row)

    def trim(self, until: datetime) -> bool:
        """Delete records from before a time, of each kind `TRIMMED_ROWS_MAX` at most; return whether that was all."""
        time = self.times.write(until)
        trimmed = [self.execute(trim, (self.account, time, TRIMMED_ROWS_MAX)).rowcount for trim in TRIMS]
        return max(trimmed) < TRIMMED_ROWS_MAX

    def record(self, since: datetime) -> Record:
        """Return what was recorded since a time; a call that was voided was none."""
        window = (self.account, self.times.write(since))
        spends = self.execute(SELECT_SPENDS, window).fetchall()
        ((left, lost),) = self.execute(SELECT_FLOW, window).fetchall()
        ((throttled,),) = self.execute(SELECT_THROTTLED, window).fetchall()
        return Record(
            spends=tuple(Spend(*row[:3], *map(int, row[3:])) for row in spends),
            left=int(left),
            lost=int(lost),
            throttled=int(throttled),
        )

    def flows(self, since: datetime) -> tuple[Flow, ...]:
        """Return what each observation since a time told, oldest first."""
        rows = self.execute(SELECT_FLOWS, (self.account, self.times.write(since))).fetchall()
        return tuple(Flow(self.times.read(observed_at), *map(int, row)) for observed_at, *row in rows)

    def leases(self) -> tuple[Lease, ...]:
        """Return the registered leases, oldest first."""
        rows = self.execute(SELECT_LEASES, (self.account,)).fetchall()
        return tuple(Lease(run_id, host, pid, self.times.read(since)) for run_id, host, pid, since in rows)

    def register(self, lease: Lease) -> None:
        """Write a lease, in the place of one that its run has left behind."""
        row = (self.account, lease.run_id, lease.host, lease.pid, self.times.write(lease.since))
        self.execute(UPSERT_LEASE, row)

    def forget(self, run_id: str) -> None:
        """Delete the lease of a run."""
        self.execute(DELETE_LEASE, (self.account, run_id))

    def revoke(self, run_id: str, now: datetime) -> None:
        """Write that a run was given up."""
        self.execute(INSERT_REVOKED, (self.account, run_id, self.times.write(now)))


class Trimming:
    """Deletes what is older than the retention, a batch at a time: in a process's first transaction, then hourly."""

    def __init__(self) -> None:
        self._trimmed_at: datetime | None = None

    def trim(self, tables: Tables, now: datetime) -> None:
        """Delete a batch if it is time to; when more is left, the next transaction goes on."""
        if self._trimmed_at is not None and timedelta(0) <= now - self._trimmed_at < TRIMMED_EVERY:
            return
        self._trimmed_at = now if tables.trim(now - RETENTION) else None
