"""Computes what analysts call metrics from what is stored: inferred sales, estimates, profits, screening; no tokens.

Sales follow from a product's history alone, and are inferred once for each answer; the metrics of all deals are
computed anew each time, since a setting or a page may change any of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
import pyarrow as pa
from duckdb import DuckDBPyConnection

from deals_pipeline import __version__
from deals_pipeline.analytics.freshness import DAY, INTERVAL_MAX, RefreshPlan, plan_refreshes, refreshes_per_day
from deals_pipeline.config import Intervals, Marketplace, Settings
from deals_pipeline.token_bucket.status import BucketStatus
from deals_pipeline.warehouse.connection import all_cores, transaction
from deals_pipeline.work import Work

BATCH_PRODUCTS: Final = 2000
"""How many products' histories are unnested at once: a few million points, some hundred megabytes."""


@dataclass(frozen=True, slots=True)
class Recomputed:
    """What was computed: products whose sales were inferred anew, deals, and how fresh these can be kept."""

    products: int
    deals: int
    freshness: RefreshPlan


@cache
def statement(name: str) -> str:
    """Return a statement by the name of its file."""
    return (files(__package__) / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def bring_up_to_date(connection: DuckDBPyConnection, settings: Settings, status: BucketStatus) -> Recomputed:
    """Recompute with the settings; `status` is of the last day, whose spending tells what is left for histories."""
    ((new,),) = connection.execute(statement("new_deals"), {"since": status.at - DAY}).fetchall()
    history = status.spent_by_purpose.get(Work.HISTORY.value, 0)
    others = sum(status.spent_by_purpose.values()) - history + status.foreign
    share = settings.budget.shares.history
    per_day = refreshes_per_day(status.refill_rate, share, others, new)
    return recompute(connection, settings.marketplaces, settings.budget.intervals, per_day)


def recompute(
    connection: DuckDBPyConnection,
    marketplaces: Sequence[Marketplace],
    intervals: Intervals,
    refreshes_per_day: float,
) -> Recomputed:
    """Bring offer_drop, product_sales and deal_metrics up to date with what is stored.

    `refreshes_per_day` is how many histories the refill buys a day besides those of new deals.
    """
    with all_cores(connection):
        connection.execute(statement("macros"))
        products = sum(_infer_sales(connection, batch) for batch in _stale(connection))
        with transaction(connection):
            _replace_marketplaces(connection, marketplaces)
            connection.execute(statement("remove_deal_metrics"))
            connection.execute(statement("add_deal_metrics"), {"code_version": __version__})
            freshness = _plan_refreshes(connection, intervals, refreshes_per_day)
        ((deals,),) = connection.execute("SELECT count(*) FROM deal_metrics").fetchall()
    return Recomputed(products, deals, freshness)


def _stale(connection: DuckDBPyConnection) -> Iterator[pa.Table]:
    stale = connection.sql(statement("stale_products"), params={"code_version": __version__}).to_arrow_table()
    for start in range(0, stale.num_rows, BATCH_PRODUCTS):
        yield stale.slice(start, BATCH_PRODUCTS)


def _infer_sales(connection: DuckDBPyConnection, products: pa.Table) -> int:
    """Infer the sales of a batch of products anew, in one transaction."""
    connection.register("arriving", products)
    try:
        connection.execute(statement("add_batch"))
    finally:
        connection.unregister("arriving")
    with transaction(connection):
        connection.execute(statement("remove_offer_drops"))
        connection.execute(statement("remove_product_sales"))
        connection.execute(statement("add_offer_drops"))
        connection.execute(statement("add_product_sales"), {"code_version": __version__})
    return int(products.num_rows)


def _replace_marketplaces(connection: DuckDBPyConnection, marketplaces: Sequence[Marketplace]) -> None:
    connection.execute("DELETE FROM marketplace")
    for each in marketplaces:
        values = {
            "domain_id": int(each.name),
            "name": each.name.name,
            "prep_fee": each.prep_fee,
            "inbound_shipping": each.inbound_shipping,
            "purchase_tax_percent": 0 if each.tax_exempt else each.purchase_tax_percent,
            "referral_fallback_percent": each.referral_fallback_percent,
            "fba_fallback": each.fba_fallback,
            "markup_percent": each.markup_percent,
        }
        connection.execute(statement("add_marketplace"), values)


def _plan_refreshes(connection: DuckDBPyConnection, intervals: Intervals, refreshes_per_day: float) -> RefreshPlan:
    weights = connection.execute(statement("refresh_weights")).fetchnumpy()["weight"]
    plan = plan_refreshes(np.asarray(weights, dtype=np.float64), refreshes_per_day, intervals.history)
    values = {
        "minutes_per_weight": plan.minutes_per_weight,
        "minutes_min": intervals.history // timedelta(minutes=1),
        "minutes_max": INTERVAL_MAX // timedelta(minutes=1),
        "offers_minutes": intervals.offers // timedelta(minutes=1),
    }
    connection.execute(statement("set_refresh"), values)
    return plan
