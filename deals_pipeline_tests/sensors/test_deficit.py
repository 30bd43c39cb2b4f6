"""The watched deficit: halting, cancelling, and going on again without a hand."""

from collections.abc import Callable

import dagster as dg

from deals_pipeline_tests.dagster_world import DagsterWorld

Make = Callable[..., DagsterWorld]


def watched(world: DagsterWorld) -> str:
    result = world.sensor("deficit_sensor")
    assert isinstance(result, dg.SkipReason)
    return result.skip_message or ""


def test_a_balance_that_is_well_is_said_in_numbers(make: Make) -> None:
    assert watched(make(tokens=120)) == (
        "Not halted: 120 tokens are available, 5 come a minute; the deficit is 0, allowed are 50."
    )


def test_foreign_spend_is_noticed_within_a_tick_and_halts(make: Make) -> None:
    """F06: where nothing told the balance for a tick, it is asked for, which is free."""
    world = make(tokens=20)
    watched(world)
    world.spend_elsewhere(300)
    world.pass_time(seconds=61)
    said = watched(world)
    assert said.startswith("Halted: the deficit is 275 tokens, allowed are 50. 300 tokens were spent by others lately.")


def test_a_balance_that_was_just_told_is_not_asked_for_again(make: Make) -> None:
    """T7."""
    world = make(tokens=20)
    watched(world)
    world.spend_elsewhere(300)
    world.pass_time(seconds=30)
    assert watched(world).startswith("Not halted")


def test_queued_runs_that_spend_are_cancelled_and_others_are_not(make: Make) -> None:
    world = make(tokens=20)
    spending, other = world.queue("history_job"), world.queue("refresh_job", ["deals"])
    world.spend_elsewhere(300)
    assert watched(world).endswith("1 queued runs were cancelled.")
    statuses = {run.run_id: run.status for run in world.instance.get_runs()}
    assert statuses[spending] is dg.DagsterRunStatus.CANCELED
    assert statuses[other] is dg.DagsterRunStatus.QUEUED


def test_a_running_one_stops_with_what_it_has_saved(make: Make) -> None:
    world = make()
    pages = iter(range(100))
    deliver = world.server.deliver

    def spending_elsewhere(call, now):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        delivery = deliver(call, now)
        if call.path == "/deal" and next(pages) == 1:
            world.spend_elsewhere(600)
        return delivery

    world.server.deliver = spending_elsewhere  # type: ignore[method-assign]
    told = world.metadata(world.execute("recent_deals_job"), "recent_deals")
    assert (told["stopped_by"], told["rows_new"]) == ("tokens", 150 * told["pages"])
    assert 2 <= told["pages"] <= 3


def test_when_it_is_affordable_again_work_goes_on_by_itself(make: Make) -> None:
    """F08: there is no flag to reset."""
    world = make(tokens=20)
    world.spend_elsewhere(300)
    asked: list[dg.RunRequest] = []
    while not asked:
        watched(world)
        result = world.sensor("planner_sensor")
        assert isinstance(result, dg.SensorResult)
        asked = list(result.run_requests or ())
        world.pass_time(minutes=1)
    assert asked[0].job_name == "recent_deals_job"
    assert -5 * 10 < world.balance <= 5 * 2
