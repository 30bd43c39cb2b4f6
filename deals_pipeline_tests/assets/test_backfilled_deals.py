"""The asset `backfilled_deals`: shards are probed, cut, gone on with, and materialized only when they are complete."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from deals_pipeline.buying.shards import UnknownShard, shard_named
from deals_pipeline.config import load_settings
from deals_pipeline.simulator.endpoints import Endpoints
from deals_pipeline_tests.dagster_world import ROOT, DagsterWorld

Make = Callable[..., DagsterWorld]
FIRST = "all-used-books_283155_600-999"
WIDE = """
marketplaces = [{ name = "US" }]
recent = [{ name = "few", marketplace = "US", current_range = [300, 301], delta_percent_range = [90, 95] }]
shares = { full_scan = 0, history = 0, offers = 0, backfill = 100 }
[[backfill]]
name = "everything"
marketplace = "US"
delta_percent_range = [10, 95]
shard_prices = [0, 1000, 2000, 4000, 100_000]
"""


def read(world: DagsterWorld, shard: str, **config: object) -> dict[str, Any]:
    result = world.execute(
        "backfill_job", {"ops": {"backfilled_deals": {"config": config}}}, assets=["backfilled_deals"], partition=shard
    )
    return world.metadata(result, "backfilled_deals")


def materialized(world: DagsterWorld) -> set[str]:
    return set(world.instance.get_materialized_partitions(dg.AssetKey("backfilled_deals")))


def listed(world: DagsterWorld, shard: str) -> set[str]:
    query = shard_named(shard, world.settings.backfill).query
    market = world.server.endpoints.market(query.domain)
    return {market.asin(index) for index in market.matching(query, world.clock.now())}


def stored(world: DagsterWorld) -> list[str]:
    return [asin for (asin,) in world.rows("SELECT asin FROM backfilled_deal")]


@pytest.fixture
def wide(make: Make, tmp_path: Path) -> DagsterWorld:
    """Some 60 000 listed deals, and a plan that can pay for them at once."""
    toml = tmp_path / "wide.toml"
    toml.write_text(WIDE)
    endpoints = Endpoints(1, 101_000, listed_share=0.9)
    return make(endpoints=endpoints, toml=toml, refill_rate=4_000)


def test_a_shard_is_materialized_when_it_was_read_to_its_end(make: Make) -> None:
    world = make()
    world.sensor("planner_sensor")
    told = read(world, FIRST)
    assert set(stored(world)) == listed(world, FIRST)
    assert (told["stopped_by"], materialized(world)) == ("complete", {FIRST})
    assert told["coverage"] == round(1 / 6, 4), "of six shards"
    assert told["pages"] == len(listed(world, FIRST)) // 150 + 2, "one page more than needed: the probe"


def test_an_interrupted_shard_keeps_its_cursor_and_is_not_materialized(make: Make) -> None:
    """F31."""
    world = make()
    world.sensor("planner_sensor")
    told = read(world, FIRST, tokens_max=10)
    assert (told["stopped_by"], told["pages"], materialized(world)) == ("budget", 2, set())
    told = read(world, FIRST)
    assert (told["stopped_by"], materialized(world)) == ("complete", {FIRST})
    assert set(stored(world)) == listed(world, FIRST)
    assert world.spent == 5 * (len(listed(world, FIRST)) // 150 + 2)


def test_a_shard_that_is_short_costs_one_page(make: Make) -> None:
    world = make()
    world.sensor("planner_sensor")
    assert read(world, "all-used-books_283155_300-599")["tokens_spent"] == 5


@pytest.mark.parametrize("key", ["all-used-books_283155_600-998", "books_all_1-2", "x", "all-used-books_283155_9-1"])
def test_an_unknown_shard_is_refused_before_a_token_is_spent(make: Make, key: str) -> None:
    world = make()
    world.instance.add_dynamic_partitions("shard", [key])
    result = world.execute("backfill_job", partition=key, raise_on_error=False)
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    said = str(failure.step_failure_data.error)
    assert f"shard '{key}': allowed are all-used-books_283155_300-599, " in said
    assert world.spent == 0
    with pytest.raises(UnknownShard):
        shard_named(key, world.settings.backfill)


def test_a_run_with_a_shard_in_its_tags_need_not_be_announced(make: Make) -> None:
    world = make()
    world.execute("backfill_job", tags={"dagster/partition": FIRST})
    assert materialized(world) == {FIRST}


def test_the_partitions_are_the_shards_that_are_not_cut(make: Make, tmp_path: Path) -> None:
    """F34: shards of a selection that is gone are no partitions any more."""
    world = make()
    world.sensor("planner_sensor")
    assert len(world.instance.get_dynamic_partitions("shard")) == 6
    toml = (ROOT / "deals.toml").read_text().replace('name = "all-used-books"', 'name = "used-again"')
    (tmp_path / "deals.toml").write_text(toml)
    settings = load_settings({"DEALS_HOME": str(world.settings.places.home.parent)}, tmp_path)
    world.with_settings(settings).sensor("planner_sensor")
    assert {key.partition("_")[0] for key in world.instance.get_dynamic_partitions("shard")} == {"used-again"}


def test_a_wide_selection_is_stored_exactly_once_for_little_more_than_its_pages_cost(wide: DagsterWorld) -> None:
    """D1, F04: shards are cut until each fits one query."""
    cut = 0
    while requests := run_requests(wide):
        result = wide.obey(requests[0])
        cut += "cut_into" in wide.metadata(result, "backfilled_deals")
    query = wide.settings.backfill[0].query
    market = wide.server.endpoints.market(query.domain)
    truth = {market.asin(index) for index in market.matching(query, wide.clock.now())}
    found = stored(wide)
    assert len(found) == len(set(found))
    assert set(found) == truth
    assert cut > 0
    assert wide.spent <= 1.15 * len(truth) / 150 * 5
    assert set(wide.instance.get_dynamic_partitions("shard")) == materialized(wide)
    assert wide.rows("SELECT count(*) FROM scan WHERE is_truncated") == [(0,)]


def run_requests(world: DagsterWorld) -> list[dg.RunRequest]:
    result = world.sensor("planner_sensor")
    assert isinstance(result, dg.SensorResult)
    return list(result.run_requests or ())
