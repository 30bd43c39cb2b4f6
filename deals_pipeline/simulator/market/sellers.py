"""The sellers of the simulated market: a pool whose members are known by id, without a table."""

from typing import Final

from deals_pipeline.simulator.market.asins import ALPHABET, Permutation, base36
from deals_pipeline.simulator.market.episodes import DAY
from deals_pipeline.simulator.market.noise import Noise, Stream
from deals_pipeline.simulator.market.words import SHOPS

AMAZON_ID: Final = "ATVPDKIKX0DER"
WAREHOUSE_ID: Final = "A2L77EE7U53NWQ"
ID_PREFIX: Final = "A"
ID_DIGITS: Final = 13
POOL_MIN: Final = 50
PRODUCTS_PER_SELLER: Final = 20
TRACKED_FROM: Final = 4_200_000
"""2018-12-26; the last seller of the pool was found `TRACKED_SPREAD` later."""
TRACKED_SPREAD: Final = 1400 * DAY
RATED_EVERY: Final = 30 * DAY
UPDATED_EVERY: Final = 2 * DAY


class Sellers:
    """The sellers of a market: a pure function of (noise, products, time)."""

    def __init__(self, noise: Noise, products: int, domain: int) -> None:
        self._noise = noise
        self._domain = domain
        self._ids = Permutation(noise, 2, len(ALPHABET) ** ID_DIGITS)
        self.pool = max(POOL_MIN, products // PRODUCTS_PER_SELLER)

    def seller_id(self, number: int) -> str:
        """Return the id of a member of the pool."""
        return ID_PREFIX + base36(self._ids.forward(number), ID_DIGITS)

    def number_of(self, seller_id: str) -> int | None:
        """Return which member of the pool has an id; Amazon and its warehouse come after the pool."""
        if seller_id in (AMAZON_ID, WAREHOUSE_ID):
            return self.pool + (seller_id == WAREHOUSE_ID)
        digits = seller_id[len(ID_PREFIX) :]
        if not seller_id.startswith(ID_PREFIX) or len(digits) != ID_DIGITS or not set(digits) <= set(ALPHABET):
            return None
        number = self._ids.backward(int(digits, len(ALPHABET)))
        return number if number < self.pool else None

    def wire(self, seller_id: str, minute: int) -> dict[str, object] | None:
        """Return the seller object of `/seller`, `None` for an unknown id."""
        number = self.number_of(seller_id)
        if number is None:
            return None
        drawn = [self._noise.number(Stream.SELLER, number, part) for part in range(5)]
        since = TRACKED_FROM + drawn[0] % TRACKED_SPREAD // 2 * 2
        updated = since + (minute - since) // UPDATED_EVERY * UPDATED_EVERY
        per_month = 1 + int(400 * (drawn[1] % 1000 / 1000) ** 4)
        best = 100 - int(25 * (drawn[2] % 1000 / 1000) ** 2)
        times = range(since, updated + 1, RATED_EVERY)
        ratings: list[int] = []
        counts: list[int] = []
        for month, time in enumerate(times):
            rating = max(0, best - self._noise.number(Stream.SELLER, number, 10 + month) % 4)
            if not ratings or ratings[-1] != rating:
                ratings += [time, rating]
            counts += [time, drawn[3] % 50 + month * per_month]
        positive = ratings[-1]
        neutral = (100 - positive) // 3
        is_named = number >= self.pool
        return {
            "sellerId": seller_id,
            "sellerName": ("Amazon.com", "Amazon Warehouse")[number - self.pool]
            if is_named
            else f"{SHOPS[drawn[4] % len(SHOPS)]} {number}",
            "domainId": self._domain,
            "trackedSince": since,
            "lastUpdate": updated,
            "lastRatingUpdate": updated,
            "hasFBA": is_named or drawn[4] >> 8 & 3 == 0,
            "shipsFromChina": not is_named and drawn[4] >> 16 & 31 == 0,
            "csv": [ratings, counts],
            "currentRating": positive,
            "currentRatingCount": counts[-1],
            "ratingsLast30Days": per_month,
            "ratingCount": [per_month, min(counts[-1], 3 * per_month), min(counts[-1], 12 * per_month), counts[-1]],
            "positiveRating": [positive] * 4,
            "neutralRating": [neutral] * 4,
            "negativeRating": [100 - positive - neutral] * 4,
        }
