import subprocess
import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import msgspec
import numpy as np
import pytest
from keepa.models.backend import Product, Seller

from deals_pipeline.keepa.objects import Product as OurProduct
from deals_pipeline.keepa.selection import DealSelection
from deals_pipeline.keepa.time import to_keepa_minutes
from deals_pipeline.simulator.market.market import Market

NOW = datetime(2026, 5, 1, 15, 13, 56, tzinfo=timezone.utc)
BOOKS = 283155
FINGERPRINT = """
import hashlib, json, sys
from datetime import datetime, timezone
from deals_pipeline.keepa.selection import DealSelection
from deals_pipeline.simulator.market.market import Market
market = Market(5, 600)
now = datetime(2026, 5, 1, 15, 13, 56, tzinfo=timezone.utc)
indices = market.matching(DealSelection(), now)[:20].tolist()
world = [market.deals(indices, now), [market.history(i, now, with_offers=True) for i in indices[:5]],
         [market.product_head(i, now) for i in indices], [market.stats(i, now, 90) for i in indices[:5]],
         [market.offers(i, now, live_only=False) for i in indices]]
print(hashlib.sha256(json.dumps(world, sort_keys=True).encode()).hexdigest())
"""


@pytest.fixture(scope="module")
def market() -> Market:
    return Market(5, 3000)


def _fingerprint(hash_seed: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", FINGERPRINT],
        env={"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_the_world_is_the_same_in_every_process() -> None:
    assert _fingerprint("1") == _fingerprint("2") != ""


def test_what_a_market_answers_does_not_depend_on_what_it_was_asked_before() -> None:
    used, fresh = Market(5, 1000), Market(5, 1000)
    for hours in (30, 2, -700, 0):
        used.matching(DealSelection(), NOW + timedelta(hours=hours))
        used.deals(range(50), NOW + timedelta(hours=hours))
    assert used.matching(DealSelection(), NOW).tolist() == fresh.matching(DealSelection(), NOW).tolist()
    assert used.deals(range(50), NOW) == fresh.deals(range(50), NOW)


def test_a_deal_does_not_depend_on_the_deals_it_is_asked_with(market: Market) -> None:
    together = Market(5, 3000).deals(range(200), NOW)
    assert [Market(5, 3000).deals([index], NOW)[0] for index in range(0, 200, 20)] == together[::20]
    assert market.deals([7, 3], NOW) == [together[7], together[3]]


def test_threads_get_what_one_caller_gets() -> None:
    market, alone = Market(5, 1000), Market(5, 1000)
    times = [NOW + timedelta(minutes=7 * step) for step in range(8)]

    def ask(now: datetime) -> list[dict[str, object]]:
        return market.deals(market.matching(DealSelection(), now)[:40], now)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, times))
    assert answers == [alone.deals(alone.matching(DealSelection(), now)[:40], now) for now in times]


def test_a_deal_that_a_caller_changes_is_not_changed_in_the_market(market: Market) -> None:
    deal = market.deals([1], NOW)[0]
    current = deal["current"]
    assert isinstance(current, list)
    current[2] = -999
    assert market.deals([1], NOW)[0] != deal


@pytest.mark.parametrize("other", [Market(6, 3000), Market(5, 3000, domain=3)])
def test_another_seed_or_marketplace_is_another_world(market: Market, other: Market) -> None:
    assert {market.asin(index) for index in range(500)}.isdisjoint(other.asin(index) for index in range(500))
    assert market.matching(DealSelection(), NOW).tolist() != other.matching(DealSelection(), NOW).tolist()


def test_a_bigger_market_holds_the_smaller_one() -> None:
    small, big = Market(5, 300), Market(5, 1000)
    shown = big.matching(DealSelection(), NOW)
    assert small.matching(DealSelection(), NOW).tolist() == shown[shown < 300].tolist()


