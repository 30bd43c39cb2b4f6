"""What a contest is judged by: which deals the market listed, and from when to when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from deals_pipeline.keepa.selection import DealSelection
from deals_pipeline.simulator.market.market import Market

STEP: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Listing:
    """A time without a gap in which a deal was listed: at all samples from `first` to `last`, both included."""

    asin: str
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Truth:
    """What was listed from `start` to `until`, by ASIN, in order, sampled every 5 minutes.

    A deal that goes and comes back is listed anew: these are the new ones of fact D5. What was there at one sample only
    is not among them: nobody could be asked to see it.
    """

    start: datetime
    until: datetime
    listings: Mapping[str, tuple[Listing, ...]]

    def listing_at(self, asin: str, at: datetime) -> Listing | None:
        """Return the listing of a deal at a time, by the samples round it."""
        listings = self.listings.get(asin, ())
        return next((each for each in listings if each.first - STEP < at < each.last + STEP), None)

    def listed_since(self, listing: Listing) -> datetime:
        """Return the last time at which it was not yet listed, or the start: it appeared within 5 minutes of it."""
        return max(self.start, listing.first - STEP)


def observe(market: Market, selection: DealSelection, start: datetime, until: datetime) -> Truth:
    """Return what a selection listed, without the cap of 10 000."""
    begun: dict[int, datetime] = {}
    listings: dict[str, list[Listing]] = {}

    def end(index: int, last: datetime) -> None:
        first, asin = begun.pop(index), market.asin(index)
        if last > first:
            listings.setdefault(asin, []).append(Listing(asin, first, last))

    now = start
    while now <= until:
        listed = set(market.matching(selection, now).tolist())
        for index in begun.keys() - listed:
            end(index, now - STEP)
        begun |= dict.fromkeys(listed - begun.keys(), now)
        now += STEP
    for index in list(begun):
        end(index, now - STEP)
    return Truth(start, until, {asin: tuple(each) for asin, each in listings.items()})
