"""What buyers and sellers of a product do: sales, withdrawals and new listings, and the rank and stock that follow.

A product's time is cut into short *turns* of its own length with at most one event each, so that the events of any
window can be listed. Eight turns share a stock: it is drawn at their start and moves with their events. The rank
worsens with the time since the last sale.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import Final

import numpy as np

from deals_pipeline.simulator.market.episodes import DAY, even
from deals_pipeline.simulator.market.noise import Flags, Fractions, Integers, Noise, Stream, fraction

TURN_DAYS: Final = (3.0, 45.0)
"""The shortest and longest turn; the logarithm of a product's is uniform between them."""
TURNS_PER_STOCK: Final = 8
LOOKBACK: Final = TURNS_PER_STOCK
"""How many turns a sale is remembered; the rank has then stopped moving."""
USED_SALE_CHANCE: Final = (0.15, 0.35)
OTHER_SALE_CHANCE: Final = 0.10
WITHDRAWAL_CHANCE: Final = 0.06
LISTING_CHANCE: Final = 0.20
SEASON_DAYS: Final = 365.25
SEASON_SALES: Final = 0.4
SEASON_PRICES: Final = 0.25
RANK_MINUTES: Final = 6 * 60
"""Amazon's rank is taken on a grid: between two points of it only a sale moves it."""
RANK_AFTER_SALE: Final = 0.2
RANK_GROWTH: Final = 1.3
RANK_TURNS: Final = 1.5
"""Rank = level * (RANK_AFTER_SALE + RANK_GROWTH * (1 - exp(-turns since the sale / RANK_TURNS)))."""
BLIP_CHANCE: Final = 1 / 3000
BLIP: Final = 0.97
"""In some grid cells the rank improves a little without any sale."""


class Event(IntEnum):
    """What happens in a turn."""

    USED_SALE = 0
    OTHER_SALE = 1
    """A new copy is sold: the rank improves, the used offers stay."""
    WITHDRAWAL = 2
    LISTING = 3
    NOTHING = 4


STOCK_CHANGE: Final = np.array([-1, 0, -1, 1, 0])


@dataclass(frozen=True, eq=False)
class Turns:
    """Consecutive turns of products, along the last axis, with their events."""

    number: Integers
    start: Integers
    at: Integers
    event: Integers

    @property
    def is_sale(self) -> Flags:
        """Whether the event improves the rank."""
        return self.event <= Event.OTHER_SALE


@dataclass(frozen=True, eq=False)
class Standing:
    """Stock and rank of products at some minutes."""

    used_count: Integers
    rank: Integers
    counted_since: Integers
    """The minute of the event that made the count."""
    ranked_since: Integers
    """The minute from which the rank holds."""


@dataclass(frozen=True, eq=False)
class Means:
    """Means over windows: arrays (products, windows)."""

    rank: Fractions
    used_count: Fractions


