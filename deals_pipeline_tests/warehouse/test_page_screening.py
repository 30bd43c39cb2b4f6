"""What the page's screening takes for seen lately."""

from duckdb import DuckDBPyConnection

from deals_pipeline.keepa.requests import DealPageRequest
from deals_pipeline.keepa.time import to_unix_ms
from deals_pipeline.warehouse.loading import load
from deals_pipeline_tests.keepa.wire_examples import asin, page_of
from deals_pipeline_tests.warehouse.answers import SELECTION, a_page, deals, hours, landed


def unseen(connection: DuckDBPyConnection) -> list[str]:
    rows = connection.execute("SELECT asin FROM page_screening WHERE NOT is_seen_lately ORDER BY asin").fetchall()
    return [asin for (asin,) in rows]


def test_a_deal_that_no_page_showed_for_a_week_is_not_seen_lately(warehouse: DuckDBPyConnection) -> None:
    load(warehouse, a_page(deals(0, 2), name="1"))
    load(warehouse, a_page(deals(1, 1), at=hours(7 * 24), name="2"))
    assert unseen(warehouse) == []
    load(warehouse, a_page(deals(1, 1), at=hours(7 * 24 + 1), name="3"))
    assert unseen(warehouse) == [asin(0)]


def test_an_answer_that_is_dated_ahead_makes_no_other_deal_old(warehouse: DuckDBPyConnection) -> None:
    """F33: for weeks nothing else would be bought."""
    load(warehouse, a_page(deals(0, 2), name="1"))
    ahead = page_of(deals(2, 1), timestamp=to_unix_ms(hours(30 * 24)))
    load(warehouse, landed(DealPageRequest(selection=SELECTION), ahead, at=hours(1), name="2"))
    assert unseen(warehouse) == []
