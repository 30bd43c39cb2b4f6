"""Each number of the state is the one that its source tells, of a world in which it can be counted by hand (F64)."""

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from deals_pipeline.buying.histories import pending_histories
from deals_pipeline.clock import VirtualClock
from deals_pipeline.landing import landed_files
from deals_pipeline.state import PipelineState, Rejection, progress
from deals_pipeline.token_bucket.model import Lane
from deals_pipeline.warehouse.quality import coverage
from deals_pipeline.work import Work
from deals_pipeline_tests.conftest import market
from deals_pipeline_tests.dagster_world import DagsterWorld, make_world
from deals_pipeline_tests.state.states import state_of

Make = Callable[..., DagsterWorld]
EVENING = datetime(2026, 3, 1, 23, 30, tzinfo=timezone.utc)
TODAY = "received_at >= TIMESTAMPTZ '2026-03-02 00:00:00Z'"
SCREENED = """
    INSERT INTO deal_metrics BY NAME
    SELECT
      domain_id,
      asin,
      ['survives', 'survives', 'rejected', 'rejected', 'rejected'][position] AS screened,
      ['history', 'page', 'page', 'page', 'history'][position] AS screened_stage,
      [NULL, NULL, 'does not sell', 'does not sell', 'no profit'][position] AS screened_reason,
      [1440, NULL, NULL, NULL, 1441][position] AS refresh_minutes,
      [now(), NULL, NULL, now(), now()][position] AS history_observed_at,
      now() AS screened_inputs_at,
      now() AS screened_next_try_at,
      'test' AS code_version
    FROM (SELECT *, row_number() OVER (ORDER BY asin) % 6 AS position FROM deal)
    WHERE position > 0
"""


def buy(world: DagsterWorld, *assets: str) -> None:
    world.execute("refresh_job", assets=assets or ("recent_deals", "price_history"))


def count(world: DagsterWorld, query: str) -> int:
    ((found,),) = world.rows(query)
    return int(found)


def change(world: DagsterWorld, *statements: str) -> None:
    with duckdb.connect(world.settings.places.warehouse) as connection:
        for each in statements:
            connection.execute(each)


@pytest.fixture(scope="module")
def bought(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterWorld]:
    """Return a world that has read its feed, bought histories for what was left, and read it again the next day.

    Another program spent 40 tokens meanwhile. It is shared, and must not be changed.
    """
    with dg.DagsterInstance.ephemeral() as instance:
        home = tmp_path_factory.mktemp("bought")
        world = make_world(home, instance, endpoints=market(3_000), tokens=60, start=EVENING)
        buy(world)
        world.pass_time(minutes=45)
        world.spend_elsewhere(40)
        buy(world, "recent_deals")
        yield world


@pytest.fixture
def world(bought: DagsterWorld, tmp_path: Path) -> DagsterWorld:
    """Return the same on a home and with a clock of its own; the service is not to be asked."""
    home = Path(shutil.copytree(bought.settings.places.home, tmp_path / "home"))
    settings = replace(bought.settings, places=replace(bought.settings.places, home=home))
    return replace(bought, settings=settings, clock=VirtualClock(bought.clock.now()))


def spent_in(states: PipelineState) -> int:
    return sum(sum(hour.spent.values()) for hour in states.hours)


def test_of_a_new_home_it_says_that_there_is_nothing(make: Make) -> None:
    state = state_of(make())
    assert (state.first_answer_at, state.brought_at, state.seen_at, state.full_scan_at) == (None,) * 4
    assert (state.bucket.observed_at, state.spent_today, state.rows_per_1000_tokens) == (None, 0, None)
    assert (state.counts.listed, state.counts.histories, state.counts.shards, state.counts.shards_complete) == (
        0,
        0,
        6,
        0,
    )
    assert state.pending == {Work.HEAD_SCAN: 1, Work.FULL_SCAN: 1, Work.HISTORY: 0, Work.OFFERS: 0, Work.BACKFILL: 6}
    assert (state.next.at, state.next.work) == (state.at, Work.FULL_SCAN)
    assert state.coverage.numbers["coverage"] is None
    assert not progress(state).passed


