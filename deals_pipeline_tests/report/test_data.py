from datetime import timedelta
from itertools import pairwise

from duckdb import DuckDBPyConnection

from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.keepa.selection import Domain
from deals_pipeline.report.data import SPAN_DAYS, Deals, Series, read_deals
from deals_pipeline.warehouse.statements import statement
from deals_pipeline_tests.report.rows import asin, fill
from deals_pipeline_tests.state.states import NOW

START = NOW - timedelta(days=1095)
TODAY = (NOW.date() - NOW.date().fromisoformat("1970-01-01")).days


def outcomes(deals: Deals) -> list[str]:
    return [str(screened) for screened in deals.columns["screened"]]


def used_price(warehouse: DuckDBPyConnection, points: list[tuple[float, int | None]]) -> Series:
    """Return the used price as the report tells it, of a history of (days before the answer, cents)."""
    fill(warehouse, 1)
    warehouse.execute("DELETE FROM price_history")
    warehouse.execute(
        "INSERT INTO price_history BY NAME SELECT domain_id, asin, 2 AS price_type, $times AS times, "
        "$prices AS values, $until AS observed_at, 'x' AS landed_file, '0' AS code_version FROM recent_deal",
        {
            "times": [NOW - timedelta(days=days) for days, _ in points],
            "prices": [price for _, price in points],
            "until": NOW,
        },
    )
    (history,) = read_deals(warehouse).histories
    assert history is not None
    return history.series[PriceType.USED]


def test_the_best_expected_profit_comes_first_and_what_is_rejected_after_all_that_survives(
    warehouse: DuckDBPyConnection,
) -> None:
    fill(warehouse, 60)
    deals = read_deals(warehouse)
    assert deals.shown == deals.listed == len(deals.histories) == 60
    assert deals.left_out == 0
    assert outcomes(deals) == sorted(outcomes(deals), reverse=True)
    survivors = [
        profit
        for profit, screened in zip(deals.columns["expected_profit"], outcomes(deals), strict=True)
        if screened == "survives"
    ]
    known = [profit for profit in survivors if isinstance(profit, int)]
    assert known == sorted(known, reverse=True)
    assert survivors[: len(known)] == known, "unknown profits come last"
    assert {len(column) for column in deals.columns.values()} == {60}


def test_survivors_are_shown_however_many_and_what_is_left_out_is_counted(warehouse: DuckDBPyConnection) -> None:
    fill(warehouse, 60)
    survivors = outcomes(read_deals(warehouse)).count("survives")
    assert 10 < survivors < 55
    few, more = read_deals(warehouse, 10), read_deals(warehouse, survivors + 3)
    assert (outcomes(few).count("survives"), few.shown, few.left_out) == (survivors, survivors, 60 - survivors)
    assert (more.shown, more.left_out) == (survivors + 3, 60 - survivors - 3)
    assert len(more.histories) == more.shown


def test_worth_buying_is_the_number_that_the_state_of_the_pipeline_tells(warehouse: DuckDBPyConnection) -> None:
    """F64."""
    fill(warehouse, 60)
    deals = read_deals(warehouse)
    told = sum(
        count
        for screened, stage, _, count in warehouse.execute(statement("state_screening")).fetchall()
        if screened == "survives" and stage != "page"
    )
    assert 0 < deals.worth_buying == told == deals.columns["is_worth_buying"].count(True) < deals.shown


def test_an_empty_warehouse_gives_an_empty_report(warehouse: DuckDBPyConnection) -> None:
    deals = read_deals(warehouse)
    assert (deals.listed, deals.shown, deals.worth_buying, list(deals.histories)) == (0, 0, 0, [])
    assert deals.domains == frozenset()


