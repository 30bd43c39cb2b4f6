"""The asset `deal_metrics`: computed from what is stored, for all deals, at no tokens."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from deals_pipeline_tests.dagster_world import DagsterWorld

Make = Callable[..., DagsterWorld]

BOUGHT = 40


def compute(world: DagsterWorld) -> dict[str, Any]:
    return world.metadata(world.execute("history_job", assets=["deal_metrics"]), "deal_metrics")


@pytest.fixture
def world(make: Make) -> DagsterWorld:
    """A world in which a feed was read and some histories were bought."""
    world = make()
    config = {"ops": {"price_history": {"config": {"tokens_max": BOUGHT}}}}
    world.execute("refresh_job", config, assets=["recent_deals", "price_history"])
    return world


def test_it_has_a_row_for_each_deal_and_says_what_each_stage_made_of_them(world: DagsterWorld) -> None:
    """F40: which share of what was paid for was worth it."""
    balance = world.balance
    told = compute(world)
    assert world.balance == balance
    ((deals,),) = world.rows("SELECT count(*) FROM deal")
    assert told["dagster/row_count"] == told["page_asked"] == deals
    assert told["sales_inferred_anew"] == told["history_asked"] == BOUGHT
    assert told["page_conversion"] == round(told["page_passed"] / deals, 4)
    assert told["offers_asked"] == 0
    assert "offers_conversion" not in told
    ((survivors,),) = world.rows(
        "SELECT count(*) FROM deal_metrics WHERE screened = 'survives' AND screened_stage = 'history'"
    )
    assert told["history_passed"] == survivors
    assert told["balance_after"] == balance


def test_a_change_of_the_settings_is_computed_from_what_is_stored_at_no_tokens(world: DagsterWorld) -> None:
    compute(world)
    before = dict(world.rows("SELECT asin, profit FROM deal_metrics WHERE profit IS NOT NULL"))
    (us,) = world.settings.marketplaces
    marketplaces = (us.model_copy(update={"prep_fee": us.prep_fee + 100}),)
    dearer = world.with_settings(replace(world.settings, marketplaces=marketplaces))
    balance = world.balance
    assert compute(dearer)["sales_inferred_anew"] == 0
    after = dict(world.rows("SELECT asin, profit FROM deal_metrics WHERE profit IS NOT NULL"))
    assert len(before) == BOUGHT
    assert after == {asin: profit - 100 for asin, profit in before.items()}
    assert world.balance == balance


def test_live_offers_are_bought_of_what_the_same_run_found_out(make: Make) -> None:
    """F40: the main job needs no second run for what its own histories show."""
    world = make()
    config = {"ops": {"price_history": {"config": {"tokens_max": BOUGHT}}}}
    told = world.metadata(
        world.execute("refresh_job", config, assets=["recent_deals", "price_history", "live_offers"]), "live_offers"
    )
    assert told["survivors"] > 0
    assert told["rows_new"] + told["rows_updated"] > 0
    ((verified,),) = world.rows("SELECT count(*) FROM deal_metrics WHERE price_source = 'offer'")
    assert verified == 0, "what was bought is computed by the next asset"
    compute(world)
    ((verified,),) = world.rows("SELECT count(*) FROM deal_metrics WHERE price_source = 'offer'")
    assert verified > 0


def test_what_the_tokens_cannot_keep_fresh_is_told(world: DagsterWorld) -> None:
    """F37."""
    told = compute(world)
    tracked = told["kept_fresh"] + told["refreshed_less_often"] + told["not_kept_fresh"]
    assert 0 < tracked <= BOUGHT
    assert told["refreshes_wanted_per_day"] == tracked