@pytest.mark.parametrize("year", [2024, 2027, 2030, 2036])
def test_every_year_has_deals_histories_and_offers(market: Market, year: int) -> None:
    now = datetime(year, 2, 29 if year % 4 == 0 else 28, tzinfo=timezone.utc)
    shown = market.matching(DealSelection(), now)
    assert 600 < len(shown) < 1000
    index = int(shown[0])
    assert market.deals([index], now)[0]["creationDate"]
    assert market.history(index, now)[2]
    assert market.live_offer_count(index, now) >= 1


def test_index_and_asin_are_a_bijection(market: Market) -> None:
    asins = [market.asin(index) for index in range(market.products)]
    assert len(set(asins)) == market.products
    assert [market.index_of(asin) for asin in asins] == list(range(market.products))


def test_an_asin_of_no_product_has_no_index(market: Market) -> None:
    beyond = Market(5, 4000)
    assert [market.index_of(beyond.asin(index)) for index in range(3000, 4000)] == [None] * 1000
    for asin in ("", "B0", "b000000000", "0306406153", "B0é1234567", "030640615\uff12", "B0000000000", "A" * 10):
        assert market.index_of(asin) is None


def test_books_have_valid_isbns_some_with_an_x_and_other_products_b0_asins(market: Market) -> None:
    last = set()
    for index in range(600):
        asin = market.asin(index)
        assert len(asin) == 10
        is_book = market.product_head(index, NOW)["rootCategory"] == BOOKS
        assert asin.startswith("B0") != is_book
        if is_book:
            digits = [10 if character == "X" else int(character) for character in asin]
            assert sum(digit * (10 - position) for position, digit in enumerate(digits)) % 11 == 0
            last.add(asin[-1])
    assert last == set("0123456789X")


def test_about_seven_of_ten_products_are_books(market: Market) -> None:
    roots = [market.product_head(index, NOW)["rootCategory"] for index in range(800)]
    assert 520 < roots.count(BOOKS) < 600
    assert len(set(roots)) > 8
    assert 0 in roots, "some products have no known root category"


def test_titles_come_in_many_scripts_with_markup_scripts_and_formulas(market: Market) -> None:
    titles = [str(deal["title"]) for deal in market.deals(range(market.products), NOW)]
    scripts = {unicodedata.name(character, "?").split()[0] for title in titles for character in title}
    assert {"LATIN", "CYRILLIC", "CJK", "HIRAGANA", "KATAKANA", "HANGUL", "ARABIC", "HEBREW", "GREEK"} <= scripts
    assert any("\N{UNICORN FACE}" in title for title in titles)
    assert any("<script>alert(1)</script>" in title for title in titles)
    assert any("&amp;" in title and "<b>" in title for title in titles)
    assert any(title.startswith("=") for title in titles)
    assert any(title.startswith("+") for title in titles)
    assert sum(title.isascii() and title.replace(" ", "").isalnum() for title in titles) > len(titles) / 4


def test_a_product_object_fits_the_public_models_and_our_own(market: Market) -> None:
    known = set(Product.model_fields)
    for index in range(0, 600, 7):
        head = market.product_head(index, NOW)
        assert set(head) <= known
        Product.model_validate(head)
        ours = msgspec.convert(msgspec.to_builtins(head), OurProduct)
        assert ours.tracking_since < ours.last_update <= to_keepa_minutes(NOW) + 1
        assert head["asin"] == market.asin(index)


