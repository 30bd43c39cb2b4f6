"""The asset checks pass on what a run has bought, and each fails when what it guards is spoilt, and it alone."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from deals_pipeline.assets.backfilled_deals import backfilled_deals
from deals_pipeline.assets.deals import deals
from deals_pipeline.assets.recent_deals import recent_deals
from deals_pipeline.checks import CHECKS
from deals_pipeline_tests.dagster_world import DagsterWorld

Make = Callable[..., DagsterWorld]
KEYS = {key.name: key for check in CHECKS for key in check.check_keys}
SHARD = """
    INSERT INTO scan BY NAME
    SELECT * REPLACE ('shard' AS scan_id, 'shard' AS kind, 'all_all_0-1' AS shard, true AS is_truncated)
    FROM scan
    LIMIT 1
"""
SPOILS = {
    "each_deal_once": "ALTER VIEW deal RENAME TO once; CREATE VIEW deal AS FROM once UNION ALL FROM once",
    "no_time_ahead_of_the_server": "UPDATE recent_deal SET created_at = observed_at + INTERVAL 1 HOUR",
    "what_was_listed_is_stored": "DELETE FROM recent_deal WHERE asin = (SELECT min(asin) FROM recent_deal)",
    "in_the_order_asked_for": "UPDATE scan_page SET is_in_order = false WHERE page = 0",
    "few_put_aside": "UPDATE landed_file SET quarantined = 5",
    "ledger_agrees_with_answers": "UPDATE landed_file SET tokens_consumed = 4",
    "within_estimates": "UPDATE token_settlement SET high = 4",
    "shards_are_whole": SHARD,
}
"""How to spoil the warehouse, or the ledger, by the check that has to notice."""
ERRORS = {"each_deal_once", "no_time_ahead_of_the_server", "what_was_listed_is_stored", "seen_recently", "progresses"}
"""Data that cannot be believed, or none: the others are warnings."""


def examine(world: DagsterWorld) -> dict[str, dg.AssetCheckEvaluation]:
    """Execute all checks in a run of their own, as the button in the UI does."""
    definitions = dg.Definitions(
        assets=[recent_deals, backfilled_deals, deals],
        asset_checks=CHECKS,
        jobs=[dg.define_asset_job("all_checks", dg.AssetSelection.all_asset_checks())],
        resources=world.definitions.resources,
        executor=dg.in_process_executor,
    )
    result = definitions.resolve_job_def("all_checks").execute_in_process(instance=world.instance)
    return {found.check_name: found for found in result.get_asset_check_evaluations()}


def failing(world: DagsterWorld) -> set[str]:
    failed = {name: found.severity for name, found in examine(world).items() if not found.passed}
    assert all((severity is dg.AssetCheckSeverity.ERROR) == (name in ERRORS) for name, severity in failed.items())
    return set(failed)


@pytest.fixture
def world(make: Make) -> DagsterWorld:
    """Return a world that has read its feed twice."""
    world = make()
    for _ in range(2):
        world.execute("recent_deals_job")
        world.pass_time(minutes=15)
    return world


def test_checks_pass_on_what_a_run_has_bought_and_give_their_numbers(world: DagsterWorld) -> None:
    """F23."""
    found = examine(world)
    assert found.keys() == KEYS.keys()
    assert {name for name, each in found.items() if not each.passed} == set()
    numbers: dict[str, dict[str, Any]] = {
        name: {key: value.value for key, value in each.metadata.items()} for name, each in found.items()
    }
    ((stored,),) = world.rows("SELECT count(*) FROM deal")
    assert numbers["each_deal_once"] == {"deals": stored, "rows_too_many": 0}
    assert numbers["what_was_listed_is_stored"]["coverage"] == 1.0
    assert 0 < numbers["what_was_listed_is_stored"]["deals_listed"] <= stored
    assert numbers["seen_recently"]["sighting_hours"] == 0.25
    assert numbers["progresses"]["answer_minutes"] == 15
    assert numbers["progresses"]["rows_per_1000_tokens"] > 1000
    assert numbers["ledger_agrees_with_answers"]["tokens_charged"] == world.spent > 0
    assert numbers["ledger_agrees_with_answers"]["runs"] == 2
    assert numbers["within_estimates"]["calls"] == world.spent / 5


def test_checks_spend_nothing_and_only_progress_fails_before_anything_was_bought(make: Make) -> None:
    world = make()
    assert failing(world) == {"progresses"}
    assert world.spent == 0


def spoilt(world: DagsterWorld, statement: str) -> set[str]:
    """Return which checks fail after a statement on the warehouse, or on the ledger; it is undone."""
    warehouse, ledger = world.settings.places.warehouse, Path(world.settings.places.ledger)
    spoils_ledger = "token_settlement" in statement
    path = ledger if spoils_ledger else warehouse
    kept = Path(shutil.copy(path, path.with_suffix(".kept")))
    with closing(sqlite3.connect(path) if spoils_ledger else duckdb.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()
    found = failing(world)
    kept.replace(path)
    return found


def test_each_check_alone_fails_when_what_it_guards_is_spoilt(world: DagsterWorld) -> None:
    for name, statement in SPOILS.items():
        assert spoilt(world, statement) == {name}
    assert failing(world) == set()
    assert SPOILS.keys() | {"seen_recently", "progresses"} == KEYS.keys()


def test_a_feed_that_stands_still_is_noticed(world: DagsterWorld) -> None:
    """F23: two months of green health and no progress."""
    world.pass_time(minutes=15)
    assert failing(world) == set()
    world.pass_time(hours=7)
    assert failing(world) == {"progresses"}
    world.pass_time(minutes=45)
    assert failing(world) == {"progresses", "seen_recently"}


def test_the_ledger_is_compared_over_no_more_days_than_answers_are_kept_for(world: DagsterWorld) -> None:
    """A warehouse that was made again from them knows no others."""
    retention = world.settings.retention.model_copy(update={"landing_days": 1})
    shorter = world.with_settings(replace(world.settings, retention=retention))
    shutil.rmtree(world.settings.places.landing)
    world.settings.places.warehouse.unlink()
    assert failing(shorter) == {"ledger_agrees_with_answers", "progresses"}
    world.pass_time(days=1.1)
    assert failing(world) == {"ledger_agrees_with_answers", "progresses"}
    assert failing(shorter) == {"progresses"}, "of the new warehouse nobody knows that anything was bought"


def test_a_check_says_what_it_is_for_and_its_run_holds_a_lease() -> None:
    """F17: whoever finds the lease of a run free knows that its process is gone."""
    specs = [spec for check in CHECKS for spec in check.check_specs]
    assert all(spec.description and spec.description.endswith(".") for spec in specs)
    assert all("token_bucket" in check.required_resource_keys for check in CHECKS)
