"""Buying live offers: of survivors only, best first, cheap where Keepa's crawl is fresh, and each seller once."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from duckdb import DuckDBPyConnection
from hypothesis import given
from hypothesis import strategies as st

from deals_pipeline.buying.backlog import survey
from deals_pipeline.buying.buyer import Allowance, Buyer
from deals_pipeline.buying.histories import buy_histories
from deals_pipeline.buying.offers import (
    buy_offers,
    offers_coverage,
    pending_offers,
    pending_sellers,
    update_hours,
)
from deals_pipeline.buying.outcome import Outcome, Rejected, StoppedBy
from deals_pipeline.config import load_settings
from deals_pipeline.config.sections import Shares
from deals_pipeline.keepa.replies import Page, TokenStatus
from deals_pipeline.keepa.requests import DealPageRequest, ProductRequest, SellerRequest, WireRequest
from deals_pipeline.keepa.selection import DealSelection, Domain
from deals_pipeline.keepa.time import to_keepa_minutes, to_unix_ms
from deals_pipeline.landing import Landing, landed_files, read
from deals_pipeline.simulator import endpoints
from deals_pipeline.simulator.market.sellers import Sellers
from deals_pipeline.simulator.store import MemoryStore
from deals_pipeline.token_bucket.bucket import available_at
from deals_pipeline.token_bucket.model import Lane
from deals_pipeline.token_bucket.reservation import TokenBucket
from deals_pipeline.token_bucket.sqlite_ledger import SqliteLedger
from deals_pipeline.warehouse.connection import connect
from deals_pipeline.warehouse.loading import load, load_landed
from deals_pipeline_tests.buying.survivors import move_used_price, screen
from deals_pipeline_tests.conftest import market
from deals_pipeline_tests.dagster_world import ROOT
from deals_pipeline_tests.keepa.wire_examples import SELLER_ID, an_offer, asin
from deals_pipeline_tests.simulator.services import Service, make_service
from deals_pipeline_tests.warehouse.answers import a_page, deals, hours, some_offers, some_products, some_sellers

DAY = timedelta(days=1)
SETTINGS = load_settings({}, ROOT)
OTHER_ID = "A1OTHERSELLER1"


class Shop:
    """A page of deals in a warehouse, and a simulated Keepa to buy from."""

    def __init__(self, folder: Path, migrated: Path, **service: Any) -> None:  # noqa: ANN401 - for the service
        self.landing = Landing(folder / "landing", "run-1", None)  # type: ignore[arg-type]
        self.service: Service = make_service(land=self.landing, endpoints=market(2_000), **service)
        self.clock = self.service.clock
        self.landing._clock = self.clock  # noqa: SLF001
        self._path = Path(shutil.copy(migrated, folder / "shop.duckdb"))
        self._ledger = SqliteLedger(folder / "ledger.sqlite", "0" * 16, clock=self.clock)
        page = self.service.page(DealPageRequest(selection=DealSelection()))
        assert isinstance(page, Page)
        self.asins = [deal.asin for deal in page.deals]
        with self.connect() as connection:
            assert [loaded.rows_seen for loaded in load_landed(connection, self.landing.root)] == [len(self.asins)]
        self.spent_before = self.service.spent()

    @contextmanager
    def connect(self) -> Iterator[DuckDBPyConnection]:
        with connect(self._path) as connection:
            yield connection

    def buy(self, work: Callable[[Buyer, timedelta], Outcome] = buy_offers, **allowance: Any) -> Outcome:  # noqa: ANN401 - of the unit
        allowed = Allowance.starting(self.clock.now(), **allowance)
        buyer = Buyer(self.bucket, self.service.client, self.landing, self, self.clock, allowed)
        buyer.load_landed()
        return work(buyer, DAY)

    def buy_killed_before_sellers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Buy offers in a run that is killed before it buys a seller."""

        def killed(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr("deals_pipeline.buying.offers._buy_sellers", killed)
            with pytest.raises(KeyboardInterrupt):
                self.buy()

    @property
    def bucket(self) -> TokenBucket:
        """The bucket of the run."""
        return TokenBucket(self._ledger, self.service.client.token_status, self.clock, run_id="run-1")

    def track(self, tokens: float) -> None:
        """Let products be tracked for so many tokens of each tick, which the rate on the wire does not contain."""
        server, since = self.service.server, to_unix_ms(self.clock.now())
        server.store = MemoryStore(
            replace(server.store.config, token_flow_reduction=((since, tokens),), refill_rate_contains_reduction=True)
        )

    def exceed(self, request: ProductRequest | SellerRequest, tokens: int) -> None:
        """Let a call have cost more than its bound."""
        bucket = TokenBucket(self._ledger, self.service.client.token_status, self.clock, run_id="run-0")
        bucket.look()
        with bucket.reserve(request, lane=Lane.OFFERS, purpose="test") as hold:
            hold.mark_sent()
            told = self.service.client.token_status()
            assert isinstance(told, TokenStatus)
            hold.settle(TokenStatus(replace(told.tokens, tokens_consumed=tokens)))

    def screen(self, asins: Sequence[str], **screening: Any) -> None:  # noqa: ANN401 - for `screen`
        """Screen deals, the first the most profitable."""
        with self.connect() as connection:
            profits = {each: 10_000 - rank for rank, each in enumerate(asins)}
            screen(connection, profits, self.clock.now(), **screening)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.connect() as connection:
            return connection.execute(query).fetchall()

    def holding(self) -> list[str]:
        """Return the ASINs of which the live offers hold."""
        found = self.rows("SELECT asin FROM promising_deal WHERE offers_hold_from IS NOT NULL ORDER BY asin")
        return [asin for (asin,) in found]

    def asked_at(self) -> list[tuple[str, datetime]]:
        """Return when offers of each deal were asked for last, as its stem has it."""
        with self.connect() as connection:
            found = pending_offers(connection, self.clock.now(), DAY, 100).deals
        return [
            (each.product.asin, (each.product.asked_at or self.clock.now()).astimezone(timezone.utc)) for each in found
        ]

    @property
    def spent(self) -> int:
        return self.service.spent() - self.spent_before

    @property
    def asked(self) -> list[ProductRequest | SellerRequest]:
        """What was asked for, in order."""
        requests = [read(path).request for path in landed_files(self.landing.root)]
        return [request for request in requests if isinstance(request, ProductRequest | SellerRequest)]

    @property
    def sellers_asked(self) -> list[str]:
        return [each for request in self.asked if isinstance(request, SellerRequest) for each in request.seller_ids]

    @property
    def asins_asked(self) -> list[str]:
        return [each for request in self.asked if isinstance(request, ProductRequest) for each in request.asins]


MakeShop = Callable[..., Shop]


@pytest.fixture
def shop(tmp_path: Path, migrated: Path) -> MakeShop:
    return lambda **service: Shop(tmp_path, migrated, **service)


def ago(now: datetime, *hours: float | None) -> list[datetime | None]:
    return [None if each is None else now - timedelta(hours=each) for each in hours]


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ([], 1),
        ([None], 1),
        ([30.0, None], 1),
        ([0.2], 1),
        ([1.9], 1),
        ([2.0], 2),
        ([9.5, 3.1, 20.0], 3),
        ([23.9], 23),
        ([24.0], 24),
        ([500.0], 24),
        ([-0.01], 1),
    ],
    ids=str,
)
def test_a_crawl_since_the_last_move_of_a_price_knows_it(since: list[float | None], expected: int) -> None:
    assert update_hours(ago(hours(0), *since), hours(0)) == expected


