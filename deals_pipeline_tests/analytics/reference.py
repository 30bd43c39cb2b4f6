"""What the analytics mean, in plain Python: one product at a time, exact, slow, without any SQL.

The results carry the names of the columns of `offer_drop`, `product_sales` and `deal_metrics`. Money is cents; a share
of money is a fraction until it is rounded, half up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import groupby, pairwise
from math import ceil, floor, sqrt
from typing import Literal, TypeAlias

from deals_pipeline.config import Marketplace
from deals_pipeline.keepa.price_types import PriceType

History: TypeAlias = Sequence[tuple[datetime, int | None]]
"""Records of one price type, oldest first; `None` is a missing value."""
Values: TypeAlias = Mapping[PriceType, int | None]
ConfirmedBy: TypeAlias = Literal["rank", "sparse"]
PriceSource: TypeAlias = Literal["offer", "listing"]
Stage: TypeAlias = Literal["page", "history", "offers"]

WINDOW = timedelta(days=1095)
YEAR = timedelta(days=365)
CONFIRMED_WITHIN = timedelta(hours=240)
CONFIRMED_SPARSELY_WITHIN = timedelta(days=30)
IMPLAUSIBLE_ABOVE = 1500_00
HIGHEST_AVERAGE_MIN = 12_00
GROSS_ROI_MIN = Fraction(20, 100)
CEILING = Fraction(90, 100)
USED_CONDITIONS = (2, 3, 4, 5)
Z = 1.96


# What is known of a deal.


@dataclass(frozen=True, kw_only=True)
class DealPage:
    """What the newest deal page said of the used price."""

    observed_at: datetime
    is_seen_lately: bool = True
    """Within the week before the newest sighting of any deal."""
    used_cents: int | None = None
    used_since: datetime | None = None
    used_averages: tuple[int | None, ...] = ()
    """Of day, week, month and quarter."""
    sales_rank_drops_365_days: int | None = None


@dataclass(frozen=True, kw_only=True)
class Stats:
    """The statistics of a product."""

    current: Values = field(default_factory=dict)
    average_30_days: Values = field(default_factory=dict)
    average_180_days: Values = field(default_factory=dict)
    average_365_days: Values = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Product:
    """What the newest product answer said: histories, fees, and statistics if it had any."""

    observed_at: datetime
    used_counts: History = ()
    ranks: History = ()
    used_prices: History = ()
    stats: Stats | None = None
    pick_and_pack_fee: int | None = None
    referral_fee_percentage: float | None = None


@dataclass(frozen=True, kw_only=True)
class LiveOffer:
    """One live offer of the newest answer that told them."""

    offer_id: int
    seller_id: str
    condition: int
    price: int | None
    shipping: int | None
    is_fba: bool


@dataclass(frozen=True, kw_only=True)
class Offers:
    """The newest answer that told live offers, or failed to."""

    observed_at: datetime
    crawled_at: datetime
    """When Keepa's crawler saw them, or the answer's time where it saw none."""
    first_observed: datetime
    """When the oldest answer came."""
    is_live: bool = True
    live: tuple[LiveOffer, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Seller:
    """What the newest answer said of one seller."""

    observed_at: datetime
    rating_percent: int | None
    rating_count: int | None


@dataclass(frozen=True, kw_only=True)
class Known:
    """All that is known of one deal: its page, its product where it was bought, its offers where they were."""

    page: DealPage
    product: Product | None = None
    offers: Offers | None = None
    sellers: Mapping[str, Seller] = field(default_factory=dict)


# What follows from it.


@dataclass(frozen=True, kw_only=True)
class OfferDrop:
    """A row of `offer_drop`."""

    dropped_at: datetime
    used_offers_before: int
    used_offers_after: int
    confirmed_at: datetime | None
    confirmed_by: ConfirmedBy | None
    sale_price: int | None
    is_sane: bool | None


@dataclass(frozen=True, kw_only=True)
class ProductSales:
    """A row of `product_sales`."""

    offer_drops: int
    sales: int
    sales_365_days: int
    sane_prices: int
    sale_confidence: float | None
    one_year_average: int | None
    sale_price_estimate: int | None
    list_price_source: str
    peak_month: int | None
    expected_trough: int | None
    trough_month: int | None
    price_trend: int | None
    observed_at: datetime


@dataclass(frozen=True, kw_only=True)
class DealMetrics:
    """A row of `deal_metrics`, but for what the plan of refreshes decides."""

    price_now: int | None
    price_source: PriceSource | None
    price_observed_at: datetime | None
    highest_average: int | None
    gross_roi: float | None
    offer_drops: int | None
    sales: int | None
    sales_365_days: int | None
    sale_confidence: float | None
    one_year_average: int | None
    percent_below_average: float | None
    list_price_estimate: int | None
    list_price_source: str | None
    list_price_ceiling: int | None
    list_price_capped: bool | None
    peak_month: int | None
    expected_trough: int | None
    trough_month: int | None
    price_trend: int | None
    offer_trend: int | None
    purchase_tax: int | None
    all_in_cost: int | None
    referral_fee: int | None
    fba_fee: int | None
    amazon_fees: int | None
    fees_estimated: bool | None
    profit: int | None
    margin: float | None
    roi: float | None
    expected_profit: int | None
    minimum_list_price: int | None
    offer_id: int | None
    seller_id: str | None
    offer_condition: int | None
    offer_price: int | None
    offer_shipping: int | None
    offer_is_fba: bool | None
    seller_trust: float | None
    offers_observed_at: datetime | None
    screened: str
    screened_stage: Stage
    screened_reason: str | None
    screened_inputs_at: datetime
    screened_next_try_at: datetime | None
    """`None` where the plan of refreshes or the settings decide."""
    history_observed_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Results:
    """All that follows from what is known of a deal."""

    drops: list[OfferDrop]
    sales: ProductSales | None
    metrics: DealMetrics


def results(known: Known, marketplace: Marketplace) -> Results:
    """Return what follows from what is known of a deal."""
    if known.product is None:
        return Results(drops=[], sales=None, metrics=deal_metrics(known, None, marketplace))
    drops = offer_drops(known.product)
    sales = product_sales(known.product, drops)
    return Results(drops=drops, sales=sales, metrics=deal_metrics(known, sales, marketplace))


# Inferred sales.


def offer_drops(product: Product) -> list[OfferDrop]:
    """Return the drops of the number of used offers, oldest first, and which of them were sales."""
    ranks = _in_window(product.ranks, product.observed_at)
    prices = _in_window(product.used_prices, product.observed_at)
    drops = _falls(_in_window(product.used_counts, product.observed_at))
    confirmed = _confirmed([time for time, _, _ in drops], ranks)
    sale_prices = {time: _last_valid(prices, time) for time in confirmed}
    known = [price for price in sale_prices.values() if price is not None]
    rows = []
    for time, before, after in drops:
        confirmed_at, confirmed_by = confirmed.get(time, (None, None))
        sale_price = sale_prices.get(time)
        rows.append(
            OfferDrop(
                dropped_at=time,
                used_offers_before=before,
                used_offers_after=after,
                confirmed_at=confirmed_at,
                confirmed_by=confirmed_by,
                sale_price=sale_price,
                is_sane=None if sale_price is None else is_sane(sale_price, known),
            )
        )
    return rows


def is_sane(price: int, prices: Sequence[int]) -> bool:
    """Return whether a sale price is no outlier among all of the product's, itself included."""
    if len(prices) >= 4:
        lower, upper = quantile(prices, Fraction(1, 4)), quantile(prices, Fraction(3, 4))
        reach = Fraction(3, 2) * (upper - lower)
        return lower - reach <= price <= upper + reach
    if len(prices) == 3:
        return price <= 3 * median(prices)
    return True


