"""The contestants of `ledger_throughput.py`: each opens a worker, which takes tokens one by one until none is left."""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import datetime, timedelta, timezone
from typing import Final, TypeAlias
from uuid import uuid4

from pyrate_limiter import Duration, Limiter, Rate, SQLiteBucket

from deals_pipeline.clock import SystemClock
from deals_pipeline.keepa.replies import Products, TokenStatus
from deals_pipeline.keepa.requests import ProductRequest
from deals_pipeline.keepa.tokens import TokenObservation
from deals_pipeline.token_bucket.ledgers import open_ledger
from deals_pipeline.token_bucket.model import Amount, Lane, Policy
from deals_pipeline.token_bucket.reservation import TokenBucket, TokenDeficit

ONE_TOKEN: Final = ProductRequest(asins=("B000000001",))
POLICY: Final = Policy(max_deficit=Amount(0), floors={lane: Amount(0) for lane in Lane})
"""No floor and no deficit: every token may be spent, and not one more."""
TICK_IN: Final = timedelta(minutes=1)
"""No refill comes within a round."""
LAST: Final = 16
LAST_SECONDS: Final = 0.005
"""How long the calls for the last tokens take: so several are under way when there is not a token for each."""
LOCK_SECONDS_MAX: Final = 5.0
"""How long PyrateLimiter may wait for its file lock; in vain, too, for a token that the window does not have."""

TakeOne: TypeAlias = Callable[[], bool]
"""Reserves a token, spends it and settles; returns whether there was one."""
Open: TypeAlias = Callable[[str, "Account"], AbstractContextManager[TakeOne]]
"""Opens a worker at a place, of which every worker of a round is told the same."""


class Account:
    """The truth, in memory that all processes share: a balance, and a clock that never shows a millisecond twice."""

    def __init__(self, tokens: int) -> None:
        self.tokens: Final = tokens
        self.name: Final = uuid4().hex[:16]
        self._opened_at = datetime.now(timezone.utc)
        fork = multiprocessing.get_context("fork")
        self._balance, self._answers, self._refused = (fork.Value("q", number) for number in (tokens, 0, 0))

    def answer(self, cost: int) -> TokenObservation:
        """Charge a call, or look, which costs 0. A call for which there is no token is counted: Keepa would refuse."""
        if cost and self._balance.value <= LAST:
            time.sleep(LAST_SECONDS)
        with self._balance:
            if cost and self._balance.value <= 0:
                self._refused.value += 1
            self._balance.value -= cost
            self._answers.value += 1
            balance, passed = self._balance.value, timedelta(milliseconds=self._answers.value)
        return TokenObservation(
            timestamp=self._opened_at + passed,
            tokens_left=balance,
            refill_in=TICK_IN - passed,
            refill_rate=self.tokens,
            token_flow_reduction=0,
            tokens_consumed=cost,
        )

    @property
    def left(self) -> int:
        """The tokens that nobody took."""
        return max(0, int(self._balance.value))

    @property
    def over_granted(self) -> int:
        """The calls that were granted although there was no token."""
        return int(self._refused.value)


@contextmanager
def ours(place: str, account: Account) -> Iterator[TakeOne]:
    """Open our bucket over the ledger at a place: a path, or a URL."""
    with closing(open_ledger(place, account.name, SystemClock())) as ledger:
        bucket = TokenBucket(ledger, lambda: TokenStatus(account.answer(0)), SystemClock(), run_id="run", policy=POLICY)

        def take_one() -> bool:
            try:
                with bucket.reserve(ONE_TOKEN, lane=Lane.HISTORY, purpose="history") as hold:
                    hold.mark_sent()
                    hold.settle(Products(account.answer(1), (), (), (), ()))
            except TokenDeficit:
                return False
            return True

        yield take_one


@contextmanager
def pyrate(place: str, account: Account) -> Iterator[TakeOne]:
    """Open PyrateLimiter's bucket for several processes: so many calls an hour, in a file, under a file lock."""
    rate = Rate(account.tokens, Duration.HOUR)
    bucket = SQLiteBucket.init_from_file([rate], db_path=place, use_file_lock=True)
    with Limiter(bucket) as limiter:

        def take_one() -> bool:
            if not limiter.try_acquire("account", timeout=LOCK_SECONDS_MAX):
                return False
            account.answer(1)
            return True

        yield take_one