def test_what_was_spent_is_told_by_hour_and_class_and_adds_up(bought: DagsterWorld) -> None:
    """F14, F64: the hours since midnight are today, and all hours are what the service ever took."""
    state = state_of(bought)
    assert len(state.hours) == 48
    assert state.hours[-1].start == state.at.replace(minute=0)
    assert {later.start - earlier.start for earlier, later in zip(state.hours, state.hours[1:], strict=False)} == {
        timedelta(hours=1)
    }
    assert spent_in(state) == bought.spent
    today = [hour for hour in state.hours if hour.start.date() == state.at.date()]
    by_class = {work: sum(hour.spent.get(work, 0) for hour in today) for work in state.bucket.spent_by_purpose}
    assert by_class == state.bucket.spent_by_purpose
    assert 0 < state.spent_today < bought.spent
    assert sum(hour.foreign for hour in today) == state.bucket.foreign == 40
    assert sum(hour.lost for hour in today) == state.bucket.lost
    (first,) = [hour for hour in state.hours if Work.HISTORY.value in hour.spent]
    assert first == state.hours[-2]
    assert first.spent == {"full_scan": 5, "history": 45}
    assert (first.balance, first.lowest) == (10, 10), "histories leave their floor"
    assert (state.hours[0].balance, state.hours[0].lowest, state.hours[0].calls) == (None, None, 0)
    assert state.hours[-1].balance == state.bucket.balance == bought.balance


def test_what_is_stored_is_counted_as_the_warehouse_has_it(world: DagsterWorld) -> None:
    change(world, SCREENED, f"UPDATE landed_file SET quarantined = 3 WHERE {TODAY}")
    change(world, "INSERT INTO missing_product SELECT 1, 'gone', 1, now(), now()")
    before = "observed_at - INTERVAL 1 SECOND"
    change(world, f"INSERT INTO missing_product SELECT domain_id, asin, 1, {before}, {before} FROM product")
    state = state_of(world)
    listed = count(world, "SELECT count(*) FROM deal WHERE gone_at IS NULL")
    counts = state.counts
    assert counts.listed == listed > 60
    assert counts.gone == count(world, "SELECT count(*) FROM deal WHERE gone_at IS NOT NULL")
    assert counts.histories == count(world, "SELECT count(*) FROM product")
    assert counts.points == count(world, "SELECT count(*) FROM price_point")
    assert state.rows_today == count(world, f"SELECT sum(items) FROM landed_file WHERE {TODAY}")
    screening = state.screening
    assert sum(screening.survivors.values()) + screening.rejected + screening.unscreened == listed
    assert screening.worth_buying == screening.survivors["history"] > 0
    assert [each.reason for each in screening.rejections] == ["does not sell", "no profit"]
    assert screening.rejections[0] == Rejection("page", "does not sell", screening.rejections[0].deals)
    assert screening.rejections[0].deals > screening.rejections[1].deals == state.freshness.rarer > 0
    assert state.freshness.fresh == screening.survivors["history"]
    assert state.freshness.never == 0, "what the page rejects needs no history"
    assert state.stuck.quarantined == {"deal page": 3}
    assert state.stuck.missing_products == 1
    assert state.seen_at == state.brought_at == state.selections[0].head_scan_at == world.clock.now()
    assert state.full_scan_at == state.selections[0].full_scan_at
    with duckdb.connect(world.settings.places.warehouse) as connection:
        assert state.coverage == coverage(connection, world.settings.places.landing, world.settings.recent)


def test_what_comes_next_is_what_the_planner_would_ask_for(world: DagsterWorld) -> None:
    state = state_of(world)
    (selection,) = state.selections
    assert selection.head_scan_due_at == world.clock.now() + timedelta(minutes=15)
    assert selection.full_scan_at is not None
    assert selection.full_scan_due_at == selection.full_scan_at + timedelta(hours=4)
    with duckdb.connect(world.settings.places.warehouse) as connection:
        pending = len(pending_histories(connection, state.at, world.settings.budget.intervals.history, 10_000).products)
    assert state.pending[Work.HISTORY] == pending > 0
    assert (state.next.at, state.next.work) == (state.at, Work.BACKFILL)
    assert re.fullmatch(r"backfill of all-used-books_283155_300-599, \d+ pages at most", state.next.words)


