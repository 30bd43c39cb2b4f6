"""What the policies of other contestants stand on: a clock that ends, and calls as short as they need them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import msgspec

from benchmarks.contestants.service import Service
from deals_pipeline.clock import VirtualClock
from deals_pipeline.keepa.requests import DEALS_PER_PAGE, PAGES_MAX
from deals_pipeline.keepa.selection import DealSelection, SortType
from deals_pipeline.simulator.server import Call

OK: Final = 200
MINUTE: Final = 60.0
HISTORY_DAYS: Final = 1095
OFFERS: Final = 20


class Over(Exception):
    """The time of the contest is over."""


class ContestClock(VirtualClock):
    """A virtual clock that stands still at `until`, and says so to whoever sleeps on it: raises `Over`."""

    def __init__(self, start: datetime, until: datetime) -> None:
        super().__init__(start)
        self.until = until

    def sleep(self, seconds: float) -> None:
        """Move the clock forward, to its end at most."""
        if self.now() + timedelta(seconds=seconds) >= self.until:
            self.set(self.until)
            raise Over
        super().sleep(seconds)


class Deal(msgspec.Struct, frozen=True, rename="camel"):
    """What these contestants read of a deal: `last_update` is in Keepa minutes."""

    asin: str
    last_update: int


class _Deals(msgspec.Struct):
    dr: tuple[Deal, ...]


class _Answer(msgspec.Struct, rename="camel"):
    tokens_left: int
    refill_rate: int
    deals: _Deals | None = None


@dataclass
class Caller:
    """Calls to a service in the order of percent deltas; the balance is what the last answer said."""

    service: Service
    clock: ContestClock
    selection: DealSelection
    balance: int = 0
    refill_rate: int = 0

    def look(self) -> int:
        """Ask for the balance, which is free."""
        self._send(Call("GET", "/token", {"key": "any"}, accepts_gzip=False))
        return self.balance

    def page(self, number: int) -> tuple[Deal, ...]:
        """Return a page of deals."""
        selection = self.selection.model_copy(update={"sort_type": SortType.PERCENT_DELTA})
        body = msgspec.json.encode({**selection.wire(), "page": number})
        answer = self._send(Call("POST", "/deal", {"key": "any"}, body, accepts_gzip=False))
        return answer.deals.dr if answer and answer.deals else ()

    def products(self, asins: Sequence[str], *, history: bool = True) -> None:
        """Ask for products with their live offers, and with three years of history unless told otherwise."""
        query = {"key": "any", "domain": str(int(self.selection.domain)), "asin": ",".join(asins)}
        query |= {"offers": str(OFFERS), "history": str(int(history)), "days": str(HISTORY_DAYS), "stats": "365"}
        self._send(Call("GET", "/product", query, accepts_gzip=False))

    def wait_for(self, tokens: int) -> None:
        """Wait until there are so many tokens, looking each minute."""
        while self.look() < tokens:
            self.clock.sleep(MINUTE)

    def newer_than(self, watermark: int, wait: Callable[[], None]) -> Iterator[Deal]:
        """Return the deals newer than a watermark, of all pages up to the first that shows an older one."""
        for number in range(PAGES_MAX):
            wait()
            deals = self.page(number)
            yield from (deal for deal in deals if deal.last_update > watermark)
            if len(deals) < DEALS_PER_PAGE or any(deal.last_update <= watermark for deal in deals):
                return

    def _send(self, call: Call) -> _Answer | None:
        delivery = self.service.deliver(call, self.clock.now())
        answer = msgspec.json.decode(delivery.body, type=_Answer)
        self.balance, self.refill_rate = answer.tokens_left, answer.refill_rate
        return answer if delivery.status == OK else None


Policy: TypeAlias = Callable[[Caller], None]
"""What a contestant does until `Over` is raised."""


def batches(deals: Sequence[Deal], size: int) -> Iterator[list[Deal]]:
    """Return the deals in batches, each product once."""
    once = list({deal.asin: deal for deal in deals}.values())
    for start in range(0, len(once), size):
        yield once[start : start + size]


def newest(deals: Sequence[Deal], watermark: int) -> int:
    """Return the watermark after a complete run."""
    return max((deal.last_update for deal in deals), default=watermark)
