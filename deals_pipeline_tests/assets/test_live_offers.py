"""The asset `live_offers`: what survives screening, best first, as far as the tokens reach."""

from collections.abc import Callable
from typing import Any

from deals_pipeline_tests.dagster_world import DagsterWorld

Make = Callable[..., DagsterWorld]
FRESH = "SELECT asin FROM promising_deal WHERE survives AND offers_hold_from IS NOT NULL"
BEST_FIRST = "SELECT asin FROM promising_deal WHERE survives ORDER BY expected_profit DESC NULLS LAST, asin"


def buy(world: DagsterWorld, **config: object) -> dict[str, Any]:
    result = world.execute("offers_job", {"ops": {"live_offers": {"config": config}}}, assets=["live_offers"])
    assert result.success
    return world.metadata(result, "live_offers")


def screened(make: Make, histories: int, **options: object) -> DagsterWorld:
    """Return a world in which deals are listed, and so many histories were bought."""
    world = make(products=4_000, **options)
    head = {"ops": {"recent_deals": {"config": {"reading": "HEAD"}}}}
    world.execute("recent_deals_job", head, assets=["recent_deals"])
    config = {"ops": {"price_history": {"config": {"tokens_max": histories}}}}
    world.execute("history_job", config, assets=["price_history"])
    return world


def asins(world: DagsterWorld, query: str) -> list[str]:
    return [asin for (asin,) in world.rows(query)]


def test_a_run_says_what_it_bought_and_what_is_left(make: Make) -> None:
    world = screened(make, 60, refill_rate=60)
    told = buy(world, tokens_max=20 * 13)
    survivors, fresh = asins(world, BEST_FIRST), asins(world, FRESH)
    assert told["stopped_by"] == "budget"
    assert told["survivors"] == len(survivors) > 22
    assert 0 < len(fresh) <= 20
    assert set(fresh) <= set(survivors[: told["rows_seen"]])
    assert told["survivors_without_fresh_offer"] == len(survivors) - len(fresh)
    assert told["coverage"] == round(len(fresh) / len(survivors), 4)
    assert told["offers"] == told["dagster/row_count"] == world.rows("SELECT count(*) FROM live_offer")[0][0]
    assert told["sellers"] == world.rows("SELECT count(*) FROM seller")[0][0] > 0
    assert told["tokens_spent"] <= told["tokens_estimated"] <= 20 * 13
    assert (told["sellers_missing"], told["products_missing"]) == (0, 0)
    assert told["dagster/table_name"] == "warehouse.main.live_offer"
    assert "pages" not in told


def test_a_run_that_stops_for_tokens_succeeds_with_what_it_bought_stored(make: Make) -> None:
    """F31, F40."""
    world = screened(make, 100)
    told = buy(world)
    survivors = asins(world, BEST_FIRST)
    assert told["stopped_by"] == "tokens"
    assert "retry_at" in told
    assert world.balance >= 0
    bought = asins(world, "SELECT asin FROM offer_snapshot")
    assert set(bought) == set(survivors[: len(bought)])
    assert told["rows_seen"] == len(bought) >= 10


def test_without_survivors_nothing_is_spent_and_no_coverage_is_claimed(make: Make) -> None:
    """F40, F61."""
    world = make(products=4_000)
    told = buy(world)
    assert (told["stopped_by"], told["tokens_spent"], told["survivors"]) == ("complete", 0, 0)
    assert "coverage" not in told
