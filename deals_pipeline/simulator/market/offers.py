"""The marketplace offers of one product (P3), made to agree with its counts and prices."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.simulator.market.noise import Noise, Stream
from deals_pipeline.simulator.market.prices import COUNT_NEW, COUNT_USED
from deals_pipeline.simulator.market.sellers import AMAZON_ID, WAREHOUSE_ID, Sellers
from deals_pipeline.simulator.market.words import COMMENTS

NEW_CONDITION: Final = 1
REFURBISHED_CONDITION: Final = 6
USED_CONDITIONS: Final = {19: 2, 20: 3, 21: 4, 22: 5}
COLLECTIBLE_CONDITIONS: Final = {23: 7, 24: 8, 25: 9, 26: 10}
NEW_TYPES: Final = (int(PriceType.AMAZON), int(PriceType.NEW_FBA), int(PriceType.NEW_FBM_SHIPPING))
UNKNOWN_SHIPPING_SHARE: Final = 0.04
OFFERS_PER_SLOT: Final = 512
"""More than a product ever has at once; numbers the offers of a slot."""
HISTORICAL_MAX: Final = 6


@dataclass(frozen=True)
class Shelf:
    """What a product shows at its last crawl: item prices by price type, -1 where missing, and shipping prices."""

    index: int
    slot: int
    items: list[int]
    shipping: list[int]
    priced_at: int
    """The minute at which the present prices came into being."""
    slot_start: int
    warehouse_condition: int


@dataclass(frozen=True)
class _Draft:
    condition: int
    price: int
    shipping: int
    is_fba: bool
    seller_id: str | None = None


def live_count(shelf: Shelf) -> int:
    """Return how many offers are live."""
    counts = (COUNT_NEW, COUNT_USED, PriceType.COUNT_REFURBISHED, PriceType.COUNT_COLLECTIBLE)
    return sum(max(0, shelf.items[kind]) for kind in counts)


class Offers:
    """Makes offers."""

    def __init__(self, noise: Noise, sellers: Sellers) -> None:
        self._noise = noise
        self._sellers = sellers

    def wire(self, shelf: Shelf, crawled: int, live_only: bool) -> tuple[list[dict[str, object]], list[int]]:
        """Return the offers and the positions of the live ones by landed price; `crawled` is when they were seen."""
        drafts = [*self._used(shelf), *self._new(shelf), *self._others(shelf)]
        offers = [self._offer(shelf, number, draft, crawled) for number, draft in enumerate(drafts)]
        order = sorted(range(len(drafts)), key=lambda number: drafts[number].price + max(0, drafts[number].shipping))
        if not live_only:
            offers += self._historical(shelf)
        return offers, order

    def _used(self, shelf: Shelf) -> Iterator[_Draft]:
        count, lowest = shelf.items[COUNT_USED], shelf.items[PriceType.USED]
        present = sorted((kind for kind in USED_CONDITIONS if shelf.items[kind] >= 0), key=shelf.items.__getitem__)
        assert count <= 0 or shelf.items[present[0]] == lowest, "some condition makes the Used price"
        has_warehouse = shelf.items[PriceType.WAREHOUSE] >= 0 and count > 1
        for number in range(max(0, count)):
            if has_warehouse and number == count - 1:
                price = shelf.items[PriceType.WAREHOUSE]
                yield _Draft(shelf.warehouse_condition, price, 0, is_fba=True, seller_id=WAREHOUSE_ID)
            else:
                yield self._draft(shelf, number, present, USED_CONDITIONS)

    def _new(self, shelf: Shelf) -> Iterator[_Draft]:
        present = sorted((kind for kind in NEW_TYPES if shelf.items[kind] >= 0), key=shelf.items.__getitem__)
        for number in range(max(0, shelf.items[COUNT_NEW])):
            kind = present[number] if number < len(present) else int(PriceType.NEW_FBM_SHIPPING)
            if kind == PriceType.AMAZON:
                yield _Draft(NEW_CONDITION, shelf.items[kind], 0, is_fba=True, seller_id=AMAZON_ID)
            elif number < len(present):
                is_fba = kind == PriceType.NEW_FBA
                yield _Draft(NEW_CONDITION, shelf.items[kind], shelf.shipping[kind], is_fba)
            else:
                price = self._raised(shelf, 100 + number, shelf.items[present[-1]])
                yield _Draft(NEW_CONDITION, price, shelf.shipping[kind], is_fba=False)

    def _others(self, shelf: Shelf) -> Iterator[_Draft]:
        present = [kind for kind in COLLECTIBLE_CONDITIONS if shelf.items[kind] >= 0]
        for number in range(max(0, shelf.items[PriceType.COUNT_COLLECTIBLE])):
            if number == 0 or not present:
                yield _Draft(10, shelf.items[PriceType.COLLECTIBLE], 399, is_fba=False)
            else:
                yield self._draft(shelf, number - 1, present, COLLECTIBLE_CONDITIONS)
        for number in range(max(0, shelf.items[PriceType.COUNT_REFURBISHED])):
            price = shelf.items[PriceType.REFURBISHED]
            price = price if number == 0 else self._raised(shelf, 200 + number, price)
            yield _Draft(REFURBISHED_CONDITION, price, 0, is_fba=True)

    def _draft(self, shelf: Shelf, number: int, present: list[int], conditions: dict[int, int]) -> _Draft:
        """Return the cheapest offer of each present type in turn, then dearer ones."""
        kind = present[number % len(present)]
        price, shipping = shelf.items[kind], shelf.shipping[kind]
        drawn = self._noise.number(Stream.OFFER, shelf.index, shelf.slot, 300 + number)
        if number >= len(present):
            price = self._raised(shelf, 300 + number, price)
        is_fba = shipping == 0 and drawn & 1 == 0
        if not is_fba and (drawn >> 8) % 1000 < 1000 * UNKNOWN_SHIPPING_SHARE:
            shipping = -1
        return _Draft(conditions[kind], price, shipping, is_fba)

    def _raised(self, shelf: Shelf, number: int, price: int) -> int:
        drawn = self._noise.number(Stream.OFFER, shelf.index, shelf.slot, number) >> 20
        return price + 1 + price * (drawn % 700) // 1000

    def _offer(self, shelf: Shelf, number: int, draft: _Draft, seen: int) -> dict[str, object]:
        drawn = self._noise.number(Stream.OFFER, shelf.index, shelf.slot, number)
        seller_id = draft.seller_id or self._sellers.seller_id(drawn % self._sellers.pool)
        earlier = max(0, shelf.slot_start - drawn % 40_000 // 2 * 2)
        price_before = draft.price * (1030 + drawn % 500) // 1000
        history = [earlier, price_before, draft.shipping, shelf.priced_at, draft.price, draft.shipping]
        return {
            "offerId": shelf.slot * OFFERS_PER_SLOT + number,
            "sellerId": seller_id,
            "lastSeen": seen,
            "condition": draft.condition,
            "conditionComment": COMMENTS[drawn >> 12 & 7] if drawn >> 12 & 7 < len(COMMENTS) else "",
            "isPrime": draft.is_fba,
            "isMAP": False,
            "isShippable": True,
            "isPreorder": False,
            "isWarehouseDeal": seller_id == WAREHOUSE_ID,
            "isAmazon": seller_id == AMAZON_ID,
            "isFBA": draft.is_fba,
            "shipsFromChina": False,
            "isPrimeExcl": False,
            "minOrderQty": 1,
            "offerCSV": history,
        }

    def _historical(self, shelf: Shelf) -> Iterator[dict[str, object]]:
        """Return offers of the slot before, no longer live."""
        before = Shelf(
            index=shelf.index,
            slot=shelf.slot - 1,
            items=shelf.items,
            shipping=shelf.shipping,
            priced_at=shelf.slot_start - 20_000,
            slot_start=shelf.slot_start - 40_000,
            warehouse_condition=0,
        )
        drawn = self._noise.number(Stream.OFFER, before.index, before.slot)
        price = 500 + drawn % 9000
        for number in range(drawn >> 16 & 7):
            draft = _Draft(2 + number % 4, self._raised(before, number, price), 399, is_fba=False)
            yield self._offer(before, number, draft, shelf.slot_start - (drawn >> 24) % 20_000)