@given(st.lists(st.none() | st.integers(-60, 60 * 24 * 90), max_size=20))
def test_no_crawl_from_before_a_move_that_is_known_to_be_an_hour_old_is_taken(minutes: list[int | None]) -> None:
    now = hours(0)
    since = [None if each is None else now - timedelta(minutes=each) for each in minutes]
    chosen = update_hours(since, now)
    assert 1 <= chosen <= 24
    assert chosen == 1 or all(each is not None and now - timedelta(hours=chosen) >= each for each in since)


def test_what_is_bought_are_survivors_the_best_first(shop: MakeShop) -> None:
    """F40."""
    here = shop()
    survivors = here.asins[10:32]
    here.screen(here.asins[:5], screened="rejected", stage="page")
    here.screen(here.asins[5:10], screened="survives", stage="page")
    here.screen(survivors)
    outcome = here.buy()
    assert (outcome.stopped_by, outcome.tally.products_missing) == (StoppedBy.COMPLETE, 0)
    first, second = (request for request in here.asked if isinstance(request, ProductRequest))
    assert (list(first.asins), list(second.asins)) == (survivors[:20], survivors[20:])
    assert (first.offers, first.only_live_offers, first.stats, first.history) == (20, True, 365, True)
    assert outcome.tally.tokens_spent == here.spent
    ((stored,),) = here.rows("SELECT count(*) FROM offer_snapshot")
    assert stored == 22


