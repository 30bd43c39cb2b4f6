"""The market behind the simulated service: a world that is a pure function of (seed, marketplace, time).

Nothing is stored but bounded caches: what a product was at any minute is computed when it is asked for, from
counter-based noise. Any time from 2024 on can be asked for, in any order.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

import numpy as np

from deals_pipeline.keepa.price_types import Needs, PriceType
from deals_pipeline.keepa.selection import DealSelection
from deals_pipeline.keepa.time import from_keepa_minutes, to_keepa_minutes
from deals_pipeline.simulator.market import truth
from deals_pipeline.simulator.market.catalogue import Catalogue
from deals_pipeline.simulator.market.crawls import Moments
from deals_pipeline.simulator.market.deals import Deals
from deals_pipeline.simulator.market.episodes import DAY
from deals_pipeline.simulator.market.histories import EVERY_TYPE, Series, csv, history
from deals_pipeline.simulator.market.noise import Integers, Noise
from deals_pipeline.simulator.market.offers import Offers, Shelf, live_count
from deals_pipeline.simulator.market.prices import Prices, Profiles
from deals_pipeline.simulator.market.product_stats import statistics
from deals_pipeline.simulator.market.products import Products
from deals_pipeline.simulator.market.selecting import Selecting
from deals_pipeline.simulator.market.sellers import Sellers
from deals_pipeline.simulator.market.truth import Exposure, Sale

CLOCK_LEAD: Final = timedelta(seconds=36)
"""How far a crawl's minute may lie ahead of the answer that shows it (D6)."""
HISTORIES_CACHED: Final = 32
SHELVES_CACHED: Final = 1024
PROFILES_CACHED: Final = 1024
RATING_AGE_MAX: Final = timedelta(days=14)
STOCK_AGE_MAX: Final = timedelta(days=7)
EXPOSURE_STEP: Final = timedelta(seconds=60)


def shown_minute(now: datetime) -> int:
    """Return the last Keepa minute whose crawls an answer at `now` shows."""
    return to_keepa_minutes(now + CLOCK_LEAD)


