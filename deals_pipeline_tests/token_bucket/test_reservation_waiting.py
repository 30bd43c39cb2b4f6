"""Waiting in place: bounded, looked after at every tick, cancellable, one line in the log."""

import logging
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from deals_pipeline.keepa.replies import TokenStatus
from deals_pipeline.token_bucket.ledger import Change
from deals_pipeline.token_bucket.model import Lane
from deals_pipeline.token_bucket.reservation import TokenDeficit
from deals_pipeline.token_bucket.sqlite_ledger import SqliteLedger
from deals_pipeline_tests.token_bucket.bucket_examples import NOW, at, told
from deals_pipeline_tests.token_bucket.reservation_desk import PAGE, Desk


class Sleeper:
    """The desk's clock; `wake` sees each step of a sleep and may change the world."""

    def __init__(self, desk: Desk, wake: Callable[[int], object] = lambda _: None) -> None:
        self.desk, self.wake, self.steps = desk, wake, list[float]()

    def now(self) -> datetime:
        return self.desk.clock.now()

    def sleep(self, seconds: float) -> None:
        self.steps.append(seconds)
        assert len(self.steps) < 5000, "this never ends"
        self.desk.clock.sleep(seconds)
        self.wake(len(self.steps))


def a_waiting_desk(tokens: int, wake: Callable[[int], object] = lambda _: None) -> tuple[Desk, Sleeper]:
    desk = Desk(TokenStatus(told(tokens)), tokens=tokens)
    sleeper = Sleeper(desk, wake)
    desk.bucket._clock = sleeper  # noqa: SLF001 (the one seam between the bucket and its sleep)
    return desk, sleeper


def reserve(desk: Desk, wait_until: datetime, cancel: Event | None = None) -> None:
    with desk.bucket.reserve(PAGE, lane=Lane.RECENT, purpose="test", wait_until=wait_until, cancel=cancel):
        pass


def test_it_waits_until_the_tick_at_which_the_call_can_be_paid_for(caplog: pytest.LogCaptureFixture) -> None:
    """F03, F65: three ticks away; one line says so."""
    caplog.set_level(logging.INFO)
    desk, _ = a_waiting_desk(-12)
    reserve(desk, at(600))
    assert at(30.5 + 2 * 60.3) <= desk.clock.now() < at(30.5 + 2 * 60.3 + 1)
    (line,) = caplog.messages
    assert line == (
        "Waiting for tokens until 2026-03-01 12:10:00 UTC at the latest: "
        "1 tokens are needed, -12 are available; enough at 2026-03-01 12:02:31 UTC"
    )


def test_it_starts_at_the_next_tick_when_another_leaves_more_than_was_foreseen() -> None:
    """F07: a wait is no long sleep on an old estimate."""

    def refill(step: int) -> None:
        if step == 20:
            desk.hear(told(100))

    desk, sleeper = a_waiting_desk(-250, refill)
    reserve(desk, NOW + timedelta(hours=2))
    assert at(20) < desk.clock.now() <= at(61)
    assert len(sleeper.steps) <= 61


@pytest.mark.parametrize("deadline", [0, 29, 30.4])
def test_it_does_not_begin_to_wait_for_what_comes_after_the_deadline(deadline: float) -> None:
    desk, sleeper = a_waiting_desk(0)
    with pytest.raises(TokenDeficit):
        reserve(desk, at(deadline))
    assert sleeper.steps == []


def test_it_gives_up_when_a_deeper_deficit_moves_the_time_past_the_deadline() -> None:
    def spend(step: int) -> None:
        if step == 5:
            desk.hear(told(-200))

    desk, _ = a_waiting_desk(-3, spend)
    with pytest.raises(TokenDeficit) as deficit:
        reserve(desk, at(120))
    assert desk.clock.now() < at(120)
    assert deficit.value.retry_at > at(120)


def test_a_cancellation_is_noticed_within_a_second() -> None:
    cancel = Event()

    def give_up(step: int) -> None:
        if step == 3:
            cancel.set()

    desk, sleeper = a_waiting_desk(-100, give_up)
    with pytest.raises(TokenDeficit):
        reserve(desk, at(9000), cancel)
    assert (len(sleeper.steps), max(sleeper.steps)) == (3, 1.0)


@pytest.mark.parametrize("jump", [-7200, -5, 5, 7200])
def test_a_clock_that_is_set_while_it_waits_neither_wakes_nor_keeps_it_for_longer_than_a_tick(jump: float) -> None:
    """F07: sleeps are lengths of time, not times of day."""

    def set_clock(step: int) -> None:
        if step == 5:
            desk.clock.set(desk.clock.now() + timedelta(seconds=jump))

    desk, sleeper = a_waiting_desk(-2, set_clock)
    desk.looks = [TokenStatus(told(3))]
    reserve(desk, at(9000))
    assert sum(sleeper.steps) < 2 * 60.5 + 31


def test_whoever_waits_keeps_nothing_from_others(tmp_path: Path) -> None:
    """F18: neither tokens nor the ledger."""
    waiting, sleeper = a_waiting_desk(-12)
    ledger, theirs = (
        SqliteLedger(tmp_path / "ledger.sqlite", "0" * 16, clock=waiting.clock, patience_seconds=0.1) for _ in range(2)
    )

    def spend(_: int) -> None:
        assert theirs.read()[0].holds == ()
        theirs.transact(lambda state, _: Change(replace(state, bounds={"theirs": 1}), None))

    sleeper.wake = spend
    waiting.bucket._ledger = ledger  # noqa: SLF001
    with closing(ledger), closing(theirs):
        reserve(waiting, NOW + timedelta(hours=2))
        assert theirs.read()[0].bounds == {"theirs": 1}
    assert sleeper.steps


def test_without_a_deadline_it_does_not_wait() -> None:
    desk, sleeper = a_waiting_desk(0)
    with pytest.raises(TokenDeficit):
        desk.try_page()
    assert sleeper.steps == []
