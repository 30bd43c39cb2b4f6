"""The asset `recent_deals`, on the simulated service and in virtual time."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deals_pipeline.config import load_settings
from deals_pipeline.keepa.time import from_keepa_minutes
from deals_pipeline.simulator.faults import Fault, Faults
from deals_pipeline_tests.dagster_world import ROOT, DagsterWorld

Make = Callable[..., DagsterWorld]


def read(world: DagsterWorld, **config: object) -> dict[str, object]:
    result = world.execute("recent_deals_job", {"ops": {"recent_deals": {"config": config}}}, assets=["recent_deals"])
    return world.metadata(result, "recent_deals")


def listed(world: DagsterWorld, since: datetime | None = None) -> set[str]:
    """Return what the service lists for the watched selection now, and listed at `since` too."""
    query = world.settings.recent[0].query
    market = world.server.endpoints.market(query.domain)
    now, then = (market.matching(query, at) for at in (world.clock.now(), since or world.clock.now()))
    return {market.asin(index) for index in now} & {market.asin(index) for index in then}


def deals_of(world: DagsterWorld) -> list[dict[str, Any]]:
    query = world.settings.recent[0].query
    market = world.server.endpoints.market(query.domain)
    now = world.clock.now()
    return list(market.deals(market.matching(query, now), now))


def created(deal: dict[str, Any]) -> datetime:
    return from_keepa_minutes(deal["creationDate"])


def stored(world: DagsterWorld) -> set[str]:
    return {asin for (asin,) in world.rows("SELECT asin FROM recent_deal")}


def test_a_full_scan_stores_every_listed_deal(make: Make) -> None:
    world = make()
    told = read(world)
    assert stored(world) == listed(world)
    pages = len(listed(world)) // 150 + 1
    assert (told["pages"], told["tokens_spent"], told["tokens_estimated"]) == (pages, 5 * pages, 5 * pages)
    assert (told["rows_new"], told["stopped_by"]) == (len(stored(world)), "complete")
    assert told["balance_after"] == world.balance == 300 - 5 * pages
    assert told["dagster/row_count"] == len(stored(world))
    assert told["coverage"] == 1
    assert told["tokens_per_row"] == round(5 * pages / len(stored(world)), 4)


def test_head_scans_stay_short_and_reach_back_to_the_one_before(make: Make) -> None:
    """F25: what a head scan has to read does not grow with the time since the last full scan, and nothing is missed."""
    world = make()
    read(world)
    for _ in range(5):
        world.pass_time(minutes=60)
        told = read(world, reading="HEAD")
        assert told["rows_new"]
        assert told["pages"] == 1
    (known,) = world.rows("SELECT max(server_from) FROM scan WHERE kind = 'full'")[0]
    found_since = {deal["asin"] for deal in deals_of(world) if created(deal) >= known}
    assert len(found_since) > 150
    assert found_since <= stored(world)


def test_a_head_scan_of_a_feed_in_another_order_does_not_stop_early(make: Make) -> None:
    """F25."""
    world = make(faults=Faults(1, frozenset({Fault.SORTS_BY_ANOTHER_KEY})))
    read(world)
    world.pass_time(minutes=15)
    told = read(world, reading="HEAD")
    assert told["pages"] == len(listed(world)) // 150 + 1
    assert stored(world) >= listed(world)


def test_a_head_scan_that_could_not_stop_is_gone_on_with_as_a_full_scan(make: Make) -> None:
    """F25, F31."""
    world = make()
    assert read(world, reading="HEAD", tokens_max=10)["stopped_by"] == "budget"
    told = read(world)
    assert told["pages"] == len(listed(world)) // 150 + 1 - 2
    assert stored(world) == listed(world)
    assert world.rows("SELECT kind, completed_at IS NOT NULL FROM scan") == [("head", True)]


def test_a_run_that_lacks_tokens_succeeds_with_what_it_read_and_says_when_to_go_on(make: Make) -> None:
    """F31, and no failure."""
    world = make(tokens=2, refill_rate=5)
    told = read(world)
    assert (told["stopped_by"], told["pages"], told["rows_new"]) == ("tokens", 1, 150)
    assert isinstance(told["retry_at"], float)
    assert 0 < told["retry_at"] - world.clock.now().timestamp() <= 61
    assert len(stored(world)) == 150
    world.pass_time(minutes=10)
    assert read(world)["pages"] == len(listed(world)) // 150
    assert world.spent == 5 * (len(listed(world)) // 150 + 1)


def test_a_run_may_wait_in_place_for_its_tokens(make: Make) -> None:
    world = make(tokens=2, refill_rate=5)
    began = world.clock.now()
    told = read(world, wait_for_tokens=30)
    assert told["stopped_by"] == "complete"
    assert len(listed(world, began) - stored(world)) <= 2, "pages that are read minutes apart shift (F30)"
    assert timedelta(minutes=2) < world.clock.now() - began < timedelta(minutes=8)


def test_ten_triggers_at_one_instant_cost_the_tokens_of_one_run(make: Make) -> None:
    """F20."""
    world = make()
    told = [read(world) for _ in range(10)]
    assert sum(int(str(each["tokens_spent"])) for each in told) == world.spent == told[0]["tokens_spent"]
    assert {each["stopped_by"] for each in told} == {"complete"}
    assert "already" in str(told[9]["stopped_because"])


@pytest.mark.parametrize("reading", ["FULL", "DUE"])
def test_ten_triggers_amid_a_full_scan_cost_what_is_left_of_it(make: Make, reading: str) -> None:
    """F20."""
    world = make()
    begun = read(world, reading="FULL", tokens_max=15)
    world.pass_time(minutes=10)
    told = [read(world, reading=reading) for _ in range(10)]
    pages = len(listed(world)) // 150 + 1
    assert [each["pages"] for each in (begun, *told)] == [3, pages - 3, *[0] * 9]


def test_a_head_scan_that_its_budget_stopped_is_not_read_again_by_who_asked_at_the_same_instant(make: Make) -> None:
    """F20: the planner and the schedule may find the same head scan due."""
    world = make()
    assert read(world, reading="HEAD", tokens_max=10)["pages"] == 2
    assert read(world, reading="HEAD", tokens_max=10)["pages"] == 0
    assert world.spent == 10


def test_the_first_page_of_a_killed_head_scan_is_loaded_by_the_next_and_not_bought_again(make: Make) -> None:
    """F27, F44."""
    world = make()
    read(world, reading="HEAD", tokens_max=5)
    world.settings.places.warehouse.unlink()
    assert read(world, reading="HEAD")["pages"] == 0
    assert len(stored(world)) == 150
    assert read(world)["pages"] == len(listed(world)) // 150


def test_a_changed_selection_is_another_selection(make: Make, tmp_path: Path) -> None:
    """F34: its cursor and its completeness are not those of the old one."""
    world = make()
    read(world)
    toml = (ROOT / "deals.toml").read_text().replace("current_range = [300, 8000]", "current_range = [300, 1500]")
    (tmp_path / "deals.toml").write_text(toml)
    settings = load_settings(
        {"DEALS_HOME": str(world.settings.places.home.parent), "DEALS_CONFIG": "deals.toml"}, tmp_path
    )
    world.pass_time(minutes=5)
    changed = world.with_settings(settings)
    assert read(changed)["pages"] == len(listed(changed)) // 150 + 1
    scans = world.rows("SELECT count(DISTINCT selection_version), count(*) FROM scan WHERE completed_at IS NOT NULL")
    assert scans == [(2, 2)]


@pytest.mark.parametrize("kind", [Fault.CONNECTION_RESET, Fault.LOST_ANSWER, Fault.SERVER_ERROR, Fault.HTML_BODY])
def test_a_call_without_an_answer_is_made_again_and_nothing_is_skipped(make: Make, kind: Fault) -> None:
    """F29: no answer is no end of data."""
    world = make(faults=Faults(5, frozenset({kind}), 0.4))
    began, told = world.clock.now(), read(world)
    while told["stopped_by"] != "complete":
        assert told["stopped_by"] in ("no answer", "tokens")
        world.pass_time(minutes=5)
        told = read(world)
    assert stored(world) >= listed(world, began)


def test_a_scan_that_gets_no_answer_ends_without_being_complete(make: Make) -> None:
    """F29."""
    told = read(make(faults=Faults(5, frozenset({Fault.SERVER_ERROR}), 1.0)))
    assert (told["stopped_by"], told["requests"], told["pages"]) == ("no answer", 3, 0)
    assert "coverage" not in told


def test_an_unknown_selection_is_refused_by_name_before_a_token_is_spent(make: Make) -> None:
    world = make()
    config = {"ops": {"recent_deals": {"config": {"selections": ["books"]}}}}
    result = world.execute("recent_deals_job", config, raise_on_error=False)
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "books: allowed are used-books" in str(failure.step_failure_data.error)
    assert world.spent == 0


def test_a_rejected_request_fails_the_run_at_once_and_says_what_to_change(make: Make) -> None:
    """F32."""
    world = make()
    world.server.keys = frozenset({"another"})
    result = world.execute("recent_deals_job", raise_on_error=False)
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "KEEPA_API_KEY" in str(failure.step_failure_data.error)
    assert world.settings.key.get_secret_value() not in str(failure.step_failure_data.error)


def test_where_no_answer_can_land_none_is_bought(make: Make) -> None:
    """F44."""
    world = make()
    world.settings.places.home.mkdir(parents=True)
    world.settings.places.landing.write_text("no folder")
    result = world.execute("recent_deals_job", raise_on_error=False)
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "Nothing was bought; make room" in str(failure.step_failure_data.error)
    assert world.spent == 0


def test_what_was_paid_for_and_not_loaded_is_loaded_by_the_next_run_at_no_cost(make: Make) -> None:
    """F44."""
    world = make()
    read(world)
    before = stored(world)
    world.settings.places.warehouse.unlink()
    world.settings.places.warehouse.with_suffix(".duckdb.wal").unlink(missing_ok=True)
    spent = world.spent
    told = read(world)
    assert stored(world) == before
    assert world.spent == spent
    assert told["tokens_spent"] == 0


def test_every_materialization_says_that_the_simulator_served(make: Make) -> None:
    world = make()
    result = world.execute("refresh_job")
    made = {event.asset_key.to_user_string() for event in result.get_asset_materialization_events() if event.asset_key}
    assert made >= {"recent_deals", "price_history", "deals", "published_deals"}
    assert {world.metadata(result, asset)["mode"] for asset in made} == {"simulated"}
    (run,) = world.instance.get_runs()
    assert run.tags["deals_pipeline/mode"] == "simulated"
    published = world.metadata(result, "published_deals")
    assert published["histories_written"] == 1
    assert published["price_history_US_bytes"] > 0
    assert Path(published["price_history_US"]) == world.settings.places.published / "price_history" / "US.parquet"
    columns = {column.name: column.description for column in published["dagster/column_schema"].columns}
    assert columns["used_cents"]
    assert columns["expected_profit"]
