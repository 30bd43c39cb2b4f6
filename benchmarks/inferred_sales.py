"""How well the inferred sales match the true ones, which only the simulator knows; reported, not tuned.

500 simulated products that a feed lists, each with the sales of its last 1095 days. Keepa crawls a product now and
then, so a sale shows at the next crawl. An inferred sale at `dropped_at` is right where a true one lies after the
crawl before (the last record of used price, rank or used count before `dropped_at`) and not after `dropped_at`. These
spans do not overlap, so each true sale belongs to at most one inferred sale; of several true ones within a span one
counts, since one drop is one inferred sale.

- precision: inferred sales that are right, of all inferred
- recall: inferred sales that are right, of all true sales since the first record of the used count
- price: of those that are right, the price that was inferred against what the buyer paid (the nearest, of several)

The other rows are what the rank adds: every drop taken for a sale, and each of the two rules alone.
"""

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from benchmarks.simulated_warehouse import simulated_warehouse
from benchmarks.verdicts import Row, command_line, conclude
from deals_pipeline.analytics import recompute
from deals_pipeline.config import Intervals, Marketplace
from deals_pipeline.simulator.market.truth import Sale

PRODUCTS: Final = 500
WINDOW: Final = timedelta(days=1095)
DROPS: Final = """
WITH
record AS (
  SELECT DISTINCT domain_id, asin, "time" FROM price_point WHERE price_type IN (2, 3, 12)
)

SELECT offer_drop.asin, record."time" AS crawl_before, dropped_at, confirmed_by, sale_price
FROM offer_drop
ASOF JOIN record
  ON record.domain_id = offer_drop.domain_id AND record.asin = offer_drop.asin AND offer_drop.dropped_at > record."time"
"""
COUNTED: Final = """
SELECT product.asin, price_history.times[1], product.observed_at
FROM product
JOIN price_history ON price_history.domain_id = product.domain_id AND price_history.asin = product.asin
WHERE price_history.price_type = 12
"""


@dataclass(frozen=True)
class Drop:
    """A drop of the used count: how it was confirmed, for how much, and the true sales since the crawl before."""

    confirmed_by: str | None
    price: int | None
    true_sales: Sequence[Sale]


def main() -> int:
    """Measure, print a table, write it beside as JSON."""
    command_line(__doc__).parse_args()
    with simulated_warehouse(PRODUCTS) as (connection, market):
        recompute(connection, [Marketplace.model_validate({"name": "US"})], Intervals(), 1000.0)
        true_sales = {
            asin: market.sales(market.index_of(asin) or 0, max(counted_from, as_of - WINDOW), as_of)
            for asin, counted_from, as_of in connection.execute(COUNTED).fetchall()
        }
        drops = [
            Drop(confirmed_by, price, [sale for sale in true_sales[asin] if crawl_before < sale.at <= dropped_at])
            for asin, crawl_before, dropped_at, confirmed_by, price in connection.execute(DROPS).fetchall()
        ]
    count = sum(map(len, true_sales.values()))
    return conclude(
        __file__,
        [
            _row("inferred sales", [drop for drop in drops if drop.confirmed_by], count),
            _row("by rank", [drop for drop in drops if drop.confirmed_by == "rank"], count),
            _row("by the sparse rule", [drop for drop in drops if drop.confirmed_by == "sparse"], count),
            _row("every drop, for comparison", drops, count),
        ],
        [],
    )


def _row(name: str, inferred: Sequence[Drop], true_sales: int) -> Row:
    right = [drop for drop in inferred if drop.true_sales]
    errors = [
        min(abs(drop.price - sale.price_cents) / sale.price_cents for sale in drop.true_sales)
        for drop in right
        if drop.price is not None and drop.confirmed_by
    ]
    return {
        "what": name,
        "inferred": len(inferred),
        "right": len(right),
        "true sales": true_sales,
        "precision %": 100 * len(right) / max(1, len(inferred)),
        "recall %": 100 * len(right) / max(1, true_sales),
        "same price %": 100 * sum(error == 0 for error in errors) / len(errors) if errors else None,
        "median error %": 100 * statistics.median(errors) if errors else None,
    }


if __name__ == "__main__":
    sys.exit(main())
