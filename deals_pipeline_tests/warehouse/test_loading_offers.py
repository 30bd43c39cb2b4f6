"""Live offers and sellers, from landed answers to their tables; what is chosen of them."""

from datetime import datetime, timedelta

import pytest
from duckdb import DuckDBPyConnection

from deals_pipeline.keepa.requests import SellerRequest
from deals_pipeline.warehouse.loading import load
from deals_pipeline_tests.keepa.wire_examples import SELLER_ID, SERVER_MINUTE, a_seller, an_offer, asin, sellers_of
from deals_pipeline_tests.warehouse.answers import hours, landed, some_offers, some_products, some_sellers

OTHER_ID = "A1OTHERSELLER1"
CRAWLED = SERVER_MINUTE - 10


def rows(connection: DuckDBPyConnection, query: str) -> list[tuple[object, ...]]:
    return connection.execute(query).fetchall()


def priced(number: int, price: int, shipping: int, **fields: object) -> dict[str, object]:
    return an_offer(number, offerCSV=[CRAWLED, price, shipping], **fields)


def test_an_answer_fills_snapshot_and_offers(warehouse: DuckDBPyConnection) -> None:
    offers = [an_offer(7), priced(8, 900, -1, condition=5, isFBA=False, sellerId=OTHER_ID, isShippable=False)]
    loaded = load(warehouse, some_offers({0: offers, 1: []}))
    assert loaded.offers == 2
    assert rows(warehouse, "SELECT asin, is_live, offers, live_at FROM offer_snapshot ORDER BY asin") == [
        (asin(0), True, 2, hours(0)),
        (asin(1), True, 0, hours(0)),
    ]
    columns = "asin, offer_id, seller_id, condition, price, shipping, is_fba, is_shippable, observed_at"
    assert rows(warehouse, f"SELECT {columns} FROM live_offer ORDER BY offer_id") == [
        (asin(0), 7, SELLER_ID, 2, 1400, 0, True, True, hours(0)),
        (asin(0), 8, OTHER_ID, 5, 900, None, False, False, hours(0)),
    ]


def test_an_answer_without_offers_touches_none(warehouse: DuckDBPyConnection) -> None:
    load(warehouse, some_offers({0: [an_offer(1)]}))
    load(warehouse, some_products([0], at=hours(1), offers=[an_offer(2)], liveOffersOrder=[0], offersSuccessful=True))
    assert rows(warehouse, "SELECT offer_id FROM live_offer") == [(1,)]
    assert rows(warehouse, "SELECT observed_at FROM offer_snapshot") == [(hours(0),)]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_the_newest_answers_offers_replace_all_older_ones(
    warehouse: DuckDBPyConnection, order: tuple[int, ...]
) -> None:
    """F58: nothing of two answers is mixed, and what was bought of another product stays."""
    answers = [
        some_offers({0: [an_offer(1), an_offer(2)], 1: [an_offer(1)]}),
        some_offers({0: [an_offer(2), an_offer(3), an_offer(4)]}, at=hours(1)),
        some_offers({0: [an_offer(2), an_offer(5)]}, at=hours(2)),
    ]
    for index in order:
        load(warehouse, answers[index])
    assert rows(warehouse, "SELECT asin, offer_id, observed_at FROM live_offer ORDER BY ALL") == [
        (asin(0), 2, hours(2)),
        (asin(0), 5, hours(2)),
        (asin(1), 1, hours(0)),
    ]
    assert rows(warehouse, "SELECT first_observed, live_at, observed_at FROM offer_snapshot WHERE offers = 2") == [
        (hours(0), hours(2), hours(2))
    ]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_after_a_crawl_that_failed_there_are_no_live_offers(
    warehouse: DuckDBPyConnection, order: tuple[int, ...]
) -> None:
    answers = [some_offers({0: [an_offer(1)]}), some_offers({0: None}, at=hours(3))]
    for index in order:
        load(warehouse, answers[index])
    assert rows(warehouse, "SELECT is_live, offers, first_observed, live_at FROM offer_snapshot") == [
        (False, 0, hours(0), hours(0))
    ]
    assert rows(warehouse, "FROM live_offer") == []


def test_of_two_offers_with_one_id_the_first_on_amazons_page_counts(warehouse: DuckDBPyConnection) -> None:
    """F53: an answer with a repetition is no reason to lose it."""
    load(warehouse, some_offers({0: [an_offer(1, condition=3), an_offer(1, condition=4), an_offer(2)]}))
    assert rows(warehouse, "SELECT offer_id, condition FROM live_offer ORDER BY offer_id") == [(1, 3), (2, 2)]
    assert rows(warehouse, "SELECT offers FROM offer_snapshot") == [(2,)]


def test_an_offer_that_no_column_holds_puts_its_product_aside_and_no_other(warehouse: DuckDBPyConnection) -> None:
    """F53."""
    loaded = load(warehouse, some_offers({0: [an_offer(1, condition=4000)], 1: [an_offer(2)]}))
    assert (loaded.quarantined, loaded.offers) == (1, 1)
    assert rows(warehouse, "SELECT asin FROM offer_snapshot") == [(asin(1),)]


