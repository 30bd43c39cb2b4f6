"""Which histories are pending: of what a page shows to be worth a token, as long as some page shows it."""

from datetime import datetime, timedelta

from duckdb import DuckDBPyConnection

from deals_pipeline.buying.histories import pending_histories
from deals_pipeline.keepa.selection import DealSelection
from deals_pipeline.warehouse.loading import load
from deals_pipeline_tests.keepa.wire_examples import asin
from deals_pipeline_tests.warehouse.answers import a_page, a_scan, deals, hours

WEEK = 7 * 24


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