def test_a_crawl_that_is_fresh_enough_costs_five(shop: MakeShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "REFRESH_FAILS", 0.0)
    here = shop()
    here.screen(here.asins[:10])
    here.buy()
    with here.connect() as connection:
        connection.execute("UPDATE offer_snapshot SET observed_at = observed_at - INTERVAL 4 HOURS")
        connection.execute("UPDATE live_offer SET last_seen = last_seen - INTERVAL 4 HOURS")
        move_used_price(connection, here.clock.now() - timedelta(hours=3), here.asins[:10])
    before = here.spent
    outcome = here.buy()
    assert here.spent - before == outcome.tally.tokens_spent == 5 * 10 + outcome.tally.sellers
    (*_, last) = (request for request in here.asked if isinstance(request, ProductRequest))
    assert last.update == 3
    assert set(here.asins_asked) == set(here.asins[:10])


def test_nothing_is_bought_again_before_the_price_moves_or_a_day_is_over(shop: MakeShop) -> None:
    """F27."""
    here = shop()
    here.screen(here.asins[:6])
    here.buy()
    assert here.buy().tally.requests == 0
    live = here.holding()
    assert len(live) >= 5
    here.service.pass_time(hours=23)
    asked = len(here.asins_asked)
    here.buy()
    assert set(live).isdisjoint(here.asins_asked[asked:])
    with here.connect() as connection:
        move_used_price(connection, here.clock.now() - timedelta(minutes=10), live[:1])
    asked = len(here.asins_asked)
    here.buy()
    assert here.asins_asked[asked:] == [live[0]]
    here.service.pass_time(hours=1)
    here.buy()
    assert set(here.asins_asked[asked + 1 :]) >= {*live[1:]}
    assert live[0] not in here.asins_asked[asked + 1 :]


def test_the_sellers_of_the_chosen_offers_are_bought_once_and_again_after_a_week(shop: MakeShop) -> None:
    """F27, F58: nobody else's."""
    here = shop()
    here.screen(here.asins[:20])
    here.buy()
    chosen = {
        seller for asin, seller in here.rows("SELECT asin, seller_id FROM chosen_offer") if asin in here.holding()
    }
    assert len(here.sellers_asked) == len(set(here.sellers_asked))
    assert set(here.sellers_asked) == chosen == {each for (each,) in here.rows("SELECT seller_id FROM seller")}
    ((all_of_them,),) = here.rows("SELECT count(DISTINCT seller_id) FROM live_offer")
    assert all_of_them > 2 * len(chosen)
    here.service.pass_time(days=6)
    before = len(here.sellers_asked)
    here.buy()
    new = set(here.sellers_asked[before:])
    assert new.isdisjoint(chosen)
    here.service.pass_time(days=1.1)
    before = len(here.sellers_asked)
    here.buy()
    assert set(here.sellers_asked[before:]) & chosen


def test_unknown_sellers_are_not_asked_for_again(shop: MakeShop, monkeypatch: pytest.MonkeyPatch) -> None:
    """F27, F41."""
    here = shop()
    here.screen(here.asins[:10])
    monkeypatch.setattr(Sellers, "wire", lambda *_: None)
    outcome = here.buy()
    assert outcome.tally.sellers_missing == len(here.sellers_asked) > 0
    for days in (8, 20):
        before = set(here.sellers_asked)
        here.service.pass_time(days=days)
        here.buy()
        again = here.sellers_asked[len(before) :]
        assert before.isdisjoint(again)
        assert len(here.sellers_asked) == len(set(here.sellers_asked))


