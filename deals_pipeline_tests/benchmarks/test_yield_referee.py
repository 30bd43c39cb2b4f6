"""The referee of the token yield: the same rule for all, by the requests that the service executed."""

from datetime import datetime, timedelta, timezone

from benchmarks.contestants.referee import Rules, Score, judge
from benchmarks.contestants.service import Executed, PageRead, ProductsRead, SellersRead, ShownDeal
from benchmarks.contestants.truth import Listing, Truth
from deals_pipeline.keepa.time import to_keepa_minutes, to_unix_ms
from deals_pipeline.simulator.account import AccountConfig

START = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
HOURS = 48
RULES = Rules(history=timedelta(hours=24), offers=timedelta(hours=24))
ASIN, OTHER, LATE, BRIEF = "B000000001", "B000000002", "B000000003", "B000000004"


def listing(asin: str, first: float, last: float) -> Listing:
    return Listing(asin, START + timedelta(hours=first), START + timedelta(hours=last))


TRUTH = Truth(
    START,
    START + timedelta(hours=HOURS),
    {
        ASIN: (listing(ASIN, 0, HOURS),),
        OTHER: (listing(OTHER, 2, 3), listing(OTHER, 10, 12)),
        LATE: (listing(LATE, 47.5, 48),),
    },
)
"""BRIEF was seen once at most, so that it is no deal."""


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def page(hours: float, *asins: str, moved: float = 0, used_cents: int = 900) -> PageRead:
    deals = tuple(ShownDeal(asin, to_keepa_minutes(at(moved)), used_cents) for asin in asins)
    return PageRead(at(hours), 5, deals)


def histories(hours: float, *asins: str) -> ProductsRead:
    return ProductsRead(at(hours), len(asins), len(asins), with_offers=False, histories=asins, offers=())


def everything(hours: float, *asins: str) -> ProductsRead:
    return ProductsRead(at(hours), 8 * len(asins), len(asins), with_offers=True, histories=asins, offers=asins)


def score(*executed: Executed, refill_rate: int = 5, tokens: int | None = None) -> Score:
    account = AccountConfig(seed=1, refill_rate=refill_rate, started_at=to_unix_ms(START), tokens=tokens)
    return judge(TRUTH, executed, account, RULES)


def test_a_listing_is_discovered_when_a_page_shows_it_first() -> None:
    told = score(page(1, ASIN), page(2.5, ASIN, OTHER), page(3, OTHER))
    assert (told.listings, told.listings_discovered) == (3, 2)
    assert told.freshness == (timedelta(minutes=35), timedelta(hours=1))


def test_a_deal_that_comes_back_is_to_be_discovered_again() -> None:
    assert score(page(3, OTHER)).listings_discovered == 1
    assert score(page(3, OTHER), page(11, OTHER)).listings_discovered == 2
    assert score(page(6, OTHER)).listings_discovered == 0
    assert score(page(11, OTHER)).deals_discovered == score(page(3, OTHER), page(11, OTHER)).deals_discovered == 1


def test_a_listing_of_the_last_hour_is_not_judged_but_was_found() -> None:
    told = score(page(47.75, LATE))
    assert (told.deals, told.listings, told.listings_discovered) == (2, 3, 0)
    assert [find.until for find in told.finds] == [at(47.75)]


def test_what_was_never_listed_for_long_counts_for_nothing() -> None:
    told = score(page(1, BRIEF), histories(1, BRIEF))
    assert (told.deals_discovered, told.histories_needed, told.finds) == (0, 0, ())


def test_the_first_history_of_a_deal_is_needed_and_the_next_is_nothing_new() -> None:
    told = score(page(1, ASIN), histories(1, ASIN), histories(30, ASIN))
    assert (told.histories_needed, told.with_history, told.tokens.on_nothing_new) == (1, 1, 1)


def test_a_history_is_needed_again_a_day_later_if_a_page_has_shown_that_the_deal_moved() -> None:
    moved = page(24.5, ASIN, moved=20)
    assert score(page(1, ASIN), histories(1, ASIN), moved, histories(26, ASIN)).histories_needed == 2
    assert score(page(1, ASIN), histories(1, ASIN), moved, histories(24.9, ASIN)).histories_needed == 1


def test_offers_are_needed_again_where_the_used_price_moved() -> None:
    again = everything(3, ASIN)
    same, other = page(2, ASIN, moved=1.5), page(2, ASIN, moved=1.5, used_cents=800)
    assert score(page(1, ASIN), everything(1, ASIN), same, again).offers_needed == 1
    assert score(page(1, ASIN), everything(1, ASIN), other, again).offers_needed == 2


def test_a_page_without_a_new_state_is_nothing_new() -> None:
    told = score(page(1, ASIN), page(2, ASIN), page(3, ASIN, moved=2.5))
    assert (told.tokens.pages, told.tokens.on_nothing_new) == (15, 5)


def test_a_call_with_offers_is_for_histories_where_it_brings_one_that_is_needed() -> None:
    told = score(page(1, ASIN, OTHER), everything(1, ASIN), everything(2, ASIN), everything(3, ASIN, OTHER))
    assert told.tokens.for_histories == 5 + 8 + 16
    assert told.tokens.on_nothing_new == 8 + 8


def test_tokens_are_told_by_what_they_bought() -> None:
    told = score(page(1, ASIN), histories(1, ASIN), everything(2, ASIN), SellersRead(at(2), 3)).tokens
    assert (told.pages, told.products, told.products_with_offers, told.sellers) == (5, 1, 8, 3)
    assert told.in_all == 17


def test_the_balance_is_replayed_with_its_lowest_and_the_time_below_zero() -> None:
    deep = ProductsRead(at(1), 400, 50, with_offers=True, histories=(), offers=())
    balance = score(deep).balance
    assert balance.lowest == -100
    assert timedelta(minutes=19) < balance.below_zero < timedelta(minutes=21)


def test_lost_refill_is_told_and_as_pending_what_would_have_paid_for_needed_histories_once() -> None:
    idle = score().balance
    assert idle.lost == idle.refilled
    assert idle.lost_while_pending == 0
    assert score(page(10, ASIN)).balance.lost_while_pending == 1
    again = page(30, ASIN, moved=29)
    assert score(page(10, ASIN), histories(11, ASIN), again, histories(47, ASIN)).balance.lost_while_pending == 2
    assert score(page(10, ASIN), histories(10, ASIN)).balance.lost_while_pending == 0
    until_it_is_gone = ProductsRead(at(11.9), 200, 0, with_offers=False, histories=(), offers=())
    assert score(page(11.9, OTHER), until_it_is_gone).balance.lost_while_pending == 0
