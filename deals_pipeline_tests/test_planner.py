"""What the planner decides in one situation: each line of a table is a situation and the decision."""

import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deals_pipeline.config import Budget, Intervals, Shares
from deals_pipeline.keepa.selection import Domain
from deals_pipeline.keepa.tokens import Cost
from deals_pipeline.planner import plan
from deals_pipeline.token_bucket import bucket
from deals_pipeline.token_bucket.ledger import Record
from deals_pipeline.token_bucket.model import Amount, Ask, BucketState, Granted, Lane, Observation, Policy
from deals_pipeline.token_bucket.status import BucketStatus, status
from deals_pipeline.work import Backlog, History, Plan, Product, ProductUnit, Scan, ScanUnit, Wait, Work

NOW: Final = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
BUDGET: Final = Budget(Intervals(), Shares(), Policy())
MINUTE: Final = timedelta(minutes=1)


def products(number: int, domain: Domain = Domain.US, first: int = 0) -> tuple[Product, ...]:
    return tuple(Product(domain, f"{n:010}") for n in range(first, first + number))


def known(tokens: int, rate: int = 5, policy: Policy = BUDGET.policy, reduction: int = 0) -> BucketStatus:
    return status(state(tokens, rate, reduction), Record(), policy, NOW)


def state(tokens: int, rate: int, reduction: int = 0) -> BucketState:
    return BucketState(Observation(NOW, NOW, tokens, 30 * timedelta(seconds=1), reduction), (rate,) * 5)


def told(decision: Plan) -> str:
    match decision:
        case ScanUnit():
            return f"{decision.work.value} {decision.scan.key} from {decision.scan.page}: {decision.pages} pages"
        case ProductUnit():
            return f"{decision.work.value}: {len(decision.products)} from {decision.products[0].asin[-3:]}"
        case Wait():
            return f"wait {(decision.until - NOW) / MINUTE:.1f} min: {decision.reason}"


DONE: Final = NOW - timedelta(minutes=3)
NO_HISTORY: Final = History()
FULL: Final = Scan("full")
LATE_FULL: Final = Scan("full", 5, NOW - 250 * MINUTE)
SHARD: Final = Scan("shard")


@dataclass(frozen=True)
class Case:
    """A situation, and what is decided in it."""

    name: str
    tokens: int
    backlog: Backlog
    decision: str
    history: History = NO_HISTORY
    rate: int = 5


HEAD = {
    "never done": Scan("head"),
    "done just now": Scan("head", 7, DONE),
    "due": Scan("head", 7, NOW - 15 * MINUTE),
    "due in a minute": Scan("head", 7, NOW - 14 * MINUTE),
    "an hour late": Scan("head", 7, NOW - 60 * MINUTE),
}
ALL: Final = Backlog([HEAD["done just now"]], [FULL], products(500), products(50), [SHARD])

RARE: Final = [Scan(f"other {n}", 1, NOW) for n in range(99)]
"""So many selections that a head scan of each takes eight hours."""

