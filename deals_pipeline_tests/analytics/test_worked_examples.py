"""The definitions by example, each held against the SQL and against the reference."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from deals_pipeline.config import Marketplace
from deals_pipeline.warehouse.connection import connect
from deals_pipeline_tests.analytics import reference
from deals_pipeline_tests.analytics.examples import (
    AMAZON,
    COUNT,
    MINUTE,
    NOW,
    RANK,
    SELLER,
    USED,
    Example,
    ago,
    day,
    deal,
    offer,
    offered,
    product,
    rated,
    sold,
    sold_at,
    with_stats,
)
from deals_pipeline_tests.analytics.reference import Results
from deals_pipeline_tests.analytics.stored import US, recomputed, store

Examples = Mapping[str, Example]

GB = Marketplace.model_validate(
    {
        "name": "GB",
        "prep_fee": "2.75",
        "inbound_shipping": "3.99",
        "fba_fallback": "5.50",
        "tax_exempt": True,
        "referral_fallback_percent": 90,
    }
)
HOURS_240 = 10
A_RANKS = {120: 500_000, 95: 300_000}
A_PRICES = {130: 2500}
A_COUNTS = {130: 10, 100: 9}

SALES: Examples = {
    "A: fewer offers, then a better rank": Example(
        known=deal(product(A_RANKS, A_PRICES, A_COUNTS)),
        sale_prices=[2500],
        confirmed_by=["rank"],
        sales={"sales": 1, "offer_drops": 1, "sale_confidence": 1.0},
    ),
    "B: a worse rank in between, and the better one too late": Example(
        known=deal(product({120: 500_000, 98: 520_000, 89: 300_000}, A_PRICES, A_COUNTS)),
        sale_prices=["-"],
        sales={"sales": 0, "offer_drops": 1, "sale_confidence": 0.0},
    ),
    "E: a missing rank is no rank": Example(
        known=deal(product({120: 500_000, 97: None, 50: 600_000}, A_PRICES, A_COUNTS)),
        sales={"sales": 0, "offer_drops": 1},
    ),
    "E2: a missing count is no count": Example(
        known=deal(product(A_RANKS, A_PRICES, {130: 10, 100: None, 99: 10})),
        sales={"sales": 0, "offer_drops": 0, "sale_confidence": None},
    ),
    "F: one improvement confirms one drop, the nearest": Example(
        known=deal(product(A_RANKS, A_PRICES, {130: 10, 103: 9, 102: 8, 101: 7, 100: 6, 99: 5})),
        sale_prices=["-", "-", "-", "-", 2500],
        sales={"sales": 1, "offer_drops": 5, "sale_confidence": 0.2},
    ),
    "H: the price of the time, not the next": Example(
        known=deal(product(A_RANKS, {130: 2500, 99: 9900}, A_COUNTS)), sale_prices=[2500], sales={"sales": 1}
    ),
    "a price that came with the drop is the sale's": Example(
        known=deal(product(A_RANKS, {130: 2500, 100: 9900}, A_COUNTS)), sale_prices=[9900]
    ),
    "the rank improves in the same minute": Example(
        known=deal(product({120: 500_000, 100: 300_000}, A_PRICES, A_COUNTS)), confirmed_by=["rank"]
    ),
    "an improvement of the minute before is of something else": Example(
        known=deal(product({120: 500_000, 100 + 1 / 1440: 300_000}, A_PRICES, A_COUNTS)), confirmed_by=[None]
    ),
    "the rank improves after exactly 240 hours": Example(
        known=deal(product({120: 500_000, 95: 510_000, 100 - HOURS_240: 300_000}, A_PRICES, A_COUNTS)),
        confirmed_by=["rank"],
    ),
    "the rank improves a minute later": Example(
        known=deal(product({120: 500_000, 95: 510_000, 90 - 1 / 1440: 300_000}, A_PRICES, A_COUNTS)),
        confirmed_by=[None],
    ),
    "the next rank at all comes later than 240 hours": Example(
        known=deal(product({120: 500_000, 90 - 1 / 1440: 300_000}, A_PRICES, A_COUNTS)), confirmed_by=["sparse"]
    ),
    "the next rank at all comes after exactly 30 days": Example(
        known=deal(product({120: 500_000, 70: 300_000}, A_PRICES, A_COUNTS)), confirmed_by=["sparse"]
    ),
    "the next rank at all comes after 30 days": Example(
        known=deal(product({120: 500_000, 70 - 1 / 1440: 300_000}, A_PRICES, A_COUNTS)), confirmed_by=[None]
    ),
    "the next rank is none, and the one after it better": Example(
        known=deal(product({120: 500_000, 85: None, 80: 300_000}, A_PRICES, A_COUNTS)), confirmed_by=[None]
    ),
    "the last rank before the drop is none": Example(
        known=deal(product({120: 500_000, 110: None, 85: 300_000}, A_PRICES, A_COUNTS)), confirmed_by=[None]
    ),
    "an equal rank improves nothing": Example(
        known=deal(product({120: 500_000, 95: 500_000}, A_PRICES, A_COUNTS)), confirmed_by=[None]
    ),
    "two improvements after two drops belong to the second": Example(
        known=deal(product({120: 500_000, 97: 400_000, 95: 300_000}, A_PRICES, {130: 10, 100: 9, 99: 8})),
        confirmed_by=[None, "rank"],
    ),
    "two drops are each confirmed by their own improvement": Example(
        known=deal(product({120: 500_000, 100: 400_000, 95: 300_000}, A_PRICES, {130: 10, 100: 9, 99: 8})),
        confirmed_by=["rank", "rank"],
    ),
    "of several improvements the first confirms": Example(
        known=deal(product({120: 500_000, 100: 400_000, 99: 300_000, 88: 200_000}, A_PRICES, A_COUNTS)),
        confirmed_by=["rank"],
        confirmed_at=[ago(100)],
    ),
    "of several improvements the first confirms, by its own rule": Example(
        known=deal(product({120: 500_000, 100: 400_000, 88: 300_000}, A_PRICES, A_COUNTS)),
        confirmed_by=["rank"],
        confirmed_at=[ago(100)],
    ),
    "a sale without a price counts, and has none": Example(
        known=deal(product(A_RANKS, {}, A_COUNTS)),
        sale_prices=[None],
        is_sane=[None],
        sales={"sales": 1, "sane_prices": 0, "sale_price_estimate": None, "list_price_source": "none"},
    ),
    "a price of nothing and a missing one are passed over": Example(
        known=deal(product(A_RANKS, {130: 2500, 110: 0, 105: None}, A_COUNTS)), sale_prices=[2500]
    ),
    "of records of one time the last counts": Example(
        known=deal(product(A_RANKS, [(130, 2500), (130, 2600)], [(130, 9), (130, 10), (100, 11), (100, 9)])),
        sale_prices=[2600],
    ),
    "a missing last record of a time is none": Example(
        known=deal(product([(120, 500_000), (120, None), (95, 300_000)], A_PRICES, A_COUNTS)), confirmed_by=[None]
    ),
    "records of 1095 days count": Example(
        known=deal(product({1095: 500_000, 1080: 300_000}, {1095: 2500}, {1095: 10, 1090: 9})), sale_prices=[2500]
    ),
    "older records do not, not even as predecessors": Example(
        known=deal(
            product({1100: 500_000, 1080: 300_000, 90: 2}, {1096: 2500, 100: 2}, {1095 + 1 / 1440: 10, 1090: 9})
        ),
        sale_prices=[],
        sales={"offer_drops": 0, "sales": 0},
    ),
    "a sale of 365 days ago is of the last year": Example(
        known=deal(sold((ago(365), 4100), (ago(365 + 1 / 1440 * 3), 2000), (ago(30), 4001))),
        sales={"sales_365_days": 2, "sales": 3, "one_year_average": 4051},
    ),
    "of four prices those far outside the middle half are outliers": Example(
        known=deal(sold_at(1000, 1100, 1200, 1300, 1601)),
        is_sane=[False, True, True, True, True],
        sales={"sales": 5, "sane_prices": 4, "sale_price_estimate": 1150},
    ),
    "of four prices one beyond the fence": Example(
        known=deal(sold_at(1701, 1200, 1100, 1000)), is_sane=[True, True, True, False]
    ),
    "of four prices one on the fence": Example(known=deal(sold_at(1700, 1200, 1100, 1000)), is_sane=[True] * 4),
    "the fence itself is inside": Example(known=deal(sold_at(1000, 1100, 1200, 1300, 1600)), is_sane=[True] * 5),
    "too low a price is an outlier too": Example(
        known=deal(sold_at(799, 1100, 1200, 1300, 1400)), is_sane=[True] * 4 + [False]
    ),
    "of three prices one above three times the median is an outlier": Example(
        known=deal(sold_at(3001, 1000, 900)),
        is_sane=[True, True, False],
        sales={"sane_prices": 2, "sale_price_estimate": 950, "list_price_source": "sparse"},
    ),
    "three times the median is none": Example(known=deal(sold_at(3000, 1000, 900)), is_sane=[True] * 3),
    "of two prices none is an outlier": Example(known=deal(sold_at(9000, 1000)), is_sane=[True] * 2),
}

ESTIMATES: Examples = {
    "L1: the mode of the best month": Example(
        known=deal(
            sold(
                (day("2026-01-05"), 4000),
                (day("2026-01-10"), 4000),
                (day("2025-01-15"), 5000),
                (day("2025-06-05"), 2000),
                (day("2024-06-10"), 2000),
            )
        ),
        sales={
            "sale_price_estimate": 4000,
            "list_price_source": "seasonal",
            "peak_month": 1,
            "expected_trough": 2000,
            "trough_month": 6,
            "one_year_average": 3333,
        },
        metrics={"list_price_estimate": 4000, "peak_month": 1, "expected_trough": 2000, "trough_month": 6},
    ),
    "L4: the median of two": Example(
        known=deal(sold_at(4000, 5000)),
        sales={"sale_price_estimate": 4500, "list_price_source": "sparse", "peak_month": None, "expected_trough": None},
        metrics={"list_price_estimate": 4500, "list_price_source": "sparse"},
    ),
    "one sale is its price": Example(
        known=deal(sold_at(4000)), sales={"sale_price_estimate": 4000, "list_price_source": "sparse"}
    ),
    "half a cent is rounded up": Example(known=deal(sold_at(4000, 4001)), sales={"sale_price_estimate": 4001}),
    "flat: no month has two sales": Example(
        known=deal(sold_at(4000, 5000, 4400)),
        sales={
            "sale_price_estimate": 4400,
            "list_price_source": "flat",
            "peak_month": None,
            "expected_trough": 4000,
            "trough_month": 2,
        },
    ),
    "two sales of a month are enough, in different years too": Example(
        known=deal(sold((day("2026-01-05"), 4000), (day("2025-01-05"), 4101), (day("2025-06-05"), 9000))),
        sales={"sale_price_estimate": 4051, "list_price_source": "seasonal", "peak_month": 1, "trough_month": 1},
    ),
    "of several modes the smallest": Example(
        known=deal(sold(*((day(f"2026-01-{5 + n:02}"), price) for n, price in enumerate((5000, 4000, 5000, 4000))))),
        sales={"sale_price_estimate": 4000, "list_price_source": "seasonal"},
    ),
    "of two best months the first of the year": Example(
        known=deal(sold(*((day(f"2025-{month:02}-{n:02}"), 4000 + n) for month in (9, 4, 11) for n in (1, 2, 3)))),
        sales={"peak_month": 4, "sale_price_estimate": 4002, "trough_month": 4},
    ),
    "half a cent decides between months": Example(
        known=deal(
            sold(
                *((day(f"2025-04-0{n}"), price) for n, price in ((1, 4000), (2, 4001))),
                *((day(f"2025-09-0{n}"), price) for n, price in ((1, 4001), (2, 4001))),
            )
        ),
        sales={"peak_month": 9, "sale_price_estimate": 4001, "trough_month": 4, "expected_trough": 4001},
    ),
    "months are of UTC": Example(
        known=deal(sold((day("2025-05-01") - 720 * MINUTE, 5000), (day("2025-05-08"), 5000), (ago(20), 4000))),
        sales={"peak_month": 5},
    ),
    "the ceiling is nine tenths of Amazon's lowest price": Example(
        known=deal(
            with_stats(
                sold_at(4501, 4501),
                current={AMAZON: 5000},
                average_180_days={AMAZON: 0},
                average_365_days={AMAZON: 7000},
            )
        ),
        metrics={"list_price_ceiling": 4500, "list_price_estimate": 4500, "list_price_capped": True},
    ),
    "an estimate at the ceiling is below it": Example(
        known=deal(with_stats(sold_at(4500, 4500), current={AMAZON: 6000}, average_180_days={AMAZON: 5000})),
        metrics={"list_price_ceiling": 4500, "list_price_estimate": 4500, "list_price_capped": False},
    ),
    "the ceiling is whole cents": Example(
        known=deal(with_stats(sold_at(5000), current={AMAZON: 0}, average_365_days={AMAZON: 5555})),
        metrics={"list_price_ceiling": 4999, "list_price_estimate": 4999, "list_price_capped": True},
    ),
    "without Amazon there is no ceiling": Example(
        known=deal(with_stats(sold_at(5000))),
        metrics={"list_price_ceiling": None, "list_price_estimate": 5000, "list_price_capped": False},
    ),
    "without a sale nothing is capped": Example(
        known=deal(with_stats(product(), current={AMAZON: 5000})),
        metrics={
            "list_price_ceiling": 4500,
            "list_price_estimate": None,
            "list_price_capped": None,
            "list_price_source": "none",
        },
    ),
    "1500.00 is plausible": Example(
        known=deal(sold_at(150_000)), metrics={"list_price_estimate": 150_000, "list_price_source": "sparse"}
    ),
    "more is not": Example(
        known=deal(sold_at(150_001)),
        sales={"sale_price_estimate": 150_001},
        metrics={
            "list_price_estimate": None,
            "list_price_source": "implausible",
            "profit": None,
            "screened_stage": "history",
            "screened_reason": "implausible",
        },
    ),
    "unless Amazon's price says so": Example(
        known=deal(with_stats(sold_at(160_000), current={AMAZON: 160_000})),
        metrics={"list_price_estimate": 144_000, "list_price_source": "sparse", "list_price_capped": True},
    ),
    "the price is far below the average": Example(
        known=deal(sold_at(4000)), metrics={"one_year_average": 4000, "percent_below_average": 50.0}
    ),
    "never below by less than nothing": Example(known=deal(sold_at(1000)), metrics={"percent_below_average": 0.0}),
    "below no average": Example(
        known=deal(sold((ago(500), 4000))), metrics={"one_year_average": None, "percent_below_average": None}
    ),
}


def trend(prices: list[int | None], rank: int | None) -> reference.Known:
    known = product((), {len(prices) - number: price for number, price in enumerate(prices)}, ())
    return deal(with_stats(known, average_365_days={RANK: rank}))


TRENDS: Examples = {
    "of a good seller the last ten prices": Example(
        known=trend([99, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 99_999), sales={"price_trend": 1}
    ),
    "of a fair seller the last five": Example(known=trend([1, 9, 8, 7, 6, 5], 100_000), sales={"price_trend": -1}),
    "not the last six": Example(known=trend([4, 9, 8, 7, 6, 5], 499_999), sales={"price_trend": -1}),
    "of a bad seller the last three": Example(known=trend([9, 1, 2, 3], 500_000), sales={"price_trend": 1}),
    "of an unknown one the last three": Example(known=trend([9, 1, 2, 3], None), sales={"price_trend": 1}),
    "equal prices in a row are one, across a gap too": Example(
        known=trend([1, 9, 3, 3, None, 3, 0, 5], 500_000), sales={"price_trend": -1}
    ),
    "back where it was": Example(known=trend([5, 9, 5], 500_000), sales={"price_trend": 0}),
    "one price has no trend": Example(known=trend([5], 1), sales={"price_trend": 0}),
    "no price has none": Example(known=trend([None, 0], 1), sales={"price_trend": None}),
    "more offers than of late": Example(
        known=deal(with_stats(product(), current={COUNT: 6}, average_30_days={COUNT: 5})), metrics={"offer_trend": 1}
    ),
    "fewer offers than of late": Example(
        known=deal(with_stats(product(), current={COUNT: 0}, average_30_days={COUNT: 5})), metrics={"offer_trend": -1}
    ),
    "as many": Example(
        known=deal(with_stats(product(), current={COUNT: 5}, average_30_days={COUNT: 5})), metrics={"offer_trend": 0}
    ),
    "unknown": Example(
        known=deal(with_stats(product(), current={COUNT: 5}, average_30_days={})), metrics={"offer_trend": None}
    ),
}


def seven_of_ten_sold(price: int) -> reference.Product:
    """Return a product without fees, whose used count fell three times more than copies were sold."""
    product = replace(sold_at(*[price] * 7), referral_fee_percentage=0.0, pick_and_pack_fee=0)
    others = [(ago(10 - number), 8 - number) for number in range(3)]
    return replace(product, used_counts=[*product.used_counts, *others])


SOLD_AT_50 = replace(sold_at(5000, 5000), referral_fee_percentage=15.0, pick_and_pack_fee=550)

COSTS: Examples = {
    "M2": Example(
        known=deal(SOLD_AT_50),
        metrics={
            "price_now": 2000,
            "price_source": "listing",
            "purchase_tax": 100,
            "all_in_cost": 2774,
            "referral_fee": 750,
            "fba_fee": 550,
            "amazon_fees": 1300,
            "fees_estimated": False,
            "profit": 926,
            "margin": 0.1852,
            "roi": 926 / 2774,
            "expected_profit": 926,
            "minimum_list_price": 4432,
        },
    ),
    "half a cent of tax is rounded up": Example(
        known=deal(SOLD_AT_50, used_cents=1990), metrics={"purchase_tax": 100, "all_in_cost": 2764}
    ),
    "tax exempt": Example(
        known=deal(SOLD_AT_50), marketplace=GB, metrics={"purchase_tax": 0, "all_in_cost": 2674, "profit": 1026}
    ),
    "no referral fee is told": Example(
        known=deal(replace(SOLD_AT_50, referral_fee_percentage=None)),
        metrics={"referral_fee": 750, "fba_fee": 550, "fees_estimated": True},
    ),
    "no charge for fulfilment is told": Example(
        known=deal(replace(SOLD_AT_50, referral_fee_percentage=8.0, pick_and_pack_fee=None)),
        metrics={"referral_fee": 400, "fba_fee": 550, "fees_estimated": True},
    ),
    "fees of nothing are fees": Example(
        known=deal(replace(SOLD_AT_50, referral_fee_percentage=0.0, pick_and_pack_fee=0)),
        metrics={"amazon_fees": 0, "fees_estimated": False, "profit": 2226, "minimum_list_price": 3083},
    ),
    "half a cent of fees is rounded up": Example(
        known=deal(replace(sold_at(4010), referral_fee_percentage=15.01, pick_and_pack_fee=0)),
        metrics={"referral_fee": 602},
    ),
    "fees and markup eat all": Example(
        known=deal(replace(SOLD_AT_50, referral_fee_percentage=90.0)), metrics={"minimum_list_price": None}
    ),
    "fees and markup eat more than all, by the settings": Example(
        known=deal(replace(SOLD_AT_50, referral_fee_percentage=None)),
        marketplace=GB,
        metrics={"minimum_list_price": None, "referral_fee": 4500},
    ),
    "fees and markup eat almost all": Example(
        known=deal(replace(SOLD_AT_50, referral_fee_percentage=89.99)), metrics={"minimum_list_price": 33_240_000}
    ),
    "part of the profit is expected, halves away from zero": Example(
        known=deal(
            replace(
                product({120: 500_000, 95: 300_000}, {130: 4999}, {130: 10, 100: 9, 80: 8}),
                referral_fee_percentage=15.0,
                pick_and_pack_fee=550,
            )
        ),
        metrics={"profit": 925, "sale_confidence": 0.5, "expected_profit": 463},
    ),
    "7 of 10 expect 31.50 of 45 exactly": Example(
        known=deal(seven_of_ten_sold(2819)), metrics={"profit": 45, "sale_confidence": 0.7, "expected_profit": 32}
    ),
    "7 of 10 expect a loss of 31.50 of 45 exactly": Example(
        known=deal(seven_of_ten_sold(2729)), metrics={"profit": -45, "expected_profit": -32}
    ),
    "part of a loss is expected, halves away from zero": Example(
        known=deal(
            replace(
                product({120: 500_000, 95: 300_000}, {130: 2001}, {130: 10, 100: 9, 80: 8}),
                referral_fee_percentage=0.0,
                pick_and_pack_fee=0,
            )
        ),
        metrics={"profit": -773, "expected_profit": -387, "screened_reason": "no profit"},
    ),
    "a dear copy": Example(
        known=deal(SOLD_AT_50, used_cents=999_999_999, used_averages=(2_000_000_000, None, None, None)),
        metrics={"all_in_cost": 1_050_000_673, "minimum_list_price": 1_400_001_631, "profit": -1_049_996_973},
    ),
    "a copy sold for a fortune": Example(
        known=deal(with_stats(sold_at(2_000_000_000), current={AMAZON: 2_000_000_000})),
        sales={"sale_price_estimate": 2_000_000_000, "one_year_average": 2_000_000_000},
        metrics={"list_price_ceiling": 1_800_000_000, "list_price_source": "implausible", "list_price_capped": True},
    ),
    "a charge that is none": Example(
        known=deal(replace(SOLD_AT_50, pick_and_pack_fee=2**31 - 1)),
        metrics={"referral_fee": 750, "amazon_fees": None, "screened_reason": "no profit"},
    ),
    "nothing is known of sales": Example(
        known=deal(),
        metrics={
            "all_in_cost": 2774,
            "sales": None,
            "list_price_source": None,
            "amazon_fees": None,
            "fees_estimated": None,
            "profit": None,
            "minimum_list_price": None,
            "history_observed_at": None,
        },
    ),
}

PRICES: Examples = {
    "the product's price is newer than the page's": Example(
        known=deal(with_stats(sold_at(5000), current={USED: 1900})),
        metrics={"price_now": 1900, "price_source": "listing", "price_observed_at": NOW},
    ),
    "the page's price moved after the product was told": Example(
        known=deal(replace(with_stats(sold_at(5000), current={USED: 1900}), observed_at=ago(2) - MINUTE)),
        metrics={"price_now": 2000, "price_source": "listing", "price_observed_at": ago(0.01)},
    ),
    "the page's price moved when the product was told": Example(
        known=deal(replace(with_stats(sold_at(5000), current={USED: 1900}), observed_at=ago(2))),
        metrics={"price_now": 1900},
    ),
    "the product has no used price": Example(
        known=deal(with_stats(sold_at(5000), current={USED: None})), metrics={"price_now": 2000}
    ),
    "the product has a used price of nothing": Example(
        known=deal(with_stats(sold_at(5000), current={USED: 0})), metrics={"price_now": 2000}
    ),
    "an offer's price has its shipping in it": Example(
        known=offered(offer(price=1500, shipping=399), to=deal(SOLD_AT_50)),
        metrics={
            "price_now": 1899,
            "price_source": "offer",
            "price_observed_at": ago(1),
            "purchase_tax": 95,
            "all_in_cost": 2269,
            "profit": 1431,
            "offer_id": 1,
            "seller_id": SELLER,
            "offer_condition": 4,
            "offer_price": 1500,
            "offer_shipping": 399,
            "offer_is_fba": False,
            "offers_observed_at": ago(1),
            "screened": "survives",
            "screened_stage": "offers",
            "screened_inputs_at": ago(1),
        },
    ),
    "the price moved after the offer was fetched": Example(
        known=offered(offer(), to=deal(SOLD_AT_50, used_since=ago(1) + MINUTE)),
        metrics={
            "price_now": 2000,
            "price_source": "listing",
            "offer_id": None,
            "seller_id": None,
            "offer_price": None,
            "seller_trust": None,
            "offers_observed_at": ago(1),
            "screened_stage": "history",
        },
    ),
    "the price moved when the offer was fetched": Example(
        known=offered(offer(), to=deal(SOLD_AT_50, used_since=ago(1))), metrics={"price_source": "offer"}
    ),
    "the price moved between Keepa's crawl of the offers and its answer": Example(
        known=offered(offer(), to=deal(SOLD_AT_50, used_since=ago(1.5)), crawled_days_ago=2),
        metrics={"price_now": 2000, "price_source": "listing", "offer_id": None, "screened_stage": "history"},
    ),
    "the price moved when Keepa's crawler saw the offers": Example(
        known=offered(offer(), to=deal(SOLD_AT_50, used_since=ago(2)), crawled_days_ago=2),
        metrics={"price_source": "offer", "price_observed_at": ago(2), "offers_observed_at": ago(1)},
    ),
    "nobody knows when the price moved": Example(
        known=offered(offer(), to=deal(SOLD_AT_50, used_since=None)), metrics={"price_source": "offer"}
    ),
    "the cheapest counts with shipping": Example(
        known=offered(offer(1, price=1400, shipping=700), offer(2, price=1600, shipping=0)),
        metrics={"offer_id": 2, "price_now": 1600},
    ),
    "of two as cheap the first": Example(
        known=offered(offer(3, price=1400, shipping=200), offer(2, price=1600, shipping=0)), metrics={"offer_id": 2}
    ),
    "a merchant's unknown shipping cannot be compared": Example(
        known=offered(offer(1, price=100, shipping=None), offer(2)), metrics={"offer_id": 2}
    ),
    "Amazon's unknown shipping is none": Example(
        known=offered(offer(1, price=1800, shipping=None, is_fba=True), offer(2)),
        metrics={"offer_id": 1, "price_now": 1800, "offer_shipping": None},
    ),
    "new, refurbished, collectible and unpriced offers are none": Example(
        known=offered(
            *(offer(number, condition=number) for number in (0, 1, 6, 7)),
            offer(8, price=None),
            offer(9, price=0),
        ),
        metrics={"offer_id": None, "price_now": 2000, "price_source": "listing", "screened_reason": "no live offer"},
    ),
    "the conditions of used copies": Example(
        known=offered(*(offer(number, condition=number, price=1500 - number) for number in (2, 3, 4, 5, 6))),
        metrics={"offer_id": 5, "offer_condition": 5},
    ),
    "offers that could not be had say nothing": Example(
        known=offered(is_live=False),
        metrics={"price_source": "listing", "screened_stage": "history", "offers_observed_at": ago(1)},
    ),
    "W: trust by Wilson": Example(known=rated(98, 100), metrics={"seller_trust": pytest.approx(0.929987, abs=5e-7)}),
    "W: 57 of 100 are 57": Example(known=rated(57, 100), metrics={"seller_trust": pytest.approx(0.472152, abs=5e-7)}),
    "W: 57 % of 7 are 3": Example(known=rated(57, 7), metrics={"seller_trust": pytest.approx(0.158217, abs=5e-7)}),
    "W: everybody rated": Example(
        known=rated(98, 2_000_000_000), metrics={"seller_trust": pytest.approx(0.979994, abs=5e-7)}
    ),
    "W: nobody rated": Example(known=rated(0, 0), metrics={"seller_trust": 0.0}),
    "W: everybody was pleased": Example(
        known=rated(100, 1), metrics={"seller_trust": pytest.approx(0.206543, abs=5e-7)}
    ),
    "W: no more than all are positive": Example(
        known=rated(120, 1), metrics={"seller_trust": pytest.approx(0.206543, abs=5e-7)}
    ),
    "W: the rating is unknown": Example(known=rated(None, 5), metrics={"seller_trust": None}),
    "W: the number of ratings is unknown": Example(known=rated(98, None), metrics={"seller_trust": None}),
    "W: the seller is unknown": Example(known=offered(offer()), metrics={"seller_trust": None}),
}


def page_rejects(reason: str, **fields: object) -> Example:
    """Return an example that the page rejects, whatever else is known of it."""
    return Example(
        known=deal(SOLD_AT_50, **fields),
        metrics={"screened": "rejected", "screened_stage": "page", "screened_reason": reason},
    )


SCREENING: Examples = {
    "the page alone": Example(
        known=deal(),
        metrics={
            "screened": "survives",
            "screened_stage": "page",
            "screened_reason": None,
            "screened_inputs_at": ago(0.01),
            "highest_average": 3000,
            "gross_roi": 0.5,
        },
    ),
    "no used price": page_rejects("no used price", used_cents=None),
    "a used price of nothing": page_rejects("no used price", used_cents=0),
    "no average": page_rejects("no average", used_averages=(None, None, None, None)),
    "averages of nothing": page_rejects("no average", used_averages=(0, None, None, None)),
    "as dear as on the average": page_rejects("not below its averages", used_averages=(2000, 1900, None, None)),
    "does not sell": page_rejects("does not sell", sales_rank_drops_365_days=0),
    "nobody knows whether it sells": page_rejects("does not sell", sales_rank_drops_365_days=None),
    "cheap": page_rejects("average below 12.00", used_cents=500, used_averages=(1199, None, None, None)),
    "a small gain": page_rejects("gross ROI below 20 %", used_averages=(2399, None, None, None)),
    "just enough of everything": Example(
        known=deal(used_cents=1000, used_averages=(None, None, None, 1200), sales_rank_drops_365_days=1),
        metrics={"screened": "survives", "gross_roi": 0.2},
    ),
    "of several reasons the first": page_rejects(
        "not below its averages", used_averages=(1000, None, None, None), sales_rank_drops_365_days=0
    ),
    "no sale": Example(
        known=deal(product(A_RANKS, {}, {})),
        metrics={
            "screened": "rejected",
            "screened_stage": "history",
            "screened_reason": "no sale inferred",
            "screened_inputs_at": NOW,
        },
    ),
    "no profit by the history": Example(
        known=deal(replace(sold_at(3910), referral_fee_percentage=15.0, pick_and_pack_fee=550)),
        metrics={"profit": -1, "screened_stage": "history", "screened_reason": "no profit"},
    ),
    "neither profit nor loss": Example(
        known=deal(replace(sold_at(2774), referral_fee_percentage=0.0, pick_and_pack_fee=0)),
        metrics={"profit": 0, "screened_stage": "history", "screened_reason": "no profit"},
    ),
    "a cent": Example(
        known=deal(replace(sold_at(2775), referral_fee_percentage=0.0, pick_and_pack_fee=0)),
        metrics={"profit": 1, "screened_stage": "history", "screened": "survives"},
    ),
    "no profit by the offer": Example(
        known=offered(
            offer(price=2499, shipping=0),
            to=deal(replace(sold_at(2774), referral_fee_percentage=0.0, pick_and_pack_fee=0)),
        ),
        metrics={"screened_stage": "offers", "screened_reason": "no profit", "screened_inputs_at": ago(1)},
    ),
    "no offer left": Example(
        known=offered(),
        metrics={
            "screened_stage": "offers",
            "screened_reason": "no live offer",
            "screened_next_try_at": ago(1) + timedelta(days=1),
        },
    ),
    "no offer left for five days": Example(
        known=offered(to=deal(SOLD_AT_50, used_since=ago(30)), days_ago=1, first_days_ago=6),
        metrics={"screened_next_try_at": ago(1) + timedelta(days=5)},
    ),
    "no offer left of a price that is three days old": Example(
        known=offered(to=deal(SOLD_AT_50, used_since=ago(4)), days_ago=1, first_days_ago=6),
        metrics={"screened_next_try_at": ago(1) + timedelta(days=3)},
    ),
    "no offer left for years": Example(
        known=offered(to=deal(SOLD_AT_50, used_since=None), days_ago=1, first_days_ago=400),
        metrics={"screened_next_try_at": ago(1) + timedelta(days=32)},
    ),
    "an offer whose shipping makes it dear": Example(
        known=offered(offer(price=2000, shipping=900), to=deal(SOLD_AT_50, used_cents=2000)),
        metrics={"price_now": 2900, "screened_stage": "offers", "screened_reason": "gross ROI below 20 %"},
    ),
    "an offer that is dear, of a price that is too": Example(
        known=offered(offer(price=2900, shipping=0), to=deal(SOLD_AT_50, used_cents=2900)),
        metrics={"price_now": 2900, "screened_stage": "page", "screened_reason": "gross ROI below 20 %"},
    ),
    "what no page has shown for a week": Example(
        known=offered(offer(), to=deal(SOLD_AT_50, is_seen_lately=False)),
        metrics={"screened_stage": "page", "screened_reason": "not seen for a week"},
    ),
    "no profit is found before no offer": Example(
        known=offered(to=deal(sold_at(2000))), metrics={"screened_stage": "history", "screened_reason": "no profit"}
    ),
}

ALL: Examples = {**SALES, **ESTIMATES, **TRENDS, **COSTS, **PRICES, **SCREENING}


@pytest.fixture(scope="module")
def by_sql(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Results]:
    """Return what the SQL makes of all examples, which are in one warehouse."""
    asins = {f"B{number:09d}": name for number, name in enumerate(ALL)}
    with connect(Path(shutil.copy(migrated, tmp_path_factory.mktemp("examples")))) as connection:
        for marketplace in (US, GB):
            chosen = {asin: ALL[name].known for asin, name in asins.items() if ALL[name].marketplace is marketplace}
            store(connection, chosen, marketplace)
        found = recomputed(connection, US, GB)
    return {name: found[asin] for asin, name in asins.items()}


@pytest.mark.parametrize("engine", ["sql", "reference"])
@pytest.mark.parametrize("name", ALL)
def test_the_definitions_hold_for(name: str, engine: str, by_sql: dict[str, Results]) -> None:
    """F51, F54, F58, F61 and the worked examples of the definitions."""
    example = ALL[name]
    found = by_sql[name] if engine == "sql" else reference.results(example.known, example.marketplace)
    drops = found.drops
    if example.sale_prices is not None:
        assert [drop.sale_price if drop.confirmed_at else "-" for drop in drops] == example.sale_prices
    if example.confirmed_by is not None:
        assert [drop.confirmed_by for drop in drops] == example.confirmed_by
    if example.confirmed_at is not None:
        assert [drop.confirmed_at for drop in drops] == example.confirmed_at
    if example.is_sane is not None:
        assert [drop.is_sane for drop in drops] == example.is_sane
    for column, value in example.sales.items():
        assert getattr(found.sales, column) == value, column
    for column, value in example.metrics.items():
        expected = pytest.approx(value, rel=1e-12) if isinstance(value, float) else value
        assert getattr(found.metrics, column) == expected, column
