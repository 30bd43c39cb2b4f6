from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from deals_pipeline.keepa.contract import in_order, selection_breaches
from deals_pipeline.keepa.objects import Deal
from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.keepa.selection import DateRange, DealSelection, SortType
from deals_pipeline.keepa.time import from_keepa_minutes
from deals_pipeline.simulator.market.market import Market

NOW = datetime(2026, 5, 1, 15, 13, 56, tzinfo=timezone.utc)
BOOKS = 283155
RARE_TYPES = {6, 8, 27, 33}
"""Too rare for every small market to have a deal of them."""
Json = dict[str, Any]


@pytest.fixture(scope="module")
def market() -> Market:
    return Market(4, 2500)


def _deals(market: Market, selection: DealSelection, now: datetime = NOW) -> list[Json]:
    return [dict(deal) for deal in market.deals(market.matching(selection, now), now)]


def _ours(deals: list[Json]) -> list[Deal]:
    return [msgspec.convert(deal, Deal) for deal in deals]


def _now(deal: Json, kind: int = PriceType.USED) -> int:
    return int(deal["current"][kind])


FILTERS: dict[str, tuple[Json, Callable[[Json], bool]]] = {
    "root category": ({"include_categories": (BOOKS,)}, lambda deal: deal["rootCat"] == BOOKS),
    "sub category": ({"include_categories": (1000,)}, lambda deal: 1000 in deal["categories"]),
    "several categories": (
        {"include_categories": (1, 5174)},
        lambda deal: 1 in deal["categories"] or deal["rootCat"] == 5174,
    ),
    "excluded root": ({"exclude_categories": (BOOKS,)}, lambda deal: deal["rootCat"] != BOOKS),
    "excluded sub category": ({"exclude_categories": (1000, 2)}, lambda deal: not {1000, 2} & {*deal["categories"]}),
    "included and excluded": (
        {"include_categories": (BOOKS,), "exclude_categories": (1000,)},
        lambda deal: deal["rootCat"] == BOOKS and 1000 not in deal["categories"],
    ),
    "current range": ({"current_range": (1500, 3000)}, lambda deal: 1500 <= _now(deal) <= 3000),
    "delta range": ({"delta_range": (1000, 4000)}, lambda deal: 1000 <= deal["delta"][3][2] <= 4000),
    "percent range": ({"delta_percent_range": (30, 55)}, lambda deal: 30 <= deal["deltaPercent"][3][2] <= 55),
    "percent above 100": ({"delta_percent_range": (10, 2_000_000_000)}, lambda _: True),
    "last delta": ({"delta_last_range": (1, 100_000)}, lambda deal: deal["deltaLast"][2] >= 1),
    "last delta of a rise": ({"delta_last_range": (-100_000, -1)}, lambda deal: deal["deltaLast"][2] <= -1),
    "rank": ({"sales_rank_range": (1, 400_000)}, lambda deal: 1 <= _now(deal, 3) <= 400_000),
    "open rank": ({"sales_rank_range": (300_000, -1)}, lambda deal: _now(deal, 3) >= 300_000),
    "any rank": ({"sales_rank_range": (0, -1)}, lambda deal: _now(deal, 3) >= 0),
    "rating": ({"min_rating": 45}, lambda deal: _now(deal, 16) >= 45),
    "rating of at least nothing": ({"min_rating": 0}, lambda deal: _now(deal, 16) >= 0),
    "words": (
        {"title_search": "THE ar"},
        lambda deal: "the" in deal["title"].lower() and "ar" in deal["title"].lower(),
    ),
    "reviews": ({"has_reviews": True}, lambda deal: _now(deal, 17) > 0),
    "prime exclusive": ({"is_prime_exclusive": True}, lambda deal: _now(deal, 33) >= 0),
    "Amazon's offer": ({"must_have_amazon_offer": True}, lambda deal: _now(deal, 0) >= 0),
    "no offer of Amazon": ({"must_not_have_amazon_offer": True}, lambda deal: _now(deal, 0) < 0),
    "warehouse": ({"warehouse_conditions": (2, 3)}, lambda deal: deal["warehouseCondition"] in (2, 3)),
    "no warehouse": ({"warehouse_conditions": (0,)}, lambda deal: deal["warehouseCondition"] == 0),
    "back in stock": ({"is_back_in_stock": True}, lambda deal: deal["backInStock"][2]),
    "lowest offer means nothing for used": ({"is_lowest_offer": True}, lambda _: True),
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_keeps_exactly_the_deals_that_meet_it(market: Market, name: str) -> None:
    values, admits = FILTERS[name]
    expected = [deal["asin"] for deal in _deals(market, DealSelection()) if admits(deal)]
    shown = _deals(market, DealSelection(**values))
    assert [deal["asin"] for deal in shown] == expected
    assert selection_breaches(DealSelection(**values), _ours(shown)) == ()
    everything = {"percent above 100", "lowest offer means nothing for used"}
    assert (0 < len(shown) < len(_deals(market, DealSelection()))) == (name not in everything)


@pytest.mark.parametrize(("name", "statistic"), [("is_lowest", "isLowest"), ("is_lowest90", "isLowest90")])
def test_the_lowest_are_those_that_the_statistics_call_so(market: Market, name: str, statistic: str) -> None:
    base = DealSelection(include_categories=(1000,))
    kept = set(market.matching(base.model_copy(update={name: True}), NOW).tolist())
    right = total = 0
    for index in market.matching(base, NOW)[:60].tolist():
        flags = market.stats(index, NOW, 90)[statistic]
        assert isinstance(flags, list)
        right += flags[2] == (index in kept)
        total += 1
    assert total > 50
    assert right == total if name == "is_lowest" else right / total > 0.9
    assert 0 < len(kept) < total


def test_the_lowest_offer_of_amazon_is_not_above_the_new_price(market: Market) -> None:
    selection = DealSelection(price_type=PriceType.AMAZON, is_lowest_offer=True)
    deals = _deals(market, DealSelection(price_type=PriceType.AMAZON))
    lowest = [deal["asin"] for deal in deals if _now(deal, 0) <= _now(deal, 1)]
    assert [deal["asin"] for deal in _deals(market, selection)] == lowest
    assert 0 < len(lowest) < len(deals)


def test_adult_products_can_be_left_out(market: Market) -> None:
    every = market.matching(DealSelection(), NOW).tolist()
    adults = {index for index in every if market.product_head(index, NOW)["isAdultProduct"]}
    assert adults
    assert market.matching(DealSelection(filter_erotic=True), NOW).tolist() == [i for i in every if i not in adults]


def test_of_the_variations_of_a_product_one_can_be_asked_for(market: Market) -> None:
    every, single = _deals(market, DealSelection()), _deals(market, DealSelection(single_variation=True))
    parents = [deal["parentAsin"] for deal in every if "parentAsin" in deal]
    kept = [deal["parentAsin"] for deal in single if "parentAsin" in deal]
    assert len(parents) > len(set(parents)) == len(kept)
    assert set(kept) == set(parents)
    assert len(every) - len(single) == len(parents) - len(kept)


def test_what_went_out_of_stock_within_a_day_can_be_asked_for(market: Market) -> None:
    selection = DealSelection(price_type=PriceType.NEW, is_out_of_stock=True)
    shown = market.matching(selection, NOW).tolist()
    assert shown
    for index in shown:
        history = market.history(index, NOW)[1]
        assert history is not None
        times, values = history[::2], history[1::2]
        assert values[-1] == -1
        assert NOW - from_keepa_minutes(times[-1]) < timedelta(days=1)
        assert values[-2] >= 0


@pytest.mark.parametrize("price_type", [kind for kind in PriceType if kind.deal_relevant])
def test_a_listed_deal_has_dropped_by_the_percentage_that_keepa_asks_for(market: Market, price_type: PriceType) -> None:
    for date_range in DateRange:
        selection = DealSelection.model_validate({"price_type": price_type, "date_range": date_range})
        deals = _deals(market, selection)
        floor = 80 if price_type == PriceType.SALES else 10
        assert all(deal["deltaPercent"][date_range][price_type] >= floor for deal in deals)
        if date_range is DateRange.QUARTER and price_type not in RARE_TYPES:
            assert deals


def test_lightning_deals_are_over_and_none_is_listed(market: Market) -> None:
    assert not len(market.matching(DealSelection(price_type=PriceType.LIGHTNING_DEAL), NOW))


def test_shorter_intervals_show_more_recent_deals(market: Market) -> None:
    counts = [len(market.matching(DealSelection(date_range=date_range), NOW)) for date_range in DateRange]
    assert counts == sorted(counts)
    assert counts[0] < counts[3] / 2
    oldest = min(deal["creationDate"] for deal in _deals(market, DealSelection(date_range=DateRange.DAY)))
    assert NOW - from_keepa_minutes(oldest) < timedelta(days=3), "the day of Keepa's averages has 48 hours"


@pytest.mark.parametrize("sort_type", SortType)
@pytest.mark.parametrize("price_type", [PriceType.USED, PriceType.NEW])
def test_the_order_is_monotone_in_the_values_shown(market: Market, sort_type: SortType, price_type: PriceType) -> None:
    selection = DealSelection(sort_type=sort_type, price_type=price_type)
    deals = _deals(market, selection)
    assert in_order(selection, _ours(deals))

    def key(deal: Json) -> int:
        """Return what descends under a sort type that is not inverted."""
        by_type = (
            deal["creationDate"],
            deal["delta"][3][price_type],
            -_now(deal, 3),
            deal["deltaPercent"][3][price_type],
        )
        return int(by_type[abs(sort_type) - 1])

    ranked = [deal for deal in deals if abs(sort_type) != 3 or _now(deal, 3) >= 0]
    assert deals[: len(ranked)] == ranked, "products without a rank come last"
    for earlier, later in pairwise(ranked):
        assert (key(earlier), key(later)) == tuple(sorted((key(earlier), key(later)), reverse=sort_type > 0))
        if key(earlier) == key(later):
            assert earlier["asin"] < later["asin"]


def test_inverted_orders_hold_the_same_deals(market: Market) -> None:
    for sort_type in (SortType.DELTA, SortType.SALES_RANK, SortType.PERCENT_DELTA):
        there = market.matching(DealSelection(sort_type=sort_type), NOW).tolist()
        back = market.matching(DealSelection(sort_type=SortType(-sort_type)), NOW).tolist()
        assert there != back
        assert sorted(there) == sorted(back)


def test_category_counts_ignore_the_category_filter(market: Market) -> None:
    free = market.category_counts(DealSelection(current_range=(0, 5000)), NOW)
    filtered = market.category_counts(DealSelection(current_range=(0, 5000), include_categories=(BOOKS,)), NOW)
    assert free == filtered
    deals = _deals(market, DealSelection(current_range=(0, 5000)))
    assert sum(count for _, _, count in free) == len(deals)
    for category, name, count in free:
        assert name
        assert count == sum(deal["rootCat"] == category for deal in deals)
    assert (BOOKS, "Books") in [(category, name) for category, name, _ in free]
    assert any(name == "?" for _, name, _ in free)


def test_selections_asked_in_turn_do_not_disturb_each_other(market: Market) -> None:
    selections = [
        DealSelection.model_validate({"price_type": kind, "date_range": 2}) for kind in (0, 1, 2, 3, 5, 7, 9, 19)
    ]
    minutes = [NOW + timedelta(minutes=3 * step) for step in (0, 1, 0, 9, 5)]
    for now in minutes:
        for selection in selections:
            assert market.matching(selection, now).tolist() == Market(4, 2500).matching(selection, now).tolist()