CASES: Final = (
    # head scans
    Case(
        "a first head scan goes first",
        100,
        replace(ALL, head_scans=[HEAD["never done"]]),
        "head_scan head from 0: 2 pages",
    ),
    Case(
        "a head scan that is due goes first",
        100,
        replace(ALL, head_scans=[HEAD["due"]]),
        "head_scan head from 0: 2 pages",
    ),
    Case(
        "a late one may read more",
        100,
        replace(ALL, head_scans=[HEAD["an hour late"]]),
        "head_scan head from 0: 11 pages",
    ),
    Case(
        "but what is affordable", 12, replace(ALL, head_scans=[HEAD["an hour late"]]), "head_scan head from 0: 2 pages"
    ),
    Case("one token is enough for it", 1, replace(ALL, head_scans=[HEAD["due"]]), "head_scan head from 0: 1 pages"),
    Case(
        "no token is not",
        0,
        replace(ALL, head_scans=[HEAD["due"]]),
        "wait 0.5 min: head_scan needs 1 tokens, 0 are available",
    ),
    Case(
        "the oldest of several goes first",
        100,
        Backlog([HEAD["due"], Scan("older", 3, NOW - 90 * MINUTE)]),
        "head_scan older from 0: 8 pages",
    ),
    Case(
        "when it is not due there is nothing to buy",
        100,
        Backlog([HEAD["due in a minute"]]),
        "wait 1.0 min: there is nothing to buy",
    ),
    Case(
        "a hundred selections share the part that polling has",
        100,
        Backlog([Scan(str(n), 1, NOW - 15 * MINUTE) for n in range(100)]),
        "wait 485.0 min: there is nothing to buy",
    ),
    # a full scan in the place of a head scan
    Case(
        "a full scan that is due begins in the place of a head scan, as large, although it has had its share",
        100,
        replace(ALL, head_scans=[HEAD["due"]], full_scans=[replace(LATE_FULL, key="head")]),
        "full_scan head from 0: 2 pages",
        History({Work.FULL_SCAN: 100}),
    ),
    Case(
        "as soon as that",
        1,
        replace(ALL, head_scans=[HEAD["due"]], full_scans=[replace(LATE_FULL, key="head")]),
        "full_scan head from 0: 1 pages",
    ),
    Case(
        "not before it: the first page was read",
        100,
        Backlog([HEAD["due in a minute"]], [replace(LATE_FULL, key="head")]),
        "wait 1.0 min: there is nothing to buy",
    ),
    Case(
        "but where head scans are rarer than full scans, when it is due",
        100,
        Backlog([Scan("head", 7, NOW - 250 * MINUTE), *RARE], [replace(LATE_FULL, key="head")]),
        "full_scan head from 0: 20 pages",
    ),
    Case(
        "a full scan that is not due does not",
        100,
        Backlog([HEAD["due"]], [Scan("head", 5, NOW - 230 * MINUTE)]),
        "head_scan head from 0: 2 pages",
    ),
    Case(
        "nor one of another selection",
        100,
        Backlog([HEAD["due"]], [LATE_FULL]),
        "head_scan head from 0: 2 pages",
    ),
    Case(
        "nor one that has begun, which does not read the first page again",
        100,
        Backlog([HEAD["due"]], [replace(LATE_FULL, key="head", page=2)]),
        "head_scan head from 0: 2 pages",
    ),
    Case(
        "and where its run ended without effect the head scan goes",
        100,
        Backlog([HEAD["due"]], [replace(LATE_FULL, key="head")]),
        "head_scan head from 0: 2 pages",
        History(ended={f"full_scan/head/5/0/{n}": NOW for n in range(3)}),
    ),
    # shares
    Case(
        "who got least for its share is next: history",
        100,
        ALL,
        "history: 90 from 000",
        History({Work.FULL_SCAN: 1, Work.OFFERS: 1, Work.BACKFILL: 1}),
    ),
    Case(
        "full scan",
        100,
        ALL,
        "full_scan full from 0: 20 pages",
        History({Work.FULL_SCAN: 29, Work.HISTORY: 40, Work.OFFERS: 10, Work.BACKFILL: 20}),
    ),
    Case(
        "offers",
        100,
        ALL,
        "offers: 6 from 000",
        History({Work.FULL_SCAN: 30, Work.HISTORY: 40, Work.OFFERS: 9, Work.BACKFILL: 20}),
    ),
    Case(
        "backfill",
        100,
        ALL,
        "backfill shard from 0: 14 pages",
        History({Work.FULL_SCAN: 30, Work.HISTORY: 40, Work.OFFERS: 10, Work.BACKFILL: 19}),
    ),
    Case(
        "it is saved for, although others could buy",
        30,
        ALL,
        "wait 0.5 min: backfill needs 35 tokens, 30 are available",
        History({Work.FULL_SCAN: 30, Work.HISTORY: 40, Work.OFFERS: 10, Work.BACKFILL: 19}),
    ),
    Case(
        "a head scan that comes due meanwhile is not missed",
        -95,
        replace(ALL, head_scans=[HEAD["due in a minute"]]),
        "wait 19.6 min: backfill needs 35 tokens, -95 are available",
        History({Work.FULL_SCAN: 30, Work.HISTORY: 40, Work.OFFERS: 10, Work.BACKFILL: 19}),
    ),
    Case(
        "an idle class is not waited for",
        30,
        replace(ALL, shards=()),
        "full_scan full from 0: 6 pages",
        History({Work.HISTORY: 40, Work.OFFERS: 10}),
    ),
    # sizes
    Case("what is affordable above the floor", 60, Backlog(history=products(500)), "history: 50 from 000"),
    Case("at most a request", 290, Backlog(history=products(500)), "history: 100 from 000"),
    Case(
        "not one by one", 12, Backlog(history=products(500)), "wait 5.0 min: history needs 35 tokens, 12 are available"
    ),
    Case("unless nothing else comes", 12, Backlog(history=products(2)), "history: 2 from 000"),
    Case(
        "not below the floor",
        11,
        Backlog(history=products(2)),
        "wait 1.0 min: history needs 12 tokens, 11 are available",
    ),
    Case("offers at their highest cost", 60, Backlog(offers=products(50)), "offers: 3 from 000"),
    Case("at most twenty", 1000, Backlog(offers=products(50)), "offers: 20 from 000", rate=20),
    Case("one page", 5, Backlog(full_scans=[FULL]), "full_scan full from 0: 1 pages"),
    Case(
        "the pages that are left", 290, Backlog(full_scans=[replace(FULL, page=60)]), "full_scan full from 60: 7 pages"
    ),
    Case(
        "one marketplace at a time",
        290,
        Backlog(history=(*products(3), *products(3, Domain.DE, 3), *products(3, first=6))),
        "history: 6 from 000",
    ),
    Case(
        "a bound that calls have exceeded counts",
        60,
        Backlog(offers=products(50)),
        "offers: 2 from 000",
        History(costs={Work.OFFERS: 20}),
    ),
    # order and repetition
    Case(
        "a scan begun is ended first",
        290,
        Backlog(full_scans=[FULL, Scan("begun", 1, NOW, page=3)]),
        "full_scan begun from 3: 58 pages",
    ),
    Case(
        "the scan completed longest ago",
        290,
        Backlog(full_scans=[Scan("b", 1, NOW - 300 * MINUTE), Scan("a", 1, NOW - 400 * MINUTE)]),
        "full_scan a from 0: 58 pages",
    ),
    Case(
        "a full scan is not repeated at once",
        290,
        Backlog(full_scans=[Scan("a", 1, NOW - 200 * MINUTE)]),
        "wait 40.0 min: there is nothing to buy",
    ),
    Case(
        "nothing while a unit is under way",
        290,
        ALL,
        "wait 5.0 min: history/x/0 is under way",
        History(running=["history/x/0"]),
    ),
    Case("nothing at all", 290, Backlog(), "wait 5.0 min: there is nothing to buy"),
    # deficit, no refill, other plans
    Case(
        "from a deep deficit",
        -350,
        Backlog(full_scans=[FULL]),
        "wait 70.9 min: full_scan needs 5 tokens, -350 are available",
    ),
    Case(
        "a plan that stands still spends what is there",
        40,
        ALL,
        "history: 40 from 000",
        History({Work.FULL_SCAN: 1, Work.OFFERS: 1, Work.BACKFILL: 1}),
        rate=0,
    ),
    Case(
        "and then waits without spinning",
        0,
        ALL,
        "wait 5.0 min: 0 tokens are available, and no refill is foreseen",
        rate=0,
    ),
    Case(
        "a faster plan buys larger batches only", 140, Backlog(history=products(500)), "history: 100 from 000", rate=20
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_decision_is(case: Case) -> None:
    assert told(plan(known(case.tokens, case.rate), case.backlog, case.history, NOW, BUDGET)) == case.decision


def test_before_the_balance_is_known_the_smallest_unit_is_asked_for_so_that_its_reserve_looks() -> None:
    unknown = status(BucketState(), Record(), BUDGET.policy, NOW)
    assert told(plan(unknown, replace(ALL, head_scans=()), History(), NOW, BUDGET)) == "full_scan full from 0: 1 pages"
    assert told(plan(unknown, Backlog(history=products(9)), History(), NOW, BUDGET)) == "history: 1 from 000"


def test_a_head_scan_waits_until_keepa_answers_anew_however_short_its_interval() -> None:
    """D4, F27: a run that finds its wish fulfilled is for nothing."""
    budget = replace(BUDGET, intervals=Intervals(head_scan_minutes=1))
    decisions = [
        told(plan(known(5, rate=1000), Backlog([Scan("head", 7, NOW - minutes * MINUTE)]), History(), NOW, budget))
        for minutes in (1, 2, 3)
    ]
    assert decisions == [
        "wait 2.0 min: there is nothing to buy",
        "wait 1.0 min: there is nothing to buy",
        "head_scan head from 0: 1 pages",
    ]


def test_the_first_page_is_read_once_in_an_interval_by_a_head_scan_or_by_a_full_scan_that_begins() -> None:
    """F27."""
    head = full = Scan("books")
    reads = list[tuple[datetime, Work]]()
    for looks in range(24 * 60 * 2):
        now = NOW + looks * MINUTE / 2
        decision = plan(known(100), Backlog([head], [full]), History(), now, BUDGET)
        if not isinstance(decision, ScanUnit):
            continue
        reads.append((now, decision.work))
        head = replace(head, cycle=head.cycle + 1, completed_at=now)
        if decision.work is Work.FULL_SCAN:
            full = replace(full, cycle=full.cycle + 1, completed_at=now + MINUTE)
    assert {later - earlier for (earlier, _), (later, _) in pairwise(reads)} == {15 * MINUTE}
    full_scans = [at for at, work in reads if work is Work.FULL_SCAN]
    assert {later - earlier for earlier, later in pairwise(full_scans)} == {255 * MINUTE}


def test_a_class_without_a_share_is_never_bought() -> None:
    budget = replace(BUDGET, shares=Shares(full_scan=100, history=0, offers=0, backfill=0))
    decision = plan(known(290), replace(ALL, full_scans=()), History(), NOW, budget)
    assert told(decision) == "wait 12.0 min: there is nothing to buy"


def test_tracked_products_that_take_the_whole_refill_leave_what_is_there_to_be_spent() -> None:
    assert told(plan(known(8, reduction=5), ALL, History(), NOW, BUDGET)) == "full_scan full from 0: 1 pages"


def test_a_cost_above_the_capacity_is_passed_over() -> None:
    """F02."""
    history = History(costs={Work.OFFERS: 61})
    decision = plan(known(50, rate=1), Backlog(offers=products(9), shards=[SHARD]), history, NOW, BUDGET)
    assert told(decision) == "backfill shard from 0: 8 pages"


@pytest.mark.parametrize("floor", [Amount(59), Amount(0, 300), Amount(0, 240_000)])
def test_whatever_the_floor_a_full_bucket_is_enough(floor: Amount) -> None:
    """F02: nothing is waited for that does not fit the capacity."""
    policy = Policy(floors=dict.fromkeys(Lane, floor))
    budget = replace(BUDGET, policy=policy)
    scans = (Backlog([HEAD["due"]]), Backlog(full_scans=[FULL]), Backlog(shards=[SHARD]))
    for backlog in (*scans, Backlog(history=products(500)), Backlog(offers=products(9))):
        assert not isinstance(plan(known(300, 5, policy), backlog, History(), NOW, budget), Wait)


def test_ten_ticks_ask_for_one_run_although_more_becomes_affordable() -> None:
    """F20."""
    asked = {
        unit_key(plan(known(60 + tick), ALL, History(), NOW + tick * timedelta(seconds=5), BUDGET))
        for tick in range(10)
    }
    assert asked == {"full_scan/full/0/0/0"}


def test_a_later_unit_is_another_run() -> None:
    """F27: a new page, a new cycle, a new attempt."""
    scans = [FULL, replace(FULL, page=3), replace(FULL, cycle=1), Scan("other")]
    keys = {unit_key(plan(known(60), Backlog(full_scans=[scan]), History(), NOW, BUDGET)) for scan in scans}
    keys |= {unit_key(plan(known(60), Backlog(shards=[FULL]), History(), NOW, BUDGET))}
    first, second = products(2)
    for product in (first, second, replace(first, asked_at=NOW), replace(first, domain=Domain.DE)):
        keys |= {unit_key(plan(known(60), Backlog(history=[product]), History(), NOW, BUDGET))}
        keys |= {unit_key(plan(known(60), Backlog(offers=[product]), History(), NOW, BUDGET))}
    assert len(keys) == len(scans) + 1 + 8


def test_a_run_that_ended_without_effect_is_asked_for_again_at_once_and_then_later_each_time() -> None:
    """F17, F27."""
    backlog, ended, waits = Backlog(full_scans=[FULL]), dict[str, datetime](), list[float]()
    for _ in range(12):
        decision = plan(known(60), backlog, History(ended=ended), NOW, BUDGET)
        if isinstance(decision, Wait):
            waits.append((decision.until - NOW) / MINUTE)
            key = f"full_scan/full/0/0/{len(ended) - 1}"
            ended[key] = NOW - (decision.until - NOW)
            decision = plan(known(60), backlog, History(ended=ended), NOW, BUDGET)
        assert unit_key(decision) == f"full_scan/full/0/0/{len(ended)}"
        ended[unit_key(decision)] = NOW
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]


def test_a_unit_that_ended_before_the_clock_was_set_back_is_asked_for_again_at_once() -> None:
    """F17, F27."""
    backlog = Backlog(history=products(1))
    key = "history/US/0000000000/never/"
    ended = {f"{key}{attempt}": NOW + 180 * MINUTE for attempt in range(4)}
    decision = plan(known(60), backlog, History(ended=ended), NOW, BUDGET)
    assert isinstance(decision, ProductUnit)
    assert decision.run_key == f"{key}4"


def test_a_class_that_never_gets_an_answer_waits_longer_each_time_and_asks_for_one_item() -> None:
    """F04, F17: what it spends cannot be seen, so that it would be next for ever."""
    backlog, ended, now = Backlog(history=products(30), offers=products(30)), dict[str, datetime](), NOW
    asked: dict[Work, list[tuple[datetime, int]]] = {work: [] for work in Work}
    while now < NOW + timedelta(hours=6):
        decision = plan(known(300), backlog, History({Work.HISTORY: 1000}, ended=ended), now, BUDGET)
        if isinstance(decision, ProductUnit):
            asked[decision.work].append((now, len(decision.products)))
            if decision.work is Work.OFFERS:
                ended[decision.run_key] = now
        now += timedelta(minutes=1)
    waits = [(later - earlier) / timedelta(minutes=1) for (earlier, _), (later, _) in pairwise(asked[Work.OFFERS])]
    assert waits[:9] == [1, 1, 1, 4, 8, 16, 32, 60, 60]
    assert {items for _, items in asked[Work.OFFERS][4:]} == {1}
    assert len(asked[Work.HISTORY]) > 330
    answered = {f"offers/US/9999999999/never/{len(ended)}": now}
    decision = plan(known(300), backlog, History({Work.HISTORY: 1000}, ended=ended | answered), now, BUDGET)
    assert isinstance(decision, ProductUnit)
    assert (decision.work, len(decision.products) > 1) == (Work.OFFERS, True), "one answer, and it is as it was"


def test_a_run_that_ended_without_effect_does_not_hold_up_the_others() -> None:
    """F24."""
    ended = {f"history/US/0000000000/never/{n}": NOW for n in range(5)}
    decision = plan(known(60), Backlog(history=products(30)), History(ended=ended), NOW, BUDGET)
    assert isinstance(decision, ProductUnit)
    assert told(decision) == "history: 1 from 001", "it might be one of these that spoils the batch"
    assert decision.skip == ("US/0000000000/never",)
    one_answered = {"history/US/9999999999/never/0": NOW + MINUTE}
    decision = plan(known(60), Backlog(history=products(30)), History(ended=ended | one_answered), NOW + MINUTE, BUDGET)
    assert isinstance(decision, ProductUnit)
    assert told(decision) == "history: 29 from 001"
    assert decision.skip == ("US/0000000000/never",)


@pytest.mark.parametrize("place", [0, 1, 7, 33, 60, 99])
def test_what_spoils_each_batch_that_it_is_in_is_soon_alone_and_the_others_are_bought(place: int) -> None:
    """F24: a call is repeated some times, so that one in vain takes minutes; 100 products take 4 calls without it."""
    pending, ended, now, calls = list(products(100)), dict[str, datetime](), NOW, 0
    spoiling = pending[place]
    while pending != [spoiling]:
        decision = plan(known(60), Backlog(history=pending), History(ended=ended), now, BUDGET)
        if isinstance(decision, ProductUnit):
            asked = [each for each in pending if each.stem not in decision.skip][: decision.tokens_max]
            assert asked[0] == decision.products[0], "the run asks for what was planned"
            if spoiling not in asked:
                pending = [each for each in pending if each not in asked]
            calls += 1
            ended[decision.run_key] = now
        now += 3 * MINUTE
        assert calls <= 30
        assert now <= NOW + timedelta(hours=2)


@pytest.mark.parametrize("rate", [1, 5, 20])
def test_where_another_program_takes_what_is_saved_each_class_that_is_affordable_goes_on(rate: int) -> None:
    """F04, F24: it takes all but 5 tokens as soon as there are 4 minutes of refill."""
    backlog, tokens = replace(ALL, head_scans=[Scan("head", 7, NOW + timedelta(days=2))]), 5
    spent, units, ended = Counter[Work](), Counter[Work](), {"head_scan/head/7/0/0": NOW}
    for minutes in range(24 * 60):
        tokens = 5 if tokens >= max(20, 4 * rate) else tokens + rate
        history, now = History(spent, ended=ended), NOW + minutes * MINUTE
        decision = plan(known(tokens, rate), backlog, history, now, BUDGET)
        if isinstance(decision, ScanUnit | ProductUnit):
            spent[decision.work] += decision.tokens_max
            units[decision.work] += 1
            tokens -= decision.tokens_max
            ended[f"{decision.work.value}/what was asked for then/{minutes}/0"] = now
    assert min(units[Work.FULL_SCAN], units[Work.HISTORY]) >= 6


@pytest.mark.parametrize("max_deficit", [Amount(0), Amount(10)])
@given(
    tokens=st.integers(-400, 400),
    rate=st.sampled_from((1, 5, 9, 20, 1000)),
    spent=st.dictionaries(st.sampled_from(list(Work)), st.integers(0, 1000)),
    pending=st.sets(st.sampled_from(["head_scans", "full_scans", "history", "offers", "shards"])),
)
def test_a_unit_is_granted_by_the_bucket_and_a_wait_ends_in_time(
    max_deficit: Amount, tokens: int, rate: int, spent: dict[Work, int], pending: set[str]
) -> None:
    """F03, F10: what is asked for fits its tokens as a whole."""
    policy = Policy(max_deficit)
    budget, tokens = replace(BUDGET, policy=policy), min(tokens, 60 * rate)
    everything = replace(ALL, head_scans=[HEAD["due"]])
    backlog = Backlog(**{name: getattr(everything, name) for name in pending})
    decision = plan(known(tokens, rate, policy), backlog, History(spent), NOW, budget)
    if isinstance(decision, Wait):
        assert decision.until > NOW
        then = status(state(tokens, rate), Record(), policy, decision.until)
        if decision.reason != "there is nothing to buy":
            assert not isinstance(plan(then, backlog, History(spent), decision.until, budget), Wait)
    else:
        cost = Cost(decision.tokens_max, decision.tokens_max)
        ask = Ask(decision.work.lane, cost, "unit", 1, policy.floors[decision.work.lane], policy.max_deficit)
        assert isinstance(bucket.decide(state(tokens, rate), ask, NOW), Granted)
        if decision.work is not Work.HEAD_SCAN:
            assert tokens - decision.tokens_max >= policy.floors[decision.work.lane].at_rate(rate)


@given(tokens=st.integers(0, 300), more=st.integers(0, 200), work=st.sampled_from(["history", "offers", "shards"]))
def test_more_tokens_never_make_a_smaller_unit(tokens: int, more: int, work: str) -> None:
    def size(tokens: int) -> int:
        decision = plan(known(tokens, 20), Backlog(**{work: getattr(ALL, work)}), History(), NOW, BUDGET)
        return 0 if isinstance(decision, Wait) else decision.tokens_max

    assert size(tokens) <= size(tokens + more)


def test_the_planner_and_the_settings_know_nothing_of_dagster() -> None:
    code = "import sys, deals_pipeline.planner, deals_pipeline.config; print('dagster' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"


def unit_key(decision: Plan) -> str:
    assert not isinstance(decision, Wait)
    return decision.run_key
