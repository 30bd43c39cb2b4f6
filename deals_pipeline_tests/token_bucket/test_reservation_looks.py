"""When the bucket asks for the balance, when it does not, and what a look that fails does."""

import pytest

from deals_pipeline.keepa.replies import Failure, Fatal, FatalCause, Retryable, RetryableCause, Throttled, TokenStatus
from deals_pipeline.token_bucket.bucket import LIFE
from deals_pipeline.token_bucket.model import Lane, Outcome
from deals_pipeline.token_bucket.reservation import BalanceUnknown, TokenDeficit
from deals_pipeline_tests.token_bucket.bucket_examples import NOW, told
from deals_pipeline_tests.token_bucket.reservation_desk import LOST, OFFERS, PAGE, UNSENT, Desk


def test_a_new_ledger_asks_until_it_knows_the_rate_and_no_more() -> None:
    """F09."""
    desk = Desk(TokenStatus(told(100, rate=500)), TokenStatus(told(100)), tokens=None)
    desk.try_page()
    assert (desk.looked, desk.bucket.state()[0].refill_rate) == (3, 5)
    desk.try_page()
    assert desk.looked == 3


def test_before_refusing_on_an_old_word_it_looks_once() -> None:
    """F06: 229 below zero by the old word, 60 above by the new one."""
    desk = Desk(TokenStatus(told(60)), tokens=-229)
    desk.clock.sleep(301)
    desk.try_page()
    assert desk.looked == 1


def test_an_old_word_is_good_enough_to_grant_on() -> None:
    """T7: Keepa asks not to be polled needlessly."""
    desk = Desk()
    desk.clock.sleep(4000)
    desk.try_page()
    assert desk.looked == 0


def test_after_a_429_without_a_word_it_looks_before_it_grants() -> None:
    """F12."""
    desk = Desk(TokenStatus(told(-100)))
    with desk.bucket.reserve(PAGE, lane=Lane.RECENT, purpose="test") as hold:
        hold.settle(Throttled(None))
    with pytest.raises(TokenDeficit) as deficit:
        desk.try_page()
    assert (deficit.value.available, desk.looked) == (-100, 1)


@pytest.mark.parametrize("failure", [LOST, UNSENT, Throttled(None)])
def test_a_look_that_fails_is_tried_again_and_then_at_the_next_tick(
    failure: Failure, caplog: pytest.LogCaptureFixture
) -> None:
    """F09, F16: nothing is granted on what is not known, and nobody spins."""
    desk = Desk(failure, tokens=None)
    with pytest.raises(TokenDeficit) as deficit:
        desk.try_page()
    assert deficit.value.retry_at == NOW + desk.bucket.state()[0].tick
    assert desk.looked == 3
    assert f"Keepa did not say the balance: {type(failure).__name__}" in caplog.text


@pytest.mark.parametrize(
    "failure",
    [Throttled(told(100)), Retryable(RetryableCause.SERVER_ERROR, "", was_sent=True, tokens=told(100))],
)
def test_a_look_that_fails_with_a_word_on_the_balance_has_told_it(failure: Failure) -> None:
    desk = Desk(failure, tokens=None)
    desk.try_page()
    assert desk.outcomes == [(Outcome.VOIDED, 0)]


@pytest.mark.parametrize("cause", FatalCause)
def test_a_look_that_keepa_will_always_refuse_ends_the_run(cause: FatalCause) -> None:
    desk = Desk(Fatal(cause, "says Keepa", None), tokens=None)
    with pytest.raises(BalanceUnknown, match=f"{cause.value}: says Keepa"):
        desk.try_page()


def test_an_overdue_hold_is_looked_after_before_it_keeps_anybody_waiting() -> None:
    """F17: what a dead process left blocks nobody for longer than its life."""
    desk = Desk(TokenStatus(told(240)), tokens=250)
    with desk.bucket.reserve(OFFERS, lane=Lane.RECENT, purpose="test") as hold:
        hold.mark_sent()
    with pytest.raises(TokenDeficit):
        desk.try_page(OFFERS)
    desk.clock.sleep(LIFE.total_seconds())
    desk.try_page(OFFERS)
    assert desk.looked == 1
    assert desk.outcomes == [(Outcome.EXPIRED, None), (Outcome.VOIDED, 0)]
