"""The planner over days and weeks of virtual time, against the real rules of the token bucket."""

from collections import Counter, deque
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from functools import cache
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deals_pipeline.config import Budget, Intervals, Shares
from deals_pipeline.keepa.selection import Domain
from deals_pipeline.keepa.tokens import Cost
from deals_pipeline.planner import plan
from deals_pipeline.token_bucket import bucket
from deals_pipeline.token_bucket.ledger import Record
from deals_pipeline.token_bucket.model import TICK, Ask, BucketState, Granted, Observation, Policy
from deals_pipeline.token_bucket.status import status
from deals_pipeline.work import COST, Backlog, History, Product, Scan, ScanUnit, Unit, Wait, Work

START: Final = datetime(2026, 1, 1, tzinfo=timezone.utc)
SENSOR: Final = timedelta(seconds=30)
UNIT_TAKES: Final = timedelta(seconds=30)
"""Of which a run takes a few, and the next look at what to buy the most."""
REMEMBERED: Final = timedelta(hours=1)
"""Of units that ended; the sensor remembers a day of them, and each decision looks at all."""
RATES: Final = (5, 9, 10, 20, 21, 25, 60, 1000)
DEFAULT: Final = Budget(Intervals(), Shares(), Policy())
CATALOGUE: Final = tuple(Product(Domain.US, f"{n:010}") for n in range(30_000))
FULL: Final = Scan("books@1")
SHARD: Final = Scan("shard@1")
SHARING: Final = (Work.FULL_SCAN, Work.HISTORY, Work.OFFERS, Work.BACKFILL)


