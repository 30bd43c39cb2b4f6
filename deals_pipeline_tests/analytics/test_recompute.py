"""Recomputing: sales once for each answer, metrics of all deals each time, and nothing else than what is stored."""

from collections.abc import Mapping
from typing import Any

import pytest
from duckdb import DuckDBPyConnection

from deals_pipeline.analytics import Recomputed, recompute
from deals_pipeline.config import Intervals, Marketplace
from deals_pipeline_tests.analytics.examples import deal, offer, offered, sold_at
from deals_pipeline_tests.analytics.stored import US, store

TABLES = ("offer_drop", "product_sales", "deal_metrics")
DEALS = {
    "0000000001": deal(sold_at(5000, 5000, 9000)),
    "0000000002": deal(sold_at(2200)),
    "0000000003": deal(),
    "0000000004": offered(offer()),
    "0000000005": deal(used_cents=None),
}


def compute(warehouse: DuckDBPyConnection, marketplace: Marketplace = US, per_day: float = 1000.0) -> Recomputed:
    return recompute(warehouse, [marketplace], Intervals(), per_day)


def tables(warehouse: DuckDBPyConnection) -> Mapping[str, Any]:
    return {name: warehouse.execute(f"FROM {name} ORDER BY ALL").fetchall() for name in TABLES}


def column(warehouse: DuckDBPyConnection, name: str) -> dict[str, Any]:
    return dict(warehouse.execute(f"SELECT asin, {name} FROM deal_metrics").fetchall())


def forget(warehouse: DuckDBPyConnection, asin: str) -> None:
    """Remove what was loaded of a deal, and leave what was computed."""
    for table in ("recent_deal", "product", "price_history"):
        warehouse.execute(f"DELETE FROM {table} WHERE asin = '{asin}'")


def test_each_deal_has_one_row_whatever_is_known_of_it(warehouse: DuckDBPyConnection) -> None:
    store(warehouse, DEALS)
    assert compute(warehouse).deals == len(DEALS)
    assert column(warehouse, "screened_stage") == {
        "0000000001": "history",
        "0000000002": "history",
        "0000000003": "page",
        "0000000004": "offers",
        "0000000005": "page",
    }


def test_computing_again_changes_nothing_and_infers_no_sale_anew(warehouse: DuckDBPyConnection) -> None:
    store(warehouse, DEALS)
    assert compute(warehouse).products == 3
    before = tables(warehouse)
    assert compute(warehouse).products == 0
    assert tables(warehouse) == before


def test_a_newer_answer_replaces_the_sales_of_its_product_and_of_no_other(warehouse: DuckDBPyConnection) -> None:
    store(warehouse, DEALS)
    compute(warehouse)
    others = warehouse.execute("FROM offer_drop WHERE asin != '0000000001' ORDER BY ALL").fetchall()
    forget(warehouse, "0000000001")
    store(warehouse, {"0000000001": deal(sold_at(7000))})
    warehouse.execute("UPDATE product SET landed_file = 'newer' WHERE asin = '0000000001'")
    assert compute(warehouse).products == 1
    assert column(warehouse, "sales")["0000000001"] == 1
    assert column(warehouse, "list_price_estimate")["0000000001"] == 7000
    assert warehouse.execute("FROM offer_drop WHERE asin != '0000000001' ORDER BY ALL").fetchall() == others


@pytest.mark.parametrize("table", [*TABLES, "marketplace"])
def test_a_table_that_was_emptied_is_computed_again(warehouse: DuckDBPyConnection, table: str) -> None:
    """F21."""
    store(warehouse, DEALS)
    compute(warehouse)
    before = tables(warehouse)
    warehouse.execute(f"DELETE FROM {table}")
    assert compute(warehouse).products == (3 if table in ("product_sales", "offer_drop") else 0)
    assert tables(warehouse) == before
    assert compute(warehouse).products == 0


def test_sales_that_an_older_program_inferred_are_inferred_anew(warehouse: DuckDBPyConnection) -> None:
    """F22."""
    store(warehouse, DEALS)
    compute(warehouse)
    before = tables(warehouse)
    warehouse.execute("UPDATE product_sales SET code_version = 'older', sales = 99")
    assert compute(warehouse).products == 3
    assert tables(warehouse) == before


def test_a_change_of_the_settings_changes_profits_without_anything_being_bought(warehouse: DuckDBPyConnection) -> None:
    store(warehouse, DEALS)
    compute(warehouse)
    before = column(warehouse, "profit")
    dearer = US.model_copy(update={"prep_fee": US.prep_fee + 100})
    assert compute(warehouse, dearer).products == 0
    after = column(warehouse, "profit")
    assert {asin for asin, profit in before.items() if profit is not None} == {"0000000001", "0000000002", "0000000004"}
    assert after == {asin: None if profit is None else profit - 100 for asin, profit in before.items()}


def test_a_deal_that_the_page_rejects_is_not_planned_for_and_may_be_tried_with_the_next_page(
    warehouse: DuckDBPyConnection,
) -> None:
    """F37, F40."""
    store(warehouse, {"0000000001": deal(sold_at(5000, 5000), used_cents=2990)})
    compute(warehouse)
    row = warehouse.execute(
        "SELECT screened, refresh_minutes, screened_next_try_at = screened_inputs_at FROM deal_metrics"
    ).fetchall()
    assert row == [("rejected", None, True)]


def test_what_the_tokens_cannot_keep_fresh_is_counted_and_never_due(warehouse: DuckDBPyConnection) -> None:
    """F37."""
    store(warehouse, {f"{number:010}": deal(sold_at(3200 + 200 * number, 3200 + 200 * number)) for number in range(40)})
    plenty, little, nothing = (compute(warehouse, per_day=per_day).freshness for per_day in (40, 4, 0))
    assert (plenty.fresh, plenty.rarer, plenty.never) == (40, 0, 0)
    assert little.fresh < 40
    assert little.rarer > 0
    assert (nothing.fresh, nothing.rarer, nothing.never) == (0, 0, 40)
    assert set(column(warehouse, "refresh_minutes").values()) == {None}
    compute(warehouse, per_day=4)
    ranked = warehouse.execute(
        "SELECT coalesce(refresh_minutes, 999_999) FROM deal_metrics ORDER BY expected_profit DESC"
    ).fetchall()
    assert ranked == sorted(ranked)


def test_each_marketplace_gets_the_same_part_of_the_refreshes_whatever_its_currency(
    warehouse: DuckDBPyConnection,
) -> None:
    """F37: the cents of two currencies do not compare."""
    fees = dict.fromkeys(("prep_fee", "inbound_shipping", "fba_fallback"), "20.00")
    india = Marketplace.model_validate({"name": "IN"} | fees)
    for marketplace, rate in ((US, 1), (india, 8)):
        prices = [rate * (3200 + 200 * number) for number in range(40)]
        store(warehouse, {f"{price:010}": deal(sold_at(price, price)) for price in prices}, marketplace)
    recompute(warehouse, [US, india], Intervals(), 8.0)
    a_day = dict(
        warehouse.execute(
            "SELECT domain_id, sum(1440 / refresh_minutes) FROM deal_metrics WHERE screened = 'survives' GROUP BY ALL"
        ).fetchall()
    )
    assert a_day[int(US.name)] == pytest.approx(a_day[int(india.name)], rel=0.2)