def _in_window(history: History, now: datetime) -> list[tuple[datetime, int | None]]:
    """Return the records of the last 1095 days, one for each time: the last."""
    last_of_time = dict(history)
    return [(time, last_of_time[time]) for time in sorted(last_of_time) if time >= now - WINDOW]


def _falls(records: History) -> list[tuple[datetime, int, int]]:
    """Return (time, before, after) of each fall between two adjacent records that are both present."""
    return [
        (time, before, after)
        for (_, before), (time, after) in pairwise(records)
        if before is not None and after is not None and after < before
    ]


def _confirmed(drops: Sequence[datetime], ranks: History) -> dict[datetime, tuple[datetime, ConfirmedBy]]:
    """Return which drops were sales: when and by which rule. Each improvement confirms the drop before it, or none."""
    confirmed: dict[datetime, tuple[datetime, ConfirmedBy]] = {}
    for improved_at, _, _ in _falls(ranks):
        earlier = [dropped_at for dropped_at in drops if dropped_at <= improved_at]
        if not earlier:
            continue
        dropped_at = max(earlier)
        if dropped_at in confirmed:
            continue
        first_rank_after = min((time for time, _ in ranks if time > dropped_at), default=None)
        if improved_at <= dropped_at + CONFIRMED_WITHIN:
            confirmed[dropped_at] = improved_at, "rank"
        elif improved_at <= dropped_at + CONFIRMED_SPARSELY_WITHIN and improved_at == first_rank_after:
            confirmed[dropped_at] = improved_at, "sparse"
    return confirmed


