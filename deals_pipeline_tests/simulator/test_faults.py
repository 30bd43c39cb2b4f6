"""Each fault as our client sees it, and that faults are reproducible."""

from datetime import timedelta
from itertools import pairwise

import pytest
from pydantic import SecretStr

from deals_pipeline.keepa.client import KeepaClient
from deals_pipeline.keepa.replies import Fatal, Page, Products, Retryable, RetryableCause, Throttled
from deals_pipeline.keepa.requests import DealPageRequest, ProductRequest
from deals_pipeline.keepa.selection import DealSelection, SortType
from deals_pipeline.simulator.faults import STANDING, Fault, Faults
from deals_pipeline_tests.simulator.services import START, Service, UncheckedHold, make_service

PAGE = DealPageRequest(selection=DealSelection(sort_type=SortType.AGE))
ALWAYS = 1.0
UNANSWERED = {
    Fault.CONNECTION_REFUSED: RetryableCause.NOT_CONNECTED,
    Fault.CONNECTION_RESET: RetryableCause.CONNECTION_LOST,
    Fault.LOST_ANSWER: RetryableCause.TIMED_OUT,
    Fault.TRUNCATED_BODY: RetryableCause.CORRUPT,
    Fault.EMPTY_BODY: RetryableCause.EMPTY,
    Fault.HTML_BODY: RetryableCause.NOT_JSON,
    Fault.SERVER_ERROR: RetryableCause.SERVER_ERROR,
    Fault.BAD_GATEWAY: RetryableCause.SERVER_ERROR,
}


def faulty(*kinds: Fault, seed: int = 1, share: float = ALWAYS) -> Service:
    return make_service(faults=Faults(seed, frozenset(kinds), share))


@pytest.mark.parametrize(("fault", "cause"), UNANSWERED.items(), ids=lambda value: value.name)
def test_a_call_that_a_fault_strikes_is_retryable_for_the_reason_that_the_fault_is(
    fault: Fault, cause: RetryableCause
) -> None:
    reply = faulty(fault).page(PAGE)
    assert isinstance(reply, Retryable)
    assert reply.cause is cause
    assert reply.was_sent == (fault is not Fault.CONNECTION_REFUSED)


