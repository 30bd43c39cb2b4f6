"""When the prices of a product change: its slots, and the listing episode in most of them.

A product's time is cut into slots of its own length. Prices keep their level within a slot, except in the slot's
episode, in which a group of price types drops and the product is listed as a deal; a *flickering* episode drops and
recovers every few hours. Times are Keepa minutes, and even, as nearly all of Keepa's are.
"""

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Final

import numpy as np

from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.simulator.market.kinds import Kinds
from deals_pipeline.simulator.market.noise import Flags, Fractions, Integers, Noise, Stream, fraction

HOUR: Final = 60
DAY: Final = 24 * HOUR
SLOT_DAYS: Final = (9.0, 60.0)
"""The shortest and longest slot; the logarithm of a product's is uniform between them."""
CRAWL_HOURS: Final = ((0.0, 0.55, 0.88, 1.0), (2.2, 3.2, 13.0, 20.2))
"""Quantiles of the hours between two crawls of a listed product; with the jitter no gap reaches 24 h (D6)."""
STEP_HOURS: Final = ((0.0, 0.25, 0.36, 1.0), (2.0, 8.0, 100.0, 5000.0))
"""Quantiles of the hours between two changes of the price within an episode, log-linear between them (D5, D6)."""
FLICKER_SHARE: Final = 0.2
FLICKER_HOURS: Final = (6.0, 10.0)
FLICKER_LOW: Final = 0.6
LISTED_SHARE_MAX: Final = 0.95
DURATION_MAX: Final = 0.97
"""The mean share of its slot that an episode takes at most."""
CRAWLS_PER_PHASE: Final = 1 << 16
"""More than a phase can have; numbers the crawls of a slot's phases."""
NO_GROUP: Final = -1


class Group(IntEnum):
    """The price types that an episode moves together."""

    USED = 0
    NEW = 1
    RANK = 2
    COLLECTIBLE = 3
    REFURBISHED = 4


GROUP_TYPES: Final[dict[Group, tuple[int, ...]]] = {
    Group.USED: (2, 9, 19, 20, 21, 22, 32, 12),
    Group.NEW: (1, 0, 7, 10, 18, 33, 11, 34, 35),
    Group.RANK: (3,),
    Group.COLLECTIBLE: (5, 23, 24, 25, 26, 14),
    Group.REFURBISHED: (6, 27, 13),
}
"""The types of each group: the one that a product must have, the other prices, and their counts of offers."""
GROUP_BOUNDS: Final = (0.74, 0.88, 0.95, 0.985)
"""Cumulative shares of the groups among episodes."""
MAIN_TYPE: Final = np.array([GROUP_TYPES[group][0] for group in Group])
GROUP_OF_TYPE: Final = np.array(
    [next((int(group) for group in Group if kind in GROUP_TYPES[group]), NO_GROUP) for kind in PriceType]
)


@dataclass(frozen=True, eq=False)
class Slots:
    """Slots of products: arrays of the shape that the (index, number) asked for broadcast to."""

    number: Integers
    start: Integers
    end: Integers
    exists: Flags
    """Whether there is an episode, from `rise` to `fall`."""
    group: Integers
    rise: Integers
    fall: Integers
    depth: Fractions
    """A uniform number for the depth of the drop."""
    crawl_every: Integers
    step_every: Integers
    """After how many crawls the price changes."""
    step_offset: Integers
    cycle: Integers
    """Minutes of one flicker, low then high; 0 in an episode that does not flicker."""
    low: Integers
    """Minutes of the low part of a cycle."""

    def expanded(self, axis: int) -> "Slots":
        """Return the slots with a new axis of length 1."""
        return Slots(*(np.expand_dims(getattr(self, part.name), axis) for part in fields(self)))

    def taken(self, positions: Integers | Flags | slice) -> "Slots":
        """Return the slots at some positions of the first axis."""
        return Slots(*(getattr(self, part.name)[positions] for part in fields(self)))

    def low_minutes(self, minute: Integers) -> Integers:
        """Return how long the episode's prices have been low from its rise up to `minute`."""
        since = np.clip(minute, self.rise, self.fall) - self.rise
        whole, rest = np.divmod(since, np.maximum(self.cycle, 1))
        flickering = whole * self.low + np.minimum(rest, self.low)
        return np.where(self.exists, np.where(self.cycle > 0, flickering, since), 0)


