"""When Keepa crawls a product, and what it last saw at any minute.

The phases of a slot (before its episode, the highs and lows of the episode, after it) each begin with a crawl, and
go on with evenly spaced, jittered ones. So every change of a price coincides with a crawl, what Keepa shows changes
at crawls only, and all values of a crawl carry its minute (P6, D7).
"""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from deals_pipeline.simulator.market.episodes import CRAWLS_PER_PHASE, DAY, NO_GROUP, Episodes, Slots, even
from deals_pipeline.simulator.market.noise import Flags, Fractions, Integers, Noise, Stream, fraction

IDLE_CRAWL_DAYS: Final = (1.0, 1.7)
CRAWL_JITTER: Final = 0.15
"""How late a crawl may be, as a share of its interval."""
STEP_RISE: Final = 0.10
"""How much a price rises at most over the first of its episode."""
FIRST_PHASE, LAST_PHASE, EPISODE_PHASE = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Phases:
    """Stretches of time with evenly spaced, jittered crawls, the first of them at `start`."""

    code: Integers
    start: Integers
    end: Integers
    crawl_every: Integers
    is_episode: Flags
    is_low: Flags
    """Whether the episode's group is at its low price."""

    def taken(self, positions: Integers | Flags | slice) -> "Phases":
        """Return the phases at some positions."""
        return Phases(*(getattr(self, part.name)[positions] for part in fields(self)))


@dataclass(frozen=True, eq=False)
class Moments:
    """What Keepa last saw of products at some minutes; all arrays have one shape."""

    index: Integers
    slots: Slots
    phases: Phases
    crawl_number: Integers
    crawl: Integers
    """The minute of the last crawl."""
    step: Integers
    """How often the price has changed since the episode began."""

    @property
    def group(self) -> Integers:
        """The group that is at its low price, or `NO_GROUP`."""
        return np.where(self.phases.is_low, self.slots.group, NO_GROUP)

    def taken(self, positions: Integers | Flags | slice) -> "Moments":
        """Return the moments at some positions."""
        return Moments(
            self.index[positions],
            self.slots.taken(positions),
            self.phases.taken(positions),
            self.crawl_number[positions],
            self.crawl[positions],
            self.step[positions],
        )


