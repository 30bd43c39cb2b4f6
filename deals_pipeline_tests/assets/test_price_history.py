"""The asset `price_history`: best first, as much as is affordable, nothing asked for twice without a reason."""

from collections.abc import Callable
from typing import Any

from deals_pipeline.simulator.faults import Fault, Faults
from deals_pipeline_tests.dagster_world import DagsterWorld

Make = Callable[..., DagsterWorld]


def buy(world: DagsterWorld, **config: object) -> dict[str, Any]:
    result = world.execute("history_job", {"ops": {"price_history": {"config": config}}})
    return world.metadata(result, "price_history")


def scan(world: DagsterWorld, **config: object) -> None:
    world.execute("recent_deals_job", {"ops": {"recent_deals": {"config": config}}}, assets=["recent_deals"])


def asked(world: DagsterWorld) -> int:
    """Return how many products were ever paid for."""
    return int(world.rows("SELECT coalesce(sum(items), 0) FROM landed_file WHERE kind = 'product'")[0][0])


def test_what_is_affordable_is_bought_in_one_go_and_the_rest_later(make: Make) -> None:
    """F01: the batch follows from the balance."""
    world = make()
    scan(world)
    ((worth_it,),) = world.rows("SELECT count(*) FROM page_screening WHERE rejected_because IS NULL")
    told = buy(world)
    assert told["stopped_by"] == "tokens"
    assert told["tokens_spent"] == told["rows_new"] == asked(world)
    assert world.balance == 10, "the floor of the lane"
    assert told["coverage"] == round(told["rows_new"] / worth_it, 4)
    world.pass_time(hours=4)
    buy(world)
    assert len(set(world.rows("SELECT asin FROM product"))) == asked(world), "none was bought twice"


def test_what_may_bring_most_by_its_page_comes_first(make: Make) -> None:
    """F40."""
    world = make()
    scan(world)
    buy(world, tokens_max=20)
    best = world.rows(
        "SELECT asin FROM page_screening WHERE rejected_because IS NULL "
        "ORDER BY highest_average - used_cents DESC, asin LIMIT 20"
    )
    assert set(world.rows("SELECT asin FROM product")) == set(best)


def test_what_the_page_rejects_is_not_paid_for(make: Make) -> None:
    """F40."""
    world = make(refill_rate=60)
    scan(world)
    assert buy(world)["stopped_by"] == "complete"
    rejected, bought = world.rows(
        "SELECT count(*) FILTER (WHERE rejected_because IS NOT NULL), count(product.asin) "
        "FROM page_screening LEFT JOIN product USING (domain_id, asin)"
    )[0]
    assert rejected > 0
    assert world.rows("SELECT count(*) FROM page_screening")[0][0] == rejected + bought


def test_a_history_is_bought_again_only_after_its_interval_and_only_of_what_moved(make: Make) -> None:
    """F27."""
    world = make(refill_rate=60, products=8_000)
    scan(world)
    told = buy(world)
    assert (told["stopped_by"], told["coverage"]) == ("complete", 1)
    world.pass_time(hours=2)
    scan(world, reading="FULL")
    fresh = world.rows(
        "SELECT count(*) FROM page_screening LEFT JOIN product USING (asin) "
        "WHERE product.asin IS NULL AND rejected_because IS NULL"
    )[0][0]
    assert buy(world)["rows_new"] == fresh
    world.pass_time(hours=23)
    scan(world, reading="FULL")
    moved = world.rows(
        "SELECT count(*) FROM page_screening AS page JOIN product USING (domain_id, asin) "
        "WHERE gone_at IS NULL AND rejected_because IS NULL AND page.last_update > product.observed_at "
        "AND product.observed_at < '2026-03-01 13:30:00+00'"
    )[0][0]
    told = buy(world)
    assert moved > 100
    assert told["rows_seen"] - told["rows_new"] == moved


def test_a_malformed_product_is_put_aside_and_not_asked_for_again_at_once(make: Make) -> None:
    """F41, F53."""
    world = make(faults=Faults(4, frozenset({Fault.DIRTY_ITEMS}), 0.5), refill_rate=60, products=4_000)
    scan(world)
    told = buy(world)
    assert told["quarantined"] > 0
    assert told["stopped_by"] == "complete"
    again = buy(world)
    assert again["tokens_spent"] == 0
    world.pass_time(hours=25)
    assert buy(world)["tokens_spent"] >= told["quarantined"]
