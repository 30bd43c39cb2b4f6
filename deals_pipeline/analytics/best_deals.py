"""The deals that are most worth buying, and in words why."""

from calendar import month_name
from dataclasses import dataclass
from functools import partial

from duckdb import DuckDBPyConnection

from deals_pipeline.analytics.recompute import statement
from deals_pipeline.keepa.selection import Domain
from deals_pipeline.showing import shown


@dataclass(frozen=True, slots=True)
class BestDeal:
    """A deal that is worth buying; money in cents (yen in Japan), names as in the table `deal_metrics`."""

    domain: Domain
    asin: str
    title: str | None
    price_now: int
    price_source: str
    one_year_average: int | None
    list_price_estimate: int
    list_price_source: str
    peak_month: int | None
    all_in_cost: int
    amazon_fees: int
    profit: int
    roi: float
    sale_confidence: float
    sales: int
    sales_365_days: int
    offer_drops: int
    seller_name: str | None
    seller_trust: float | None


def best_deals(connection: DuckDBPyConnection, limit: int) -> tuple[BestDeal, ...]:
    """Return the deals that are worth buying, the largest expected profit first."""
    rows = connection.execute(statement("best_deals"), {"limit": limit}).fetchall()
    return tuple(BestDeal(Domain(domain_id), *row) for domain_id, *row in rows)


def why(deal: BestDeal) -> tuple[str, ...]:
    """Return in a few sentences why a deal is worth buying."""
    money = partial(in_words, domain=deal.domain)
    trust = "" if deal.seller_trust is None else f", trust {deal.seller_trust:.2f}"
    seller = f", from {shown(deal.seller_name or 'an unnamed seller')}{trust}" if deal.price_source == "offer" else ""
    shipped = "shipping included" if deal.price_source == "offer" else "without shipping"
    average = f", {money(deal.one_year_average)} on average in the last year" if deal.one_year_average else ""
    best = f"; copies bring most in {month_name[deal.peak_month]}" if deal.peak_month else ""
    costs = f"{money(deal.all_in_cost)} all in and {money(deal.amazon_fees)} for Amazon"
    left = f"it leaves {money(deal.profit)}: {deal.roi:.0%} of what it costs"
    return (
        f"It can be bought for {money(deal.price_now)}, {shipped}{seller}.",
        f"It sold {deal.sales_365_days} times in the last year and {deal.sales} times in three{average}{best}.",
        f"Of {deal.offer_drops} times that an offer went, {deal.sale_confidence:.0%} were sales by the sales rank.",
        f"Listed at {money(deal.list_price_estimate)}, after {costs}, {left}.",
    )


def in_words(cents: int, domain: Domain) -> str:
    """Return an amount as it is written in a marketplace's currency, without that one's sign."""
    return f"{cents / 10**domain.money_decimals:.{domain.money_decimals}f}"
