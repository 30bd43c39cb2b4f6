"""Deals by chance, such that every branch of the analytics occurs: times and amounts are drawn where decisions turn."""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from random import Random
from typing import TypeVar

from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline_tests.analytics.reference import (
    DealPage,
    History,
    Known,
    LiveOffer,
    Offers,
    Product,
    Seller,
    Stats,
    Values,
)

Number = TypeVar("Number", int, float)

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LAGS = (
    timedelta(0),
    MINUTE,
    30 * HOUR,
    240 * HOUR - MINUTE,
    240 * HOUR,
    240 * HOUR + MINUTE,
    12 * DAY,
    30 * DAY,
    30 * DAY + MINUTE,
)
"""How long after a drop the rank is taken."""
AGES = (1095 * DAY, 1095 * DAY + MINUTE, 365 * DAY, 365 * DAY + MINUTE, timedelta(0))


def some_deals(seed: int, count: int) -> dict[str, Known]:
    """Return deals by ASIN."""
    random = Random(seed)
    return {f"B{number:09d}": a_deal(random, number) for number in range(count)}


def a_deal(random: Random, number: int) -> Known:
    """Return one deal, of which more or less is known."""
    price = random.choice((0, 1, 700, 1000, 1500, 2000, 2001, 4000, 20_000))
    page = _page(random, price)
    product = _product(random, page, price) if random.random() < 0.85 else None
    offers = _offers(random, page, number) if random.random() < 0.45 else None
    sellers = {}
    if offers is not None:
        for offer in offers.live:
            if random.random() < 0.8:
                sellers[offer.seller_id] = _seller(random)
    return Known(page=page, product=product, offers=offers, sellers=sellers)