def _last_valid(records: History, time: datetime) -> int | None:
    """Return the last positive value at or before a time."""
    before = [valid(value) for at, value in records if at <= time]
    return next((value for value in reversed(before) if value is not None), None)


# What they say of prices.


def product_sales(product: Product, drops: Sequence[OfferDrop]) -> ProductSales:
    """Return what the sales of three years imply."""
    sales = [drop for drop in drops if drop.confirmed_at is not None]
    sane = [(drop.dropped_at, drop.sale_price) for drop in sales if drop.is_sane and drop.sale_price is not None]
    year = [price for time, price in sane if time >= product.observed_at - YEAR]
    estimate, source, peak_month = _sale_price_estimate(sane)
    trough, trough_month = _expected_trough(sane)
    return ProductSales(
        offer_drops=len(drops),
        sales=len(sales),
        sales_365_days=sum(drop.dropped_at >= product.observed_at - YEAR for drop in sales),
        sane_prices=len(sane),
        sale_confidence=len(sales) / len(drops) if drops else None,
        one_year_average=half_up(Fraction(sum(year), len(year))) if year else None,
        sale_price_estimate=estimate,
        list_price_source=source,
        peak_month=peak_month,
        expected_trough=trough,
        trough_month=trough_month,
        price_trend=_price_trend(product),
        observed_at=product.observed_at,
    )


def _sale_price_estimate(sane: Sequence[tuple[datetime, int]]) -> tuple[int | None, str, int | None]:
    """Return estimate, source and peak month."""
    if not sane:
        return None, "none", None
    overall = half_up(median([price for _, price in sane]))
    if len(sane) < 3:
        return overall, "sparse", None
    months = {month: prices for month, prices in _by_month(sane).items() if len(prices) >= 2}
    if not months:
        return overall, "flat", None
    peak_month = min(months, key=lambda month: (-median(months[month]), month))
    prices = months[peak_month]
    mode = min(prices, key=lambda price: (-prices.count(price), price))
    return mode if prices.count(mode) > 1 else half_up(median(prices)), "seasonal", peak_month


def _expected_trough(sane: Sequence[tuple[datetime, int]]) -> tuple[int | None, int | None]:
    """Return the median of the worst calendar month, and that month."""
    if len(sane) < 3:
        return None, None
    months = _by_month(sane)
    month = min(months, key=lambda month: (median(months[month]), month))
    return half_up(median(months[month])), month


def _by_month(sane: Sequence[tuple[datetime, int]]) -> dict[int, list[int]]:
    return {month: [price for time, price in sane if time.month == month] for month in {time.month for time, _ in sane}}


