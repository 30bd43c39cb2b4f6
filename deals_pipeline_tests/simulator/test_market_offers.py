from datetime import datetime, timedelta, timezone

import msgspec
import numpy as np
import pytest
from keepa.models.backend import Offer as PublicOffer

from deals_pipeline.keepa.objects import Offer
from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.keepa.selection import DealSelection
from deals_pipeline.keepa.time import from_keepa_minutes, to_keepa_minutes
from deals_pipeline.simulator.market.market import Market

NOW = datetime(2026, 3, 9, 20, 1, 2, tzinfo=timezone.utc)
USED = range(2, 6)
CONDITION_TYPES = {
    2: PriceType.USED_NEW_SHIPPING,
    3: PriceType.USED_VERY_GOOD_SHIPPING,
    4: PriceType.USED_GOOD_SHIPPING,
    5: PriceType.USED_ACCEPTABLE_SHIPPING,
}
INDICES = range(0, 3000, 15)


@pytest.fixture(scope="module")
def market() -> Market:
    return Market(21, 3000)


def _offers(market: Market, index: int, *, live_only: bool) -> tuple[list[Offer], list[int]]:
    offers, order = market.offers(index, NOW, live_only=live_only)
    return [msgspec.convert(offer, Offer) for offer in offers], order


def _current(market: Market, index: int) -> list[int]:
    return msgspec.convert(market.deals([index], NOW)[0]["current"], list[int])


def test_as_many_used_and_new_offers_are_live_as_are_counted(market: Market) -> None:
    for index in INDICES:
        offers, order = _offers(market, index, live_only=True)
        current = _current(market, index)
        used = [offer for offer in offers if offer.condition in USED]
        new = [offer for offer in offers if offer.condition == 1]
        assert len(used) == max(0, current[PriceType.COUNT_USED])
        assert len(new) == max(0, current[PriceType.COUNT_NEW])
        assert sorted(order) == list(range(len(offers)))
        assert len(offers) == market.live_offer_count(index, NOW)
        if index % 100 == 0:
            assert len(offers) == market.stats(index, NOW, 30)["totalOfferCount"]


def test_the_lowest_used_and_new_offers_make_the_used_and_new_prices(market: Market) -> None:
    seen = 0
    for index in INDICES:
        offers, _ = _offers(market, index, live_only=True)
        current = _current(market, index)
        for kind, conditions in ((PriceType.USED, USED), (PriceType.NEW, (1,))):
            prices = [offer.price for offer in offers if offer.condition in conditions]
            assert min((price for price in prices if price is not None), default=-1) == current[kind]
            seen += bool(prices)
        amazon = [offer for offer in offers if offer.is_amazon]
        assert [offer.price for offer in amazon] == [current[0]] * len(amazon)
        assert len(amazon) <= (current[0] >= 0)
    assert seen > 250


def test_the_best_offer_of_a_condition_makes_its_landed_price_where_there_are_enough_offers(market: Market) -> None:
    agreed = []
    for index in INDICES:
        offers, _ = _offers(market, index, live_only=True)
        current = _current(market, index)
        if current[PriceType.COUNT_USED] < 6:
            continue
        for condition, kind in CONDITION_TYPES.items():
            landed = [
                offer.price + offer.shipping
                for offer in offers
                if offer.condition == condition and offer.price is not None and offer.shipping is not None
            ]
            if current[kind] >= 0:
                agreed.append(min(landed, default=0) == current[kind])
    assert len(agreed) > 60
    assert np.mean(agreed) > 0.9


def test_live_offers_were_seen_at_the_crawl_and_historical_ones_before(market: Market) -> None:
    historical = 0
    for index in INDICES:
        live, order = _offers(market, index, live_only=True)
        every, same_order = _offers(market, index, live_only=False)
        assert every[: len(live)] == live
        assert order == same_order
        assert {offer.last_seen for offer in live} <= {to_keepa_minutes(NOW)}
        assert all(offer.last_seen < to_keepa_minutes(NOW) - 24 * 60 for offer in every[len(live) :])
        assert len({offer.offer_id for offer in every}) == len(every)
        historical += len(every) - len(live)
    assert historical > 80


