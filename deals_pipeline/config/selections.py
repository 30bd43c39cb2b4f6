"""The selections of `deals.toml`: which deals to watch, and which wide selections to work off in shards."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, StrictStr, model_validator
from typing_extensions import Self

from deals_pipeline.config.values import MISSING, Section, Whole, member_named, refused
from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.keepa.selection import DateRange, DealSelection, Domain, SortType


def _plain(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) or len(name) > NAME_MAX:
        raise ValueError(f"allowed are lower case, digits and hyphens, {NAME_MAX} at most")
    return name


NAME_MAX: Final = 40
Name = Annotated[StrictStr, AfterValidator(_plain)]

NAMED: Final[Mapping[str, type[Enum]]] = {
    "marketplace": Domain,
    "price_type": PriceType,
    "date_range": DateRange,
    "sort_type": SortType,
}
"""The keys that name a member of an enumeration."""
FILTERS: Final = tuple(name for name in DealSelection.model_fields if name != "domain")


class NamedSelection(Section):
    """A deal query with a name; in the file its filters stand beside the name."""

    name: Name
    query: DealSelection

    @property
    def marketplace(self) -> Domain:
        """The marketplace whose deals it shows."""
        return self.query.domain

    @property
    def version(self) -> str:
        """What cursors and coverage belong to: it changes with the query, not with the name (F34)."""
        return self.query.version

    @classmethod
    def known_keys(cls) -> tuple[str, ...]:
        """Return the keys that the table may have."""
        return ("marketplace", *FILTERS, *(key for key in cls.model_fields if key != "query"))

    @classmethod
    def arranged(cls, table: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the table with its filters gathered into a query, under members instead of names."""
        if "marketplace" not in table:
            raise refused("marketplace", None, MISSING)
        query = {key: _member(key, value) for key, value in table.items() if key not in cls.model_fields}
        query["domain"] = query.pop("marketplace")
        return {**{key: value for key, value in table.items() if key in cls.model_fields}, "query": query}


class RecentSelection(NamedSelection):
    """A selection that is watched: head scans every few minutes, full scans as its share of the refill allows."""


KEY: Final = re.compile(r"(?P<backfill>[a-z0-9-]+)_(?P<category>all|\d{1,19})_(?P<low>\d{1,9})-(?P<high>\d{1,9})")


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of a wide selection: one category or all, and a price band, both ends included, in cents."""

    backfill: str
    category: int | None
    low: int
    high: int
    query: DealSelection

    @property
    def key(self) -> str:
        """The name of the shard, as of a partition: `used-books_283155_1000-1999`."""
        return f"{self.backfill}_{self.category or 'all'}_{self.low}-{self.high}"

    def halves(self) -> tuple["Shard", ...]:
        """Return its lower and its upper half; nothing where it is a single price."""
        if self.low == self.high:
            return ()
        middle = (self.low + self.high) // 2
        return tuple(self._band(*band) for band in ((self.low, middle), (middle + 1, self.high)))

    def is_stem_of(self, key: str) -> bool:
        """Return whether a key may name a part of it."""
        found = KEY.fullmatch(key)
        return (
            found is not None
            and (found["backfill"], found["category"]) == (self.backfill, str(self.category or "all"))
            and self.low <= int(found["low"]) <= int(found["high"]) <= self.high
        )

    def _band(self, low: int, high: int) -> "Shard":
        query = DealSelection.model_validate({**dict(self.query), "current_range": (low, high)})
        return replace(self, low=low, high=high, query=query)


class BackfillSelection(NamedSelection):
    """A selection too wide for one query (10 000 results), and how to cut it into shards to begin with."""

    shard_prices: tuple[Annotated[Whole, Field(ge=0)], ...]
    shard_categories: tuple[Annotated[Whole, Field(ge=1)], ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        prices, categories = self.shard_prices, self.shard_categories
        if len(prices) < 2 or any(low >= high for low, high in pairwise(prices)):  # noqa: PLR2004 - a band has two ends
            raise ValueError(f"shard_prices = {list(prices)}: allowed are two or more, rising")
        if len(set(categories)) < len(categories):
            raise ValueError(f"shard_categories = {list(categories)}: allowed is each once")
        for taken, by in (
            ("current_range", "shard_prices"),
            *([("include_categories", "shard_categories")] * bool(categories)),
        ):
            if getattr(self.query, taken):
                raise ValueError(f"{taken} = {list(getattr(self.query, taken))}: allowed is {by} alone")
        return self

    def shards(self) -> tuple[Shard, ...]:
        """Return the shards to begin with: each category times each price band; bands meet and do not overlap."""
        *inner, last = pairwise(self.shard_prices)
        bands = [(low, high - 1) for low, high in inner] + [last]
        return tuple(self.shard(category, *band) for category in self.shard_categories or (None,) for band in bands)

    def shard(self, category: int | None, low: int, high: int) -> Shard:
        """Return the shard of a category and a price band, which need not be one of the first."""
        taken: dict[str, Any] = {"current_range": (low, high)}
        if category is not None:
            taken["include_categories"] = (category,)
        query = DealSelection.model_validate({**dict(self.query), **taken})
        return Shard(self.name, category, low, high, query)


def _member(key: str, value: object) -> object:
    if key not in NAMED:
        return value
    relevant = [kind for kind in PriceType if kind.deal_relevant] if key == "price_type" else None
    try:
        return member_named(NAMED[key], value, allowed=relevant)
    except ValueError as why:
        raise refused(key, value, str(why)) from None