def _price_trend(product: Product) -> int | None:
    """Return whether the last prices rose: of more, the better a product sells."""
    records = _in_window(product.used_prices, product.observed_at)
    prices = [value for _, value in records if value is not None and value > 0]
    changes = [price for price, _ in groupby(prices)]
    if not changes:
        return None
    rank = product.stats.average_365_days.get(PriceType.SALES) if product.stats else None
    count = 3 if rank is None or rank >= 500_000 else 5 if rank >= 100_000 else 10
    last = changes[-count:]
    return sign(last[-1] - last[0])


# What one deal would bring.


def deal_metrics(known: Known, sales: ProductSales | None, marketplace: Marketplace) -> DealMetrics:
    """Return all metrics of a deal, and how it is screened; without a product there are no sales."""
    page, product = known.page, known.product
    stats = product.stats if product else None
    offer = _cheapest_offer(known)
    price_now, price_source, price_observed_at = _price_now(known, offer)
    averages = [average for average in page.used_averages if valid(average) is not None]
    highest_average = max((average for average in averages if average is not None), default=None)
    amazon = _lowest_of_amazon(stats) if stats else None
    ceiling = None if amazon is None else floor(CEILING * amazon)
    sale_price = sales.sale_price_estimate if sales else None
    estimate, source, is_capped = sale_price, sales.list_price_source if sales else None, None
    if sale_price is not None:
        is_capped = amazon is not None and sale_price > CEILING * amazon
        estimate = ceiling if is_capped else sale_price
        if estimate is not None and estimate > IMPLAUSIBLE_ABOVE:
            estimate, source = None, "implausible"

    tax_percent = Fraction(0) if marketplace.tax_exempt else Fraction(marketplace.purchase_tax_percent)
    purchase_tax = all_in_cost = None
    if price_now is not None:
        purchase_tax = half_up(price_now * tax_percent / 100)
        inbound = 0 if price_source == "offer" else marketplace.inbound_shipping
        all_in_cost = price_now + purchase_tax + marketplace.prep_fee + inbound

    referral, fba_fee, fees_estimated = _fees(product, marketplace)
    referral_fee = None if estimate is None else half_up(estimate * referral)
    amazon_fees = None if referral_fee is None else referral_fee + fba_fee
    profit = margin = roi = expected_profit = minimum_list_price = None
    if estimate is not None and all_in_cost is not None and amazon_fees is not None:
        profit = estimate - all_in_cost - amazon_fees
        margin, roi = profit / estimate if estimate else None, profit / all_in_cost
        if sales is not None and sales.offer_drops:
            expected_profit = half_away(profit * Fraction(sales.sales, sales.offer_drops))
    share_kept = 1 - Fraction(marketplace.markup_percent) / 100 - referral
    if sales is not None and all_in_cost is not None and share_kept > 0:
        minimum_list_price = ceil((all_in_cost + fba_fee) / share_kept)

    average = sales.one_year_average if sales else None
    below = None
    if average is not None and price_now is not None:
        below = max(0.0, (average - price_now) / average * 100)
    screened = _screened(known, highest_average, sales, source, price_now, profit, offer)
    return DealMetrics(
        price_now=price_now,
        price_source=price_source,
        price_observed_at=price_observed_at,
        highest_average=highest_average,
        gross_roi=None if price_now is None or highest_average is None else (highest_average - price_now) / price_now,
        offer_drops=sales.offer_drops if sales else None,
        sales=sales.sales if sales else None,
        sales_365_days=sales.sales_365_days if sales else None,
        sale_confidence=sales.sale_confidence if sales else None,
        one_year_average=average,
        percent_below_average=below,
        list_price_estimate=estimate,
        list_price_source=source,
        list_price_ceiling=ceiling,
        list_price_capped=is_capped,
        peak_month=sales.peak_month if sales else None,
        expected_trough=sales.expected_trough if sales else None,
        trough_month=sales.trough_month if sales else None,
        price_trend=sales.price_trend if sales else None,
        offer_trend=_offer_trend(stats) if stats else None,
        purchase_tax=purchase_tax,
        all_in_cost=all_in_cost,
        referral_fee=referral_fee,
        fba_fee=fba_fee if sales else None,
        amazon_fees=amazon_fees if (amazon_fees or 0) < 2**31 else None,
        fees_estimated=fees_estimated if sales else None,
        profit=profit,
        margin=margin,
        roi=roi,
        expected_profit=expected_profit,
        minimum_list_price=minimum_list_price,
        offer_id=offer.offer_id if offer else None,
        seller_id=offer.seller_id if offer else None,
        offer_condition=offer.condition if offer else None,
        offer_price=offer.price if offer else None,
        offer_shipping=offer.shipping if offer else None,
        offer_is_fba=offer.is_fba if offer else None,
        seller_trust=seller_trust(known.sellers.get(offer.seller_id)) if offer else None,
        offers_observed_at=known.offers.observed_at if known.offers else None,
        screened="survives" if screened.reason is None else "rejected",
        screened_stage=screened.stage,
        screened_reason=screened.reason,
        screened_inputs_at=screened.inputs_at,
        screened_next_try_at=_next_try(known, screened),
        history_observed_at=sales.observed_at if sales else None,
    )