@pytest.mark.parametrize("is_refused", [True, False], ids=["refused", "no answer"])
def test_sellers_who_are_not_told_hold_up_no_offers(
    shop: MakeShop, monkeypatch: pytest.MonkeyPatch, *, is_refused: bool
) -> None:
    """F24: the price of an offer does not need its seller."""
    here = shop()
    here.screen(here.asins[:10])
    if is_refused:
        monkeypatch.setattr(SellerRequest, "wire", lambda _: WireRequest("/nowhere"))
    else:
        monkeypatch.setattr(endpoints.Endpoints, "seller_page", lambda *_: endpoints.Result({}, 1))
    outcome = here.buy()
    assert outcome.stopped_by is StoppedBy.COMPLETE
    assert sorted(here.asins_asked) == sorted(here.asins[:10])
    assert here.holding()
    assert here.rows("SELECT count(*) FROM seller") == [(0,)]


def test_what_is_to_be_skipped_is_left_out_with_its_seller_and_the_others_are_bought(shop: MakeShop) -> None:
    """F24: what never answers waits for another try, and holds up nothing."""
    here = shop()
    here.screen(here.asins[:6])
    here.buy(partial(buy_offers, skip=[f"US/{here.asins[0]}/never"]))
    assert here.asins_asked == here.asins[1:6]
    here.service.pass_time(hours=25)
    due = {asin: f"{asked_at:%Y-%m-%dT%H:%M:%SZ}" for asin, asked_at in here.asked_at()}
    skip = [f"US/{asin}/{due[asin]}" for asin in here.asins[1:3]]
    before = len(here.asked)
    here.buy(partial(buy_offers, skip=skip))
    later = [asin for request in here.asked[before:] if isinstance(request, ProductRequest) for asin in request.asins]
    assert later == [here.asins[0], *here.asins[3:6]]
    bought = here.asins_asked
    here.buy(partial(buy_histories, skip=[f"US/{asin}/never" for asin in here.asins[6:]]))
    assert here.asins_asked == bought


def test_a_unit_that_stops_for_tokens_has_saved_what_it_bought(shop: MakeShop) -> None:
    """F01, F10, F31: the batch follows from the balance, and the next unit goes on."""
    here = shop(refill_rate=5, tokens=60)
    here.screen(here.asins[:30])
    outcome = here.buy()
    assert outcome.stopped_by is StoppedBy.TOKENS
    assert outcome.retry_at is not None
    ((stored, sellers),) = here.rows("SELECT (SELECT count(*) FROM offer_snapshot), (SELECT count(*) FROM seller)")
    assert stored == outcome.tally.rows_seen >= 2
    assert sellers == outcome.tally.sellers > 0
    assert here.service.balance() >= 0
    holding, asked = here.holding(), len(here.asins_asked)
    here.service.pass_time(hours=1)
    here.buy()
    assert set(holding).isdisjoint(here.asins_asked[asked:])
    assert list(dict.fromkeys(here.asins_asked)) == here.asins[: len(set(here.asins_asked))], "best first"


def test_a_unit_spends_no_more_than_it_is_given_and_has_enough_for_its_sellers(shop: MakeShop) -> None:
    """F01, F10."""
    here = shop()
    here.screen(here.asins[:30])
    outcome = here.buy(tokens_max=36)
    assert outcome.stopped_by is StoppedBy.BUDGET
    assert len(here.asins_asked) == 2
    assert here.sellers_asked, "bought in the same unit"
    assert outcome.tally.tokens_spent <= outcome.tally.tokens_estimated <= 36


def test_a_bound_that_was_exceeded_makes_the_next_batch_smaller(shop: MakeShop) -> None:
    """F01: whatever hours the exceeding call had asked for."""
    here = shop()
    here.screen(here.asins[:30])
    request = ProductRequest(asins=("B000000000",), stats=365, offers=20, only_live_offers=True, update=7)
    here.exceed(request, 19)
    here.buy(tokens_max=45)
    first, *_ = here.asked
    assert first.units == 2, "20 at most for each and its seller"


def test_a_bound_that_was_exceeded_makes_the_next_batch_of_histories_smaller(shop: MakeShop) -> None:
    """F01."""
    here = shop()
    here.exceed(ProductRequest(asins=("B000000000",), stats=365), 3)
    here.buy(buy_histories, tokens_max=30)
    first, *_ = here.asked
    assert first.units == 10, "3 at most for each"


