"""The planner's sensor and the schedule: what they ask for, and what they say when they ask for nothing."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import dagster as dg
import pytest

from deals_pipeline.config import Intervals, Shares
from deals_pipeline.keepa.requests import ProductRequest
from deals_pipeline.planner import costs
from deals_pipeline.schedules import cron_of
from deals_pipeline.token_bucket.model import BucketState
from deals_pipeline.work import Work
from deals_pipeline_tests.dagster_world import DagsterWorld

Make = Callable[..., DagsterWorld]


def planned(world: DagsterWorld) -> dg.RunRequest | str:
    result = world.sensor("planner_sensor")
    assert isinstance(result, dg.SensorResult)
    if result.run_requests:
        (request,) = result.run_requests
        return request
    assert result.skip_reason
    return result.skip_reason.skip_message or ""


def asked(world: DagsterWorld) -> dg.RunRequest:
    request = planned(world)
    assert isinstance(request, dg.RunRequest), request
    return request


def test_it_works_off_everything_cheapest_first_and_then_waits(make: Make) -> None:
    world = make(refill_rate=60, products=4_000)
    jobs = []
    while isinstance(request := planned(world), dg.RunRequest):
        jobs.append(request.job_name)
        world.obey(request)
        world.pass_time(seconds=20)
        assert len(jobs) < 60
    assert jobs[0] == "recent_deals_job", "a scan first"
    assert set(jobs) == {"recent_deals_job", "history_job", "backfill_job"}
    assert "there is nothing to buy; next look at" in request
    worth_one = "FROM page_screening LEFT JOIN product USING (domain_id, asin) WHERE rejected_because IS NULL"
    assert world.rows(f"SELECT count(*) {worth_one} AND gone_at IS NULL AND product.asin IS NULL") == [(0,)]
    assert world.balance > 0


def test_what_it_asks_for_is_within_its_tokens(make: Make) -> None:
    world = make()
    for _ in range(8):
        request = planned(world)
        if isinstance(request, str):
            world.pass_time(minutes=1)
            continue
        ((asset, op),) = request.run_config["ops"].items()
        told = world.metadata(world.obey(request), asset)
        assert told["tokens_spent"] <= told["tokens_estimated"] <= op["config"]["tokens_max"]


def test_it_asks_for_live_offers_of_what_survives_screening(make: Make) -> None:
    """F27, F40: no unit twice, and none for what is fresh."""
    world = make(refill_rate=60, products=4_000)
    world.obey(asked(world))
    config = {"ops": {"price_history": {"config": {"tokens_max": 40}}}}
    world.execute("history_job", config, assets=["price_history", "deal_metrics"])
    shares = Shares(full_scan=0, history=0, offers=100, backfill=0)
    world = world.with_settings(replace(world.settings, budget=replace(world.settings.budget, shares=shares)))
    keys = []
    while isinstance(request := planned(world), dg.RunRequest):
        assert request.job_name == "offers_job"
        keys.append(request.run_key)
        tokens_max = request.run_config["ops"]["live_offers"]["config"]["tokens_max"]
        assert tokens_max % 13 == 0
        told = world.metadata(world.obey(request), "live_offers")
        assert 0 < told["tokens_spent"] <= told["tokens_estimated"] <= tokens_max
        assert len(keys) < 5
    assert len(keys) == len(set(keys)) > 0
    left = world.rows(
        "SELECT count(*) FROM promising_deal WHERE survives AND offers_hold_from IS NULL AND retry_at IS NULL"
    )
    assert left == [(0,)]
    assert world.rows("SELECT count(*) FROM seller")[0][0] > 0


def test_a_bound_that_live_offers_exceeded_raises_what_is_planned_for_them() -> None:
    """F01: whatever hours the exceeding call had asked for."""
    request = ProductRequest(asins=("B000000000",), offers=20, only_live_offers=True, update=17)
    state = BucketState(bounds={request.kind: 19, "seller": 2})
    assert costs(state) == {
        Work.HEAD_SCAN: 5,
        Work.FULL_SCAN: 5,
        Work.HISTORY: 1,
        Work.OFFERS: 21,
        Work.BACKFILL: 5,
    }


def test_ten_ticks_ask_for_one_run(make: Make) -> None:
    """F20."""
    world, keys = make(), set[str | None]()
    for _ in range(10):
        keys.add(asked(world).run_key)
        world.pass_time(seconds=15)
    assert len(keys) == 1


def test_while_a_run_that_spends_waits_or_works_it_asks_for_none(make: Make) -> None:
    """F20: whoever started it."""
    world = make()
    run_id = world.queue("history_job")
    assert planned(world) == f"history_job {run_id[:8]} is under way."


def test_in_a_deficit_it_skips_with_the_numbers(make: Make) -> None:
    world = make(tokens=20)
    world.spend_elsewhere(300)
    assert "SkipReason" in str(world.sensor("deficit_sensor"))
    said = planned(world)
    assert isinstance(said, str)
    assert said.startswith("Halted: the deficit is 280 tokens, allowed are 50.")
    assert "It resumes by itself at" in said


def test_a_rejected_key_is_said_and_nothing_is_asked_for(make: Make) -> None:
    world = make()
    world.server.keys = frozenset({"another"})
    said = planned(world)
    assert isinstance(said, str)
    assert "Check KEEPA_API_KEY" in said
    assert world.settings.key.get_secret_value() not in said


def test_a_warehouse_that_somebody_keeps_open_is_named_and_waited_for_briefly(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F50."""
    world = make()
    world.execute("recent_deals_job")
    monkeypatch.setattr("deals_pipeline.sensors.planning.LOCK_SECONDS_MAX", 0.2)
    program = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", program, str(world.settings.places.warehouse)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdout
        reader.stdout.readline()
        said = planned(world)
        reader.communicate()
    assert isinstance(said, str)
    assert f"kept open by process {reader.pid}" in said
    assert isinstance(planned(world), dg.RunRequest)


