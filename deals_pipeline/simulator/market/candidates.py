"""The products that are deals at a minute, measured for one price type and date range.

Little changes from a minute to the next, so the last answers are kept, and only what was crawled since is measured.
"""

from collections import OrderedDict
from dataclasses import dataclass, fields
from threading import Lock
from typing import Final

import numpy as np

from deals_pipeline.simulator.market.averages import averages
from deals_pipeline.simulator.market.crawls import Phases
from deals_pipeline.simulator.market.deals import WINDOWS, Deals, delta, delta_percent
from deals_pipeline.simulator.market.episodes import DAY, GROUP_OF_TYPE, Slots
from deals_pipeline.simulator.market.kinds import ALL_TYPES
from deals_pipeline.simulator.market.noise import Flags, Integers
from deals_pipeline.simulator.market.prices import Prices, TypeSet

CHUNK: Final = 1 << 14
"""Products handled at a time, so that the arrays stay in the processor's cache."""
VIEWS_CACHED: Final = 6
ONLY: Final = [TypeSet(np.array([kind])) for kind in ALL_TYPES]


@dataclass(frozen=True, eq=False)
class Rows:
    """Candidates for a selection, by ascending index: arrays of one length, values as their deals show them."""

    index: Integers
    crawl: Integers
    current: Integers
    delta: Integers
    percent: Integers
    created: Integers

    def where(self, keep: Flags) -> "Rows":
        """Return the rows for which `keep` holds."""
        return Rows(*(getattr(self, part.name)[keep] for part in fields(self)))

    @classmethod
    def joined(cls, parts: "list[Rows]") -> "Rows":
        """Return the rows of all parts."""
        empty = np.empty(0, dtype=np.int64)
        return cls(*(np.concatenate([empty, *(getattr(part, name.name) for part in parts)]) for name in fields(cls)))


@dataclass(frozen=True, eq=False)
class _Listed:
    """The products whose episode is low at a minute."""

    minute: int
    index: Integers
    group: Integers
    crawl: Integers


class Candidates:
    """Finds and measures the deals of a market; safe to share between threads."""

    def __init__(self, products: int, prices: Prices, deals: Deals) -> None:
        self._products = products
        self._prices = prices
        self._deals = deals
        self._lock = Lock()
        self._listed: _Listed | None = None
        self._views: OrderedDict[tuple[int, int], tuple[int, Rows]] = OrderedDict()

    def listed(self, kind: int, date_range: int, minute: int) -> Rows:
        """Return the products at the low price of an episode that moves a price type."""
        key = kind, date_range
        with self._lock:
            known_minute, known = self._views.pop(key, (minute - 1, Rows.joined([])))
            if known_minute != minute:
                listed = self._all_listed(minute)
                of_group = listed.group == GROUP_OF_TYPE[kind]
                known = self._refreshed(known, listed.index[of_group], listed.crawl[of_group], kind, date_range)
            self._views[key] = minute, known
            while len(self._views) > VIEWS_CACHED:
                self._views.popitem(last=False)
        return known

    def sold_out(self, kind: int, date_range: int, minute: int) -> Rows:
        """Return the products that had a value of a price type a day ago and have none now."""
        parts = []
        for every in _chunks(np.arange(self._products)):
            _, phases = self._timetable(every, minute)
            index = every[phases.start >= minute - DAY]
            for then, had in ((minute, False), (minute - DAY, True)):
                index = index[(self.current(index, np.full(len(index), then), kind) >= 0) == had]
            parts.append(self._measured(index, np.full(len(index), minute), kind, date_range))
        return Rows.joined(parts)

    def current(self, index: Integers, minute: Integers, kind: int) -> Integers:
        """Return the values of one price type that products showed at `minute`."""
        parts = []
        for part in _chunks(np.arange(len(index))):
            profiles = self._prices.profiles(index[part], ONLY[kind])
            parts.append(self._prices.landed(profiles, self._prices.crawls.at(index[part], minute[part]))[:, 0])
        return np.concatenate([np.empty(0, dtype=np.int64), *parts])

    def _refreshed(self, known: Rows, index: Integers, crawl: Integers, kind: int, date_range: int) -> Rows:
        """Return the rows of `index` at `crawl`, those that are known as they are."""
        if not len(known.index):
            return self._measured_in_chunks(index, crawl, kind, date_range)
        at = np.minimum(np.searchsorted(known.index, index), len(known.index) - 1)
        new = np.flatnonzero((known.index[at] != index) | (known.crawl[at] != crawl))
        measured = self._measured_in_chunks(index[new], crawl[new], kind, date_range)
        columns = []
        for part in fields(Rows):
            column = getattr(known, part.name)[at]
            column[new] = getattr(measured, part.name)
            columns.append(column)
        return Rows(*columns)

    def _measured_in_chunks(self, index: Integers, minute: Integers, kind: int, date_range: int) -> Rows:
        return Rows.joined(
            [self._measured(index[part], minute[part], kind, date_range) for part in _chunks(np.arange(len(index)))]
        )

    def _measured(self, index: Integers, minute: Integers, kind: int, date_range: int) -> Rows:
        profiles = self._prices.profiles(index, ONLY[kind])
        moments = self._prices.crawls.at(index, minute)
        average = averages(self._prices, profiles, moments, WINDOWS[date_range : date_range + 1]).value[:, 0, 0]
        current = self._prices.landed(profiles, moments)[:, 0]
        return Rows(
            index=index,
            crawl=moments.crawl,
            current=current,
            delta=delta(average, current),
            percent=delta_percent(average, current),
            created=self._deals.created(moments),
        )

    def _all_listed(self, minute: int) -> _Listed:
        if self._listed is None or self._listed.minute != minute:
            parts = []
            for every in _chunks(np.arange(self._products)):
                slots, phases = self._timetable(every, minute)
                low = np.flatnonzero(phases.is_low)
                index, slots, phases = every[low], slots.taken(low), phases.taken(low)
                crawl = self._prices.crawls.within(index, slots, phases, np.full(len(index), minute)).crawl
                parts.append((index, slots.group, crawl))
            self._listed = _Listed(minute, *(np.concatenate(column) for column in zip(*parts, strict=True)))
        return self._listed

    def _timetable(self, index: Integers, minute: int) -> tuple[Slots, Phases]:
        episodes, minutes = self._prices.episodes, np.full(len(index), minute)
        slots = episodes.slots(index, episodes.slot_number(index, minutes))
        return slots, self._prices.crawls.phases(index, slots, minutes)


def _chunks(values: Integers) -> list[Integers]:
    return [values[start : start + CHUNK] for start in range(0, len(values), CHUNK)]
