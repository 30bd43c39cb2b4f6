"""Where the bucket's state is kept: one transaction of state in, state out, and the record of what happened.

Two ledgers speak this protocol: a SQLite file for the processes of one machine, Postgres for those of several.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, Generic, Protocol, TypeVar

from pydantic import SecretStr

from deals_pipeline.token_bucket.model import BucketState, Flow, Settlement

Result = TypeVar("Result")

RETENTION: Final = timedelta(days=90)
"""How long settlements and flows are kept."""
PATIENCE_SECONDS: Final = 30.0
"""How long a ledger waits for its turn; a transaction takes less than a millisecond."""
ACCOUNT: Final = re.compile(r"[0-9a-f]{16}")


class LedgerError(RuntimeError):
    """The ledger cannot be used; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class Change(Generic[Result]):
    """What a transaction leaves behind: the new state, what to record, and what to tell the caller."""

    state: BucketState
    result: Result
    settlements: Sequence[Settlement] = ()
    flows: Sequence[Flow] = ()
    throttled: int = 0
    """How many answers were 429."""


@dataclass(frozen=True, slots=True)
class Spend:
    """What calls of one lane, run and purpose cost over a window."""

    lane: str
    run_id: str
    purpose: str
    calls: int
    tokens: int
    """What settled calls cost."""
    unknown: int
    """How many calls expired, their cost known only as a part of what left the bucket."""
    overshoots: int


@dataclass(frozen=True, slots=True)
class Record:
    """What the ledger recorded over a window."""

    spends: tuple[Spend, ...] = field(default_factory=tuple)
    left: int = 0
    """Tokens that left the bucket, by whomever."""
    lost: int = 0
    """Refill that the full bucket did not take."""
    throttled: int = 0


@dataclass(frozen=True, slots=True)
class Lease:
    """A spending run's registration."""

    run_id: str
    host: str
    pid: int
    since: datetime


class Ledger(Protocol):
    """A place that all processes of an account share; safe to use from several threads and after a fork."""

    def transact(self, change: Callable[[BucketState, datetime], Change[Result]]) -> Result:
        """Read the state, apply `change(state, now)`, write state and records; alone, and as a whole or not at all.

        `now` is the ledger's clock. What `change` raises is passed on, and nothing is written.
        """

    def read(self) -> tuple[BucketState, datetime]:
        """Return the state and the ledger's time, without waiting for a transaction of another."""

    def record(self, since: datetime) -> Record:
        """Return what was recorded since a time."""

    def flows(self, since: datetime) -> tuple[Flow, ...]:
        """Return what each observation since a time told, oldest first."""

    def lease(self, run_id: str) -> AbstractContextManager[Lease]:
        """Hold a run's lease while the block lasts: a lock that dies with the process.

        Raises `LedgerError` when another process holds the lease of the same run.
        """

    def dead_leases(self) -> tuple[Lease, ...]:
        """Return the registered leases whose lock can be taken: their holders are gone."""

    def revoke(self, run_id: str) -> None:
        """Give a run up: its lease is forgotten, and its next `reserve` raises `RunRevoked`."""

    def close(self) -> None:
        """Close all connections."""


def account_of(key: SecretStr) -> str:
    """Return the fingerprint of an API key, under which its account is kept."""
    return sha256(b"deals_pipeline:" + key.get_secret_value().encode()).hexdigest()[:16]


def require_account(account: str) -> str:
    """Return the fingerprint; raises `ValueError`, which does not repeat it, if it is none: it might be the key."""
    if not ACCOUNT.fullmatch(account):
        raise ValueError("account: allowed is a fingerprint of 16 hexadecimal digits, see `account_of`")
    return account


def held_elsewhere(place: str, run_id: str, leases: Sequence[Lease]) -> str:
    """Return the message for a lease that another process holds, which it names if it is registered."""
    holders = (f"process {lease.pid} on {lease.host}" for lease in leases if lease.run_id == run_id)
    return f"{place}: run {run_id} is being executed already, by {next(holders, 'another process')}: end that first"
