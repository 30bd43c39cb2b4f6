"""A bucket on a virtual clock, for the tests of reservations."""

from deals_pipeline.clock import VirtualClock
from deals_pipeline.keepa.replies import Failure, Page, Retryable, RetryableCause, TokenStatus
from deals_pipeline.keepa.requests import DealPageRequest, ProductRequest, Request
from deals_pipeline.keepa.selection import DealSelection
from deals_pipeline.keepa.tokens import TokenObservation
from deals_pipeline.token_bucket.bucket import observe
from deals_pipeline.token_bucket.ledger import Change
from deals_pipeline.token_bucket.model import Lane, Outcome
from deals_pipeline.token_bucket.reservation import TokenBucket
from deals_pipeline_tests.simulation.ledger import MemoryLedger
from deals_pipeline_tests.token_bucket.bucket_examples import NOW, told

PAGE = DealPageRequest(selection=DealSelection())
OFFERS = ProductRequest(asins=tuple(f"B{number:09d}" for number in range(20)), offers=20)
LOST = Retryable(RetryableCause.TIMED_OUT, "", was_sent=True, tokens=None)
UNSENT = Retryable(RetryableCause.NOT_CONNECTED, "", was_sent=False, tokens=None)


def a_page(tokens: TokenObservation) -> Page:
    return Page(tokens, (), (), (), duplicates=0, is_last=True, is_in_order=True)


class Desk:
    """A bucket on a virtual clock, whose looks are answered from a list, the last answer for ever."""

    def __init__(self, *looks: TokenStatus | Failure, tokens: int | None = 100) -> None:
        self.clock = VirtualClock(NOW)
        self.ledger = MemoryLedger(self.clock.now)
        self.looks = list(looks) or [TokenStatus(told(100))]
        self.looked = 0
        self.bucket = TokenBucket(self.ledger, self.look, self.clock, run_id="run")
        if tokens is not None:
            for _ in range(3):
                self.hear(told(tokens))

    def look(self) -> TokenStatus | Failure:
        self.looked += 1
        return self.looks[min(self.looked, len(self.looks)) - 1]

    def hear(self, tokens: TokenObservation) -> None:
        self.ledger.transact(
            lambda state, now: Change(observe(state, tokens, now, asked_at=now)[0], None),
        )

    def try_page(self, request: Request = PAGE) -> None:
        with self.bucket.reserve(request, lane=Lane.RECENT, purpose="test"):
            pass

    @property
    def outcomes(self) -> list[tuple[Outcome, int | None]]:
        return [(settlement.outcome, settlement.tokens) for settlement in self.ledger.settlements]
