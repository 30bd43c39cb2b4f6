"""Reserve, send, settle: every reply, every way out of the block, every look."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest

from deals_pipeline.keepa.replies import (
    Fatal,
    FatalCause,
    Products,
    Reply,
    Retryable,
    RetryableCause,
    Sellers,
    Throttled,
    TokenStatus,
)
from deals_pipeline.keepa.requests import ProductRequest
from deals_pipeline.token_bucket.bucket import LIFE, HoldNotOpen, RunRevoked
from deals_pipeline.token_bucket.model import Lane, Outcome
from deals_pipeline.token_bucket.reservation import RequestTooLarge, TokenBucket, TokenDeficit
from deals_pipeline_tests.token_bucket.bucket_examples import NOW, told
from deals_pipeline_tests.token_bucket.reservation_desk import LOST, OFFERS, PAGE, UNSENT, Desk, a_page


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    assert desk.looked == 0, "nothing here is a reason to look"


SERVER_ERROR, CORRUPT = RetryableCause.SERVER_ERROR, RetryableCause.CORRUPT
SETTLED, VOIDED = Outcome.SETTLED, Outcome.VOIDED


@pytest.mark.parametrize(
    ("reply", "end", "tokens_left"),
    [
        (a_page(told(95, consumed=5)), (SETTLED, 5), 95),
        (Products(told(95, consumed=5), (), (), (), ()), (SETTLED, 5), 95),
        (Sellers(told(95, consumed=5), (), (), ()), (SETTLED, 5), 95),
        (TokenStatus(told(100)), (SETTLED, 0), 100),
        (a_page(told(100, consumed=0)), (SETTLED, 0), 100),
        (a_page(told(100, consumed=-7)), (SETTLED, 0), 100),
        (a_page(told(91, consumed=9)), (SETTLED, 9), 91),
        (Throttled(told(-3)), (SETTLED, 0), -3),
        (Throttled(None), (SETTLED, 0), 100),
        (UNSENT, (VOIDED, 0), 100),
        (LOST, None, 100),
        (Retryable(CORRUPT, "", was_sent=True, tokens=None), None, 100),
        (Retryable(SERVER_ERROR, "", was_sent=True, tokens=told(95, consumed=5)), (SETTLED, 5), 95),
        (Retryable(SERVER_ERROR, "", was_sent=True, tokens=told(100)), (SETTLED, 0), 100),
        (Fatal(FatalCause.REJECTED, "", tokens=told(100)), (SETTLED, 0), 100),
        (Fatal(FatalCause.NOT_FOUND, "", tokens=None), None, 100),
    ],
)
def test_every_reply_ends_its_hold_as_it_tells_or_leaves_it_open_if_it_does_not(
    desk: Desk, reply: Reply, end: tuple[Outcome, int] | None, tokens_left: int
) -> None:
    """F12, F13, F14."""
    with desk.bucket.reserve(PAGE, lane=Lane.RECENT, purpose="test") as hold:
        hold.mark_sent()
        hold.settle(reply)
    state, _ = desk.bucket.state()
    assert desk.outcomes == ([] if end is None else [end])
    assert state.held == (5 if end is None else 0)
    assert state.observation is not None
    assert state.observation.tokens_left == tokens_left
    assert state.observation.is_doubted is (reply == Throttled(None))
    assert desk.ledger.record(NOW).throttled == isinstance(reply, Throttled)


def test_leaving_the_block_before_sending_voids_the_hold(desk: Desk) -> None:
    desk.try_page()
    assert desk.outcomes == [(VOIDED, 0)]
    with suppress(KeyError), desk.bucket.reserve(PAGE, lane=Lane.RECENT, purpose="test"):
        raise KeyError
    assert desk.outcomes == [(VOIDED, 0)] * 2


@pytest.mark.parametrize("reply", [None, LOST])
def test_leaving_the_block_after_sending_does_not_refund(desk: Desk, reply: Reply | None) -> None:
    """F13: the hold stays until an answer from after its life shows what the call cost."""
    with suppress(KeyError), desk.bucket.reserve(PAGE, lane=Lane.RECENT, purpose="test") as hold:
        hold.mark_sent()
        if reply:
            hold.settle(reply)
        raise KeyError
    assert (desk.outcomes, desk.bucket.state()[0].held) == ([], 5)
    desk.clock.sleep(LIFE.total_seconds())
    assert desk.bucket.state()[0].held == 5
    desk.hear(told(95))
    assert desk.bucket.state()[0].held == 0


def test_a_hold_is_sent_once_and_settled_once(desk: Desk) -> None:
    """F11, F13."""
    answer = Throttled(told(0))
    with desk.bucket.reserve(PAGE, lane=Lane.RECENT, purpose="test") as hold:
        hold.mark_sent()
        with pytest.raises(HoldNotOpen):
            hold.mark_sent()
        hold.settle(answer)
        with pytest.raises(HoldNotOpen):
            hold.settle(answer)
        with pytest.raises(HoldNotOpen):
            hold.mark_sent()
    assert desk.outcomes == [(SETTLED, 0)]
    assert desk.ledger.record(NOW).throttled == 1


def test_an_answer_that_comes_after_its_holds_life_is_still_taken_in() -> None:
    desk = Desk()
    with desk.bucket.reserve(PAGE, lane=Lane.RECENT, purpose="test") as hold:
        hold.mark_sent()
        desk.clock.sleep(LIFE.total_seconds())
        desk.bucket.look()
        hold.settle(a_page(told(42, server=200, consumed=5)))
    state, _ = desk.bucket.state()
    assert state.observation is not None
    assert (state.observation.tokens_left, state.held) == (42, 0)


def test_an_overshoot_is_reported_and_raises_the_bound(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """F01."""
    with desk.bucket.reserve(PAGE, lane=Lane.RECENT, purpose="test") as hold:
        hold.settle(a_page(told(93, consumed=7)))
    assert "deal page cost 7, held were 5" in caplog.text
    with desk.bucket.reserve(PAGE, lane=Lane.RECENT, purpose="test"):
        assert desk.bucket.state()[0].held == 7


def test_what_cannot_be_paid_for_is_refused_with_the_numbers_and_the_time() -> None:
    """F07."""
    desk = Desk(tokens=-3)
    with pytest.raises(TokenDeficit, match=r"1 tokens are needed, -3 are available; enough at 2026-03-01 12:00:30 UTC"):
        desk.try_page()
    assert (desk.ledger.settlements, desk.looked) == ([], 0)


def test_what_a_full_bucket_cannot_pay_for_is_refused_for_good() -> None:
    """F02."""
    request = ProductRequest(asins=OFFERS.asins, offers=40)
    with pytest.raises(RequestTooLarge, match="product offers=40 of 20 can cost 480 tokens: allowed is at most 300"):
        Desk().try_page(request)


def test_a_revoked_run_reserves_nothing(desk: Desk) -> None:
    desk.ledger.revoke("run")
    with pytest.raises(RunRevoked):
        desk.try_page()


def test_making_a_bucket_does_no_io() -> None:
    """F19."""
    TokenBucket(None, None, None, run_id="run")  # type: ignore[arg-type]


def test_nothing_is_logged_about_a_call_that_goes_well(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """F65."""
    caplog.set_level(logging.DEBUG)
    with desk.bucket.reserve(PAGE, lane=Lane.RECENT, purpose="test") as hold:
        desk.clock.sleep(timedelta(seconds=2).total_seconds())
        hold.settle(a_page(told(95, consumed=5)))
    assert caplog.text == ""
