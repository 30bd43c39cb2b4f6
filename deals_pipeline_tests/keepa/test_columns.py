from typing import Any

import duckdb
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from deals_pipeline.keepa.columns import HISTORY_SCHEMA, history_table
from deals_pipeline.keepa.objects import Product, Series
from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.keepa.time import from_keepa_minutes
from deals_pipeline_tests.keepa.wire_examples import SERVER_MINUTE, asin

VALUES = st.integers(-80, 2**31 - 1)
MINUTES = st.integers(0, SERVER_MINUTE)


def a_product(number: int, domain_id: int, csv: list[list[int] | None] | None) -> Product:
    return Product(
        asin=asin(number),
        domain_id=domain_id,
        tracking_since=0,
        last_update=0,
        csv=None if csv is None else tuple(map(a_series, csv)),
    )


def a_series(flat: list[int] | None) -> Series | None:
    return None if flat is None else Series(np.array(flat, dtype=np.int32))


def histories(kind: PriceType) -> st.SearchStrategy[list[int] | None]:
    points = st.lists(st.tuples(MINUTES, *[VALUES] * (kind.stride - 1)), max_size=4)
    return st.none() | points.map(lambda some: [number for point in sorted(some) for number in point])


CSVS = st.none() | st.integers(0, 36).flatmap(lambda length: st.tuples(*map(histories, list(PriceType)[:length])))
PRODUCTS = st.lists(st.tuples(st.integers(0, 999_999_999), st.sampled_from([1, 3, 12]), CSVS), max_size=4)


def rows_one_by_one(products: list[tuple[int, int, list[list[int] | None] | None]]) -> list[dict[str, Any]]:
    """Build the table the slow and obvious way."""
    rows = []
    for number, domain_id, csv in products:
        for index, flat in enumerate(csv or []):
            if flat is None:
                continue
            row: dict[str, Any] = {"domain_id": domain_id, "asin": asin(number), "price_type": index}
            stride = 3 if PriceType(index).with_shipping else 2
            points = [flat[start : start + stride] for start in range(0, len(flat), stride)]
            row["times"] = [from_keepa_minutes(point[0]) for point in points]
            row["values"] = [None if point[1] < 0 else point[1] for point in points]
            row["shipping"] = [None if point[2] < 0 else point[2] for point in points] if stride == 3 else None
            rows.append(row)
    return rows


@given(PRODUCTS)
def test_the_table_of_histories_is_what_a_loop_over_every_point_builds(
    products: list[tuple[int, int, list[list[int] | None] | None]],
) -> None:
    """F47, F51: times in UTC, money in integers, any negative a null."""
    table = history_table(a_product(*product) for product in products)
    assert table.schema == HISTORY_SCHEMA
    table.validate(full=True)
    assert table.to_pylist() == rows_one_by_one(products)


def test_no_products_make_an_empty_table_of_the_same_schema() -> None:
    table = history_table([])
    assert table.schema == HISTORY_SCHEMA
    assert table.num_rows == 0


def test_histories_load_into_duckdb_with_zoned_times_and_nulls() -> None:
    """F47, F51."""
    csv: list[list[int] | None] = [None] * 36
    csv[PriceType.AMAZON] = [0, 1999, 1440, -1]
    csv[PriceType.NEW] = []
    csv[PriceType.NEW_FBM_SHIPPING] = [0, 1500, 399, 1440, 1400, -1]
    table = history_table([a_product(1, 1, csv)])
    with duckdb.connect() as warehouse:
        warehouse.register("arrived", table)
        warehouse.execute("SET TimeZone = 'America/Los_Angeles'")
        warehouse.execute("CREATE TABLE price_history AS SELECT * FROM arrived")
        types = warehouse.execute('SELECT typeof(times), typeof("values"), typeof(shipping) FROM price_history')
        assert types.fetchall() == [("TIMESTAMP WITH TIME ZONE[]", "INTEGER[]", "INTEGER[]")] * 3
        rows = warehouse.execute(
            'SELECT price_type, list_transform(times, lambda t: epoch_us(t)), "values", shipping '
            "FROM price_history ORDER BY price_type"
        ).fetchall()
    epoch, day = 1_293_840_000_000_000, 86_400_000_000
    assert rows == [
        (0, [epoch, epoch + day], [1999, None], None),
        (1, [], [], None),
        (7, [epoch, epoch + day], [1500, 1400], [399, None]),
    ]
