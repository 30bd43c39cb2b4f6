"""The service of the token yield: it charges as the simulator does, and writes down what it executed."""

from datetime import datetime, timedelta, timezone
from typing import Final

import pytest

from benchmarks.contestants.august import august
from benchmarks.contestants.january import january_a, january_b
from benchmarks.contestants.keepa_library import keepa_library
from benchmarks.contestants.policy import Caller, ContestClock, Over, Policy
from benchmarks.contestants.referee import Rules, judge
from benchmarks.contestants.service import LeanEndpoints, PageRead, ProductsRead, Service
from benchmarks.contestants.truth import observe
from deals_pipeline.keepa.requests import ProductRequest
from deals_pipeline.keepa.selection import DealSelection, Domain
from deals_pipeline.keepa.time import to_unix_ms
from deals_pipeline.simulator.account import AccountConfig, advance
from deals_pipeline.simulator.endpoints import Endpoints
from deals_pipeline.simulator.server import Call
from deals_pipeline.simulator.store import MemoryStore

START: Final = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
UNTIL: Final = START + timedelta(hours=1)
SELECTION: Final = DealSelection(delta_percent_range=(40, 95))
PRODUCTS: Final = 2_000
ACCOUNT: Final = AccountConfig(seed=1, refill_rate=20, started_at=to_unix_ms(START), tokens=300)


def make_service(endpoints: type[Endpoints] = LeanEndpoints) -> Service:
    return Service(endpoints(1, PRODUCTS), MemoryStore(ACCOUNT))


def listed(count: int) -> tuple[str, ...]:
    market = Endpoints(1, PRODUCTS).market(Domain.US)
    return tuple(market.asin(index) for index in market.matching(SELECTION, START)[:count].tolist())


@pytest.mark.parametrize("offers", [None, 20])
def test_lean_products_cost_what_whole_ones_cost(offers: int | None) -> None:
    asked = ProductRequest(asins=listed(20), offers=offers)
    lean = LeanEndpoints(1, PRODUCTS).product_page(asked, asked, lambda *_: None, START)
    whole = Endpoints(1, PRODUCTS).product_page(asked, asked, lambda *_: None, START)
    assert (lean.tokens, lean.crawled) == (whole.tokens, whole.crawled)


@pytest.mark.parametrize("endpoints", [LeanEndpoints, Endpoints])
def test_fifty_products_with_offers_are_one_call_that_may_end_far_below_zero(endpoints: type[Endpoints]) -> None:
    service = make_service(endpoints)
    query = {"key": "any", "asin": ",".join(listed(50)), "offers": "20"}
    assert service.deliver(Call("GET", "/product", query), START).status == 200
    (read,) = service.executed
    assert isinstance(read, ProductsRead)
    assert len(read.histories) == read.products == 50
    assert 45 <= len(read.offers) <= 50
    assert balance(service, START) == 300 - read.tokens < 0


def test_what_is_refused_is_not_written_down() -> None:
    service = make_service()
    service.deliver(Call("GET", "/product", {"key": "any", "asin": ",".join(listed(50)), "offers": "20"}), START)
    assert service.deliver(Call("GET", "/deal", {"key": "any", "selection": "{}"}), START).status == 429
    assert len(service.executed) == 1


@pytest.mark.parametrize("policy", [january_a, january_b, august, keepa_library])
def test_each_policy_finds_deals_and_the_referee_counts_the_tokens_of_the_account(policy: Policy) -> None:
    service, clock = make_service(), ContestClock(START, UNTIL)
    with pytest.raises(Over):
        policy(Caller(service, clock, SELECTION))
    truth = observe(service.endpoints.market(Domain.US), SELECTION, START, UNTIL)
    score = judge(truth, service.executed, ACCOUNT, Rules(timedelta(hours=24), timedelta(hours=24)))
    with service.store.transaction() as transaction:
        account = advance(ACCOUNT, transaction.account, to_unix_ms(UNTIL))
    assert score.tokens.in_all == account.spent
    assert score.balance.refilled == account.refilled
    assert score.deals_discovered > 0
    assert any(isinstance(each, PageRead) for each in service.executed)
    assert score.with_history > 0


def balance(service: Service, now: datetime) -> int:
    with service.store.transaction() as transaction:
        return advance(ACCOUNT, transaction.account, to_unix_ms(now)).balance
