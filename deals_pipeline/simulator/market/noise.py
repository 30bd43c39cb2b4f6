"""Counter-based noise: reproducible random numbers with random access, vectorised and the same in every process.

A number depends on (seed, stream, index, counters) alone, so nothing has to be drawn in order or remembered.
Source of the mixing function: the finaliser of splitmix64 (Steele, Lea and Flood, 2014).
"""

from enum import IntEnum, auto, unique
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Integers: TypeAlias = NDArray[np.int64]
Words: TypeAlias = NDArray[np.uint64]
Fractions: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]

MASK: Final = (1 << 64) - 1
GOLDEN: Final = 0x9E3779B97F4A7C15
INDEX_STEP: Final = np.uint64(0xD1342543DE82EF95)
COUNTER_STEPS: Final = (np.uint64(0xAF251AF3B0F025B5), np.uint64(0xF1357AEA2E62A9C5))
FIRST_FACTOR: Final = np.uint64(0xBF58476D1CE4E5B9)
SECOND_FACTOR: Final = np.uint64(0x94D049BB133111EB)
SHIFTS: Final = (np.uint64(30), np.uint64(27), np.uint64(31))
FIELD_BITS: Final = 16
FIELD_SHIFTS: Final = tuple(np.uint64(FIELD_BITS * position) for position in range(4))


@unique
class Stream(IntEnum):
    """What a number is drawn for; two streams are independent of each other."""

    ASIN = auto()
    KIND = auto()
    HAS_TYPE = auto()
    PACE = auto()
    EPISODE = auto()
    RHYTHM = auto()
    CRAWL = auto()
    STEP = auto()
    PRICE = auto()
    LEVEL = auto()
    TRADE = auto()
    EVENT = auto()
    STOCK = auto()
    BLIP = auto()
    PULSE = auto()
    TITLE = auto()
    CATEGORY = auto()
    FAMILY = auto()
    DETAIL = auto()
    OFFER = auto()
    SELLER = auto()


class Noise:
    """A source of noise; equal seeds give equal numbers for ever."""

    def __init__(self, *seeds: int) -> None:
        state = 0
        for seed in seeds:
            state = _mixed(state + (seed & MASK) + GOLDEN)
        self._keys = {stream: np.uint64(_mixed(state + stream * GOLDEN)) for stream in Stream}

    def words(self, stream: Stream, index: Integers, *counters: Integers) -> Words:
        """Return 64 random bits for each (index, up to two counters), all broadcast against each other."""
        word: Words = index.view(np.uint64) * INDEX_STEP
        word += self._keys[stream]
        for counter, step in zip(counters, COUNTER_STEPS, strict=False):
            word = word + counter.view(np.uint64) * step
        word ^= word >> SHIFTS[0]
        word *= FIRST_FACTOR
        word ^= word >> SHIFTS[1]
        word *= SECOND_FACTOR
        word ^= word >> SHIFTS[2]
        return word

    def number(self, stream: Stream, index: int, *counters: int) -> int:
        """Return the word of one (index, counters) as an integer, for code that makes a single object."""
        word = index * int(INDEX_STEP) + int(self._keys[stream])
        for counter, step in zip(counters, COUNTER_STEPS, strict=False):
            word += counter * int(step)
        return _mixed(word)


def fraction(words: Words, position: int = 0) -> Fractions:
    """Return a number in [0, 1) from one of the four 16-bit fields of each word, `position` 0 to 3."""
    field = (words >> FIELD_SHIFTS[position]).astype(np.uint16)
    drawn: Fractions = field * (1.0 / (1 << FIELD_BITS))
    return drawn


def _mixed(word: int) -> int:
    word &= MASK
    word = ((word ^ (word >> 30)) * int(FIRST_FACTOR)) & MASK
    word = ((word ^ (word >> 27)) * int(SECOND_FACTOR)) & MASK
    return word ^ (word >> 31)