class Episodes:
    """The timetable of a market: a pure function of (noise, listed share, product, time)."""

    def __init__(self, noise: Noise, kinds: Kinds, listed_share: float) -> None:
        if not 0 < listed_share <= 1:
            raise ValueError(f"listed_share {listed_share}: allowed is 0 < listed_share <= 1")
        self.listed_share = share = min(listed_share, LISTED_SHARE_MAX)
        self._noise = noise
        self._kinds = kinds
        self._probability = min(1.0, share + 0.3)
        self._duration = min(DURATION_MAX, share / self._probability / (1 - FLICKER_SHARE * (1 - FLICKER_LOW)))

    def pace(self, index: Integers) -> tuple[Integers, Integers]:
        """Return the length of each product's slots, and the minute at which its slot 0 began."""
        word = self._noise.words(Stream.PACE, index)
        shortest, longest = SLOT_DAYS
        length = even(shortest * DAY * (longest / shortest) ** fraction(word))
        return length, even(fraction(word, 1) * length)

    def slot_number(self, index: Integers, minute: Integers) -> Integers:
        """Return the number of the slot that holds `minute`."""
        length, origin = self.pace(index)
        return (minute - origin) // length

    def slots(self, index: Integers, number: Integers) -> Slots:
        """Return slots by their numbers."""
        length, origin = self.pace(index)
        start = origin + number * length
        when = self._noise.words(Stream.EPISODE, index, number)
        how = self._noise.words(Stream.RHYTHM, index, number)
        drawn_group = np.searchsorted(GROUP_BOUNDS, fraction(when, 3), side="right")
        group = np.where(self._kinds.has(index, MAIN_TYPE[drawn_group]), drawn_group, int(Group.USED))
        spread = min(self._duration, 1 - self._duration)
        duration = even(length * (self._duration + spread * (2 * fraction(when, 1) - 1)) * 0.98) + 2
        rise = start + 2 + even((length - duration - 4) * fraction(when, 2))
        style = fraction(how, 3)
        flickers = (style < FLICKER_SHARE) & (group != Group.RANK)
        is_steady = flickers | (group == Group.RANK)
        crawl_every = even(np.interp(fraction(how), *CRAWL_HOURS) * HOUR)
        quantiles, hours = STEP_HOURS
        step_hours = np.exp(np.interp(fraction(how, 1), quantiles, np.log(hours)))
        step_every = np.maximum(1, np.rint(step_hours * HOUR / crawl_every)).astype(np.int64)
        shortest, longest = FLICKER_HOURS
        cycle = np.where(flickers, even((shortest + (longest - shortest) * style / FLICKER_SHARE) * HOUR), 0)
        return Slots(
            number=number,
            start=start,
            end=start + length,
            exists=(fraction(when) < self._probability) & self._kinds.has(index, MAIN_TYPE[group]),
            group=group,
            rise=rise,
            fall=rise + duration,
            depth=fraction(how, 2),
            crawl_every=crawl_every,
            step_every=np.where(is_steady, CRAWLS_PER_PHASE, step_every),
            step_offset=np.where(is_steady, 0, (style * 1000 % 1 * step_every).astype(np.int64)),
            cycle=cycle,
            low=even(cycle * FLICKER_LOW),
        )


def even(minutes: Fractions | Integers) -> Integers:
    """Return minutes rounded down to an even number."""
    whole: Integers = minutes.astype(np.int64) & ~np.int64(1)
    return whole
