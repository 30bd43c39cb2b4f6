"""The referee: what a contestant's executed requests were worth, by one rule for all. Pure.

A *deal* is an ASIN that the market listed at two samples in a row, 5 minutes apart; each time without a gap in which it
was listed is a *listing*. Both are *discovered* when a page shows the deal in it first; the freshness of a discovery is
the time since the deal was not yet listed. What began in the last hour is not judged.

A *history* answer is *needed* if the product was ever listed and the answer is its first, or the last one is older than
`history_minutes` and a page has shown since that the deal moved. A *live offers* answer is needed if it is the first,
or the last one is older than `offers_minutes`, or a page has shown another used price since. A page is needed if it
shows a deal in a state that no page had shown. Tokens of all else were spent *on nothing new*; those of a call are
divided equally among its products.

Tokens *for histories* are those of all pages, and of all calls that brought histories: nobody can separate what such a
call paid for offers. Only a call with offers that brought no needed history counts as bought for the offers.

The balance is the account's own, replayed: each tick, each cost. Refill is *lost while work was pending* as far as it
would have paid for the needed histories of listed deals that a page had shown: 1 token for each, once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from typing_extensions import assert_never

from benchmarks.contestants.bound import Find
from benchmarks.contestants.service import Executed, PageRead, ProductsRead, SellersRead
from benchmarks.contestants.truth import STEP, Listing, Truth
from deals_pipeline.keepa.time import from_keepa_minutes, to_unix_ms
from deals_pipeline.simulator.account import Account, AccountConfig, advance, open_account, spend, tick_length_ms

UNJUDGED: Final = timedelta(hours=1)
"""Listings that begin so late are not judged: nobody had the time."""


@dataclass(frozen=True, slots=True)
class Rules:
    """For how long what was bought holds."""

    history: timedelta
    offers: timedelta


@dataclass(slots=True)
class Tokens:
    """What tokens were spent on."""

    pages: int = 0
    products: int = 0
    products_with_offers: int = 0
    sellers: int = 0
    for_histories: int = 0
    on_nothing_new: float = 0.0

    @property
    def in_all(self) -> int:
        """What was spent."""
        return self.pages + self.products + self.products_with_offers + self.sellers


@dataclass(frozen=True, slots=True)
class Balance:
    """What the account went through: tokens, and the time with less than none."""

    refilled: int
    lost: int
    lost_while_pending: int
    lowest: int
    below_zero: timedelta


@dataclass(frozen=True, slots=True)
class Score:
    """What a contestant achieved: counts of deals, listings and needed answers, tokens, account, finds."""

    deals: int
    deals_discovered: int
    listings: int
    listings_discovered: int
    with_history: int
    with_offers: int
    histories_needed: int
    offers_needed: int
    tokens: Tokens
    balance: Balance
    freshness: tuple[timedelta, ...]
    """Of the discovered listings, ascending."""
    finds: tuple[Find, ...]
    """When each discovered listing began and when it was found, those of the last hour too."""


@dataclass(slots=True)
class _Known:
    """What a contestant knows of a product."""

    last_update: datetime
    used_cents: int
    history_at: datetime | None = None
    offers_at: datetime | None = None
    offers_used_cents: int | None = None


@dataclass(slots=True)
class _Referee:
    truth: Truth
    rules: Rules
    known: dict[str, _Known] = field(default_factory=dict)
    found_at: dict[Listing, datetime] = field(default_factory=dict)
    unpaid: set[tuple[str, datetime | None]] = field(default_factory=set)
    with_history: set[str] = field(default_factory=set)
    with_offers: set[str] = field(default_factory=set)
    histories_needed: int = 0
    offers_needed: int = 0
    tokens: Tokens = field(default_factory=Tokens)

    def take(self, executed: Executed) -> None:
        """Judge one executed request."""
        match executed:
            case PageRead():
                self._page(executed)
            case ProductsRead():
                self._products(executed)
            case SellersRead():
                self.tokens.sellers += executed.tokens
            case _ as never:
                assert_never(never)

    def missed(self, lost: int, at: datetime) -> int:
        """Return how many tokens of a lost refill would have paid for a history that was needed then."""
        if not lost:
            return 0
        pending = {
            (asin, known.history_at)
            for asin, known in self.known.items()
            if self._needs_history(asin, at) and self.truth.listing_at(asin, at)
        }
        paid_for = sorted(pending - self.unpaid, key=str)[:lost]
        self.unpaid.update(paid_for)
        return len(paid_for)

    def _page(self, page: PageRead) -> None:
        is_new = False
        for deal in page.deals:
            if listing := self.truth.listing_at(deal.asin, page.at):
                self.found_at.setdefault(listing, page.at)
            last_update = from_keepa_minutes(deal.last_update)
            known = self.known.get(deal.asin)
            if known is None:
                self.known[deal.asin] = _Known(last_update, deal.used_cents)
                is_new = True
            elif last_update > known.last_update:
                known.last_update, known.used_cents = last_update, deal.used_cents
                is_new = True
        self.tokens.pages += page.tokens
        self.tokens.for_histories += page.tokens
        self.tokens.on_nothing_new += 0 if is_new else page.tokens

    def _products(self, read: ProductsRead) -> None:
        histories = {asin for asin in read.histories if self._needs_history(asin, read.at)}
        offers = {asin for asin in read.offers if self._needs_offers(asin, read.at)}
        for asin in read.histories:
            if asin in self.known:
                self.known[asin].history_at = read.at
        for asin in read.offers:
            if (known := self.known.get(asin)) is not None:
                known.offers_at, known.offers_used_cents = read.at, known.used_cents
        self.histories_needed += len(histories)
        self.offers_needed += len(offers)
        self.with_history |= histories
        self.with_offers |= offers
        if read.with_offers:
            self.tokens.products_with_offers += read.tokens
        else:
            self.tokens.products += read.tokens
        if histories or not read.with_offers:
            self.tokens.for_histories += read.tokens
        if read.products:
            self.tokens.on_nothing_new += read.tokens * (1 - len(histories | offers) / read.products)

    def _needs_history(self, asin: str, at: datetime) -> bool:
        known = self.known.get(asin)
        if known is None or asin not in self.truth.listings:
            return False
        if known.history_at is None:
            return True
        return at - known.history_at >= self.rules.history and known.last_update > known.history_at

    def _needs_offers(self, asin: str, at: datetime) -> bool:
        known = self.known.get(asin)
        if known is None or asin not in self.truth.listings:
            return False
        if known.offers_at is None or at - known.offers_at >= self.rules.offers:
            return True
        return known.offers_used_cents != known.used_cents


@dataclass(slots=True)
class _Ledger:
    """The account, replayed."""

    config: AccountConfig
    account: Account
    lowest: int
    below_zero_ms: int = 0

    def pass_time(self, until_ms: int) -> int:
        """Let ticks pass; return what was lost."""
        before = self.account
        self.account = advance(self.config, before, until_ms)
        return self.account.lost - before.lost

    def pay(self, tokens: int, at_ms: int, end_ms: int) -> None:
        """Take the cost of a request; from below zero nothing is spent until ticks have brought the balance back."""
        self.account = spend(self.account, tokens)
        self.lowest = min(self.lowest, self.account.balance)
        if tokens and self.account.balance < 0:
            self.below_zero_ms += min(self._positive_at(), end_ms) - at_ms

    def _positive_at(self) -> int:
        ticks = -(self.account.balance // self.account.refill_rate)
        numbers = range(self.account.tick + 1, self.account.tick + 1 + ticks)
        return self.account.ticked_at + sum(tick_length_ms(self.config.seed, number) for number in numbers)


def judge(truth: Truth, executed: Sequence[Executed], config: AccountConfig, rules: Rules) -> Score:
    """Return what the executed requests, in order of time, were worth."""
    referee = _Referee(truth, rules)
    ledger = _Ledger(config, account := open_account(config), account.balance)
    end_ms = to_unix_ms(truth.until)
    lost_while_pending = 0
    for at, request in _merged(truth, executed):
        at_ms = to_unix_ms(at)
        lost_while_pending += referee.missed(ledger.pass_time(at_ms), at)
        if request is not None:
            ledger.pay(request.tokens, at_ms, end_ms)
            referee.take(request)
    last_judged = truth.until - UNJUDGED
    listings = [each for listings in truth.listings.values() for each in listings if each.first <= last_judged]
    deals = {each.asin for each in listings}
    found = {each: (min(truth.listed_since(each), at), at) for each, at in referee.found_at.items()}
    fresh = sorted(at - since for each, (since, at) in found.items() if each.first <= last_judged)
    return Score(
        deals=len(deals),
        deals_discovered=len(deals & {each.asin for each in found}),
        listings=len(listings),
        listings_discovered=len(fresh),
        with_history=len(referee.with_history),
        with_offers=len(referee.with_offers),
        histories_needed=referee.histories_needed,
        offers_needed=referee.offers_needed,
        tokens=referee.tokens,
        balance=Balance(
            refilled=ledger.account.refilled,
            lost=ledger.account.lost,
            lost_while_pending=lost_while_pending,
            lowest=ledger.lowest,
            below_zero=timedelta(milliseconds=ledger.below_zero_ms),
        ),
        freshness=tuple(fresh),
        finds=tuple(Find(since, at) for since, at in found.values()),
    )


def _merged(truth: Truth, executed: Sequence[Executed]) -> Iterator[tuple[datetime, Executed | None]]:
    """Return the requests up to the end in order of time, and the samples between them."""
    sample = truth.start
    for request in executed:
        while sample <= request.at:
            yield sample, None
            sample += STEP
        if request.at <= truth.until:
            yield request.at, request
    while sample <= truth.until:
        yield sample, None
        sample += STEP