class Market:
    """One marketplace with its products, deals, offers and sellers; safe to share between threads.

    `listed_share` is the share of the products that are deals at a time, over all price types; about 0.05 to 0.95.
    """

    def __init__(self, seed: int, products: int, *, domain: int = 1, listed_share: float = 0.4) -> None:
        if products < 1:
            raise ValueError(f"products {products}: allowed is at least 1")
        self.seed = seed
        self.products = products
        self.domain = domain
        noise = Noise(seed, domain)
        self._prices = Prices(noise, listed_share)
        self._catalogue = Catalogue(noise, self._prices.kinds, products)
        self._deals = Deals(noise, self._prices, self._catalogue)
        self._selecting = Selecting(products, self._prices, self._catalogue, self._deals)
        self._products = Products(noise, self._prices, self._catalogue, domain)
        self._sellers = Sellers(noise, products, domain)
        self._offers = Offers(noise, self._sellers)
        self._history = lru_cache(HISTORIES_CACHED)(self._make_history)
        self._shelf = lru_cache(SHELVES_CACHED)(self._make_shelf)
        self._profiles = lru_cache(PROFILES_CACHED)(self._make_profiles)

    def asin(self, index: int) -> str:
        """Return the ASIN of a product."""
        return self._catalogue.asin(index)

    def index_of(self, asin: str) -> int | None:
        """Return the index of the product with this ASIN, `None` if there is none."""
        return self._catalogue.index_of(asin)

    def matching(self, selection: DealSelection, now: datetime) -> Integers:
        """Return every listed product that the selection shows, in its order, without a cap."""
        return self._selecting.matching(selection, shown_minute(now))

    def category_counts(self, selection: DealSelection, now: datetime) -> list[tuple[int, str, int]]:
        """Return id, name and count of the root categories; the filter by category does not count (D9)."""
        return self._selecting.category_counts(selection, shown_minute(now))

    def deals(self, indices: Sequence[int] | Integers, now: datetime) -> list[dict[str, object]]:
        """Return the deal objects of products (D8)."""
        return self._deals.wire(np.asarray(indices, dtype=np.int64), shown_minute(now))

    def product_head(self, index: int, now: datetime) -> dict[str, object]:
        """Return a product object; `csv`, `stats` and `offers` are for the caller to fill in."""
        return self._products.head(self._moments(index, now))

    def history(
        self,
        index: int,
        now: datetime,
        *,
        days: int | None = None,
        with_offers: bool = False,
        with_rating: bool = False,
        with_buybox: bool = False,
    ) -> list[list[int] | None]:
        """Return the histories that the parameters produce, of the last `days` if given (P2)."""
        offered = {Needs.HISTORY}
        if with_offers:
            offered |= set(Needs)
        if with_rating:
            offered.add(Needs.OFFERS_OR_RATING)
        if with_buybox:
            offered.add(Needs.OFFERS_OR_BUYBOX)
        moments = self._moments(index, now)
        shipping = self._profiles(index).shipping[0]
        begin = 0 if days is None else shown_minute(now) - days * DAY
        return csv(self._history(index, int(moments.crawl[0])), shipping, begin, frozenset(offered))

    def stats(self, index: int, now: datetime, days: int) -> dict[str, object]:
        """Return the statistics of a product over the last `days` days and the fixed windows (P4)."""
        moments = self._moments(index, now)
        series = self._history(index, int(moments.crawl[0]))
        offers_at = self._products.offers_at(moments)
        return statistics(self._prices, self._profiles(index), moments, series, days) | {"lastOffersUpdate": offers_at}

    def offers(self, index: int, crawled_at: datetime, *, live_only: bool) -> tuple[list[dict[str, object]], list[int]]:
        """Return a product's offers as they were at `crawled_at`, and the positions of the live ones (P3)."""
        shelf = self._shelf(index, int(self._moments(index, crawled_at).crawl[0]))
        return self._offers.wire(shelf, to_keepa_minutes(crawled_at), live_only)

    def live_offer_count(self, index: int, now: datetime) -> int:
        """Return how many offers of a product are live."""
        return live_count(self._shelf(index, int(self._moments(index, now).crawl[0])))

    def last_crawl(self, index: int, now: datetime) -> datetime:
        """Return the last crawl of a product; by up to 36 s it may lie ahead."""
        return from_keepa_minutes(int(self._moments(index, now).crawl[0]))

    def last_offers_crawl(self, index: int, now: datetime) -> datetime:
        """Return the last crawl of a product's offers that no request caused."""
        return from_keepa_minutes(self._products.offers_at(self._moments(index, now)))

    def rating_is_stale(self, index: int, now: datetime) -> bool:
        """Return whether Keepa's rating data are older than 14 days."""
        return now - from_keepa_minutes(self._products.rated_at(self._moments(index, now))) > RATING_AGE_MAX

    def stock_is_stale(self, index: int, now: datetime) -> bool:
        """Return whether Keepa's stock data are older than 7 days."""
        return now - from_keepa_minutes(self._products.stocked_at(self._moments(index, now))) > STOCK_AGE_MAX

    def seller(self, seller_id: str, now: datetime) -> dict[str, object] | None:
        """Return a seller, `None` for an unknown id."""
        return self._sellers.wire(seller_id, shown_minute(now))

    def sales(self, index: int, start: datetime, end: datetime) -> list[Sale]:
        """Return the true sales of used copies from `start` on and before `end`, oldest first."""
        return truth.sales(self._prices, index, start, end)

    def exposures(
        self, selection: DealSelection, start: datetime, end: datetime, step: timedelta = EXPOSURE_STEP
    ) -> Iterator[Exposure]:
        """Return which deal in which state a selection showed when, looking every `step` from `start` before `end`."""
        seen: dict[tuple[int, int], tuple[datetime, datetime]] = {}
        now = start
        while now < end:
            for key in self._states(selection, shown_minute(now)):
                first, _ = seen.get(key, (now, now))
                seen[key] = first, now
            now += step
        for (index, last_update), (first, last) in seen.items():
            yield Exposure(self.asin(index), last_update, first, last)

    def _states(self, selection: DealSelection, minute: int) -> Iterator[tuple[int, int]]:
        rows = self._selecting.shown(selection, minute)
        return zip(rows.index.tolist(), rows.crawl.tolist(), strict=True)

    def _moments(self, index: int, now: datetime) -> Moments:
        if not 0 <= index < self.products:
            raise IndexError(f"product {index}: allowed is 0 to {self.products - 1}")
        return self._prices.crawls.at(np.array([index]), np.array([shown_minute(now)]))

    def _make_history(self, index: int, crawl: int) -> list[Series | None]:
        return history(self._prices, self._profiles(index), crawl)

    def _make_profiles(self, index: int) -> Profiles:
        return self._prices.profiles(np.array([index]), EVERY_TYPE)

    def _make_shelf(self, index: int, crawl: int) -> Shelf:
        moments = self._prices.crawls.at(np.array([index]), np.array([crawl]))
        profiles = self._profiles(index)
        items = self._prices.current(profiles, moments)
        warehouse = items[:, PriceType.WAREHOUSE]
        return Shelf(
            index=index,
            slot=int(moments.slots.number[0]),
            items=items[0].tolist(),
            shipping=profiles.shipping[0].tolist(),
            priced_at=int(self._prices.crawls.changed(moments)[0]),
            slot_start=int(moments.slots.start[0]),
            warehouse_condition=int(self._deals.warehouse_conditions(moments.index, warehouse)[0]),
        )