def test_fees_may_be_negative_null_or_absent_and_a_few_products_have_no_data(market: Market) -> None:
    heads = [market.product_head(index, NOW) for index in range(900)]
    assert any("fbaFees" not in head for head in heads)
    assert any(head.get("fbaFees", 0) is None for head in heads)
    assert any(head.get("referralFeePercentage") == -1 for head in heads)
    picks = [fees["pickAndPackFee"] for head in heads if isinstance(fees := head.get("fbaFees"), dict)]
    assert picks.count(-1) > 0
    assert np.mean(np.array(picks) > 0) > 0.9
    types = [head["productType"] for head in heads]
    assert types.count(0) / len(types) > 0.97
    assert len(set(types)) > 3
    without = next(index for index, head in enumerate(heads) if head["productType"] in (3, 4, 5))
    assert set(map(str, market.history(without, NOW, with_offers=True))) == {"None"}
    assert market.live_offer_count(without, NOW) == 0
    assert any(head["parentAsin"] is not None for head in heads)
    parents = [str(parent) for head in heads if (parent := head["parentAsin"])]
    assert all(market.index_of(parent) is None for parent in parents)


def test_crawls_lie_before_now_or_a_little_ahead(market: Market) -> None:
    ahead = []
    for index in range(300):
        now = NOW + timedelta(seconds=7 * index)
        crawl = market.last_crawl(index, now)
        assert crawl - now <= timedelta(seconds=36)
        assert now - crawl < timedelta(days=2)
        assert market.last_offers_crawl(index, now) <= crawl
        ahead.append(crawl > now)
        assert to_keepa_minutes(crawl) == market.product_head(index, now)["lastUpdate"]
    assert not all(ahead)


def test_ratings_and_stock_are_stale_for_some_products_and_some_time(market: Market) -> None:
    ratings = [market.rating_is_stale(index, NOW) for index in range(300)]
    stocks = [market.stock_is_stale(index, NOW) for index in range(300)]
    assert 0.15 < np.mean(ratings) < 0.5
    assert 0.15 < np.mean(stocks) < 0.5
    stale = ratings.index(True)
    assert not all(market.rating_is_stale(stale, NOW + timedelta(days=day)) for day in range(20))


def test_a_product_outside_of_the_market_is_an_error(market: Market) -> None:
    for index in (-1, market.products):
        with pytest.raises(IndexError, match="allowed is 0 to 2999"):
            market.product_head(index, NOW)
    with pytest.raises(ValueError, match="products 0"):
        Market(1, 0)
    with pytest.raises(ValueError, match="listed_share 0"):
        Market(1, 10, listed_share=0)


def test_the_listed_share_is_what_was_asked_for() -> None:
    types = (0, 1, 2, 3, 5, 6)
    for share in (0.1, 0.4, 0.9):
        market = Market(8, 3000, listed_share=share)
        listed = {
            int(index)
            for price_type in types
            for index in market.matching(DealSelection.model_validate({"price_type": price_type}), NOW)
        }
        assert len(listed) / market.products == pytest.approx(share, rel=0.2)


def test_sellers_are_found_by_the_ids_of_offers_and_grow_older(market: Market) -> None:
    offers = [offer for index in range(60) for offer in market.offers(index, NOW, live_only=False)[0]]
    for seller_id in sorted({str(offer["sellerId"]) for offer in offers})[:40]:
        seller = market.seller(seller_id, NOW)
        assert seller is not None
        assert set(seller) <= set(Seller.model_fields)
        Seller.model_validate(seller)
        later = market.seller(seller_id, NOW + timedelta(days=200))
        assert later is not None
        for now_part, later_part in zip(_histories(seller), _histories(later), strict=True):
            assert later_part[: len(now_part)] == now_part
            assert len(later_part) > len(now_part)
        assert seller["currentRating"] == _histories(seller)[0][-1]
        assert seller["currentRatingCount"] == _histories(seller)[1][-1]


def test_an_unknown_seller_is_none(market: Market) -> None:
    for seller_id in ("", "A", "A2XXXXXXXXXXXX", "A0000000000000000", "a2l77ee7u53nwq"):
        assert market.seller(seller_id, NOW) is None
    assert market.seller("ATVPDKIKX0DER", NOW) is not None


def _histories(seller: dict[str, object]) -> list[list[int]]:
    return msgspec.convert(seller["csv"], list[list[int]])