class Crawls:
    """Keepa's crawls in a market: a pure function of (noise, episodes, product, time)."""

    def __init__(self, noise: Noise, episodes: Episodes) -> None:
        self._noise = noise
        self._episodes = episodes

    def phases(self, index: Integers, slots: Slots, minute: Integers) -> Phases:
        """Return the phases that hold `minute`, which lies in `slots`."""
        idle_shortest, idle_longest = IDLE_CRAWL_DAYS
        idle_word = self._noise.words(Stream.PACE, index, np.ones(1, dtype=np.int64))
        idle = even((idle_shortest + (idle_longest - idle_shortest) * fraction(idle_word)) * DAY)
        before = ~slots.exists | (minute < slots.rise)
        after = slots.exists & (minute >= slots.fall)
        is_episode = ~(before | after)
        whole, rest = np.divmod(minute - slots.rise, np.where(slots.cycle > 0, slots.cycle, slots.end))
        recovered = is_episode & (slots.cycle > 0) & (rest >= slots.low)
        low_start = slots.rise + whole * slots.cycle
        high_start = low_start + slots.low
        start = np.where(
            is_episode,
            np.where(recovered, high_start, low_start),
            np.where(after, slots.fall, slots.start),
        )
        end = np.where(
            is_episode,
            np.minimum(
                slots.fall,
                np.where(slots.cycle > 0, np.where(recovered, low_start + slots.cycle, high_start), slots.fall),
            ),
            np.where(after | ~slots.exists, slots.end, slots.rise),
        )
        code = np.where(is_episode, EPISODE_PHASE + 2 * whole + recovered, np.where(after, LAST_PHASE, FIRST_PHASE))
        return Phases(
            code=code,
            start=start,
            end=end,
            crawl_every=np.where(is_episode, slots.crawl_every, idle),
            is_episode=is_episode,
            is_low=is_episode & ~recovered,
        )

    def crawl_minutes(self, index: Integers, slots: Slots, phases: Phases, number: Integers) -> Integers:
        """Return the minutes of crawls by their number within a phase."""
        word = self._noise.words(Stream.CRAWL, index, slots.number, phases.code * CRAWLS_PER_PHASE + number)
        late = np.where(number > 0, even(fraction(word) * phases.crawl_every * CRAWL_JITTER), 0)
        return phases.start + number * phases.crawl_every + late

    def at(self, index: Integers, minute: Integers) -> Moments:
        """Return what Keepa last saw of each product up to `minute`, both of one shape."""
        slots = self._episodes.slots(index, self._episodes.slot_number(index, minute))
        return self.within(index, slots, self.phases(index, slots, minute), minute)

    def within(self, index: Integers, slots: Slots, phases: Phases, minute: Integers) -> Moments:
        """Return what Keepa last saw up to `minute`, which lies in `phases`."""
        number = (minute - phases.start) // phases.crawl_every
        crawl = self.crawl_minutes(index, slots, phases, number)
        is_ahead = crawl > minute
        if is_ahead.any():
            number = number - is_ahead
            crawl = self.crawl_minutes(index, slots, phases, number)
        return Moments(index, slots, phases, number, crawl, _step(slots, phases, number))

    def all_of(self, index: Integers, first: int, last: int) -> tuple[Moments, Slots]:
        """Return all crawls of one product, `index` of length 1, from the last at or before `first` up to `last`.

        The slots are those that the crawls lie in, in the order of their numbers, without a gap.
        """
        begin, end = self._episodes.slot_number(index, np.array([first, last])).tolist()
        all_slots = self._episodes.slots(index, np.arange(begin, end + 1))
        starts = _phase_starts(all_slots)
        starts = starts[starts <= last]
        slots = all_slots.taken(np.searchsorted(all_slots.start, starts, side="right") - 1)
        phases = self.phases(index, slots, starts)
        counts = -((phases.start - phases.end) // phases.crawl_every)
        phase = np.repeat(np.arange(len(starts)), counts)
        number = np.arange(len(phase)) - np.repeat(np.cumsum(counts) - counts, counts)
        slots, phases = slots.taken(phase), phases.taken(phase)
        crawl = self.crawl_minutes(index, slots, phases, number)
        is_real = np.flatnonzero((crawl < phases.end) & (crawl <= last))
        before = int(np.searchsorted(crawl[is_real], first, side="right")) - 1
        moments = Moments(
            np.broadcast_to(index, crawl.shape), slots, phases, number, crawl, _step(slots, phases, number)
        )
        return moments.taken(is_real[max(0, before) :]), all_slots

    def changed(self, moments: Moments) -> Integers:
        """Return the crawl at which the episode's group took its present price: the deal's creation (D6)."""
        first = np.maximum(0, moments.step * moments.slots.step_every - moments.slots.step_offset)
        return self.crawl_minutes(moments.index, moments.slots, moments.phases, first)

    def step_factor(self, moments: Moments) -> Fractions:
        """Return by how much the low price stands above the first of its episode."""
        word = self._noise.words(Stream.STEP, moments.index, moments.slots.number, moments.step)
        return np.where(moments.step > 0, 1 + STEP_RISE * fraction(word), 1.0)

    def next_crawl(self, index: Integers, minute: Integers) -> Integers:
        """Return the first crawl at or after `minute`."""
        return self.next_crawl_after(self.at(index, minute - 1))

    def next_crawl_after(self, moments: Moments) -> Integers:
        """Return the crawls that follow those of `moments`."""
        number = moments.crawl_number + 1
        following = self.crawl_minutes(moments.index, moments.slots, moments.phases, number)
        return np.minimum(following, moments.phases.end)


def _step(slots: Slots, phases: Phases, crawl_number: Integers) -> Integers:
    """Return how often the price has changed by a crawl of an episode."""
    return np.where(phases.is_low, (crawl_number + slots.step_offset) // slots.step_every, 0)


def _phase_starts(slots: Slots) -> Integers:
    """Return the minutes, in order, at which the phases of consecutive slots of one product start."""
    rise, fall = slots.rise[slots.exists], slots.fall[slots.exists]
    flickers = slots.taken(slots.exists & (slots.cycle > 0))
    cycles = -((flickers.rise - flickers.fall) // np.maximum(flickers.cycle, 1))
    which = np.repeat(np.arange(len(cycles)), cycles)
    number = np.arange(len(which)) - np.repeat(np.cumsum(cycles) - cycles, cycles)
    low = flickers.rise[which] + number * flickers.cycle[which]
    high = low + flickers.low[which]
    inner = np.concatenate((low, high[high < flickers.fall[which]]))
    return np.unique(np.concatenate((slots.start, rise, fall, inner)))