@dataclass
class World:
    """An account with a toy market: whatever is pending never ends, a head scan needs one page."""

    rate: int
    pending: frozenset[Work] = frozenset(Work)
    balance: int = 0
    selections: int = 1
    budget: Budget = DEFAULT
    now: datetime = START
    next_tick: datetime = START + TICK / 3
    lost: int = 0
    asked: list[tuple[datetime, Unit]] = field(default_factory=list)
    spent: Counter[Work] = field(default_factory=Counter)
    spent_lately: Counter[Work] = field(default_factory=Counter)
    recent: deque[tuple[datetime, Work, int]] = field(default_factory=deque)
    heads: list[Scan] = field(default_factory=list)
    full: Scan = FULL
    shard: Scan = SHARD
    bought: Counter[Work] = field(default_factory=Counter)
    ended: dict[str, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.heads = [Scan(f"books-{n}@1") for n in range(self.selections)]

    def run(self, time: timedelta) -> "World":
        end = self.now + time
        while self.now < end:
            decision = self.decide()
            if isinstance(decision, Wait):
                assert decision.until > self.now
                self.pass_time(max(SENSOR, (decision.until - self.now - TICK) // SENSOR * SENSOR))
            else:
                self.buy(decision)
                self.pass_time(UNIT_TAKES)
        return self

    def decide(self) -> Unit | Wait:
        while self.recent and self.recent[0][0] < self.now - self.budget.shares.window:
            _, work, tokens = self.recent.popleft()
            self.spent_lately[work] -= tokens
        known = status(self.state(), Record(), self.budget.policy, self.now)
        self.ended = {key: at for key, at in self.ended.items() if self.now - at < REMEMBERED}
        return plan(known, self.backlog(), History(self.spent_lately, ended=self.ended), self.now, self.budget)

    def state(self) -> BucketState:
        seen = Observation(self.now, self.now, self.balance, self.next_tick - self.now, 0)
        return BucketState(seen, (self.rate,) * 5)

    def backlog(self) -> Backlog:
        def products(work: Work) -> tuple[Product, ...]:
            first = self.bought[work] % len(CATALOGUE)
            return CATALOGUE[first : first + (100 if work is Work.HISTORY else 20)] if work in self.pending else ()

        return Backlog(
            head_scans=self.heads if Work.HEAD_SCAN in self.pending else (),
            full_scans=[self.full] if Work.FULL_SCAN in self.pending else (),
            history=products(Work.HISTORY),
            offers=products(Work.OFFERS),
            shards=[self.shard] if Work.BACKFILL in self.pending else (),
        )

    def buy(self, unit: Unit) -> None:
        floor, deficit = self.budget.policy.floors[unit.work.lane], self.budget.policy.max_deficit
        ask = Ask(unit.work.lane, Cost(unit.tokens_max, unit.tokens_max), unit.work.value, 1, floor, deficit)
        assert isinstance(bucket.decide(self.state(), ask, self.now), Granted), (unit, self.balance)
        tokens = unit.tokens_max
        if isinstance(unit, ScanUnit):
            assert unit.pages >= 1
            if unit.work is Work.HEAD_SCAN:
                tokens = 5
                done = replace(unit.scan, cycle=unit.scan.cycle + 1, completed_at=self.now)
                self.heads[self.heads.index(unit.scan)] = done
            elif unit.work is Work.FULL_SCAN:
                self.full = moved(unit.scan, unit.pages)
            else:
                self.shard = moved(unit.scan, unit.pages)
            self.bought[unit.work] += tokens // 5
        else:
            assert unit.products
            self.bought[unit.work] += tokens // COST[unit.work]
        self.balance -= tokens
        self.spent[unit.work] += tokens
        self.spent_lately[unit.work] += tokens
        self.recent.append((self.now, unit.work, tokens))
        self.asked.append((self.now, unit))
        self.ended[unit.run_key] = self.now

    def pass_time(self, time: timedelta) -> None:
        self.now += time
        while self.next_tick <= self.now:
            self.next_tick += TICK
            self.lost += max(0, self.balance + self.rate - 60 * self.rate)
            self.balance = min(60 * self.rate, self.balance + self.rate)

    @property
    def refilled(self) -> float:
        return (self.now - START) / TICK * self.rate

    def longest_gap(self, work: Work) -> timedelta:
        times = [START, *(at for at, unit in self.asked if unit.work is work), self.now]
        return max(later - earlier for earlier, later in pairwise(times))


def moved(scan: Scan, pages: int) -> Scan:
    page = scan.page + pages
    return replace(scan, page=page) if page < 67 else replace(scan, page=0, cycle=scan.cycle + 1)


@cache
def week(rate: int) -> World:
    """Everything is pending for a week; on larger plans for as many units, more or less."""
    return World(rate).run({5: timedelta(days=7), 1000: timedelta(hours=6)}.get(rate, timedelta(days=3)))


@pytest.mark.parametrize("rate", RATES)
def test_a_week_in_which_everything_is_pending_wastes_nothing_and_keeps_the_shares(rate: int) -> None:
    """F04, F16."""
    world = week(rate)
    assert world.lost <= 0.01 * world.refilled
    assert sum(world.spent.values()) >= 0.99 * (world.refilled - 60 * rate * (rate >= 100))
    shared = sum(world.spent[work] for work in SHARING)
    for work in SHARING:
        share = getattr(world.budget.shares, work.value) / 100
        assert world.spent[work] / shared == pytest.approx(share, rel=0.1), work
        assert world.longest_gap(work) < world.budget.shares.window, work
    interval = world.budget.intervals.head_scan
    assert world.longest_gap(Work.HEAD_SCAN) <= interval + TICK + SENSOR
    assert world.spent[Work.HEAD_SCAN] <= 0.2 * world.refilled  # F04


def test_a_faster_plan_never_buys_less_of_anything() -> None:
    """F15."""
    worlds = [World(rate).run(timedelta(days=1) if rate < 100 else timedelta(hours=4)) for rate in RATES]
    hourly = [
        {work: world.bought[work] / ((world.now - START) / timedelta(hours=1)) for work in Work} for world in worlds
    ]
    for slower, faster in pairwise(hourly):
        assert sum(faster.values()) > sum(slower.values())
        for work in Work:
            assert faster[work] >= 0.97 * slower[work], work


@pytest.mark.parametrize(("rate", "selections"), [(1, 1), (1, 4), (5, 1), (5, 4), (5, 40), (20, 40)])
def test_polling_takes_its_part_of_the_refill_at_most_however_many_selections(rate: int, selections: int) -> None:
    """F04."""
    world = World(rate, selections=selections, balance=30 * rate).run(timedelta(days=1))
    assert world.spent[Work.HEAD_SCAN] <= 0.2 * world.refilled + 5 * selections
    assert all(scan.cycle > 0 for scan in world.heads)


@pytest.mark.parametrize("rate", [5, 60])
@pytest.mark.parametrize("work", SHARING)
def test_the_share_of_idle_classes_goes_to_the_one_that_has_work(work: Work, rate: int) -> None:
    world = World(rate, frozenset({Work.HEAD_SCAN, work}), balance=60 * rate).run(timedelta(days=1))
    assert world.lost <= 0.01 * world.refilled
    assert world.spent[work] >= 0.9 * world.refilled


@pytest.mark.parametrize("rate", [200, 1000, 4000])
@pytest.mark.parametrize("work", [Work.HISTORY, Work.OFFERS])
def test_a_plan_is_spent_however_large_it_is(work: Work, rate: int) -> None:
    """F01, F16: a request takes 100 products, a unit as many requests as there are tokens for."""
    world = World(rate, frozenset({Work.HEAD_SCAN, work}), balance=60 * rate).run(timedelta(hours=6))
    assert world.lost <= 0.01 * world.refilled
    assert world.spent[work] >= 0.9 * world.refilled


def test_the_same_situation_gives_the_same_decisions() -> None:
    one, other = (World(9).run(timedelta(days=1)) for _ in range(2))
    assert one.asked == other.asked


def test_no_run_key_is_used_for_two_units_that_were_bought() -> None:
    keys = Counter(unit.run_key for _, unit in week(5).asked)
    assert keys.most_common(1)[0][1] == 1


SHARES: Final = st.lists(st.integers(0, 50), min_size=3, max_size=3).filter(lambda parts: 0 < sum(parts) <= 100)


@settings(max_examples=12)
@given(
    rate=st.sampled_from((1, 2, *RATES[:-1])),
    pending=st.sets(st.sampled_from(SHARING), min_size=1),
    parts=SHARES,
    start=st.integers(-60, 60),
    interval=st.integers(1, 240),
)
def test_whatever_the_settings_every_class_with_work_goes_on_and_nothing_is_lost(
    rate: int, pending: set[Work], parts: list[int], start: int, interval: int
) -> None:
    shares = Shares(full_scan=parts[0], history=parts[1], offers=parts[2], backfill=100 - sum(parts))
    budget = Budget(Intervals(head_scan_minutes=interval), shares, Policy())
    world = World(rate, frozenset({Work.HEAD_SCAN, *pending}), balance=start * rate, budget=budget)
    world.run(timedelta(hours=16))
    planned = [work for work in pending if getattr(shares, work.value)]
    for work in planned:
        debt = timedelta(minutes=max(0, -start))
        assert world.longest_gap(work) <= shares.window + debt + timedelta(minutes=90), work
    if planned:
        assert world.lost <= 0.01 * world.refilled
    assert set(world.spent) <= {Work.HEAD_SCAN, *planned}
