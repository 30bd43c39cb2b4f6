"""How long all metrics take from scratch, at 10 000 and at 100 000 deals with full histories, and after a new setting.

500 simulated deals are bought over the real client, with all that 1 token brings: some 4 700 points each, three years
and more of them. Each is stored under 20, then 200 ASINs: a copy's times are earlier by a number of minutes of its own,
and its histories' prices higher by a percentage of its own, so that no two copies have the same sales. The database is
a file, its schema and settings are the pipeline's. `from scratch` infers the sales of all histories and computes the
metrics of all deals; `new setting` computes these with another prep fee.

Seconds are of the processor, all threads together, so that what else runs on the machine does not count; what the clock
showed stands beside them. Memory is the most that the process ever had, the making of the copies included.
"""

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from duckdb import DuckDBPyConnection

from benchmarks.simulated_warehouse import simulated_warehouse
from benchmarks.verdicts import Row, Target, command_line, conclude
from deals_pipeline.analytics import recompute
from deals_pipeline.config import Intervals, Marketplace

PRODUCTS: Final = 500
COPIES: Final = (20, 200)
COPIES_AT_ONCE: Final = 10
RATIO_MAX: Final = 12.0
"""The target: how much longer ten times the deals may take."""
GIBIBYTES_MAX: Final = 24.0
TABLES: Final = ("recent_deal", "product", "product_stats", "price_history")
US: Final = Marketplace.model_validate({"name": "US"})
COPY: Final = """
INSERT INTO {table} BY NAME
SELECT original.* REPLACE ({asin} AS asin{replaced})
FROM original_{table} AS original
JOIN original_asin ON original_asin.asin = original.asin
CROSS JOIN (SELECT unnest(range($first, $last)) AS copy) AS copied
"""
ASIN: Final = "format('X{:09d}', original_asin.number + 1000000 * copy)"
HISTORY: Final = """,
  list_transform(original.times, lambda "time": "time" - to_minutes(copy * 7)) AS times,
  CASE
    WHEN price_type IN (3, 12) THEN original."values"
    ELSE list_transform(original."values", lambda "value": "value" * (200 + copy) // 200)
  END AS "values"
"""


def main() -> int:
    """Measure, print a table, write it beside as JSON; return 1 where a target is missed."""
    command_line(__doc__).parse_args()
    with simulated_warehouse(PRODUCTS) as (connection, _):
        _take_originals(connection)
        rows: list[Row] = []
        seconds: list[float] = []
        done = 0
        for copies in COPIES:
            _add_copies(connection, done, copies)
            done = copies
            with _measured(connection, "from scratch", rows, seconds):
                _recompute(connection, US)
        with _measured(connection, "a new setting", rows, seconds):
            _recompute(connection, US.model_copy(update={"prep_fee": 300}))
    few, many, _ = seconds
    gibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return conclude(
        __file__,
        rows,
        [
            Target("seconds with ten times the deals / with one time", many / few, "at most", RATIO_MAX),
            Target("peak memory, GiB", gibibytes, "at most", GIBIBYTES_MAX),
        ],
    )


def _take_originals(connection: DuckDBPyConnection) -> None:
    """Move what was bought out of the tables: there will be copies only."""
    connection.execute(
        "CREATE TEMP TABLE original_asin AS SELECT asin, row_number() OVER (ORDER BY asin) AS number FROM product"
    )
    for table in TABLES:
        connection.execute(f"CREATE TEMP TABLE original_{table} AS FROM {table}")
        connection.execute(f"DELETE FROM {table}")  # noqa: S608


def _add_copies(connection: DuckDBPyConnection, first: int, last: int) -> None:
    for table in TABLES:
        sql = COPY.format(table=table, asin=ASIN, replaced=HISTORY if table == "price_history" else "")
        for start in range(first, last, COPIES_AT_ONCE):
            connection.execute(sql, {"first": start, "last": min(last, start + COPIES_AT_ONCE)})
    for table in ("offer_drop", "product_sales", "deal_metrics"):
        connection.execute(f"DELETE FROM {table}")  # noqa: S608
    connection.execute("CHECKPOINT")


def _recompute(connection: DuckDBPyConnection, marketplace: Marketplace) -> None:
    recompute(connection, [marketplace], Intervals(), refreshes_per_day=1000.0)


@contextmanager
def _measured(connection: DuckDBPyConnection, name: str, rows: list[Row], seconds: list[float]) -> Iterator[None]:
    print(name, file=sys.stderr)
    began, clock = time.process_time(), time.perf_counter()
    yield
    seconds.append(time.process_time() - began)
    elapsed = time.perf_counter() - clock
    counts = "SELECT (SELECT count(*) FROM deal_metrics), (SELECT sum(len(times)) FROM price_history)"
    ((deals, points),) = connection.execute(counts).fetchall()
    told: Row = {"what": name, "deals": deals, "points": int(points), "seconds": seconds[-1], "by the clock": elapsed}
    rows.append(told)


if __name__ == "__main__":
    sys.exit(main())
