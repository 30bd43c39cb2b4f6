"""A deal query: which deals of one marketplace and price type to show, and in which order.

A value outside the documented range raises `pydantic.ValidationError` (a `ValueError`), which names the field, the
value and what is allowed. Sources: facts D2 and D3 of docs/keepa_api.md.
"""

import json
from enum import IntEnum
from hashlib import sha256
from typing import Annotated, Final, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    model_validator,
)
from pydantic.alias_generators import to_camel
from typing_extensions import Self

from deals_pipeline.keepa.price_types import PriceType

WireValue: TypeAlias = int | float | str | bool | list[int] | list[str]

OPEN_END: Final = -1
"""The upper bound of a sales rank range that has none."""


class Domain(IntEnum):
    """An Amazon marketplace; its value is `domainId` on the wire."""

    US = 1
    GB = 2
    DE = 3
    FR = 4
    JP = 5
    CA = 6
    IT = 8
    ES = 9
    IN = 10
    MX = 11
    BR = 12

    @property
    def money_decimals(self) -> int:
        """How many decimals its money is shown with: all but yen come as hundredths (P2)."""
        return 0 if self is Domain.JP else 2


class DateRange(IntEnum):
    """The interval in which a deal's product changed."""

    DAY = 0
    WEEK = 1
    MONTH = 2
    QUARTER = 3


class SortType(IntEnum):
    """The order of a deal page; a negative value inverts it (D2). Deal age, newest first, cannot be inverted."""

    AGE = 1
    DELTA = 2
    SALES_RANK = 3
    PERCENT_DELTA = 4
    DELTA_INVERTED = -2
    SALES_RANK_INVERTED = -3
    PERCENT_DELTA_INVERTED = -4


def _whole(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{value!r}: allowed is an integer or a member of the enumeration")  # noqa: TRY004 (pydantic)
    return value


def _ordered(bounds: tuple[int, int]) -> tuple[int, int]:
    low, high = bounds
    if high != OPEN_END and low > high:
        raise ValueError(f"[{low}, {high}]: allowed is low <= high")
    return bounds


def _closed(bounds: tuple[int, int]) -> tuple[int, int]:
    low, high = bounds
    if low > high:
        raise ValueError(f"[{low}, {high}]: allowed is low <= high")
    return bounds


Whole = BeforeValidator(_whole)
Count = Annotated[StrictInt, Field(ge=0)]
Range = Annotated[tuple[StrictInt, StrictInt], AfterValidator(_closed)]
PriceRange = Annotated[tuple[Count, Count], AfterValidator(_closed)]
RankRange = Annotated[tuple[Count, Annotated[StrictInt, Field(ge=OPEN_END)]], AfterValidator(_ordered)]


class Frozen(BaseModel):
    """A value that is validated when it is made and never changes; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DealSelection(Frozen):
    """A deal query: which deals of one marketplace and price type to show, and in which order (D2, D3).

    A range is (low, high), both ends included, in the unit of the price type (cents, ranks); percents are whole.
    `sales_rank_range` excludes products without a rank, its upper bound -1 is open. Category ids are Amazon's browse
    nodes. `None`, `False` and `()` leave a filter off.
    """

    domain: Annotated[Domain, Whole] = Domain.US
    price_type: Annotated[PriceType, Whole] = PriceType.USED
    date_range: Annotated[DateRange, Whole] = DateRange.QUARTER
    sort_type: Annotated[SortType, Whole] = SortType.AGE
    include_categories: tuple[Count, ...] = ()
    exclude_categories: tuple[Count, ...] = ()
    current_range: PriceRange | None = None
    delta_range: Range | None = None
    delta_percent_range: Range | None = None
    delta_last_range: Range | None = None
    sales_rank_range: RankRange | None = None
    min_rating: Annotated[StrictInt, Field(ge=0, le=50)] | None = None
    title_search: Annotated[str, Field(min_length=1, max_length=400)] | None = None
    warehouse_conditions: tuple[Annotated[StrictInt, Field(ge=0, le=5)], ...] = ()
    is_lowest: StrictBool = False
    is_lowest90: StrictBool = False
    is_lowest_offer: StrictBool = False
    is_back_in_stock: StrictBool = False
    is_out_of_stock: StrictBool = False
    has_reviews: StrictBool = False
    filter_erotic: StrictBool = False
    single_variation: StrictBool = False
    is_prime_exclusive: StrictBool = False
    must_have_amazon_offer: StrictBool = False
    must_not_have_amazon_offer: StrictBool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.price_type.deal_relevant:
            allowed = ", ".join(kind.name for kind in PriceType if kind.deal_relevant)
            raise ValueError(f"price_type {self.price_type.name}: allowed are {allowed}")
        if self.delta_percent_range and self.delta_percent_range[0] < self.delta_percent_min:
            raise ValueError(
                f"delta_percent_range {list(self.delta_percent_range)}: allowed is a lower bound of at least "
                f"{self.delta_percent_min} for {self.price_type.name}"
            )
        if self.must_have_amazon_offer and self.must_not_have_amazon_offer:
            raise ValueError("must_have_amazon_offer and must_not_have_amazon_offer: allowed is one of the two")
        return self

    @property
    def delta_percent_min(self) -> int:
        """The smallest drop, in percent, that Keepa lists for this price type (D3)."""
        return 80 if self.price_type is PriceType.SALES else 10

    @property
    def version(self) -> str:
        """What cursors, coverage and absence belong to (F34): 12 hexadecimal digits of the hash of the wire form."""
        wire = json.dumps(self.wire(), sort_keys=True, separators=(",", ":"))
        return sha256(wire.encode()).hexdigest()[:12]

    def wire(self) -> dict[str, WireValue]:
        """Return the selection under Keepa's names, filters that are off left out."""
        values: dict[str, WireValue] = {
            to_camel(name): value
            for name, value in self.model_dump(mode="json", exclude={"domain", "price_type"}).items()
            if value is not None and value is not False and value != []
        }
        return values | {
            "domainId": int(self.domain),
            "priceTypes": [int(self.price_type)],
            "isFilterEnabled": True,
            "isRangeEnabled": True,
        }
