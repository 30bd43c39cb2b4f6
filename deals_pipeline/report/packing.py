"""Packs what the page reads when it opens, or when a deal is opened: JSON, gzip, base64, which no title can break."""

import gzip
from base64 import b64encode
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec

from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.report.data import History

DEALS_MAX: Final = 50
"""How many histories are unpacked at once, when one of them is looked at."""


def packed(document: object) -> str:
    """Return a document as base64 of gzip of JSON; what JSON has no number for becomes null."""
    return b64encode(gzip.compress(msgspec.json.encode(document), mtime=0)).decode("ascii")


def packed_histories(histories: Sequence[History | None]) -> list[str]:
    """Return the histories in packs of `DEALS_MAX`, in order."""
    return [
        packed([_compact(history) for history in histories[start : start + DEALS_MAX]])
        for start in range(0, len(histories), DEALS_MAX)
    ]


def differences(values: Sequence[int | None]) -> list[int | None]:
    """Return each number less the one before it, the first less 0, with `None` where there is none."""
    known = [0, *(value for value in values if value is not None)]
    steps = iter([after - before for before, after in pairwise(known)])
    return [None if value is None else next(steps) for value in values]


def _compact(history: History | None) -> object:
    if history is None:
        return None
    drops = history.drops
    return {
        "series": {
            kind.value: [differences(series.days), differences(_legible(kind, series.values))]
            for kind, series in history.series.items()
        },
        "drops": {
            "day": differences([drop.day for drop in drops]),
            "used_offers_before": [drop.used_offers_before for drop in drops],
            "used_offers_after": [drop.used_offers_after for drop in drops],
            "confirmed_by": [drop.confirmed_by for drop in drops],
            "sale_price": [drop.sale_price for drop in drops],
            "is_sane": [drop.is_sane for drop in drops],
        },
    }


def _legible(kind: PriceType, values: Sequence[int | None]) -> Sequence[int | None]:
    """Return a series with three digits of each rank: no chart shows more, and they take a third of the space."""
    if kind is not PriceType.SALES:
        return values
    return [None if value is None else round(value, 3 - len(str(value))) for value in values]