def test_live_offers_stand_in_the_order_of_their_landed_price(market: Market) -> None:
    for index in INDICES:
        offers, order = _offers(market, index, live_only=False)
        landed = [(offers[position].price or 0) + (offers[position].shipping or 0) for position in order]
        assert landed == sorted(landed)


def test_an_offer_history_is_triples_with_the_newest_last(market: Market) -> None:
    unknown = total = 0
    for index in INDICES:
        offers, order = _offers(market, index, live_only=False)
        for position, offer in enumerate(offers):
            times = offer.offer_csv[::3]
            assert len(offer.offer_csv) % 3 == 0
            assert len(offer.offer_csv) >= 3
            assert list(times) == sorted(times)
            assert offer.price is not None
            assert offer.price > 0
            if position in order:
                assert times[-1] <= to_keepa_minutes(NOW) + 1
                unknown += offer.shipping is None
                total += 1
                assert offer.shipping is not None or not offer.is_fba
            assert offer.is_fba == offer.is_prime
    assert 0.003 < unknown / total < 0.05


def test_offers_fit_the_public_model_and_come_from_known_sellers(market: Market) -> None:
    sellers = set()
    for index in list(INDICES)[:80]:
        for offer in market.offers(index, NOW, live_only=False)[0]:
            assert set(offer) <= set(PublicOffer.model_fields)
            PublicOffer.model_validate(offer)
            sellers.add(str(offer["sellerId"]))
    assert len(sellers) > 60
    assert all(market.seller(seller_id, NOW) for seller_id in sellers)


def test_about_three_of_ten_deals_have_more_than_ten_offers_and_few_more_than_forty(market: Market) -> None:
    """So that `offers=20` costs about 7.7 tokens on average, as measured."""
    counts = np.array([market.live_offer_count(index, NOW) for index in market.matching(DealSelection(), NOW).tolist()])
    assert np.mean(counts > 10) == pytest.approx(0.28, rel=0.3)
    assert 0 < np.mean(counts > 40) < 0.04
    assert np.mean(np.where(counts > 10, 12, 6)) == pytest.approx(7.7, rel=0.1)


def test_offers_are_those_of_their_crawl_and_stay_the_same_until_something_changes(market: Market) -> None:
    def told(index: int, crawled_at: datetime) -> list[dict[str, object]]:
        offers, _ = market.offers(index, crawled_at, live_only=True)
        return [{name: value for name, value in offer.items() if name != "lastSeen"} for offer in offers]

    changed = 0
    for index in list(INDICES)[:50]:
        crawl = market.last_crawl(index, NOW)
        assert told(index, crawl) == told(index, NOW)
        changed += told(index, crawl - timedelta(days=2)) != told(index, NOW)
    assert changed > 10


def test_a_warehouse_price_is_a_warehouse_offer(market: Market) -> None:
    seen = 0
    for index in range(3000):
        deal = market.deals([index], NOW)[0]
        if not deal["warehouseCondition"] or _current(market, index)[PriceType.COUNT_USED] < 2:
            continue
        offers, _ = _offers(market, index, live_only=True)
        (offer,) = (offer for offer in offers if offer.is_warehouse_deal)
        assert offer.condition == deal["warehouseCondition"]
        assert offer.price == _current(market, index)[PriceType.WAREHOUSE]
        assert deal["warehouseConditionComment"]
        seen += 1
        if seen == 10:
            break
    assert seen == 10


def test_the_natural_crawl_of_the_offers_is_some_days_old_at_most(market: Market) -> None:
    ages = [NOW - market.last_offers_crawl(index, NOW) for index in INDICES]
    assert max(ages) < timedelta(days=8)
    assert min(ages) < timedelta(hours=12)
    last = market.stats(INDICES[3], NOW, 30)["lastOffersUpdate"]
    assert from_keepa_minutes(int(str(last))) == market.last_offers_crawl(INDICES[3], NOW)