def test_a_seller_is_the_newest_answer_whatever_is_loaded_first(warehouse: DuckDBPyConnection) -> None:
    for at, name in ((hours(2), "new"), (hours(0), "old"), (hours(1), "between")):
        loaded = load(warehouse, some_sellers([SELLER_ID], at=at, sellerName=name))
        assert loaded.sellers == 1
    columns = "name, rating_percent, rating_count, ratings_last_30_days, has_fba, ships_from_china, observed_at"
    assert rows(warehouse, f"SELECT {columns} FROM seller") == [("new", 92, 1000, 12, True, None, hours(2))]


def test_an_unknown_rating_is_no_rating(warehouse: DuckDBPyConnection) -> None:
    """F51."""
    load(warehouse, some_sellers([SELLER_ID], currentRating=-1, currentRatingCount=-1))
    assert rows(warehouse, "SELECT rating_percent, rating_count FROM seller") == [(None, None)]


def test_sellers_that_did_not_come_are_remembered(warehouse: DuckDBPyConnection) -> None:
    """F41."""
    for hour in (1, 0, 4):
        loaded = load(warehouse, some_sellers([SELLER_ID], at=hours(hour), asked=[OTHER_ID]))
        assert loaded.missing == (OTHER_ID,)
    assert rows(warehouse, "FROM missing_seller") == [(1, OTHER_ID, 3, hours(0), hours(4))]


def test_a_malformed_seller_is_put_aside(warehouse: DuckDBPyConnection) -> None:
    """F53."""
    spoilt = sellers_of(a_seller(), a_seller(sellerId=OTHER_ID, currentRating=200))
    loaded = load(warehouse, landed(SellerRequest(seller_ids=(SELLER_ID, OTHER_ID)), spoilt))
    assert (loaded.sellers, loaded.quarantined, loaded.missing) == (1, 1, ())
    assert rows(warehouse, "SELECT kind, item_id FROM quarantine") == [("seller", OTHER_ID)]


@pytest.mark.parametrize(
    ("offers", "chosen"),
    [
        ([priced(1, 1000, 399), priced(2, 1200, 0)], (2, 1200)),
        ([priced(2, 1000, 0), priced(1, 900, 100)], (1, 1000)),
        ([priced(1, 1000, -1, isFBA=True), priced(2, 1200, 0)], (1, 1000)),
        ([priced(1, 1000, -1, isFBA=False), priced(2, 1200, 0)], (2, 1200)),
        ([priced(1, 500, 0, condition=1), priced(2, 400, 0, condition=6), priced(3, 900, 0, condition=5)], (3, 900)),
        ([priced(1, -1, 0), priced(2, 0, 0), priced(3, 900, 0, isShippable=False)], (3, 900)),
        ([priced(1, 500, 0, condition=1)], None),
        ([priced(1, 300, 0, lastSeen=CRAWLED - 61), priced(2, 900, 0)], (2, 900)),
        ([priced(1, 300, 0, lastSeen=CRAWLED - 60), priced(2, 900, 0)], (1, 300)),
    ],
    ids=[
        *("shipping counts", "then the id", "FBA is free", "unknown FBM is out", "used only", "with a price", "none"),
        *("not by the newest crawl", "early in the newest crawl"),
    ],
)
def test_the_chosen_offer_is_the_cheapest_that_can_be_bought(
    warehouse: DuckDBPyConnection, offers: list[dict[str, object]], chosen: tuple[int, int] | None
) -> None:
    """F58."""
    load(warehouse, some_offers({0: offers}))
    assert rows(warehouse, "SELECT offer_id, landed_price FROM chosen_offer") == ([chosen] if chosen else [])


def test_price_seller_and_condition_come_from_one_offer(warehouse: DuckDBPyConnection) -> None:
    """F58."""
    offers = [
        priced(1, 1000, 500, condition=2, sellerId=SELLER_ID, isFBA=False),
        priced(2, 1100, 0, condition=5, sellerId=OTHER_ID, isFBA=True),
    ]
    load(warehouse, some_offers({0: offers}))
    columns = "offer_id, seller_id, condition, price, shipping, is_fba, landed_price"
    assert rows(warehouse, f"SELECT {columns} FROM chosen_offer") == [(2, OTHER_ID, 5, 1100, 0, True, 1100)]


def retry_at(connection: DuckDBPyConnection) -> datetime:
    connection.execute("SET TimeZone = 'UTC'")
    ((at,),) = connection.execute("SELECT retry_at FROM refused_product").fetchall()
    assert isinstance(at, datetime)
    return at


def test_what_is_refused_is_worth_another_try_later_and_later(warehouse: DuckDBPyConnection) -> None:
    """F27, F41: whichever request it was."""
    waits, now = [], hours(0)
    for number in range(8):
        load(warehouse, some_offers({0: []}, at=now, asked=[asin(7)], name=f"{number}"))
        waits.append((retry_at(warehouse) - now) // timedelta(days=1))
        now = retry_at(warehouse)
    assert waits == [1, 1, 2, 4, 8, 16, 32, 32]


def test_refusals_before_a_product_came_do_not_count(warehouse: DuckDBPyConnection) -> None:
    """F41."""
    for day in (0, 16, 32):
        load(warehouse, some_offers({0: []}, at=hours(24 * day), asked=[asin(7)], name=f"{day}"))
    assert retry_at(warehouse) == hours(24 * 64)
    load(warehouse, some_offers({7: [an_offer(1)]}, at=hours(24 * 33)))
    load(warehouse, some_offers({0: []}, at=hours(24 * 34), asked=[asin(7)], name="34"))
    assert retry_at(warehouse) == hours(24 * 35)