class Trade:
    """The events of a market's products: a pure function of (noise, product, time)."""

    def __init__(self, noise: Noise) -> None:
        self._noise = noise

    def pace(self, index: Integers) -> tuple[Integers, Integers]:
        """Return the length of each product's turns, and the minute at which its turn 0 began."""
        word = self._noise.words(Stream.TRADE, index)
        shortest, longest = TURN_DAYS
        length = even(shortest * DAY * (longest / shortest) ** fraction(word))
        return length, even(fraction(word, 1) * length)

    def season(self, index: Integers, minute: Integers) -> Fractions:
        """Return the season of demand, -1 to 1, with one peak a year and an amplitude of the product's own."""
        word = self._noise.words(Stream.TRADE, index, np.ones(1, dtype=np.int64))
        year = minute / (SEASON_DAYS * DAY)
        return fraction(word) ** 2 * np.cos(2 * np.pi * (year - fraction(word, 1)))

    def turns(self, index: Integers, number: Integers) -> Turns:
        """Return turns by their numbers, `index` and `number` broadcast against each other."""
        length, origin = self.pace(index)
        start = origin + number * length
        word = self._noise.words(Stream.EVENT, index, number)
        at = start + even(fraction(word) * length)
        chance = fraction(self._noise.words(Stream.TRADE, index), 2)
        least, most = USED_SALE_CHANCE
        used = (least + (most - least) * chance) * (1 + SEASON_SALES * self.season(index, at))
        drawn = fraction(word, 1)
        event = np.full(drawn.shape, int(Event.NOTHING))
        bound = used + (OTHER_SALE_CHANCE + WITHDRAWAL_CHANCE + LISTING_CHANCE)
        for kind, share in (
            (Event.LISTING, LISTING_CHANCE),
            (Event.WITHDRAWAL, WITHDRAWAL_CHANCE),
            (Event.OTHER_SALE, OTHER_SALE_CHANCE),
            (Event.USED_SALE, used),
        ):
            event[drawn < bound] = kind
            bound = bound - share
        return Turns(number=np.broadcast_to(number, event.shape), start=start, at=at, event=event)

    def stock(self, index: Integers, number: Integers) -> Integers:
        """Return the used copies at the beginning of the stock that the turn `number` belongs to."""
        size = fraction(self._noise.words(Stream.TRADE, index), 3)
        drawn = fraction(self._noise.words(Stream.STOCK, index, number // TURNS_PER_STOCK))
        return np.rint((2 + 1.4 * np.exp(3.4 * size**4)) * (0.8 + 0.4 * drawn)).astype(np.int64)

    def rank_level(self, index: Integers) -> Fractions:
        """Return the rank of each product between a good and a bad time; it grows with the length of its turns."""
        length, _ = self.pace(index)
        drawn = fraction(self._noise.words(Stream.TRADE, index, np.ones(1, dtype=np.int64)), 2)
        return 45_000 * (length / DAY) * 4 ** (drawn - 0.5)

    def standing(self, index: Integers, minute: Integers) -> Standing:
        """Return stock and rank of each product at `minute`, both 1-d."""
        length, origin = self.pace(index)
        current = (minute - origin) // length
        column = index[:, None]
        turns = self.turns(column, current[:, None] + np.arange(-LOOKBACK, 1))
        happened = turns.at <= minute[:, None]
        is_of_stock = turns.number // TURNS_PER_STOCK == (current // TURNS_PER_STOCK)[:, None]
        change = np.where(happened & is_of_stock, STOCK_CHANGE[turns.event], 0)
        stock_start = origin + (current // TURNS_PER_STOCK) * TURNS_PER_STOCK * length
        last_sale = np.where(happened & turns.is_sale, turns.at, 0).max(axis=1)
        cell = rank_cell(minute)
        return Standing(
            used_count=np.maximum(1, self.stock(index, current) + change.sum(axis=1)),
            rank=self.rank(index, minute, last_sale),
            counted_since=np.maximum(stock_start, np.where(change != 0, turns.at, 0).max(axis=1)),
            ranked_since=np.maximum(cell, last_sale),
        )

    def course(self, index: Integers, minutes: Integers) -> Standing:
        """Return stock and rank of one product, `index` of length 1, at many minutes in ascending order."""
        (length,), (origin,) = self.pace(index)
        current = (minutes - origin) // length
        first = (current[0] // TURNS_PER_STOCK - 1) * TURNS_PER_STOCK
        turns = self.turns(index, np.arange(first, current[-1] + 1))
        happened = np.searchsorted(turns.at, minutes, side="right")
        change = np.concatenate(([0], STOCK_CHANGE[turns.event].cumsum()))
        sold = np.maximum.accumulate(np.where(turns.is_sale, turns.at, 0))
        stock_turn = current // TURNS_PER_STOCK * TURNS_PER_STOCK - first
        last_sale = sold[happened - 1]
        stock = self.stock(index, current) + change[happened] - change[stock_turn]
        return Standing(
            used_count=np.maximum(1, stock),
            rank=self.rank(index, minutes, last_sale),
            counted_since=minutes,
            ranked_since=np.maximum(rank_cell(minutes), last_sale),
        )

    def rank(self, index: Integers, minute: Integers, last_sale: Integers) -> Integers:
        """Return the rank at `minute` of products last sold at `last_sale`, 0 if that is forgotten."""
        length, _ = self.pace(index)
        cell = rank_cell(minute)
        turns = np.clip((cell - last_sale) / length, 0, LOOKBACK)
        growth = RANK_AFTER_SALE + RANK_GROWTH * (1 - np.exp(-turns / RANK_TURNS))
        blip = fraction(self._noise.words(Stream.BLIP, index, cell)) < BLIP_CHANCE
        return np.maximum(1, np.rint(self.rank_level(index) * growth * np.where(blip, BLIP, 1.0))).astype(np.int64)

    def means(self, index: Integers, minute: Integers, begin: Integers) -> Means:
        """Return the means over [begin, minute]; `index` and `minute` are 1-d, `begin` is (products, windows).

        Each turn has a part before its event and one after. The sums run back from `minute`, so that they do not
        depend on how many products are computed together.
        """
        length, origin = (part[:, None] for part in self.pace(index))
        column, end = index[:, None], minute[:, None]
        last = (end - origin) // length
        first = (begin.min(axis=1, keepdims=True) - origin) // length
        first = (first - LOOKBACK) // TURNS_PER_STOCK * TURNS_PER_STOCK
        stocks = int((last - first).max()) // TURNS_PER_STOCK + 1
        turns = self.turns(column, first + np.arange(stocks * TURNS_PER_STOCK))
        start, at, turn_end = (np.minimum(part, end) for part in (turns.start, turns.at, turns.start + length))
        by_stock = (len(index), stocks, TURNS_PER_STOCK)
        change = STOCK_CHANGE[turns.event].reshape(by_stock)
        stock = self.stock(column, turns.number[:, ::TURNS_PER_STOCK])[:, :, None] + change.cumsum(axis=2)
        count_after = np.maximum(1, stock).reshape(turns.at.shape)
        count_before = np.maximum(1, stock - change).reshape(turns.at.shape)
        sold = np.maximum.accumulate(np.where(turns.is_sale, turns.at, 0), axis=1)
        sold_before = np.concatenate((np.zeros_like(column), sold[:, :-1]), axis=1)
        sold, sold_before = (np.where(part < turns.start - LOOKBACK * length, 0, part) for part in (sold, sold_before))

        pick = partial(np.take_along_axis, indices=(begin - origin) // length - first, axis=1)
        early, late = np.minimum(begin, pick(at)), np.maximum(begin, pick(at))
        minutes = np.maximum(1, end - begin)

        def mean(before: Fractions, after: Fractions, of_first_turn: Fractions) -> Fractions:
            """Return the windows' means from the integrals over all parts and over the turns they begin in."""
            later = np.cumsum((before + after)[:, ::-1], axis=1)[:, ::-1]
            whole: Fractions = (pick(later) - pick(before + after) + of_first_turn) / minutes
            return whole

        grown = partial(_grown, length=length)
        rank = mean(
            grown(start, at, sold_before),
            grown(at, turn_end, sold),
            grown(early, pick(at), pick(sold_before)) + grown(late, pick(turn_end), pick(sold)),
        )
        used_count = mean(
            count_before * (at - start),
            count_after * (turn_end - at),
            pick(count_before) * (pick(at) - early) + pick(count_after) * (pick(turn_end) - late),
        )
        return Means(rank=rank * self.rank_level(column), used_count=used_count)

    def sales_since(self, index: Integers, minute: Integers, begin: Integers) -> Integers:
        """Return how many sales improved the rank in (begin, minute], `begin` being (products, windows)."""
        length, origin = (part[:, None] for part in self.pace(index))
        last = (minute[:, None] - origin) // length
        turn_count = int((last - (begin.min(axis=1, keepdims=True) - origin) // length).max()) + 1
        turns = self.turns(index[:, None], last + np.arange(1 - turn_count, 1))
        at = np.where(turns.is_sale & (turns.at <= minute[:, None]), turns.at, 0)
        sales: Integers = (at[:, None, :] > begin[:, :, None]).sum(axis=2)
        return sales


def _grown(begin: Integers, end: Integers, sold: Integers, length: Integers) -> Fractions:
    """Return the integral over [begin, end] of the rank, in units of its level, after a sale at `sold`."""
    decay = RANK_TURNS * length
    faded = np.exp((sold - begin) / decay) - np.exp((sold - end) / decay)
    grown: Fractions = (RANK_AFTER_SALE + RANK_GROWTH) * (end - begin) - RANK_GROWTH * decay * faded
    return grown


def rank_cell(minute: Integers) -> Integers:
    """Return the grid point of the rank at or before `minute`."""
    return minute // RANK_MINUTES * RANK_MINUTES