def test_a_balance_above_a_capacity_that_became_smaller_cuts_the_batch_to_it(shop: MakeShop) -> None:
    """F02: the balance stays there as long as nobody spends, and so would an error."""
    here = shop(refill_rate=5)
    here.screen(here.asins[:20])
    here.bucket.look()
    here.track(2.0)
    here.service.pass_time(minutes=20)
    for _ in range(3):
        here.bucket.look()
    state, now = here.bucket.state()
    assert available_at(state, now) > 20 * 12 > state.capacity == 180
    outcome = here.buy()
    first, *_ = here.asked
    assert first.units == 180 // 13, "12 for each and 1 for its seller"
    assert outcome.stopped_by in (StoppedBy.TOKENS, StoppedBy.COMPLETE)


def test_a_crash_before_the_sellers_loses_nothing(shop: MakeShop, monkeypatch: pytest.MonkeyPatch) -> None:
    """F24, F31: the next unit, which is for offers, buys them first, without a note of anybody's."""
    here = shop()
    here.screen(here.asins[:10])
    here.buy_killed_before_sellers(monkeypatch)
    assert (len(here.asins_asked), here.sellers_asked) == (10, [])
    with here.connect() as connection:
        assert len(pending_sellers(connection, here.clock.now(), 100)) > 1
        assert len(survey(connection, SETTINGS, here.clock.now()).backlog.offers) == 1, "several would be silenced"
    here.screen(here.asins[10:15])
    with here.connect() as connection:
        asked_for = survey(connection, SETTINGS, here.clock.now()).backlog.offers
        chosen = connection.execute("SELECT count(*) FROM chosen_offer").fetchall()[0][0]
    assert len(asked_for) > 5, "the planner asks for a unit for sellers too"
    assert [each.asin for each in asked_for[:5]] == here.asins[10:15], "but not where it can for offers"
    before = here.asked
    here.buy()
    first = here.asked[len(before)]
    assert isinstance(first, SellerRequest)
    assert 0 < len(first.seller_ids) <= chosen
    assert here.asins_asked == here.asins[:15]


def test_what_is_never_planned_is_not_looked_for(shop: MakeShop) -> None:
    here = shop()
    here.screen(here.asins[:10])
    scans_only = replace(SETTINGS.budget, shares=Shares(full_scan=100, history=0, offers=0, backfill=0))
    with here.connect() as connection:
        backlogs = [
            survey(connection, settings, here.clock.now()).backlog
            for settings in (SETTINGS, replace(SETTINGS, budget=scans_only))
        ]
    assert [bool(backlog.history) for backlog in backlogs] == [True, False]
    assert [bool(backlog.offers) for backlog in backlogs] == [True, False]