def test_what_is_not_known_of_a_deal_is_none_and_no_other_table_need_know_it(warehouse: DuckDBPyConnection) -> None:
    """F54: no value stands in for one that is missing."""
    fill(warehouse, 1, titles={0: None})
    for table in ("marketplace", "product", "product_stats", "price_history", "offer_drop", "live_offer", "seller"):
        warehouse.execute(f"DELETE FROM {table}")
    warehouse.execute(
        "CREATE TABLE bare AS SELECT domain_id, asin, 'survives' AS screened, 'page' AS screened_stage, "
        "screened_inputs_at, screened_next_try_at, code_version FROM deal_metrics"
    )
    warehouse.execute("DELETE FROM deal_metrics")
    warehouse.execute("INSERT INTO deal_metrics BY NAME FROM bare")
    deals = read_deals(warehouse)
    (known,) = ({name: column[0] for name, column in deals.columns.items()},)
    for name in ("title", "marketplace", "price_now", "profit", "roi", "restriction_state", "prep_fee", "seller_name"):
        assert known[name] is None, name
    assert known["asin"] == asin(0)
    assert known["is_worth_buying"] is False
    assert list(deals.histories) == [None]


def test_a_deal_has_the_words_of_its_own_seller_and_offer(warehouse: DuckDBPyConnection) -> None:
    """F58."""
    fill(warehouse, 30)
    columns = read_deals(warehouse).columns
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    with_offer = [row for row in rows if row["offer_id"] is not None]
    assert 3 < len(with_offer) < 30
    for row in with_offer:
        assert row["seller_name"] == f"Seller <i>{str(row['seller_id']).removeprefix('A')}</i> & Sons"
        assert row["inbound_shipping"] == 0
    assert {row["inbound_shipping"] for row in rows if row["offer_id"] is None} == {399}
    assert {Domain(row["domain_id"]).name for row in rows} == {row["marketplace"] for row in rows}


def test_a_short_history_is_told_as_it_is_with_its_gaps(warehouse: DuckDBPyConnection) -> None:
    """F51."""
    series = used_price(warehouse, [(500.0, 1000), (400.0, None), (300.0, 2500), (1.0, 900)])
    assert list(series.days) == [TODAY - 500, TODAY - 400, TODAY - 300, TODAY - 1]
    assert list(series.values) == [1000, None, 2500, 900]


def test_a_history_begins_with_what_held_three_years_ago(warehouse: DuckDBPyConnection) -> None:
    series = used_price(warehouse, [(2000.0, 100), (1200.0, 1000), (300.0, 2500)])
    assert list(zip(series.days, series.values, strict=True)) == [(TODAY - 1095, 1000), (TODAY - 300, 2500)]


def test_a_long_history_keeps_each_span_s_lowest_highest_and_last(warehouse: DuckDBPyConnection) -> None:
    points: list[tuple[float, int | None]] = [
        (1090 - index / 2, None if index % 50 == 49 else 2000 + index * 7919 % 977) for index in range(2100)
    ]
    points[1234] = (points[1234][0], 7)
    points[600] = (points[600][0], 99_999)
    series = used_price(warehouse, points)
    assert 32 < len(series.days) <= 3 * 32 + 1
    assert min(value for value in series.values if value is not None) == 7
    assert max(value for value in series.values if value is not None) == 99_999
    assert series.values[-1] == points[-1][1]
    assert None in series.values
    stored = {(int((NOW - timedelta(days=days)).timestamp() // 86400), price) for days, price in points}
    assert set(zip(series.days, series.values, strict=True)) <= stored, "nothing is made up"
    assert max(after - before for before, after in pairwise(series.days)) <= SPAN_DAYS + 1
    assert list(series.days) == sorted(series.days)


def test_the_drops_of_used_offers_come_with_their_sales(warehouse: DuckDBPyConnection) -> None:
    fill(warehouse, 8)
    deals = read_deals(warehouse)
    for position, history in enumerate(deals.histories):
        drops = () if history is None else history.drops
        assert len(drops) == (deals.columns["offer_drops"][position] or 0)
        assert sum(drop.confirmed_by is not None for drop in drops) == (deals.columns["sales"][position] or 0)
        assert [drop.day for drop in drops] == sorted(drop.day for drop in drops)