def test_the_schedule_asks_for_a_head_scan_at_each_of_its_ticks_or_begins_the_full_scan_that_is_due(make: Make) -> None:
    """F04: the first page of both is due to the schedule first."""
    world = make()
    readings = []
    for minutes in (15, 15, 300, 0):
        request = world.schedule()
        assert isinstance(request, dg.RunRequest)
        readings.append(request.run_config["ops"]["recent_deals"]["config"]["reading"])
        world.obey(request)
        world.pass_time(minutes=minutes)
    assert readings == ["FULL", "HEAD", "HEAD", "FULL"]


def test_no_run_is_for_nothing_however_short_the_interval(make: Make) -> None:
    """D4, F27."""
    world = make(refill_rate=60, products=4_000)
    budget = replace(world.settings.budget, intervals=Intervals(head_scan_minutes=1))
    world = world.with_settings(replace(world.settings, budget=budget))
    pages = []
    for _ in range(5):
        request = world.schedule()
        world.pass_time(seconds=5)  # until the run starts
        if isinstance(request, dg.RunRequest):
            pages.append(world.metadata(world.obey(request), "recent_deals")["pages"])
        world.pass_time(seconds=55)
    assert len(pages) == 2
    assert all(pages)


def test_the_schedule_does_not_ask_twice_and_says_why(make: Make) -> None:
    """F20."""
    world = make()
    run_id = world.queue("recent_deals_job")
    said = world.schedule()
    assert isinstance(said, dg.SkipReason)
    assert said.skip_message == f"recent_deals_job {run_id[:8]} is queued already."


def test_the_schedule_skips_with_the_numbers_in_a_deficit(make: Make) -> None:
    world = make(tokens=20)
    world.spend_elsewhere(300)
    world.sensor("deficit_sensor")
    said = world.schedule()
    assert isinstance(said, dg.SkipReason)
    assert said.skip_message
    assert "the deficit is 280 tokens, allowed are 50" in said.skip_message


@pytest.mark.parametrize(
    ("minutes", "cron"),
    [
        (1, "*/1 * * * *"),
        (15, "*/15 * * * *"),
        (25, "*/20 * * * *"),
        (59, "*/30 * * * *"),
        (60, "0 */1 * * *"),
        (300, "0 */4 * * *"),
        (1440, "0 0 * * *"),
    ],
)
def test_the_schedule_ticks_as_often_as_the_interval_or_a_little_more(minutes: int, cron: str) -> None:
    assert cron_of(minutes) == cron
