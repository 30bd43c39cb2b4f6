"""Reads what the report shows of the deals from the warehouse: the best of them, their histories and inferred sales."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import groupby
from operator import itemgetter
from typing import Final, TypeAlias

from duckdb import DuckDBPyConnection

from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.keepa.selection import Domain

SHOWN_MAX: Final = 5000
"""How many deals a page holds that is fluent on a phone; deals that survive the screening are shown beyond it."""

SPAN_DAYS: Final = 1095 / 32
"""How long the spans are in which a history is told that has more points than a chart can show."""

Value: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Series:
    """What held from which day on, since 1970, oldest first: cents, ranks or counts; `None` where there was no offer.

    Of a history with more points than a chart can show, these are the lowest, highest and last in spans of `SPAN_DAYS`.
    """

    days: Sequence[int]
    values: Sequence[int | None]


@dataclass(frozen=True, slots=True)
class Drop:
    """A drop of the number of used offers, on a day since 1970: a sale where `confirmed_by` says by what."""

    day: int
    used_offers_before: int
    used_offers_after: int
    confirmed_by: str | None
    sale_price: int | None
    is_sane: bool | None


@dataclass(frozen=True, slots=True)
class History:
    """What the chart of a deal shows."""

    series: Mapping[PriceType, Series]
    drops: Sequence[Drop]


@dataclass(frozen=True, slots=True)
class Deals:
    """The deals of the report, best first: `columns` under the names of the warehouse, times in seconds since 1970.

    `histories` are in the same order, `None` where none was bought. `listed` counts all deals that are listed now.
    """

    columns: Mapping[str, Sequence[Value]]
    domains: frozenset[Domain]
    histories: Sequence[History | None]
    listed: int
    shown: int
    worth_buying: int

    @property
    def left_out(self) -> int:
        """How many listed deals are not in the report."""
        return self.listed - self.shown


@cache
def statement(name: str) -> str:
    """Return a statement by the name of its file."""
    return (files(__package__) / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def read_deals(connection: DuckDBPyConnection, shown_max: int = SHOWN_MAX) -> Deals:
    """Return all deals that survive the screening, and as many of the rest as make `shown_max`."""
    connection.execute(statement("choose_deals"), {"shown_max": shown_max})
    ((listed, shown, worth_buying),) = connection.execute(statement("count_deals")).fetchall()
    columns = connection.sql(statement("deals")).to_arrow_table().to_pydict()
    histories: list[History | None] = [None] * shown
    for position, history in _histories(connection):
        histories[position] = history
    domains = frozenset(map(Domain, columns["domain_id"]))
    return Deals(columns, domains, histories, int(listed), int(shown), int(worth_buying))


def _histories(connection: DuckDBPyConnection) -> Iterator[tuple[int, History]]:
    drops: dict[int, list[Drop]] = {}
    for position, *values in connection.execute(statement("drops")).fetchall():
        drops.setdefault(position, []).append(Drop(*values))
    rows = connection.execute(statement("histories")).fetchall()
    for position, group in groupby(rows, key=itemgetter(0)):
        series = {PriceType(kind): Series(days, values) for _, kind, days, values in group}
        yield position, History(series, drops.get(position, []))
