"""What there is to buy, by the warehouse: what the planner decides on."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from duckdb import DuckDBPyConnection

from deals_pipeline.buying.feeds import Feed, feed_of
from deals_pipeline.buying.histories import pending_histories
from deals_pipeline.buying.offers import pending_offers, pending_sellers
from deals_pipeline.buying.shards import SCAN_AGE_MAX, ShardState, shard_states
from deals_pipeline.config import Settings
from deals_pipeline.work import Backlog, Product, Scan

PRODUCTS_SEEN_MAX: Final = 200
"""How many products a plan needs to see: more than one request takes."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What there is to buy, and the shards that there are, read or not."""

    backlog: Backlog
    shards: tuple[ShardState, ...]


def survey(connection: DuckDBPyConnection, settings: Settings, now: datetime) -> Survey:
    """Return what there is to buy now; products of a class without a share are not looked for: none is ever planned."""
    intervals, shares = settings.budget.intervals, settings.budget.shares
    feeds = [feed_of(connection, selection) for selection in settings.recent]
    shards = tuple(state for selection in settings.backfill for state in shard_states(connection, selection))
    backlog = Backlog(
        head_scans=[_head(feed, now) for feed in feeds],
        full_scans=[_full(feed, settings, now) for feed in feeds],
        history=_histories(connection, now, intervals.history) if shares.history else (),
        offers=_offers(connection, now, intervals.offers) if shares.offers else (),
        shards=[_shard(state, now) for state in shards if not state.is_complete],
    )
    return Survey(backlog, shards)


def _histories(connection: DuckDBPyConnection, now: datetime, interval: timedelta) -> tuple[Product, ...]:
    return pending_histories(connection, now, interval, PRODUCTS_SEEN_MAX).products


def _offers(connection: DuckDBPyConnection, now: datetime, interval: timedelta) -> tuple[Product, ...]:
    """Return the products whose offers are to be bought, then the best one of whose chosen offer the seller is.

    A unit buys all sellers, and first. But it is not called for them where it can be for offers, and never for a second
    product: several that fail silence their class, and sellers who are not told are to silence no offers (F24).
    """
    offers = (each.product for each in pending_offers(connection, now, interval, PRODUCTS_SEEN_MAX).deals)
    sellers = (each.product for each in pending_sellers(connection, now, 1))
    return tuple(dict.fromkeys((*offers, *sellers)))


def _head(feed: Feed, now: datetime) -> Scan:
    return Scan(_key(feed), feed.scans, feed.begun_at(now))


def _full(feed: Feed, settings: Settings, now: datetime) -> Scan:
    unfinished = feed.unfinished(now, settings.budget.intervals.full_scan)
    return Scan(_key(feed), feed.scans_completed, feed.completed_at(now), unfinished.next_page if unfinished else 0)


def _key(feed: Feed) -> str:
    return f"{feed.selection.name}@{feed.selection.version}"


def _shard(state: ShardState, now: datetime) -> Scan:
    newest = state.newest
    page = newest.next_page if newest and newest.is_resumable(now, SCAN_AGE_MAX) else 0
    return Scan(f"{state.shard.key}@{state.shard.query.version}", newest.scans if newest else 0, None, page)
