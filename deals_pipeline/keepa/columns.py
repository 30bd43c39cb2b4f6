"""Products' histories as one Arrow table, built from whole arrays, never value by value."""

from collections.abc import Iterable
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from deals_pipeline.keepa.objects import Product
from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.keepa.time import keepa_minutes_to_unix_microseconds

HISTORY_SCHEMA: Final = pa.schema(
    [
        pa.field("domain_id", pa.int8(), nullable=False),
        pa.field("asin", pa.string(), nullable=False),
        pa.field("price_type", pa.int8(), nullable=False),
        pa.field("times", pa.list_(pa.timestamp("us", tz="UTC")), nullable=False),
        pa.field("values", pa.list_(pa.int32()), nullable=False),
        pa.field("shipping", pa.list_(pa.int32())),
    ]
)


def history_table(products: Iterable[Product]) -> pa.Table:
    """Return one row per marketplace, ASIN and price type that has a history, in `HISTORY_SCHEMA`.

    `times`, `values` and `shipping` are parallel lists, oldest first; a negative value or shipping price is null, and
    `shipping` as a whole is null for a price type without shipping.
    """
    rows = [
        (product.domain_id, product.asin, price_type, series)
        for product in products
        for price_type in PriceType
        if (series := product.history(price_type)) is not None
    ]
    times = [series.times(price_type) for _, _, price_type, series in rows]
    values = [series.values(price_type) for _, _, price_type, series in rows]
    shipping = [series.shipping(price_type) for _, _, price_type, series in rows]
    offsets = _offsets([len(series) for series in times])
    with_shipping = np.array([series is not None for series in shipping], dtype=bool)
    shipping_offsets = _offsets([0 if series is None else len(series) for series in shipping])
    return pa.Table.from_arrays(
        [
            pa.array([domain_id for domain_id, *_ in rows], pa.int8()),
            pa.array([asin for _, asin, *_ in rows], pa.string()),
            pa.array([int(price_type) for *_, price_type, _ in rows], pa.int8()),
            pa.ListArray.from_arrays(offsets, _times(_joined(times))),
            pa.ListArray.from_arrays(offsets, _nullable(_joined(values))),
            pa.ListArray.from_arrays(
                shipping_offsets,
                _nullable(_joined([series for series in shipping if series is not None])),
                mask=pa.array(~with_shipping),
            ),
        ],
        schema=HISTORY_SCHEMA,
    )


def _joined(arrays: list[NDArray[np.int32]]) -> NDArray[np.int32]:
    return np.concatenate(arrays) if arrays else np.empty(0, dtype=np.int32)


def _offsets(lengths: list[int]) -> pa.Array:
    return pa.array(np.concatenate(([0], np.cumsum(lengths, dtype=np.int32))).astype(np.int32))


def _times(minutes: NDArray[np.int32]) -> pa.Array:
    microseconds = keepa_minutes_to_unix_microseconds(minutes)
    kind = HISTORY_SCHEMA.field("times").type.value_type
    return pa.Array.from_buffers(kind, len(microseconds), [None, pa.py_buffer(microseconds)])


def _nullable(values: NDArray[np.int32]) -> pa.Array:
    """Return values of which the negative are null, around the same memory: there are millions of them."""
    known = np.packbits(values >= 0, bitorder="little")
    return pa.Array.from_buffers(pa.int32(), len(values), [pa.py_buffer(known), pa.py_buffer(values)])