def _page(random: Random, price: int) -> DealPage:
    observed_at = NOW - random.randrange(3000) * MINUTE
    averages = [
        random.choice((None, 0, 1199, 1200, price, price + price // 5, price + price // 5 - 1, 2 * price, 3 * price))
        for _ in range(4)
    ]
    return DealPage(
        observed_at=observed_at,
        is_seen_lately=random.random() < 0.97,
        used_cents=_often(random, price),
        used_since=random.choice((None, NOW - 10 * DAY, NOW - 10 * DAY, NOW - 10 * HOUR, NOW - HOUR)),
        used_averages=(None,) * 4 if random.random() < 0.08 else tuple(averages),
        sales_rank_drops_365_days=random.choice((None, 0, 1, 5, 5, 5, 5)),
    )


def _product(random: Random, page: DealPage, price: int) -> Product:
    since = page.used_since or NOW
    observed_at = random.choice((NOW, NOW - 5 * HOUR, NOW - 3 * DAY, since, since - MINUTE))
    drops = sorted({_event(random, observed_at) for _ in range(random.choice((0, 1, 2, 3, 3, 4, 6, 9, 20)))})
    base = random.choice((900, 2000, 5000, 5000, 9000, 160_000, 166_667))
    has_history = random.random() < 0.97
    amazon = random.choice((base, base + base // 9, base + base // 9 + 1, base // 2, 2 * base, 500_000))
    return Product(
        observed_at=observed_at,
        used_counts=_counts(random, drops) if has_history else (),
        ranks=_ranks(random, drops) if has_history else (),
        used_prices=_prices(random, drops, base) if has_history else (),
        stats=_stats(random, price, amazon) if random.random() < 0.9 else None,
        pick_and_pack_fee=_often(random, random.choice((0, 350, 611))),
        referral_fee_percentage=_often(random, random.choice((0.0, 8.0, 15.0, 15.01, 17.0, 90.0, 95.5))),
    )


def _event(random: Random, now: datetime) -> datetime:
    """Return the time of a drop, some at the ends of the windows, many in few months."""
    if random.random() < 0.1:
        return now - random.choice(AGES)
    year = random.randrange(4)
    month_start = now - (365 * year + random.choice((20, 20, 20, 50, 200, 320))) * DAY
    return month_start - random.choice((0, 1, 3, 9, 9, 11, 25, 40)) * DAY - random.choice((0, 0, 1, 700)) * MINUTE


def _counts(random: Random, drops: Sequence[datetime]) -> History:
    """Return a history that falls at most of `drops`, with gaps, rises and repeated times."""
    records: list[tuple[datetime, int | None]] = []
    for time in drops:
        if random.random() < 0.7:
            records.append((time - random.choice((MINUTE, HOUR, DAY)), _often(random, random.randrange(8, 20))))
        if random.random() < 0.1:
            records.append((time, random.choice((None, 3, 30))))
        records.append((time, _often(random, random.randrange(0, 9), 0.95)))
    return sorted(records, key=lambda record: record[0])


def _ranks(random: Random, drops: Sequence[datetime]) -> History:
    """Return a history with records at and near the times at which an improvement confirms a drop, or just not."""
    records: list[tuple[datetime, int | None]] = []
    for time in drops:
        if random.random() < 0.6:
            records.append((time - random.choice((timedelta(0), HOUR, 2 * DAY)), _rank(random, 500)))
        if random.random() < 0.3:
            records.append((time + random.choice((MINUTE, HOUR, DAY)), _rank(random, 600)))
        lags = random.sample(LAGS, random.choice((0, 1, 1, 2)))
        records += [(time + lag, _rank(random, 300)) for lag in lags]
    return sorted(records, key=lambda record: record[0])


def _rank(random: Random, around: int) -> int | None:
    return _often(random, random.randrange(around - 150, around + 150) * 1000, 0.95)


def _prices(random: Random, drops: Sequence[datetime], base: int) -> History:
    """Return prices that repeat, lie a cent apart, run away, are 0 or missing."""
    steps = (base, base, base, base + 1, base - 1, base * 4 // 5, base * 6 // 5, base * 3 + 1, base * 3, 0, None)
    records: list[tuple[datetime, int | None]] = []
    for time in drops:
        lags = random.sample((timedelta(0), -MINUTE, MINUTE, -HOUR, -5 * DAY), random.choice((0, 1, 1, 2)))
        records += [(time + lag, random.choice(steps)) for lag in lags]
    if records and random.random() < 0.2:
        records.append((records[-1][0], random.choice(steps)))
    return sorted(records, key=lambda record: record[0])


def _stats(random: Random, price: int, amazon: int) -> Stats:
    current, month, half_year, year = (_values(random, price, amazon) for _ in range(4))
    return Stats(current=current, average_30_days=month, average_180_days=half_year, average_365_days=year)


def _values(random: Random, price: int, amazon: int) -> Values:
    return {
        PriceType.AMAZON: random.choice((None, None, 0, amazon, amazon + 1)),
        PriceType.USED: random.choice((None, 0, price, price + 1, price // 2)),
        PriceType.SALES: random.choice((None, 99_999, 100_000, 499_999, 500_000)),
        PriceType.COUNT_USED: random.choice((None, 0, 5, 6)),
    }


def _offers(random: Random, page: DealPage, number: int) -> Offers:
    since = page.used_since or NOW
    observed_at = random.choice((since, since + MINUTE, since - MINUTE, NOW))
    is_live = random.random() < 0.85
    live = tuple(_offer(random, page, number, offer_id) for offer_id in range(random.choice((0, 1, 2, 5))))
    return Offers(
        observed_at=observed_at,
        crawled_at=observed_at - random.choice((0, 0, 1, 60)) * MINUTE if is_live and live else observed_at,
        first_observed=observed_at - random.choice((0, 0.5, 1, 3, 40)) * DAY,
        is_live=is_live,
        live=live if is_live else (),
    )


def _offer(random: Random, page: DealPage, number: int, offer_id: int) -> LiveOffer:
    price = page.used_cents or 1500
    return LiveOffer(
        offer_id=offer_id,
        seller_id=f"A{number:06d}{offer_id}",
        condition=random.choice((0, 1, 2, 3, 4, 5, 5, 6)),
        price=random.choice((None, 0, price, price, price - 399, price + 300)),
        shipping=random.choice((None, 0, 399, 399)),
        is_fba=random.random() < 0.3,
    )


def _seller(random: Random) -> Seller:
    count = random.choice((None, 0, 1, 7, 100, 12_345))
    return Seller(
        observed_at=NOW,
        rating_percent=None if random.random() < 0.1 else random.choice((0, 29, 57, 98, 100)),
        rating_count=count,
    )


def _often(random: Random, value: Number, share: float = 0.9) -> Number | None:
    return value if random.random() < share else None