@pytest.mark.parametrize(
    ("fault", "charged"),
    [
        (Fault.CONNECTION_REFUSED, {0}),
        (Fault.PROXY_THROTTLED, {0}),
        (Fault.CONNECTION_RESET, {5}),
        (Fault.LOST_ANSWER, {5}),
        (Fault.TRUNCATED_BODY, {5}),
        (Fault.EMPTY_BODY, {5}),
        (Fault.HTML_BODY, {5}),
        (Fault.SERVER_ERROR, {0, 5}),
        (Fault.BAD_GATEWAY, {0, 5}),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else str(value),
)
def test_a_fault_charges_whether_or_not_the_answer_arrives(fault: Fault, charged: set[int]) -> None:
    service = faulty(fault)
    seen = set()
    for _ in range(12):
        before = service.spent()
        service.page(PAGE)
        seen.add(service.spent() - before)
        service.pass_time(minutes=10)
    assert seen == charged


def test_a_proxys_429_tells_nothing_of_the_balance() -> None:
    reply = faulty(Fault.PROXY_THROTTLED).page(PAGE)
    assert reply == Throttled(None)


def test_a_lost_answer_takes_the_whole_read_time_out() -> None:
    service = faulty(Fault.LOST_ANSWER)
    service.page(PAGE)
    assert service.clock.now() - START == timedelta(seconds=90)


def test_duplicates_are_removed_and_counted() -> None:
    reply = faulty(Fault.DUPLICATES).page(PAGE)
    assert isinstance(reply, Page)
    assert reply.duplicates >= 1
    assert len({deal.asin for deal in reply.deals}) == len(reply.deals)


@pytest.mark.parametrize("seed", range(5))
def test_dirty_items_are_quarantined_and_the_rest_is_kept(seed: int) -> None:
    reply = faulty(Fault.DIRTY_ITEMS, seed=seed).page(PAGE)
    assert isinstance(reply, Page)
    assert 1 <= len(reply.quarantined) <= 3
    assert len(reply.deals) == 150 - len(reply.quarantined)
    assert not reply.is_last


def test_a_rate_glitch_leaves_the_payload_whole() -> None:
    service = faulty(Fault.RATE_GLITCH)
    rates = []
    for _ in range(8):
        reply = service.page(PAGE)
        assert isinstance(reply, Page)
        rates.append(reply.tokens.refill_rate)
    assert set(rates) - {1_000}


def test_a_skewed_clock_stays_within_two_minutes_and_jumps_backward_too() -> None:
    faults = Faults(4, frozenset({Fault.CLOCK_SKEW}))
    skews = [faults.skew_ms(START + timedelta(hours=hour)) for hour in range(48)]
    assert max(map(abs, skews)) <= 120_000
    assert any(later < earlier - 10_000 for earlier, later in pairwise(skews))


def test_latency_passes_on_the_virtual_clock() -> None:
    service = faulty(Fault.LATENCY)
    page = service.page(PAGE)
    assert isinstance(page, Page)
    assert timedelta(milliseconds=300) <= service.clock.now() - START <= timedelta(milliseconds=1_400)
    before = service.clock.now()
    request = ProductRequest(asins=tuple(deal.asin for deal in page.deals[:3]), offers=20)
    assert isinstance(service.products(request), Products)
    assert timedelta(seconds=12) <= service.clock.now() - before <= timedelta(seconds=63)


def test_an_answer_slower_than_the_read_time_out_is_a_time_out() -> None:
    impatient = faulty(Fault.LATENCY)
    client = KeepaClient(SecretStr("any"), session=impatient.session, read_seconds_max=0.1)
    reply = client.send(PAGE, UncheckedHold(PAGE))
    assert isinstance(reply, Retryable)
    assert reply.cause is RetryableCause.TIMED_OUT
    assert impatient.balance() == 60_000 - 5


def test_a_feed_sorted_by_another_key_is_noticed() -> None:
    reply = faulty(Fault.SORTS_BY_ANOTHER_KEY).page(PAGE)
    assert isinstance(reply, Page)
    assert not reply.is_in_order
    honest = make_service().page(PAGE)
    assert isinstance(honest, Page)
    assert honest.is_in_order


def test_an_ignored_filter_is_noticed() -> None:
    selection = DealSelection(
        current_range=(500, 1_500),
        delta_percent_range=(40, 90),
        sales_rank_range=(1, 900_000),
        include_categories=(283155,),
        exclude_categories=(1,),
        must_not_have_amazon_offer=True,
    )
    request = DealPageRequest(selection=selection)
    noticed = {
        breach.split()[0]
        for seed in range(30)
        if isinstance(reply := faulty(Fault.IGNORES_A_PARAMETER, seed=seed).page(request), Page)
        for breach in reply.breaches
    }
    assert {"currentRange", "deltaPercentRange", "salesRankRange", "includeCategories"} <= noticed
    honest = make_service().page(request)
    assert isinstance(honest, Page)
    assert honest.deals
    assert not honest.breaches


def test_a_wrong_key_is_fatal_and_named_without_the_key() -> None:
    service = make_service()
    service.server.keys = frozenset({"another"})
    reply = service.page(PAGE)
    assert isinstance(reply, Fatal)
    assert "key" in reply.detail


def test_faults_are_the_same_for_the_same_seed_and_differ_between_seeds() -> None:
    def strikes(seed: int) -> list[Fault | None]:
        faults = Faults(seed, frozenset(Fault), share=0.3)
        return [faults.strike(number) for number in range(200)]

    assert strikes(7) == strikes(7)
    assert strikes(7) != strikes(8)
    assert not STANDING & set(strikes(7))
    assert {kind for seed in range(20) for kind in Faults.of_seed(seed).kinds} == set(Fault)


def test_foreign_spend_comes_a_few_times_a_day() -> None:
    faults = Faults(3, frozenset({Fault.FOREIGN_SPEND}))
    spends = faults.foreign_spend(START, START + timedelta(days=10), refill_rate=5)
    assert 30 <= len(spends) <= 90
    assert all(1 <= spend.tokens <= 300 for spend in spends)
    assert list(spends) == sorted(spends, key=lambda spend: spend.at)
    assert Faults(3).foreign_spend(START, START + timedelta(days=10), refill_rate=5) == ()
