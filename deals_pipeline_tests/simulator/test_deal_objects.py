import json
import math
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
from keepa.models.backend import Deal as PublicDeal

from deals_pipeline.keepa.contract import deal_defect
from deals_pipeline.keepa.objects import Deal
from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.keepa.selection import DealSelection
from deals_pipeline.simulator.market.market import Market

REAL_PAGE = Path(__file__).parents[3] / "shared" / "data" / "keepa_deal_page.json"
NOW = datetime(2026, 5, 1, 15, 13, 56, tzinfo=timezone.utc)
Json = dict[str, Any]


@pytest.fixture(scope="module")
def market() -> Market:
    return Market(2, 2500)


@pytest.fixture(scope="module")
def deals(market: Market) -> list[Json]:
    return [dict(deal) for deal in market.deals(market.matching(DealSelection(), NOW), NOW)]


def _shape(value: object) -> object:
    """Return types and lengths of a value; lists of free length by the types they hold."""
    if isinstance(value, list):
        inner = {json.dumps(_shape(item)) for item in value}
        return [len(value) if len(value) in (4, 34) else "any", sorted(inner)]
    return type(value).__name__


def test_a_deal_has_the_keys_and_the_value_types_of_a_real_one(deals: list[Json]) -> None:
    if not REAL_PAGE.exists():
        pytest.skip("no recorded page beside the repository")
    real = json.loads(REAL_PAGE.read_text())["deals"]["dr"]
    optional = {"parentAsin"}
    for deal in deals:
        assert set(deal) - optional == set(real[0])
    free = {"image", "categories"}
    for key in real[0]:
        expected = {json.dumps(_shape(each[key])) for each in real}
        shown = {json.dumps(_shape(deal[key])) for deal in deals}
        if key in free:
            assert all(isinstance(item, int) for deal in deals for item in deal[key])
        else:
            assert shown <= expected | {json.dumps(_shape([True, False] * 17))}, key


def test_a_deal_fits_the_public_model_and_our_own(deals: list[Json]) -> None:
    for deal in deals:
        PublicDeal.model_validate(deal)
        assert deal_defect(msgspec.convert(deal, Deal), NOW) is None
        assert set(deal) - {"flags", "dateIntervalIndex", "backInStock", "lightningStart"} - {
            f"salesRankDrops{days}" for days in (30, 90, 180, 365)
        } <= set(PublicDeal.model_fields)


def test_a_delta_is_average_minus_current_and_its_percent_is_rounded_towards_zero(deals: list[Json]) -> None:
    for deal in deals:
        for average, delta, percent in zip(deal["avg"], deal["delta"], deal["deltaPercent"], strict=True):
            for mean, now, difference, share in zip(average, deal["current"], delta, percent, strict=True):
                if mean < 0 or now < 0:
                    assert difference == share == 0
                else:
                    assert difference == mean - now
                    assert share == (math.trunc((mean - now) * 100 / mean) if mean else 0)


def test_missing_values_are_minus_one_and_minus_two_and_type_15_lower(deals: list[Json]) -> None:
    current = [value for deal in deals for kind, value in enumerate(deal["current"]) if kind != 15]
    averages = [value for deal in deals for row in deal["avg"] for value in row]
    assert min(current) == -1
    assert {value for value in averages if value < 0} == {-1, -2}
    info = [deal["current"][15] for deal in deals]
    assert 0.03 < sum(value < -2 for value in info) / len(info) < 0.2
    for deal in deals:
        for kind in range(34):
            ever = {row[kind] == -2 for row in deal["avg"]}
            assert len(ever) == 1, "a type that a product never has is missing in every window"
            assert ever == {deal["currentSince"][kind] == -1}


def test_some_deals_lack_a_rank_and_some_price_types(deals: list[Json]) -> None:
    shares = {kind: sum(deal["current"][kind] > 0 for deal in deals) / len(deals) for kind in range(34)}
    assert shares[PriceType.USED] == 1
    assert 0.9 < shares[PriceType.SALES] < 1
    assert 0.15 < shares[PriceType.AMAZON] < 0.5
    assert 0.6 < shares[PriceType.NEW] < 1
    assert shares[PriceType.LIGHTNING_DEAL] < 0.05


def test_prices_of_types_and_counts_are_consistent(deals: list[Json]) -> None:
    for deal in deals:
        now = deal["current"]
        assert (now[PriceType.USED] > 0) == (now[PriceType.COUNT_USED] > 0)
        assert (now[PriceType.NEW] > 0) == (now[PriceType.COUNT_NEW] > 0)
        assert all(now[kind] >= now[PriceType.USED] for kind in (9, 19, 20, 21, 22, 32) if now[kind] >= 0)
        assert all(now[kind] >= now[PriceType.NEW] for kind in (0, 7, 10, 18, 33) if now[kind] >= 0)
        assert any(now[kind] >= 0 for kind in (19, 20, 21, 22))


def test_images_are_file_names_and_categories_belong_to_their_root(deals: list[Json]) -> None:
    for deal in deals:
        assert bytes(deal["image"]).decode().endswith("L.jpg")
        assert len(deal["categories"]) == len(set(deal["categories"])) <= 5
    assert len({bytes(deal["image"]) for deal in deals}) == len(deals)
    common = sum(1000 in deal["categories"] for deal in deals) / len(deals)
    assert 0.05 < common < 0.4


def test_a_deal_changes_at_every_crawl_and_only_then(market: Market) -> None:
    """D7: `lastUpdate` moves when any tracked value moves, and a static deal does not move it."""
    indices = market.matching(DealSelection(), NOW)[:60].tolist()
    before = market.deals(indices, NOW)
    moved = 0
    for minutes in range(4, 240, 4):
        after = market.deals(indices, NOW + timedelta(minutes=minutes))
        for old, new in zip(before, after, strict=True):
            if old["lastUpdate"] == new["lastUpdate"]:
                assert old == new
            else:
                moved += 1
                assert old["current"] != new["current"]
        before = after
    assert moved > 30


def test_delta_last_is_the_previous_value_minus_the_current_one(market: Market) -> None:
    indices = market.matching(DealSelection(), NOW)[:40].tolist()
    seen = 0
    for index in indices:
        deal: Json = dict(market.deals([index], NOW)[0])
        before: Json = dict(market.deals([index], market.last_crawl(index, NOW) - timedelta(seconds=90))[0])
        assert before["lastUpdate"] < deal["lastUpdate"]
        for kind in range(34):
            old, new = before["current"][kind], deal["current"][kind]
            assert deal["deltaLast"][kind] == (old - new if old >= 0 and new >= 0 else 0)
            seen += deal["deltaLast"][kind] != 0
    assert seen > 40


def test_lightning_deals_lie_in_the_past(deals: list[Json]) -> None:
    ended = [deal for deal in deals if deal["lightningEnd"]]
    assert 0 < len(ended) < 0.05 * len(deals)
    assert all(0 < deal["lightningStart"] < deal["lightningEnd"] < deal["lastUpdate"] for deal in ended)


def test_back_in_stock_means_missing_a_day_before_the_update(market: Market) -> None:
    selection = DealSelection(is_back_in_stock=True)
    shown = [
        (index, now)
        for now in (NOW + timedelta(days=day) for day in range(0, 60, 3))
        for index in market.matching(selection, now).tolist()
    ]
    assert shown
    for index, now in shown:
        deal: Json = dict(market.deals([index], now)[0])
        day_before = market.last_crawl(index, now) - timedelta(days=1)
        earlier: Json = dict(market.deals([index], day_before)[0])
        assert deal["backInStock"][2]
        assert earlier["current"][2] == -1
