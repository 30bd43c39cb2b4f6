"""For how long there were tokens is told by what was seen of the balance; a deficit is waited for once (F07, F08)."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deals_pipeline.state.funding import FOR_EVER, Funding, funding
from deals_pipeline.token_bucket.model import Amount, BucketState, Flow, Observation, Policy
from deals_pipeline_tests.state.states import NOW, RATE, ago

MINUTE = timedelta(minutes=1)
SEEN = st.lists(st.tuples(st.integers(0, 600), st.integers(-400, 300)), min_size=1, max_size=12)
A_DAY_AGO = ago(days=1)
NOTHING_BELOW_0 = Policy(max_deficit=Amount(0, tokens=0))


def funded(
    *seen: tuple[float, int], since: datetime = A_DAY_AGO, rate: int = RATE, policy: Policy | None = None
) -> Funding:
    """Return the funding by balances that were seen so many minutes ago, where a tick is a minute."""
    flows = [Flow(ago(minutes=minutes), tokens_left, rate, left=0, lost=0) for minutes, tokens_left in seen]
    minutes, tokens_left = seen[-1]
    newest = Observation(NOW, ago(minutes=minutes), tokens_left, timedelta(seconds=30), reduction=0)
    account = BucketState(observation=newest, rates=(rate,) * 5, tick=MINUTE)
    return funding(account, flows, since, policy or Policy(), NOW)


@pytest.mark.parametrize(
    ("seen", "minutes", "waits_minutes"),
    [
        ([(20, 1)], 20, None),
        ([(20, 0)], 19, None),
        ([(20, -49)], 10, None),
        ([(20, -99)], 0, None),
        ([(20, -100)], 0, 1),
        ([(20, 50), (5, -99)], 15, 15),
        ([(20, -19), (18, -100), (10, -100)], 16, None),
        ([(20, -19), (18, 5), (10, -99)], 8, 10),
    ],
    ids=str,
)
def test_it_counts_what_had_tokens_and_what_was_to_have_some(
    seen: list[tuple[float, int]], minutes: int, waits_minutes: int | None
) -> None:
    waits_until = None if waits_minutes is None else NOW + waits_minutes * MINUTE
    assert funded(*seen) == Funding(minutes * MINUTE, waits_until)


def test_only_what_was_seen_since_counts_or_else_the_newest_word() -> None:
    assert funded((40, 50), (20, -24), since=ago(minutes=30)).lasted == 15 * MINUTE
    assert funded((40, 50), since=ago(minutes=30)).lasted == 30 * MINUTE
    assert funding(BucketState(), (), A_DAY_AGO, Policy(), NOW) == Funding(timedelta(0), None)


def test_without_a_refill_a_deficit_does_not_end() -> None:
    """F09."""
    assert funded((20, -5), rate=0) == Funding(timedelta(0), FOR_EVER)
    assert funded((20, 5), rate=0) == Funding(20 * MINUTE, None)


def test_the_price_of_a_page_is_waited_for_where_no_deficit_is_allowed() -> None:
    assert funded((20, 4), policy=NOTHING_BELOW_0).lasted == 19 * MINUTE
    assert funded((20, 5), policy=NOTHING_BELOW_0).lasted == 20 * MINUTE


@given(SEEN)
def test_it_never_exceeds_the_time_since_and_a_wait_lies_ahead(seen: list[tuple[int, int]]) -> None:
    newest_last = sorted(seen, key=lambda each: -each[0])
    found = funded(*newest_last)
    assert timedelta(0) <= found.lasted <= newest_last[0][0] * MINUTE
    assert found.waits_until is None or found.waits_until > NOW
    if all(tokens_left > 0 for _, tokens_left in newest_last):
        assert found == Funding(newest_last[0][0] * MINUTE, None)