def test_a_deficit_is_waited_for_but_not_for_ever_where_others_keep_it_up(make: Make) -> None:
    """F07, F08, F14: the first end that was foreseen counts, however often it is put off."""
    world = make(products=3_000, tokens=60)
    buy(world, "recent_deals")
    world.pass_time(minutes=10)
    world.spend_elsewhere(world.balance + 30)
    world.sensor("deficit_sensor")
    waiting = state_of(world)
    assert waiting.bucket.deficit == 30
    assert waiting.next.at > waiting.at
    assert "are available" in waiting.next.words
    assert waiting.funding.lasted == timedelta(minutes=10)
    assert waiting.funding.waits_until is not None
    recent_at = waiting.bucket.affordable_at[Lane.RECENT]
    assert recent_at is not None
    assert abs(recent_at - waiting.funding.waits_until) < timedelta(minutes=1)
    assert progress(waiting).passed
    for _ in range(8):
        world.pass_time(minutes=6)
        world.spend_elsewhere(world.balance + 30)
        world.sensor("deficit_sensor")
    state = state_of(world)
    put_off = state.bucket.affordable_at[Lane.RECENT]
    assert put_off is not None
    assert put_off > state.at
    assert state.funding.waits_until is None
    since = timedelta(minutes=10) + (state.at - waiting.funding.waits_until)
    assert abs(state.funding.lasted - since) < timedelta(seconds=10), "but for what was learned of the tick"
    assert "there were tokens: allowed are 30 min" in progress(state).detail


def test_a_pipeline_that_was_off_for_days_had_tokens_all_the_time(world: DagsterWorld) -> None:
    """F23: nobody saw the balance, and it only grew."""
    off = timedelta(days=5)
    world.clock.sleep(off.total_seconds())
    state = state_of(world)
    assert all(hour.balance is None for hour in state.hours)
    assert state.funding.waits_until is None
    assert off - timedelta(minutes=10) < state.funding.lasted <= off
    assert "nothing came for 5 days, and for 5 days there were tokens" in progress(state).detail


def test_what_is_stuck_is_named(world: DagsterWorld) -> None:
    files = sorted(landed_files(world.settings.places.landing))
    shutil.copy(files[0], files[0].with_name(files[0].name.replace("-000001-", "-000002-")))
    shard = """
        INSERT INTO scan BY NAME
        SELECT * REPLACE (
          'shard' AS scan_id, 'all-used-books' AS selection, 'shard' AS kind, $version AS selection_version,
          'all-used-books_283155_300-599' AS shard, NULL AS completed_at, 1 AS next_page)
        FROM scan LIMIT 1
    """
    version = world.settings.backfill[0].shards()[0].query.version
    change(world, shard.replace("$version", f"'{version}'"))
    world.pass_time(hours=4.1)
    stuck = state_of(world).stuck
    assert (stuck.answers_unloaded, stuck.shards_begun, stuck.abandoned) == (1, 1, ())
    change(world, "UPDATE scan SET completed_at = NULL")
    assert state_of(world).stuck.abandoned == ("used-books",)
    world.pass_time(hours=20)
    assert state_of(world).stuck.abandoned == ("used-books", "all-used-books_283155_300-599")


def test_the_time_between_full_scans_is_what_their_share_of_the_refill_allows(make: Make) -> None:
    """F37: a selection that is too large for the plan is read less often, and that is no failure."""
    world = make(refill_rate=1)
    buy(world, "recent_deals")
    state = state_of(world)
    heads = 5 / 25
    assert state.head_scan_interval == timedelta(minutes=25)
    assert state.full_scan_interval == max(timedelta(hours=4), timedelta(minutes=30 / ((1 - heads) * 0.3)))
    budget = world.settings.budget
    shares = budget.shares.model_copy(update={"full_scan": 1, "history": 69})
    slower = world.with_settings(replace(world.settings, budget=replace(budget, shares=shares)))
    assert state_of(slower).full_scan_interval == timedelta(minutes=30 / ((1 - heads) * 0.01))