def test_a_bound_that_was_exceeded_makes_the_next_batch_of_sellers_smaller(
    shop: MakeShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F01: a batch for which the tokens can never be there would hold up all offers."""
    here = shop()
    here.screen(here.asins[:10])
    here.buy_killed_before_sellers(monkeypatch)
    here.exceed(SellerRequest(seller_ids=("A0000000",)), 4)
    before = here.asked
    here.buy(tokens_max=20)
    first = here.asked[len(before)]
    assert isinstance(first, SellerRequest)
    assert first.units == 5, "4 at most for each"


def test_an_answer_that_was_landed_and_not_loaded_is_not_bought_again(
    shop: MakeShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F31, F44."""
    here = shop()
    here.screen(here.asins[:5])

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("deals_pipeline.buying.buyer.load", killed)
        with pytest.raises(KeyboardInterrupt):
            here.buy()
    here.buy()
    assert here.asins_asked == here.asins[:5]
    assert here.rows("SELECT count(*) FROM offer_snapshot") == [(5,)]


def test_what_keepa_refuses_is_not_blamed_on_a_selection(shop: MakeShop, monkeypatch: pytest.MonkeyPatch) -> None:
    here = shop()
    here.screen(here.asins[:1])
    monkeypatch.setattr(ProductRequest, "wire", lambda _: WireRequest("/nowhere"))
    with pytest.raises(Rejected, match=r"No setting decides a request for a product offers=20: look for a newer"):
        here.buy()


@pytest.fixture
def listed(warehouse: DuckDBPyConnection) -> DuckDBPyConnection:
    """Return a warehouse with four deals, all of which survive, and whose used prices moved 90 minutes ago."""
    load(warehouse, a_page(deals(0, 4)))
    screen(warehouse, {asin(0): 100, asin(1): None, asin(2): 300, asin(3): 300}, hours(0))
    return warehouse


def pending(connection: DuckDBPyConnection, at: datetime) -> list[str]:
    return [each.product.asin for each in pending_offers(connection, at, DAY, 100).deals]


def test_pending_are_the_survivors_the_largest_expected_profit_first(listed: DuckDBPyConnection) -> None:
    """F40."""
    assert pending(listed, hours(0)) == [asin(2), asin(3), asin(0), asin(1)]
    found = pending_offers(listed, hours(0), DAY, 1)
    assert (len(found.deals), found.count) == (1, 4)
    assert found.deals[0].product.asked_at is None
    assert found.deals[0].used_since == hours(-1.5)


def test_marketplaces_take_turns_the_best_of_each_first(listed: DuckDBPyConnection) -> None:
    """F04: the cents of two currencies do not compare."""
    load(listed, a_page(deals(4, 3), selection=DealSelection(domain=Domain.IN)))
    screen(listed, {asin(4): 900_000, asin(5): 800_000, asin(6): None}, hours(0), domain=Domain.IN)
    assert pending(listed, hours(0)) == [asin(number) for number in (2, 4, 3, 5, 0, 6, 1)]


def test_fresh_offers_are_not_pending_until_they_are_old(listed: DuckDBPyConnection) -> None:
    """F27."""
    load(listed, some_offers({each: [] for each in range(4)}))
    assert pending(listed, hours(23.9)) == []
    assert len(pending(listed, hours(24))) == 4
    coverage = offers_coverage(listed, hours(23.9), DAY)
    assert (coverage.survivors, coverage.fresh, coverage.share) == (4, 4, 1.0)
    assert offers_coverage(listed, hours(24), DAY).fresh == 0


def test_offers_from_before_the_last_move_of_the_used_price_are_pending(listed: DuckDBPyConnection) -> None:
    load(listed, some_offers({0: [], 2: []}))
    move_used_price(listed, hours(0), [asin(0)])
    move_used_price(listed, hours(0.1), [asin(2)])
    assert pending(listed, hours(1)) == [asin(2), asin(3), asin(1)]


def test_offers_that_keepa_saw_before_the_used_price_moved_are_asked_for_again_an_hour_later(
    listed: DuckDBPyConnection,
) -> None:
    """F27, F58: by then no crawl from before the move is young enough for the request."""
    load(listed, some_offers({0: [an_offer(1, lastSeen=to_keepa_minutes(hours(-1.6)))]}))
    load(listed, some_offers({2: [an_offer(1, lastSeen=to_keepa_minutes(hours(-1.5)))]}))
    assert pending(listed, hours(0.9)) == [asin(3), asin(1)]
    assert pending(listed, hours(1)) == [asin(3), asin(0), asin(1)]
    assert offers_coverage(listed, hours(1), DAY).fresh == 1


def test_what_its_offers_rejected_is_asked_for_again_when_its_metrics_say_so_and_last(
    listed: DuckDBPyConnection,
) -> None:
    """F40, F41: a copy that can be bought may come without a move of the lowest price."""
    load(listed, some_offers({2: [], 3: []}))
    screen(listed, {asin(2): 300}, hours(0), screened="rejected", stage="offers", next_try_at=hours(48))
    assert pending(listed, hours(47)) == [asin(3), asin(0), asin(1)]
    assert pending(listed, hours(48)) == [asin(3), asin(0), asin(1), asin(2)]
    load(listed, some_offers({2: []}, at=hours(48)))
    assert asin(2) not in pending(listed, hours(71)), "nor before its metrics know of the new answer"
    coverage = offers_coverage(listed, hours(1), DAY)
    assert (coverage.survivors, coverage.fresh) == (3, 1)


def test_a_history_does_not_make_offers_fresh(listed: DuckDBPyConnection) -> None:
    load(listed, some_products([0, 1, 2, 3]))
    assert len(pending(listed, hours(0))) == 4


@pytest.mark.parametrize("table", ["recent_deal", "deal_metrics"])
def test_what_is_not_listed_or_not_screened_is_not_pending(listed: DuckDBPyConnection, table: str) -> None:
    listed.execute(f"DELETE FROM {table} WHERE asin = ?", [asin(2)])
    assert pending(listed, hours(0)) == [asin(3), asin(0), asin(1)]


def test_a_crawl_that_failed_is_tried_again_later_and_later(listed: DuckDBPyConnection) -> None:
    """F27, F41: after a day, then after as long as it has failed."""
    times, now = [0.0], 0.0
    load(listed, some_offers({0: None}, at=hours(0)))
    while len(times) < 6:
        now += 6
        if asin(0) in pending(listed, hours(now)):
            load(listed, some_offers({0: None}, at=hours(now)))
            times.append(now)
    assert [(after - before) / 24 for before, after in pairwise(times)] == [1, 1, 2, 4, 8]
    load(listed, some_offers({0: []}, at=hours(now + 1)))
    load(listed, some_offers({0: None}, at=hours(now + 25)))
    assert asin(0) not in pending(listed, hours(now + 48))
    assert asin(0) in pending(listed, hours(now + 49))


def test_what_is_refused_is_not_pending_until_its_next_try(listed: DuckDBPyConnection) -> None:
    """F27, F41."""
    load(listed, some_offers({0: [], 3: [an_offer(1, condition=999)]}, asked=[asin(2)]))
    assert pending(listed, hours(23)) == [asin(1)]
    assert pending(listed, hours(24)) == [asin(2), asin(3), asin(0), asin(1)]


def sellers(connection: DuckDBPyConnection, at: datetime) -> list[tuple[str, str]]:
    return [(each.seller_id, each.product.asin) for each in pending_sellers(connection, at, 100)]


@pytest.fixture
def offered(listed: DuckDBPyConnection) -> DuckDBPyConnection:
    """Return a warehouse in which one seller has the best offer of two deals, another of one."""
    other = an_offer(2, sellerId=OTHER_ID)
    load(listed, some_offers({0: [an_offer(1)], 1: [other], 2: [an_offer(1), other], 3: []}))
    return listed


def test_each_seller_of_a_chosen_offer_is_pending_once_for_the_best_deal(offered: DuckDBPyConnection) -> None:
    assert sellers(offered, hours(0)) == [(SELLER_ID, asin(2)), (OTHER_ID, asin(1))]
    (first, _) = pending_sellers(offered, hours(0), 100)
    assert first.product.asked_at == hours(0)


def test_a_seller_is_known_for_a_week_and_missed_for_thirty_days(offered: DuckDBPyConnection) -> None:
    """F27, F41."""
    load(offered, some_sellers([SELLER_ID], asked=[OTHER_ID]))
    assert sellers(offered, hours(24 * 7 - 1)) == []
    assert sellers(offered, hours(24 * 7)) == [(SELLER_ID, asin(2))]
    assert len(sellers(offered, hours(24 * 30))) == 2
    load(offered, some_sellers([SELLER_ID, OTHER_ID], at=hours(1)))
    assert len(sellers(offered, hours(24 * 7 + 1))) == 2, "once known, that it was missing is past"


def test_a_seller_who_was_put_aside_is_not_asked_for_for_thirty_days(offered: DuckDBPyConnection) -> None:
    """F41, F53."""
    load(offered, some_sellers([SELLER_ID, OTHER_ID], domainId=3))
    assert sellers(offered, hours(24 * 29)) == []
    assert len(sellers(offered, hours(24 * 30))) == 2


def test_no_seller_is_bought_of_a_deal_that_offers_rejected_or_that_moved_since(offered: DuckDBPyConnection) -> None:
    """F40."""
    screen(offered, {asin(1): None}, hours(1), screened="rejected", stage="offers")
    assert sellers(offered, hours(1)) == [(SELLER_ID, asin(2))]
    move_used_price(offered, hours(0.5), [asin(0), asin(2)])
    assert sellers(offered, hours(1)) == []


def test_an_id_that_is_none_is_never_asked_for(listed: DuckDBPyConnection) -> None:
    """F32: no request could be made of it."""
    load(listed, some_offers({0: [an_offer(1, sellerId="no id")]}))
    assert sellers(listed, hours(0)) == []
