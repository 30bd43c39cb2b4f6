"""F15: a larger plan never does less. One day of the same work at each rate, on the simulated account."""

from contextlib import ExitStack
from datetime import timedelta
from functools import cache
from itertools import cycle, pairwise

import pytest

from deals_pipeline.keepa.replies import Products, TokenStatus
from deals_pipeline.keepa.requests import ProductRequest
from deals_pipeline.keepa.time import from_unix_ms, to_unix_ms
from deals_pipeline.keepa.tokens import TokenObservation
from deals_pipeline.simulator.account import AccountConfig, Charged, advance, charge, observe, open_account
from deals_pipeline.token_bucket.model import Lane
from deals_pipeline.token_bucket.reservation import TokenBucket, TokenDeficit
from deals_pipeline_tests.simulation.ledger import MemoryLedger
from deals_pipeline_tests.simulation.service import as_observation
from deals_pipeline_tests.token_bucket.bucket_examples import POLICY

RATES = (5, 9, 10, 20, 21, 25, 60, 1000)
START_MS = 1_772_366_400_000
DAY_MS = 86_400_000
CALL_MS = 2_000
ASINS = tuple(f"B{number:09d}" for number in range(100))
WORK = (
    (Lane.OFFERS, ProductRequest(asins=ASINS[:20], offers=20), 120),
    (Lane.HISTORY, ProductRequest(asins=ASINS), 100),
    (Lane.BACKFILL, ProductRequest(asins=ASINS[:5]), 5),
)


class Day:
    """A client that works without a pause for a day: it sleeps only when, and until, it is told to."""

    def __init__(self, rate: int) -> None:
        self.now = START_MS
        self.config = AccountConfig(seed=3, refill_rate=rate, started_at=START_MS, tokens=0)
        self.account = open_account(self.config)
        self.bucket = TokenBucket(MemoryLedger(lambda: from_unix_ms(self.now)), self.look, None, run_id="day")  # type: ignore[arg-type]
        self.items = 0

    def word(self, consumed: int = 0) -> TokenObservation:
        return as_observation(observe(self.config, self.account, self.now, tokens_consumed=consumed))

    def look(self) -> TokenStatus:
        return TokenStatus(self.word())

    def try_call(self, lane: Lane, request: ProductRequest, cost: int) -> int | None:
        """Make a call, or return when to come back for it."""
        with ExitStack() as stack:
            try:
                hold = stack.enter_context(self.bucket.reserve(request, lane=lane, purpose="work"))
            except TokenDeficit as deficit:
                return to_unix_ms(deficit.retry_at)
            hold.mark_sent()
            self.now += CALL_MS
            outcome = charge(self.config, self.account, self.now, cost)
            assert isinstance(outcome, Charged), "a call is refused although nobody else spends"
            self.account = outcome.account
            hold.settle(Products(self.word(cost), (), (), (), ()))
        self.items += request.units
        return None

    def work(self) -> None:
        todo = cycle(WORK)
        unit = next(todo)
        while self.now < START_MS + DAY_MS:
            retry_at = self.try_call(*unit)
            if retry_at is None:
                unit = next(todo)
            else:
                assert retry_at >= self.now, "somebody who comes back when told to spins"
                self.now = retry_at + 1
        self.account = advance(self.config, self.account, self.now)


@cache
def a_day(rate: int) -> Day:
    day = Day(rate)
    day.work()
    return day


@pytest.mark.parametrize(("less", "more"), list(pairwise(RATES)))
def test_a_larger_plan_never_does_less_in_a_day(less: int, more: int) -> None:
    assert a_day(less).items <= a_day(more).items


@pytest.mark.parametrize("rate", RATES[:-1])
def test_a_day_of_work_uses_all_the_refill_but_what_the_next_call_waits_for(rate: int) -> None:
    """F03, F16: at 1000 a tick the calls, one after the other, cannot use it up."""
    day = a_day(rate)
    assert day.account.lost == 0
    assert day.account.refused == 0
    waiting_for = max(POLICY.floors[lane].at_rate(rate) + request.cost.high for lane, request, _ in WORK) + rate
    assert day.account.spent >= day.account.refilled - waiting_for
    assert day.account.refilled == rate * (timedelta(milliseconds=day.now - START_MS) // timedelta(seconds=60.3))
