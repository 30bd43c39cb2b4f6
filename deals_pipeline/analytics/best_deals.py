"""The deals that are most worth buying, and in words why."""

from calendar import month_name
from dataclasses import dataclass
from typing import Final

from duckdb import DuckDBPyConnection

from deals_pipeline.analytics.recompute import statement
from deals_pipeline.showing import shown

CENTS: Final = 100


@dataclass(frozen=True, slots=True)
class BestDeal:
    """A deal that is worth buying; money in cents, names as in the table `deal_metrics`."""

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
    return tuple(BestDeal(*row) for row in rows)


def why(deal: BestDeal) -> tuple[str, ...]:
    """Return in a few sentences why a deal is worth buying."""
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


def money(cents: int) -> str:
    """Return an amount in words of the marketplace's currency, without its sign."""
    return f"{cents / CENTS:.2f}"
