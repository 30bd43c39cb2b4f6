"""The names of the simulated products: index and ASIN are a bijection by arithmetic, without tables.

Books have ISBN-10s with a valid check digit, other products "B0" and eight characters of base 36 (D8's real page).
"""

import string
from math import gcd
from typing import Final

import numpy as np

from deals_pipeline.simulator.market.noise import Flags, Integers, Noise, Stream

ISBN_LENGTH: Final = 10
ISBN_BODIES: Final = 10**9
ALPHABET: Final = string.digits + string.ascii_uppercase
OTHER_PREFIX: Final = "B0"
OTHER_CODES: Final = len(ALPHABET) ** 8
PARENT_OFFSET: Final = 10**9
"""Families of variations are numbered from here on, so that no parent's ASIN is a product's."""
HALF_WORD: Final = 16


class Permutation:
    """The bijection x -> (a x + b) mod `size`, and its inverse; `size` is below 2**42."""

    def __init__(self, noise: Noise, number: int, size: int) -> None:
        factor = noise.number(Stream.ASIN, number, 0) % size | 1
        while gcd(factor, size) != 1:
            factor += 2
        self._size = size
        self._factor = factor
        self._inverse = pow(factor, -1, size)
        self._shift = noise.number(Stream.ASIN, number, 1) % size

    def forward(self, value: int) -> int:
        """Return the image of `value`."""
        return (value * self._factor + self._shift) % self._size

    def backward(self, image: int) -> int:
        """Return the value whose image is `image`."""
        return (image - self._shift) * self._inverse % self._size

    def forward_all(self, values: Integers) -> Integers:
        """Return the images of values below 2**32, the factor taken in parts of 16 bits so that nothing overflows."""
        image = np.zeros_like(values)
        for bit in range(2 * HALF_WORD, -1, -HALF_WORD):
            part = self._factor >> bit & ((1 << HALF_WORD) - 1)
            image = ((image << HALF_WORD) + values * part) % self._size
        return (image + self._shift) % self._size


class Asins:
    """From the index of a product to its ASIN and back."""

    def __init__(self, noise: Noise) -> None:
        self._books = Permutation(noise, 0, ISBN_BODIES)
        self._others = Permutation(noise, 1, OTHER_CODES)

    def asin(self, index: int, is_book: bool) -> str:
        """Return the ISBN-10 of a book or the ASIN of anything else."""
        if not is_book:
            return OTHER_PREFIX + base36(self._others.forward(index), 8)
        body = f"{self._books.forward(index):09d}"
        return body + isbn_check_digit(body)

    def parent(self, family: int) -> str:
        """Return the ASIN of a family of variations."""
        return self.asin(PARENT_OFFSET + family, is_book=False)

    def index_of(self, asin: str) -> tuple[int, bool] | None:
        """Return (index, whether the ASIN is a book's), or `None` for text that is no ASIN."""
        if len(asin) != ISBN_LENGTH or not set(asin) <= set(ALPHABET):
            return None
        if asin.startswith(OTHER_PREFIX):
            return self._others.backward(int(asin[len(OTHER_PREFIX) :], len(ALPHABET))), False
        body = asin[:-1]
        if not body.isdigit() or isbn_check_digit(body) != asin[-1]:
            return None
        return self._books.backward(int(body)), True

    def sort_keys(self, indices: Integers, is_book: Flags) -> Integers:
        """Return integers in the order of the ASINs' text: digits come before the letter B."""
        return np.where(is_book, self._books.forward_all(indices), ISBN_BODIES + self._others.forward_all(indices))


def isbn_check_digit(body: str) -> str:
    """Return the check digit of the nine digits of an ISBN-10 (ISO 2108)."""
    remainder = -sum(int(digit) * (ISBN_LENGTH - position) for position, digit in enumerate(body)) % 11
    return "X" if remainder == ISBN_LENGTH else str(remainder)


def base36(value: int, width: int) -> str:
    """Return `value` in base 36, padded with zeros to `width`."""
    digits = []
    for _ in range(width):
        value, digit = divmod(value, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))
