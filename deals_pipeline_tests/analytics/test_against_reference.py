"""The SQL against its slow and obvious reference, row by row and column by column."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import timedelta
from importlib import import_module
from math import isclose
from pathlib import Path

import pytest
from duckdb import DuckDBPyConnection

from deals_pipeline.keepa.replies import Products, Sellers
from deals_pipeline.keepa.requests import ProductRequest, SellerRequest
from deals_pipeline.keepa.selection import DealSelection
from deals_pipeline.landing import Landing, Scan
from deals_pipeline.warehouse.connection import connect
from deals_pipeline.warehouse.loading import load_landed
from deals_pipeline_tests.analytics import reference
from deals_pipeline_tests.analytics.random_deals import some_deals
from deals_pipeline_tests.analytics.reference import DealMetrics, Known, OfferDrop, ProductSales, Results
from deals_pipeline_tests.analytics.stored import US, known, recomputed, store
from deals_pipeline_tests.simulator.services import make_service
from deals_pipeline_tests.warehouse.answers import scanned

REASONS = {
    None,
    "not seen for a week",
    "no used price",
    "no average",
    "not below its averages",
    "does not sell",
    "average below 12.00",
    "gross ROI below 20 %",
    "no sale inferred",
    "implausible",
    "no profit",
    "no live offer",
}
ALWAYS_KNOWN = {
    "dropped_at", "used_offers_before", "used_offers_after", "sane_prices", "observed_at", "list_price_source",
    "offer_drops", "sales", "sales_365_days", "screened", "screened_stage", "screened_inputs_at",
    "screened_next_try_at",
}  # fmt: skip
"""What has a value in every row of the first table that has it."""


@pytest.fixture(scope="module")
def deals() -> dict[str, Known]:
    return some_deals(seed=1, count=1000)


@pytest.fixture(scope="module")
def by_sql(deals: dict[str, Known], migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Results]:
    """Return what the SQL makes of all of them, which are in one warehouse, in several batches."""
    path = Path(shutil.copy(migrated, tmp_path_factory.mktemp("random")))
    with connect(path) as connection, pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_module("deals_pipeline.analytics.recompute"), "BATCH_PRODUCTS", 300)
        store(connection, deals)
        return recomputed(connection)


def differences(found: Results, expected: Results) -> Iterator[str]:
    times = [[drop.dropped_at for drop in each.drops] for each in (found, expected)]
    if times[0] != times[1]:
        yield f"drops at {times[0]}, expected {times[1]}"
        return
    for drop, expected_drop in zip(found.drops, expected.drops, strict=True):
        yield from _differences(drop, expected_drop)
    if found.sales is None or expected.sales is None:
        if found.sales is not expected.sales:
            yield f"sales {found.sales}, expected {expected.sales}"
    else:
        yield from _differences(found.sales, expected.sales)
    yield from _differences(found.metrics, expected.metrics)


Table = OfferDrop | ProductSales | DealMetrics


def _differences(found: Table, expected: Table) -> Iterator[str]:
    for each in fields(expected):
        mine, theirs = getattr(found, each.name), getattr(expected, each.name)
        if each.name == "screened_next_try_at" and theirs is None:
            continue
        if isinstance(mine, float) and isinstance(theirs, float):
            if not isclose(mine, theirs, rel_tol=1e-9, abs_tol=1e-9):
                yield f"{each.name} is {mine}, expected {theirs}"
        elif mine != theirs:
            yield f"{type(expected).__name__}.{each.name} is {mine}, expected {theirs}"


def compared(found: Mapping[str, Results], deals: Mapping[str, Known]) -> list[str]:
    """Return how the SQL's results differ from the reference's."""
    assert found.keys() == deals.keys()
    return [
        f"{asin}: {difference}"
        for asin, deal in deals.items()
        for difference in differences(found[asin], reference.results(deal, US))
    ]


def test_a_thousand_deals_by_chance_have_the_metrics_of_the_reference(
    deals: dict[str, Known], by_sql: dict[str, Results]
) -> None:
    """F51, F54, F58, F61: every column of every row."""
    wrong = compared(by_sql, deals)
    assert not wrong, "\n".join(wrong[:20])


def test_every_branch_occurs_among_them(deals: dict[str, Known], by_sql: dict[str, Results]) -> None:
    """Without this the comparison could pass by comparing nothing."""
    metrics = [each.metrics for each in by_sql.values()]
    sales = [each.sales for each in by_sql.values() if each.sales]
    drops = [drop for each in by_sql.values() for drop in each.drops]
    tables: tuple[list[OfferDrop] | list[ProductSales] | list[DealMetrics], ...] = (drops, sales, metrics)
    for rows in tables:
        for each in fields(rows[0]):
            values = [getattr(row, each.name) for row in rows]
            assert len(set(values)) > 1, each.name
            if each.name not in ALWAYS_KNOWN:
                assert None in values, each.name
            elif rows is not metrics:
                assert None not in values, each.name
    assert {drop.confirmed_by for drop in drops} == {None, "rank", "sparse"}
    assert {each.list_price_source for each in sales} == {"none", "sparse", "flat", "seasonal"}
    assert {each.list_price_source for each in metrics} == {None, "none", "sparse", "flat", "seasonal", "implausible"}
    assert {each.screened_reason for each in metrics} == REASONS
    assert {(each.screened, each.screened_stage) for each in metrics} == {
        (screened, stage) for screened in ("survives", "rejected") for stage in ("page", "history", "offers")
    }
    assert {(each.price_trend, each.offer_trend) for each in metrics} >= {(-1, 1), (0, 0), (1, -1)}
    priced = [[drop.is_sane for drop in each.drops if drop.sale_price is not None] for each in by_sql.values()]
    assert {len(sane) for sane in priced if not all(sane)} > {3, 4}
    moved = {
        (deal.page.used_since > deal.offers.crawled_at, deal.page.used_since > deal.offers.observed_at)
        for deal in deals.values()
        if deal.offers and deal.offers.live and deal.page.used_since
    }
    assert moved == {(False, False), (True, False), (True, True)}
    next_try = [
        each.screened_next_try_at - each.screened_inputs_at
        for each in metrics
        if (each.screened, each.screened_stage) == ("rejected", "offers") and each.screened_next_try_at
    ]
    assert {timedelta(days=1), timedelta(days=3), timedelta(days=32)} <= set(next_try)


def test_simulated_products_have_the_metrics_of_the_reference(warehouse: DuckDBPyConnection, tmp_path: Path) -> None:
    """From the wire on: pages, histories, offers and sellers bought, landed and loaded."""
    service = make_service(products=400)
    landing = Landing(tmp_path / "landing", "run-1", service.clock)
    service.client._land = landing  # noqa: SLF001
    selection = DealSelection(delta_percent_range=(10, 95))
    scan = Scan(selection="recent", kind="full", started_at=service.clock.now())
    asins = tuple(dict.fromkeys(scanned(service, landing, selection, scan)))[:60]
    for some in (asins[:30], asins[30:]):
        assert isinstance(service.products(ProductRequest(asins=some, stats=365)), Products)
        service.pass_time(hours=7)
    for some in (asins[:10], asins[40:55]):
        request = ProductRequest(asins=some, stats=365, offers=20, only_live_offers=True)
        assert isinstance(service.products(request), Products)
    service.pass_time(hours=11)
    scan = Scan(selection="recent", kind="full", started_at=service.clock.now() + timedelta(minutes=1))
    scanned(service, landing, selection, scan)
    assert all(loaded.outcome in ("page", "products") for loaded in load_landed(warehouse, tmp_path / "landing"))
    sellers = warehouse.execute("SELECT DISTINCT seller_id FROM chosen_offer ORDER BY ALL LIMIT 20").fetchall()
    asked = SellerRequest(seller_ids=tuple(seller_id for (seller_id,) in sellers))
    assert isinstance(service.sellers(asked), Sellers)
    assert [loaded.outcome for loaded in load_landed(warehouse, tmp_path / "landing")] == ["sellers"]
    deals = known(warehouse)
    assert sum(deal.product is not None for deal in deals.values()) == len(asins) == 60
    found = recomputed(warehouse)
    wrong = compared(found, deals)
    assert not wrong, "\n".join(wrong[:20])
    assert sum(len(each.drops) for each in found.values()) > 1000
    assert {each.metrics.screened_stage for each in found.values()} == {"page", "history", "offers"}
    assert sum(each.metrics.seller_trust is not None for each in found.values()) > 5
