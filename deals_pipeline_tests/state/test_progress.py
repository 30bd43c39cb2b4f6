"""Progress is judged by what comes, and not by what runs; each way to stop is told in words and numbers (F23)."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from deals_pipeline.state import PipelineState, progress
from deals_pipeline.state.funding import Funding
from deals_pipeline.work import Work
from deals_pipeline_tests.state.states import FULL, HEAD, NOW, a_bucket, a_state, ago, an_hour

MINUTE = timedelta(minutes=1)


def why_stopped(state: PipelineState) -> str:
    found = progress(state)
    assert not found.passed, found.detail
    return found.detail


def hours(**fields: object) -> tuple[object, ...]:
    """Return the last three hours, the two whole ones with these fields."""
    return (an_hour(2, **fields), an_hour(1, **fields), an_hour())


def test_a_pipeline_to_which_answers_come_progresses() -> None:
    found = progress(a_state())
    assert found.passed
    assert found.detail == "the last answer came 5.0 min ago"
    assert found.numbers == {
        "answer_minutes": 5.0,
        "answer_minutes_allowed": 30.0,
        "full_scan_hours": 2.0,
        "full_scan_hours_allowed": 8.0,
        "newest_deal_hours": 0.1,
        "rows_per_1000_tokens": 15_000.0,
        "refill_lost": 0,
        "throttled": 0,
    }


def test_where_nothing_was_ever_bought_it_says_what_to_do() -> None:
    new = a_state(brought_at=None, first_answer_at=None, seen_at=None, full_scan_at=None, newest_deal_at=None)
    assert why_stopped(new) == "nothing was bought yet: `make dev` buys"
    assert "no answer brought anything" in why_stopped(replace(new, first_answer_at=ago(hours=1)))


@pytest.mark.parametrize(("minutes", "passed"), [(30, True), (30.1, False)])
def test_no_answer_in_twice_the_time_between_two_head_scans_is_no_progress(minutes: float, *, passed: bool) -> None:
    state = a_state(brought_at=ago(hours=2), funding=Funding(minutes * MINUTE, None))
    assert progress(state).passed == passed
    if not passed:
        assert why_stopped(state) == "nothing came for 2 h, and for 30 min there were tokens: allowed are 30 min"


def test_the_time_that_is_allowed_follows_from_the_refill() -> None:
    """F04: on a small plan with many selections a head scan is due less often."""
    slow = a_state(brought_at=ago(hours=3), funding=Funding(timedelta(hours=3), None))
    assert progress(replace(slow, head_scan_interval=timedelta(hours=1.5))).passed
    assert not progress(replace(slow, head_scan_interval=timedelta(hours=1.4))).passed


def test_a_deficit_that_is_refilled_is_waited_for_however_long_it_takes() -> None:
    """F07, F08: halted is not stopped."""
    waits = Funding(MINUTE, NOW + MINUTE)
    state = a_state(brought_at=ago(days=2), funding=waits, bucket=a_bucket(-20))
    found = progress(state)
    assert found.passed
    assert found.detail == "it waits for tokens until 2026-03-02 12:31:00 UTC, the balance is -20 tokens"
    assert progress(replace(state, brought_at=None, first_answer_at=None)).passed, "before the first answer too"
    before = replace(waits, lasted=2 * HEAD + MINUTE)
    assert not progress(replace(state, funding=before)).passed, "there were tokens before"


def test_a_deficit_that_nothing_refills_is_no_progress() -> None:
    state = a_state(funding=Funding(MINUTE, NOW + MINUTE), bucket=a_bucket(-20, rate=0))
    assert why_stopped(state) == "no refill is foreseen, the balance is -20 tokens: check the plan behind the key"


def test_answers_that_land_and_are_not_loaded_are_said_to_be() -> None:
    """F31."""
    late = a_state(brought_at=ago(hours=1), funding=Funding(timedelta(hours=1), None))
    state = replace(late, stuck=replace(late.stuck, answers_unloaded=3))
    assert why_stopped(state).endswith("; 3 answers have landed and are not loaded")


def read_last(state: PipelineState, at: datetime | None) -> PipelineState:
    (selection,) = state.selections
    return replace(state, selections=(replace(selection, full_scan_at=at),))


@pytest.mark.parametrize(("hours", "passed"), [(8, True), (8.1, False)])
def test_no_full_scan_in_twice_the_time_that_its_share_of_the_refill_allows_is_no_progress(
    hours: float, *, passed: bool
) -> None:
    """F23, F29: the head is read all the time, and the rest goes stale."""
    state = read_last(a_state(), ago(hours=hours))
    assert progress(state).passed == passed
    if not passed:
        assert why_stopped(state) == "the last full scan of used-books ended 8.1 h ago, allowed are 8 h with tokens"
    never = read_last(a_state(first_answer_at=ago(hours=hours)), None)
    assert progress(never).passed == passed
    assert progress(replace(never, pending={Work.HISTORY: 1})).passed, "a share of 0 is never bought"


def test_hours_without_tokens_do_not_count_for_a_full_scan() -> None:
    """F08: what was halted goes on by itself, and is late by as long as it was."""
    state = read_last(a_state(), ago(hours=14))
    halted = {"spent": {}, "balance": -200, "lowest": -200}
    assert not progress(state).passed
    waited = tuple(an_hour(back, **(halted if 3 <= back <= 9 else {})) for back in range(47, -1, -1))
    assert progress(replace(state, hours=waited)).passed
    off = tuple(replace(hour, balance=None, lowest=None) if not hour.spent else hour for hour in waited)
    assert not progress(replace(state, hours=off)).passed, "nobody knows that there were none"


def test_refill_that_is_lost_while_work_is_pending_is_no_progress() -> None:
    """F04, F23."""
    lost = {"lost": 200, "spent": {"head_scan": 20}}
    state = a_state(hours=hours(**lost))
    assert why_stopped(state) == (
        "in 2 hours the full bucket lost 400 tokens and 40 were spent, while there is work: "
        "40 of history, 2 of offers, 5 of backfill"
    )
    assert progress(replace(state, pending=dict.fromkeys(Work, 0))).passed, "nothing to buy"
    assert progress(a_state(hours=hours(lost=200, spent={"history": 201}))).passed
    assert progress(a_state(hours=(an_hour(2), an_hour(1, **lost), an_hour(0, **lost)))).passed, "just started"
    assert progress(a_state(hours=())).passed


@pytest.mark.parametrize(
    ("throttled", "calls", "passed"), [(3, 3, True), (4, 4, False), (9, 18, True), (10, 19, False)]
)
def test_more_refusals_than_answers_are_no_progress(throttled: int, calls: int, *, passed: bool) -> None:
    """F12, F23: a few are nothing, every second call is."""
    state = a_state(hours=(an_hour(2, throttled=99), an_hour(1, throttled=1), an_hour(0, throttled=throttled - 1)))
    quiet = tuple(replace(hour, calls=calls * (hour.start.hour == NOW.hour)) for hour in state.hours)
    found = progress(replace(state, hours=quiet))
    assert found.passed == passed
    assert found.numbers["throttled"] == throttled
    if not passed:
        assert found.detail == (
            f"{throttled} calls since the last hour began were answered 429, {calls - throttled} otherwise"
        )


def test_all_that_is_wrong_is_said() -> None:
    state = read_last(a_state(brought_at=ago(hours=9), funding=Funding(timedelta(hours=9), None)), ago(hours=9))
    assert why_stopped(state) == (
        "nothing came for 9 h, and for 9 h there were tokens: allowed are 30 min; "
        f"the last full scan of used-books ended 9 h ago, allowed are {2 * FULL / timedelta(hours=1):g} h with tokens"
    )
