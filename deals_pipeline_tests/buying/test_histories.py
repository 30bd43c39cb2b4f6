"""Which histories are pending: of what a page shows to be worth a token, as long as some page shows it."""

from datetime import datetime, timedelta

from duckdb import DuckDBPyConnection

from deals_pipeline.buying.histories import pending_histories
from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.keepa.selection import DealSelection, Domain
from deals_pipeline.warehouse.loading import load
from deals_pipeline_tests.keepa.wire_examples import asin, per_price_type
from deals_pipeline_tests.warehouse.answers import a_page, a_scan, deals, hours, some_products

WEEK = 7 * 24
USED_AT_9_000 = per_price_type(-2, {PriceType.USED: 9_000})


def pending(connection: DuckDBPyConnection, at: datetime) -> list[str]:
    return [product.asin for product in pending_histories(connection, at, timedelta(days=1), 100).products]


def test_what_no_page_has_shown_for_a_week_is_not_pending(warehouse: DuckDBPyConnection) -> None:
    """F34, F40: of a selection that is not watched any more, or a backfill, nobody ever says that a deal is gone."""
    load(warehouse, a_page(deals(0, 2), scan=a_scan()))
    other = DealSelection(delta_percent_range=(50, 95))
    load(warehouse, a_page(deals(1, 1, hours(WEEK)), at=hours(WEEK), scan=a_scan(WEEK), selection=other))
    assert pending(warehouse, hours(WEEK)) == [asin(0), asin(1)]
    load(warehouse, a_page(deals(1, 1, hours(WEEK + 1)), at=hours(WEEK + 1), scan=a_scan(WEEK + 1), selection=other))
    assert pending(warehouse, hours(WEEK + 1)) == [asin(1)]
    assert warehouse.execute("SELECT gone_at FROM deal WHERE asin = ?", [asin(0)]).fetchall() == [(None,)]
    load(warehouse, a_page(deals(0, 1, hours(WEEK + 2)), at=hours(WEEK + 2), scan=a_scan(WEEK + 2)))
    assert pending(warehouse, hours(WEEK + 2)) == [asin(0), asin(1)]


def test_marketplaces_take_turns_the_best_of_each_first(warehouse: DuckDBPyConnection) -> None:
    """F04: the cents of two currencies do not compare."""
    rupees = DealSelection(domain=Domain.IN)
    load(warehouse, a_page(deals(0, 3), scan=a_scan()))
    load(warehouse, a_page(deals(7, 3, avg=[USED_AT_9_000] * 4), scan=a_scan(selection="india"), selection=rupees))
    turns = [0, 7, 1, 8, 2, 9]
    assert pending(warehouse, hours(0)) == [asin(number) for number in turns]
    load(warehouse, some_products([0, 1]))
    moved = hours(48)
    load(warehouse, a_page(deals(0, 3, moved), at=moved, scan=a_scan(48)))
    assert pending(warehouse, moved) == [asin(number) for number in (2, 7, 8, 9, 0, 1)], "what was never bought first"
