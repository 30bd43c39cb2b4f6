"""The best deals, and in words why."""

from dataclasses import replace

from duckdb import DuckDBPyConnection

from deals_pipeline.analytics import recompute
from deals_pipeline.analytics.best_deals import best_deals, why
from deals_pipeline.config import Intervals
from deals_pipeline.keepa.selection import Domain
from deals_pipeline_tests.analytics.examples import SELLER, deal, offer, offered, sold_at
from deals_pipeline_tests.analytics.reference import Seller
from deals_pipeline_tests.analytics.stored import US, store


def test_the_best_come_first_and_what_is_rejected_or_not_known_well_enough_does_not_come(
    warehouse: DuckDBPyConnection,
) -> None:
    store(
        warehouse,
        {
            "0000000001": deal(sold_at(5000, 5000)),
            "0000000002": deal(sold_at(9000, 9000)),
            "0000000003": deal(sold_at(2200)),
            "0000000004": deal(),
            "0000000005": deal(sold_at(9900), used_cents=None),
        },
    )
    recompute(warehouse, [US], Intervals(), 1000.0)
    assert [each.asin for each in best_deals(warehouse, 9)] == ["0000000002", "0000000001"]
    assert [each.asin for each in best_deals(warehouse, 1)] == ["0000000002"]


def test_the_reasons_are_the_numbers_of_its_row(warehouse: DuckDBPyConnection) -> None:
    known = offered(offer(price=1500, shipping=399), to=deal(sold_at(5000, 5000)))
    seller = Seller(observed_at=known.page.observed_at, rating_percent=98, rating_count=100)
    store(warehouse, {"0000000001": replace(known, sellers={SELLER: seller})})
    warehouse.execute("UPDATE seller SET name = 'Books & More'")
    recompute(warehouse, [US], Intervals(), 1000.0)
    (best,) = best_deals(warehouse, 9)
    assert best.all_in_cost == 1899 + 95 + 275
    assert why(best) == (
        "It can be bought for 18.99, shipping included, from Books & More, trust 0.93.",
        "It sold 2 times in the last year and 2 times in three, 50.00 on average in the last year.",
        "Of 2 times that an offer went, 100% were sales by the sales rank.",
        "Listed at 50.00, after 22.69 all in and 13.00 for Amazon, it leaves 14.31: 63% of what it costs.",
    )


def test_yen_have_no_decimals(warehouse: DuckDBPyConnection) -> None:
    store(warehouse, {"0000000001": deal(sold_at(5000, 5000))})
    recompute(warehouse, [US], Intervals(), 1000.0)
    (best,) = best_deals(warehouse, 9)
    assert why(replace(best, domain=Domain.JP))[0] == "It can be bought for 2000, without shipping."


def test_a_listing_has_no_seller_and_no_shipping(warehouse: DuckDBPyConnection) -> None:
    """F58."""
    store(warehouse, {"0000000001": deal(sold_at(5000, 5000))})
    recompute(warehouse, [US], Intervals(), 1000.0)
    (best,) = best_deals(warehouse, 9)
    assert why(best)[0] == "It can be bought for 20.00, without shipping."
