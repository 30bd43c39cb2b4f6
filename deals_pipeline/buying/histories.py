"""Buying price histories: statistics and three years of prices, ranks and counts, for 1 token a product."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final

from duckdb import DuckDBPyConnection

from deals_pipeline.buying.buyer import Buyer
from deals_pipeline.buying.outcome import Outcome, Stopped, StoppedBy
from deals_pipeline.buying.progress import progress
from deals_pipeline.keepa.requests import ASINS_PER_REQUEST_MAX, ProductRequest
from deals_pipeline.keepa.selection import Domain
from deals_pipeline.warehouse.statements import statement
from deals_pipeline.work import Product, Work

STATS_DAYS: Final = 365

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PendingHistories:
    """The products to ask for next, best first, and how many there are in all."""

    products: tuple[Product, ...]
    count: int


def pending_histories(
    connection: DuckDBPyConnection, now: datetime, interval: timedelta, limit: int
) -> PendingHistories:
    """Return the listed products without a history, then those that moved since theirs, `interval` ago or more."""
    values = {"now": now, "history_minutes": interval // timedelta(minutes=1), "limit": limit}
    rows = connection.execute(statement("pending_histories"), values).fetchall()
    products = tuple(
        Product(Domain(domain), asin, asked_at and asked_at.astimezone(timezone.utc))
        for domain, asin, asked_at, _ in rows
    )
    return PendingHistories(products, rows[0][-1] if rows else 0)


def buy_histories(buyer: Buyer, interval: timedelta, skip: Sequence[str] = ()) -> Outcome:
    """Buy what is pending but for the stems to skip, in batches as large as what is affordable. Raises `Rejected`."""
    asked: set[Product] = set()
    try:
        while True:
            limit = len(skip) + len(asked) + ASINS_PER_REQUEST_MAX
            with buyer.warehouse.connect() as connection:
                found = pending_histories(connection, buyer.clock.now(), interval, limit)
            pending = [product for product in found.products if product not in asked and product.stem not in skip]
            if not pending:
                return buyer.outcome(StoppedBy.COMPLETE, f"{len(asked)} products were asked for, no other is pending")
            size = min(ASINS_PER_REQUEST_MAX, buyer.batch_size(Work.HISTORY))
            batch = [product for product in pending if product.domain is pending[0].domain][:size]
            asked.update(batch)
            _buy_batch(buyer, batch, len(asked), len(asked) + found.count - len(batch))
    except Stopped as stopped:
        return buyer.stopped(stopped)


def _buy_batch(buyer: Buyer, batch: list[Product], done: int, total: int) -> None:
    request = ProductRequest(
        domain=batch[0].domain, asins=tuple(product.asin for product in batch), stats=STATS_DAYS, history=True
    )
    reply, loaded = buyer.buy(request, Work.HISTORY)
    _log.info(
        "histories: %s; %d stored, %d points, %d missing; %d tokens spent, balance %d",
        progress(done, total, request.cost_per_asin.high, reply.tokens),
        *(loaded.rows_seen, loaded.points, len(loaded.missing)),
        *(buyer.tally.tokens_spent, reply.tokens.tokens_left),
    )
