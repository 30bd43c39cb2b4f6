"""What to buy next: `plan(status, backlog, history, now, budget)`, pure: one small unit, or how long to wait.

A head scan that is due goes first; how often one is due is sized from the refill (F04). Where the selection's full scan
is due, it begins in the place of a head scan: no page is paid for twice. The rest of the refill has shares: of the
classes of work that have something to do, the one that got least for its share is next, and the planner **saves for
it** until it is affordable. It does not hand the tokens to a class with a lower floor meanwhile: of several thresholds
on one bucket the lowest would always win (F04). A class without work is not waited for, so that its share goes to the
others. A unit is as large as what is affordable now (F01, F03); nothing is asked for twice but by a new attempt, page
or cycle, which a unit's run key names (F27). What was asked for in vain waits, longer each time, and the others
go on without it. After each failure half as many are asked for, so that what spoils a batch is soon alone. A class of
which several items failed, one after the other, waits as well: what never answers spends nothing that can be seen, and
would be next for ever (F04). Where saving leads nowhere, as another program takes what is saved, it saves for the
next class, and single products are enough.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property
from itertools import count, islice
from math import ceil, inf
from typing import Final

from deals_pipeline.config.sections import TOKENS_MAX, Budget
from deals_pipeline.keepa.requests import PAGES_MAX
from deals_pipeline.token_bucket.model import TICK, BucketState
from deals_pipeline.token_bucket.status import BucketStatus
from deals_pipeline.work import (
    COST,
    PRODUCTS_MAX,
    Backlog,
    History,
    Plan,
    Product,
    ProductUnit,
    Scan,
    ScanUnit,
    Unit,
    Wait,
    Work,
    cost_of,
)

BATCH_MINUTES: Final = 5
"""How many minutes of refill a batch of products is worth at least, unless fewer products are pending."""
RECHECK: Final = timedelta(minutes=5)
"""When to look again where nothing is known to happen before."""
BACKOFF_MAX: Final = timedelta(hours=1)
PATIENCE: Final = 3
"""How many times as long as the refill alone would need the planner saves for a unit."""
HEAD_SCAN_INTERVAL_MIN: Final = timedelta(minutes=3)
"""The schedule may be a minute early; sooner than two minutes after a scan Keepa repeats its answers (D4)."""
LONG_AGO: Final = datetime(2011, 1, 1, tzinfo=timezone.utc)


def plan(status: BucketStatus, backlog: Backlog, history: History, now: datetime, budget: Budget) -> Plan:
    """Return what to buy next, or until when to wait for what.

    Before the balance is known it returns the smallest unit, whose `reserve` asks for the balance first.
    """
    if history.running:
        return Wait(now + RECHECK, f"{history.running[0]} is under way")
    desk = _Desk(status, backlog, history, now, budget)
    candidates = desk.candidates()
    refilled, wait = desk.refilled, None
    for work in candidates:
        if status.observed_at is None or status.available >= desk.needed(work):
            return desk.unit(work)
        if (until := desk.affordable_at(work)) is not None:
            head_scan_at = max(desk.next_ready_at([Work.HEAD_SCAN]) or until, desk.affordable_at(Work.HEAD_SCAN) or now)
            reason = f"{work.value} needs {desk.needed(work)} tokens, {status.available} are available"
            wait = wait or Wait(min(until, head_scan_at), reason)
            refilled -= PATIENCE * desk.needed(work)
            if refilled <= 0:
                break
    if wait:
        return wait
    if candidates:
        return Wait(now + RECHECK, f"{status.available} tokens are available, and no refill is foreseen")
    return Wait(desk.next_ready_at(Work) or now + RECHECK, "there is nothing to buy")


def due_at(
    status: BucketStatus, backlog: Backlog, history: History, now: datetime, budget: Budget, work: Work
) -> tuple[datetime, ...]:
    """Return from when on each item of a class may be asked for, tokens permitting, in the order of the backlog."""
    desk = _Desk(status, backlog, history, now, budget)
    return tuple(max(now, desk.ready_at(work, item)) for item in backlog.of(work))


def interval_of(status: BucketStatus, backlog: Backlog, now: datetime, budget: Budget, work: Work) -> timedelta:
    """Return the least time between two scans: head scans of one page take at most their part of the refill."""
    return _Desk(status, backlog, History(), now, budget).interval(work)


def spent_by_work(status: BucketStatus) -> Mapping[Work, int]:
    """Return the tokens that each class of work spent in the window of the shares."""
    return {work: status.spent_by_purpose.get(work.value, 0) for work in Work}


def costs(state: BucketState) -> Mapping[Work, int]:
    """Return the most that a page or product of each class can cost, by the bounds that calls have exceeded too."""
    return {work: cost_of(work, state.bounds) for work in Work}


@dataclass(frozen=True)
class _Desk:
    """What `plan` was told, and what follows from it for each class of work."""

    status: BucketStatus
    backlog: Backlog
    history: History
    now: datetime
    budget: Budget

    def candidates(self) -> list[Work]:
        """Return the classes with something to do that fits the bucket: head scans, then who got least for a share."""
        ready = [work for work in Work if self.ready[work] and self.cost(work) <= (self.capacity or TOKENS_MAX)]
        return sorted(ready, key=lambda work: self.history.spent.get(work, 0) / self.share(work))

    def unit(self, work: Work) -> Unit:
        """Return the largest unit that leaves the lane its floor, or else a single page or product."""
        first, *_ = items = self.ready[work]
        affordable = max(1, (self.status.available - self.floor(work)) // self.cost(work))
        if failures := self.failures(work):
            affordable = max(1, min(affordable, PRODUCTS_MAX.get(work, PAGES_MAX)) >> failures)
        if isinstance(first, Scan):
            pages = min(affordable, PAGES_MAX - first.page)
            if work is Work.HEAD_SCAN:
                pages = min(pages, self._head_scan_pages(first))
                work, first = self._scan_in_place_of(first)
            run_key = self.run_key(work, first)[0]
            return ScanUnit(work, first, pages, pages * self.cost(work), run_key)
        products = tuple(item for item in items[:affordable] if isinstance(item, Product))
        run_key = self.run_key(work, first)[0]
        skip = tuple(item.stem for item in self.backlog.of(work) if self.ready_at(work, item) > self.now)
        return ProductUnit(work, products, affordable * self.cost(work), run_key, skip)

    def needed(self, work: Work) -> int:
        """Return how many tokens the next unit waits for; never more than the bucket holds (F02)."""
        floor, cost = self.floor(work), self.cost(work)
        if work is Work.HEAD_SCAN:  # does not save: it goes as soon as the bucket grants a page
            return max(floor + 1, cost - self.status.max_deficit)
        least = 1
        if work in PRODUCTS_MAX:
            batch = min(len(self.ready[work]), BATCH_MINUTES * self.rate // cost, self.capacity // cost)
            least = max(1, batch >> self.failures(work))
        if self.refilled > PATIENCE * (floor + least * cost):
            least = 1
        return min(floor + least * cost, self.capacity or TOKENS_MAX)

    def affordable_at(self, work: Work) -> datetime | None:
        """Return when the next unit is affordable if nobody else spends, `None` where no refill is foreseen."""
        available, needed, floor = self.status.available, self.needed(work), self.floor(work)
        if available >= needed:
            return self.now
        above_floor_at = self.status.affordable_at[work.lane]
        if above_floor_at is None or self.rate == 0:
            return None
        ticks = ceil((needed - available) / self.rate) - ceil(max(0, floor + 1 - available) / self.rate)
        return max(above_floor_at, self.now) + ticks * TICK

    def next_ready_at(self, works: Iterable[Work]) -> datetime | None:
        """Return when the first item is ready that is not yet."""
        times = (self.ready_at(work, item) for work in works for item in self.backlog.of(work) if self.share(work))
        return min((time for time in times if time > self.now), default=None)

    @cached_property
    def ready(self) -> Mapping[Work, Sequence[Scan | Product]]:
        """What may be asked for now, in order: scans begun, then the oldest; products of one marketplace for a call."""
        return {work: self._ready(work) if self.share(work) else () for work in Work}

    @cached_property
    def failed(self) -> Mapping[Work, Sequence[tuple[datetime, str]]]:
        """When units of a class ended that left their item as it was, and the item's stem, since one did not."""
        return {work: self._failed(work) for work in Work}

    @cached_property
    def silent_until(self) -> Mapping[Work, datetime | None]:
        """Until when a class waits of which several items were asked for in vain since one was not, if one does."""
        return {work: self._silent_until(work) for work in Work}

    @cached_property
    def refilled(self) -> int:
        """How many tokens the refill brought since the last unit that was saved for; head scans are not."""
        saved_for = [at for key, at in self.ended.items() if _parts(key)[0] != Work.HEAD_SCAN.value]
        since = max(saved_for) if saved_for else min(self.ended.values(), default=self.now)
        return int((self.now - since) / TICK * self.rate)

    @cached_property
    def ended(self) -> Mapping[str, datetime]:
        """When units ended; long ago where our clock was ahead then and has been set since."""
        return {key: at if at <= self.now else LONG_AGO for key, at in self.history.ended.items()}

    @property
    def rate(self) -> int:
        """Tokens per minute."""
        return self.status.refill_rate

    @property
    def capacity(self) -> int:
        """Tokens; 0 where the plan is not known."""
        return self.status.capacity

    def share(self, work: Work) -> float:
        """Return the share of a class in percent; head scans come before all that have one."""
        return inf if work is Work.HEAD_SCAN else float(getattr(self.budget.shares, work.value))

    def cost(self, work: Work) -> int:
        """Return the most that a page or product can cost."""
        return max(COST[work], self.history.costs.get(work, 0))

    def floor(self, work: Work) -> int:
        """Return what the lane leaves in the bucket, as the bucket itself has it."""
        return min(self.budget.policy.floors[work.lane].at_rate(self.rate), max(0, self.capacity - 1))

    def run_key(self, work: Work, item: Scan | Product) -> tuple[str, datetime]:
        """Return the key of the run to ask for, and from when on: later after each run that ended without effect."""
        key, at = f"{work.value}/{item.stem}/0", LONG_AGO
        for failures in count(1):
            if key not in self.ended:
                break
            at = self.ended[key] + _backoff(failures)
            key = f"{work.value}/{item.stem}/{failures}"
        return key, at

    def failures(self, work: Work) -> int:
        """Return how often what is next of a class was asked for in vain, or the class since it was not."""
        own = int(self.run_key(work, self.ready[work][0])[0].rpartition("/")[2]) if self.ready[work] else 0
        return max(len(self.failed[work]), own)

    def _ready(self, work: Work) -> Sequence[Scan | Product]:
        items = (item for item in self.backlog.of(work) if self.ready_at(work, item) <= self.now)
        if work not in PRODUCTS_MAX:
            return sorted(items, key=_begun_then_oldest)
        if (first := next(items, None)) is None:
            return []
        alike = (item for item in items if _go_together(first, item))
        return [first, *islice(alike, PRODUCTS_MAX[work] - 1)]

    def ready_at(self, work: Work, item: Scan | Product) -> datetime:
        at = LONG_AGO
        if self.history.ended:
            at = max(self.run_key(work, item)[1], self.silent_until[work] or LONG_AGO)
        if isinstance(item, Scan) and item.completed_at and item.page == 0:
            at = max(at, item.completed_at + self.interval(work))
        if work is Work.FULL_SCAN and isinstance(item, Scan) and item.page == 0:
            apart = min(self.interval(Work.HEAD_SCAN), self.interval(work))
            read_at = (head.completed_at for head in self.backlog.head_scans if head.key == item.key)
            at = max((at, *(last + apart for last in read_at if last)))
        return at

    def _silent_until(self, work: Work) -> datetime | None:
        failed = self.failed[work]
        is_one_item = len({stem for _, stem in failed}) <= 1
        return None if is_one_item else max(at for at, _ in failed) + _backoff(len(failed))

    def _failed(self, work: Work) -> Sequence[tuple[datetime, str]]:
        waiting = {item.stem for item in self.backlog.of(work)} if self.history.ended else set()
        ended = [(at, stem) for key, at in self.ended.items() for of, stem in [_parts(key)] if of == work.value]
        succeeded_at = max((at for at, stem in ended if stem not in waiting), default=LONG_AGO)
        return [(at, stem) for at, stem in ended if stem in waiting and at > succeeded_at]

    def interval(self, work: Work) -> timedelta:
        """Return the least time between two scans: head scans of one page take at most their part of the refill."""
        intervals = self.budget.intervals
        if work is Work.HEAD_SCAN:
            tokens = len(self.backlog.head_scans) * self.cost(work)
            minutes = tokens / (max(1, self.rate) * intervals.head_scan_percent_max / 100)
            return max(intervals.head_scan, timedelta(minutes=minutes), HEAD_SCAN_INTERVAL_MIN)
        return intervals.full_scan

    def _scan_in_place_of(self, head: Scan) -> tuple[Work, Scan]:
        """Return the full scan of the same selection if it is to begin now, else the head scan itself."""
        full = (scan for scan in self.ready[Work.FULL_SCAN] if isinstance(scan, Scan))
        begins = (scan for scan in full if scan.key == head.key and scan.page == 0)
        return next(((Work.FULL_SCAN, scan) for scan in begins), (Work.HEAD_SCAN, head))

    def _head_scan_pages(self, scan: Scan) -> int:
        """Return how many pages a head scan's part of the refill since its last one pays for, at least one."""
        since = self.now - scan.completed_at if scan.completed_at else self.interval(Work.HEAD_SCAN)
        part = self.budget.intervals.head_scan_percent_max / 100 / len(self.backlog.head_scans)
        return max(1, int(part * self.rate * (since / TICK)) // self.cost(Work.HEAD_SCAN))


def _backoff(failures: int) -> timedelta:
    """Return how long to wait after so many failures: not at all after one."""
    return min(BACKOFF_MAX, timedelta(minutes=2 ** min(failures, 10) // 4))


def _parts(run_key: str) -> tuple[str, str]:
    """Return the class of work and the stem of the item that a unit was asked for."""
    work, _, rest = run_key.partition("/")
    return work, rest.rpartition("/")[0]


def _begun_then_oldest(item: Scan | Product) -> tuple[bool, datetime]:
    return (item.page == 0, item.completed_at or LONG_AGO) if isinstance(item, Scan) else (True, LONG_AGO)


def _go_together(one: Scan | Product, other: Scan | Product) -> bool:
    """Return whether one request can ask for both."""
    return isinstance(one, Product) and isinstance(other, Product) and one.domain is other.domain