def _cheapest_offer(known: Known) -> LiveOffer | None:
    """Return the eligible live offer that is cheapest, shipping included, if the price did not move since."""
    offers = known.offers
    if offers is None or not offers.is_live or not _still_holds(known.page, offers.crawled_at):
        return None
    eligible = [
        offer
        for offer in offers.live
        if offer.condition in USED_CONDITIONS and valid(offer.price) is not None and _shipping(offer) is not None
    ]
    return min(eligible, key=lambda offer: (_landed(offer), offer.offer_id), default=None)


def _shipping(offer: LiveOffer) -> int | None:
    """Return what shipping costs: nothing for Amazon's own fulfilment where it is not told."""
    return 0 if offer.is_fba and offer.shipping is None else offer.shipping


def _landed(offer: LiveOffer) -> int:
    shipping = _shipping(offer)
    assert offer.price is not None
    assert shipping is not None
    return offer.price + shipping


def _still_holds(page: DealPage, told_at: datetime) -> bool:
    """Return whether the used price has not moved since, as far as the page knows."""
    return page.used_since is None or page.used_since <= told_at


def _price_now(known: Known, offer: LiveOffer | None) -> tuple[int | None, PriceSource | None, datetime | None]:
    """Return the newest price that is known, its source, and when it was told."""
    page, product, offers = known.page, known.product, known.offers
    if offer is not None and offers is not None:
        return _landed(offer), "offer", offers.crawled_at
    if product is not None and product.stats is not None and _still_holds(page, product.observed_at):
        price = valid(product.stats.current.get(PriceType.USED))
        if price is not None:
            return price, "listing", product.observed_at
    price = valid(page.used_cents)
    if price is not None:
        return price, "listing", page.observed_at
    return None, None, None


def _lowest_of_amazon(stats: Stats) -> int | None:
    told = (stats.current, stats.average_180_days, stats.average_365_days)
    prices = [valid(values.get(PriceType.AMAZON)) for values in told]
    return min((price for price in prices if price is not None), default=None)


def _fees(product: Product | None, marketplace: Marketplace) -> tuple[Fraction, int, bool]:
    """Return the referral share, the FBA fee, and whether one of them is the settings' fallback."""
    percent = product.referral_fee_percentage if product else None
    fba_fee = product.pick_and_pack_fee if product else None
    is_estimated = percent is None or percent < 0 or fba_fee is None or fba_fee < 0
    if percent is None or percent < 0:
        referral = Fraction(marketplace.referral_fallback_percent) / 100
    else:
        referral = Fraction(Decimal(str(percent))) / 100
    return referral, marketplace.fba_fallback if fba_fee is None or fba_fee < 0 else fba_fee, is_estimated


def _offer_trend(stats: Stats) -> int | None:
    """Return whether there are more used offers than on the average of 30 days."""
    now, average = (values.get(PriceType.COUNT_USED) for values in (stats.current, stats.average_30_days))
    return None if now is None or average is None else sign(now - average)


