"""Buying live offers of the deals that look profitable, best first, and who sells the cheapest of each.

An answer costs 5 tokens a product where Keepa's own crawl is fresh enough, else 6 to 12; a seller costs 1.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final

from duckdb import DuckDBPyConnection

from deals_pipeline.buying.buyer import Buyer
from deals_pipeline.buying.outcome import Outcome, Rejected, Stopped, StoppedBy
from deals_pipeline.buying.progress import progress
from deals_pipeline.keepa.requests import ASINS_PER_REQUEST_WITH_OFFERS_MAX, ProductRequest, SellerRequest
from deals_pipeline.keepa.selection import Domain
from deals_pipeline.warehouse.statements import statement
from deals_pipeline.work import Product, Work

OFFERS_ASKED: Final = 20
"""The least that Keepa takes: what is bought is the cheapest."""
STATS_DAYS: Final = 365
SELLERS_PER_REQUEST_MAX: Final = 100
HOUR: Final = timedelta(hours=1)
UPDATE_HOURS_MAX: Final = 24

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PromisingDeal:
    """A product whose live offers are worth buying; `used_since` is since when its used price is what it is."""

    product: Product
    used_since: datetime | None


@dataclass(frozen=True, slots=True)
class PendingOffers:
    """The deals whose offers to ask for next, best first, and how many there are in all."""

    deals: tuple[PromisingDeal, ...]
    count: int


@dataclass(frozen=True, slots=True)
class PendingSeller:
    """A seller to ask for, and the best product whose chosen offer is theirs."""

    seller_id: str
    product: Product


@dataclass(frozen=True, slots=True)
class OffersCoverage:
    """How many deals survive screening, and of how many the live offers hold and are not old."""

    survivors: int
    fresh: int

    @property
    def share(self) -> float | None:
        """The share that is fresh, 0 to 1; `None` where nothing survives."""
        return self.fresh / self.survivors if self.survivors else None


def pending_offers(connection: DuckDBPyConnection, now: datetime, interval: timedelta, limit: int) -> PendingOffers:
    """Return the deals without offers, or whose price moved since, or whose offers are `interval` old or more.

    What was refused, failed or rejected is among them from its next try on.
    """
    values = {"now": now, "offers_minutes": interval // timedelta(minutes=1), "limit": limit}
    rows = connection.execute(statement("pending_offers"), values).fetchall()
    deals = tuple(
        PromisingDeal(_product(domain, asin, asked_at), used_since) for domain, asin, asked_at, used_since, _ in rows
    )
    return PendingOffers(deals, rows[0][-1] if rows else 0)


def pending_sellers(connection: DuckDBPyConnection, now: datetime, limit: int) -> tuple[PendingSeller, ...]:
    """Return the sellers of chosen offers who are not known, best first: the warehouse alone says who they are."""
    rows = connection.execute(statement("pending_sellers"), {"now": now, "limit": limit}).fetchall()
    return tuple(PendingSeller(seller_id, _product(domain, asin, at)) for domain, seller_id, asin, at in rows)


def offers_coverage(connection: DuckDBPyConnection, now: datetime, interval: timedelta) -> OffersCoverage:
    """Return how many deals survive screening, and of how many the live offers are fresh."""
    values = {"now": now, "offers_minutes": interval // timedelta(minutes=1)}
    ((survivors, fresh),) = connection.execute(statement("offers_coverage"), values).fetchall()
    return OffersCoverage(survivors, fresh)


def update_hours(used_since: Sequence[datetime | None], now: datetime) -> int:
    """Return how many hours old Keepa's crawl of the offers may be for it to know the present used prices, 1 to 24."""
    known = [since for since in used_since if since is not None]
    if len(known) < len(used_since) or not known:
        return 1
    return min(max(1, (now - max(known)) // HOUR), UPDATE_HOURS_MAX)


def buy_offers(buyer: Buyer, interval: timedelta, skip: Sequence[str] = ()) -> Outcome:
    """Buy what is pending but for the stems to skip, in batches as large as what is affordable. Raises `Rejected`.

    After each batch its sellers are bought. Sellers without an answer, and those that Keepa refuses to tell, hold up no
    offers (F24).
    """
    products: set[Product] = set()
    sellers: set[str] = set()
    try:
        while True:
            now = buyer.clock.now()
            with buyer.warehouse.connect() as connection:
                selling = pending_sellers(connection, now, len(skip) + len(sellers) + SELLERS_PER_REQUEST_MAX)
            if unknown := [each for each in selling if each.seller_id not in sellers and each.product.stem not in skip]:
                sellers.update(_buy_sellers(buyer, unknown))
                continue
            limit = len(skip) + len(products) + ASINS_PER_REQUEST_WITH_OFFERS_MAX
            with buyer.warehouse.connect() as connection:
                found = pending_offers(connection, now, interval, limit)
            pending = [each for each in found.deals if each.product not in products and each.product.stem not in skip]
            if not pending:
                return buyer.outcome(
                    StoppedBy.COMPLETE, f"{len(products)} products were asked for, no other is pending"
                )
            size = min(ASINS_PER_REQUEST_WITH_OFFERS_MAX, buyer.batch_size(Work.OFFERS))
            batch = [each for each in pending if each.product.domain is pending[0].product.domain][:size]
            products.update(each.product for each in batch)
            _buy_batch(buyer, batch, len(products), len(products) + found.count - len(batch))
    except Stopped as stopped:
        return buyer.stopped(stopped)


def _buy_batch(buyer: Buyer, batch: Sequence[PromisingDeal], done: int, total: int) -> None:
    request = ProductRequest(
        domain=batch[0].product.domain,
        asins=tuple(each.product.asin for each in batch),
        stats=STATS_DAYS,
        history=True,
        offers=OFFERS_ASKED,
        only_live_offers=True,
        update=update_hours([each.used_since for each in batch], buyer.clock.now()),
    )
    reply, loaded = buyer.buy(request, Work.OFFERS)
    _log.info(
        "offers: %s; %d stored of %d products, %d missing; %d tokens spent, balance %d",
        progress(done, total, request.cost_per_asin.high, reply.tokens),
        *(loaded.offers, loaded.rows_seen, len(loaded.missing)),
        *(buyer.tally.tokens_spent, reply.tokens.tokens_left),
    )


def _buy_sellers(buyer: Buyer, unknown: Sequence[PendingSeller]) -> tuple[str, ...]:
    """Buy some sellers, the best first, and return which were asked for, whether told or not."""
    domain = unknown[0].product.domain
    size = min(SELLERS_PER_REQUEST_MAX, buyer.sellers_size())
    ids = tuple(each.seller_id for each in unknown if each.product.domain is domain)[:size]
    try:
        reply, loaded = buyer.buy(SellerRequest(domain=domain, seller_ids=ids), Work.OFFERS)
    except Rejected as rejected:
        _log.warning("sellers: Keepa refuses to tell %d, offers go on: %s", len(ids), rejected)
        return ids
    except Stopped as stopped:
        if stopped.by is not StoppedBy.NO_ANSWER:
            raise
        _log.warning("sellers: no answer for %d, offers go on: %s", len(ids), stopped)
        return ids
    _log.info(
        "sellers: %d, %d unknown; %d tokens spent, balance %d",
        *(loaded.sellers, len(loaded.missing), buyer.tally.tokens_spent, reply.tokens.tokens_left),
    )
    return ids


def _product(domain: int, asin: str, asked_at: datetime | None) -> Product:
    return Product(Domain(domain), asin, asked_at and asked_at.astimezone(timezone.utc))
