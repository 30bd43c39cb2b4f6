"""The price types: the index that `csv`, `stats` and every array of a deal share.

Source: fact P2 of docs/keepa_api.md; names and the deal-relevant set as in Keepa's public `Product.CsvType`.
"""

from enum import Enum, IntEnum
from functools import cached_property

from typing_extensions import Self


class Measure(Enum):
    """What the numbers of a price type count."""

    MONEY = "money"
    """Integer cents (the smallest unit of the marketplace's currency)."""
    RANK = "rank"
    COUNT = "count"
    RATING = "rating"
    """Tenths of a star, 0 to 50."""


class Needs(Enum):
    """Which request parameter makes `/product` answer a price type's history."""

    HISTORY = "history"
    OFFERS = "offers"
    OFFERS_OR_RATING = "offers or rating"
    OFFERS_OR_BUYBOX = "offers or buybox"


class PriceType(IntEnum):
    """A price type; its value is its index on the wire, its name its wire name.

    `measure` is the unit, `with_shipping` says that the history is triples `[time, price, shipping]` rather than
    pairs, `needs` names the parameter that produces it, `deal_relevant` whether a selection may ask for it.
    """

    measure: Measure
    with_shipping: bool
    needs: Needs
    deal_relevant: bool

    def __new__(
        cls,
        index: int,
        measure: Measure = Measure.MONEY,
        needs: Needs = Needs.HISTORY,
        *flags: str,
    ) -> Self:
        """Make a member from its index and attributes."""
        member = int.__new__(cls, index)
        member._value_ = index
        member.measure = measure
        member.needs = needs
        member.with_shipping = "shipping" in flags
        member.deal_relevant = "deal" in flags
        return member

    AMAZON = 0, Measure.MONEY, Needs.HISTORY, "deal"
    NEW = 1, Measure.MONEY, Needs.HISTORY, "deal"
    USED = 2, Measure.MONEY, Needs.HISTORY, "deal"
    SALES = 3, Measure.RANK, Needs.HISTORY, "deal"
    LISTPRICE = 4, Measure.MONEY, Needs.HISTORY
    COLLECTIBLE = 5, Measure.MONEY, Needs.HISTORY, "deal"
    REFURBISHED = 6, Measure.MONEY, Needs.HISTORY, "deal"
    NEW_FBM_SHIPPING = 7, Measure.MONEY, Needs.OFFERS, "deal", "shipping"
    LIGHTNING_DEAL = 8, Measure.MONEY, Needs.HISTORY, "deal"
    WAREHOUSE = 9, Measure.MONEY, Needs.OFFERS, "deal"
    NEW_FBA = 10, Measure.MONEY, Needs.OFFERS, "deal"
    COUNT_NEW = 11, Measure.COUNT
    COUNT_USED = 12, Measure.COUNT
    COUNT_REFURBISHED = 13, Measure.COUNT
    COUNT_COLLECTIBLE = 14, Measure.COUNT
    EXTRA_INFO_UPDATES = 15, Measure.COUNT, Needs.OFFERS
    RATING = 16, Measure.RATING, Needs.OFFERS_OR_RATING
    COUNT_REVIEWS = 17, Measure.COUNT, Needs.OFFERS_OR_RATING
    BUY_BOX_SHIPPING = 18, Measure.MONEY, Needs.OFFERS_OR_BUYBOX, "shipping"
    USED_NEW_SHIPPING = 19, Measure.MONEY, Needs.OFFERS, "deal", "shipping"
    USED_VERY_GOOD_SHIPPING = 20, Measure.MONEY, Needs.OFFERS, "deal", "shipping"
    USED_GOOD_SHIPPING = 21, Measure.MONEY, Needs.OFFERS, "deal", "shipping"
    USED_ACCEPTABLE_SHIPPING = 22, Measure.MONEY, Needs.OFFERS, "deal", "shipping"
    COLLECTIBLE_NEW_SHIPPING = 23, Measure.MONEY, Needs.OFFERS, "deal", "shipping"
    COLLECTIBLE_VERY_GOOD_SHIPPING = 24, Measure.MONEY, Needs.OFFERS, "deal", "shipping"
    COLLECTIBLE_GOOD_SHIPPING = 25, Measure.MONEY, Needs.OFFERS, "deal", "shipping"
    COLLECTIBLE_ACCEPTABLE_SHIPPING = 26, Measure.MONEY, Needs.OFFERS, "deal", "shipping"
    REFURBISHED_SHIPPING = 27, Measure.MONEY, Needs.OFFERS, "deal", "shipping"
    EBAY_NEW_SHIPPING = 28, Measure.MONEY, Needs.HISTORY, "shipping"
    EBAY_USED_SHIPPING = 29, Measure.MONEY, Needs.HISTORY, "shipping"
    TRADE_IN = 30
    RENT = 31, Measure.MONEY, Needs.OFFERS
    BUY_BOX_USED_SHIPPING = 32, Measure.MONEY, Needs.OFFERS_OR_BUYBOX, "deal", "shipping"
    PRIME_EXCL = 33, Measure.MONEY, Needs.OFFERS, "deal"
    COUNT_NEW_FBA = 34, Measure.COUNT
    COUNT_NEW_FBM = 35, Measure.COUNT

    @cached_property
    def stride(self) -> int:
        """How many integers one point of the history takes on the wire."""
        return 3 if self.with_shipping else 2