def seller_trust(seller: Seller | None) -> float | None:
    """Return the lower bound of the share of positive ratings by Wilson's interval at z = 1.96."""
    if seller is None:
        return None
    n = seller.rating_count
    if n == 0:
        return 0.0
    if n is None or seller.rating_percent is None:
        return None
    p = min(seller.rating_percent, 100) * n // 100 / n
    centre = p + Z**2 / (2 * n)
    margin = Z * sqrt((p * (1 - p) + Z**2 / (4 * n)) / n)
    return (centre - margin) / (1 + Z**2 / n)


# Screening.


@dataclass(frozen=True, kw_only=True)
class Screened:
    """Where a deal stands: the cheapest stage that rejects it, or the dearest that is known."""

    stage: Stage
    inputs_at: datetime
    reason: str | None = None


def page_rejection(page: DealPage, price: int | None, highest_average: int | None) -> str | None:
    """Return the first condition of the deal page that fails at a price."""
    rank_drops = page.sales_rank_drops_365_days
    conditions = {
        "not seen for a week": page.is_seen_lately,
        "no used price": price is not None,
        "no average": highest_average is not None,
        "not below its averages": (price or 0) < (highest_average or 0),
        "does not sell": (rank_drops or 0) >= 1,
        "average below 12.00": (highest_average or 0) >= HIGHEST_AVERAGE_MIN,
        "gross ROI below 20 %": (highest_average or 0) - (price or 0) >= GROSS_ROI_MIN * (price or 0),
    }
    return next((reason for reason, holds in conditions.items() if not holds), None)


def _screened(
    known: Known,
    highest_average: int | None,
    sales: ProductSales | None,
    list_price_source: str | None,
    price_now: int | None,
    profit: int | None,
    offer: LiveOffer | None,
) -> Screened:
    """Return the first stage that rejects, else the last that is known."""
    page = known.page
    loss = "no profit" if profit is not None and profit <= 0 else None
    listed = (
        price_now if offer is None or sales is None else min(_landed(offer), valid(page.used_cents) or _landed(offer))
    )
    reason = page_rejection(page, listed, highest_average)
    stages = [Screened(stage="page", inputs_at=page.observed_at, reason=reason)]
    if sales is not None:
        reasons = {"none": "no sale inferred", "implausible": "implausible"}
        reason = reasons.get(list_price_source or "", loss if offer is None else None)
        stages.append(Screened(stage="history", inputs_at=sales.observed_at, reason=reason))
    if sales and known.offers and known.offers.is_live and _still_holds(page, known.offers.crawled_at):
        reason = "no live offer" if offer is None else page_rejection(page, _landed(offer), highest_average) or loss
        stages.append(Screened(stage="offers", inputs_at=known.offers.observed_at, reason=reason))
    return next((stage for stage in stages if stage.reason is not None), stages[-1])


def _next_try(known: Known, screened: Screened) -> datetime | None:
    """Return when a rejected deal is worth other offers: after as long as these were bought at its price."""
    if screened.reason is None or screened.stage == "history":
        return None
    if screened.stage == "page" or known.offers is None:
        return screened.inputs_at
    told_at, since = known.offers.observed_at, known.offers.first_observed
    bought_for = told_at - max(since, known.page.used_since or since)
    return told_at + min(max(bought_for, timedelta(days=1)), timedelta(days=32))


# Arithmetic.


def valid(value: int | None) -> int | None:
    """Return a value that is positive."""
    return value if value is not None and value > 0 else None


def median(values: Sequence[int]) -> Fraction:
    """Return the middle value, or the mean of the two in the middle."""
    return quantile(values, Fraction(1, 2))


def quantile(values: Sequence[int], share: Fraction) -> Fraction:
    """Return the quantile with linear interpolation between the two values around it."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def half_up(amount: Fraction | int) -> int:
    """Return whole cents."""
    return floor(amount + Fraction(1, 2))


def half_away(amount: Fraction) -> int:
    """Return whole cents, halves away from zero."""
    return half_up(amount) if amount >= 0 else -half_up(-amount)


def sign(number: int) -> int:
    """Return -1, 0 or 1."""
    return (number > 0) - (number < 0)
