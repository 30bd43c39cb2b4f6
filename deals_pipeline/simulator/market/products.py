"""The product objects of `/product` but for histories, statistics and offers (P5)."""

from typing import Final

import numpy as np

from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.keepa.time import from_keepa_minutes
from deals_pipeline.simulator.market.catalogue import NO_CATEGORY, Catalogue
from deals_pipeline.simulator.market.crawls import Moments
from deals_pipeline.simulator.market.episodes import DAY
from deals_pipeline.simulator.market.kinds import PRODUCT_TYPE_WITH_DATA_MAX, ROOT_IDS, ROOT_NAMES, UNKNOWN_CATEGORY
from deals_pipeline.simulator.market.noise import Noise, Stream
from deals_pipeline.simulator.market.prices import COUNT_REVIEWS, Prices, TypeSet
from deals_pipeline.simulator.market.words import NAMES, PUBLISHERS

HEAD_TYPES: Final = TypeSet(np.array([int(PriceType.AMAZON), COUNT_REVIEWS]))
BINDINGS: Final = ("Paperback", "Hardcover", "Mass Market Paperback", "Spiral-bound", "Board book")
OTHER_GROUP: Final = "Personal Computer"
REFERRAL_PERCENTS: Final = (15.0, 15.0, 15.0, 8.0, 12.0, 17.0)
RATED_EVERY_DAYS: Final = 20
STOCKED_EVERY_DAYS: Final = 10
OFFERS_EVERY_DAYS: Final = 5
NOT_AVAILABLE: Final = -1


class Products:
    """Makes product objects."""

    def __init__(self, noise: Noise, prices: Prices, catalogue: Catalogue, domain: int) -> None:
        self._noise = noise
        self._prices = prices
        self._catalogue = catalogue
        self._domain = domain

    def head(self, moments: Moments) -> dict[str, object]:
        """Return the one product of `moments` without `csv`, `stats` and `offers`."""
        index = int(moments.index[0])
        kinds, catalogue = self._prices.kinds, self._catalogue
        profiles = self._prices.profiles(moments.index, HEAD_TYPES)
        crawl = int(moments.crawl[0])
        product_type = int(kinds.product_type(moments.index)[0])
        amazon, reviews = self._prices.current(profiles, moments)[0].tolist()
        has_data = product_type <= PRODUCT_TYPE_WITH_DATA_MAX
        root = int(kinds.root(moments.index)[0])
        root_id = int(ROOT_IDS[root])
        categories = [one for one in catalogue.categories(moments.index)[0].tolist() if one != NO_CATEGORY]
        tree = [{"catId": root_id, "name": ROOT_NAMES[root]}]
        tree += [{"catId": one, "name": f"{ROOT_NAMES[root]} {one}"} for one in categories[:1]]
        family = int(catalogue.family(moments.index)[0])
        is_book = bool(kinds.is_book(moments.index)[0])
        asin = catalogue.asin(index)
        drawn = self._noise.number(Stream.DETAIL, index, 1)
        since = int(profiles.tracked_since[0])
        published = from_keepa_minutes(since - (drawn & 4095) * DAY)
        head: dict[str, object] = {
            "asin": asin,
            "domainId": self._domain,
            "productType": product_type,
            "title": catalogue.title(index) if has_data else None,
            "parentAsin": None if family < 0 else catalogue.parent_asin(family),
            "rootCategory": 0 if root_id == UNKNOWN_CATEGORY else root_id,
            "categories": categories,
            "categoryTree": None if root_id == UNKNOWN_CATEGORY else tree,
            "imagesCSV": catalogue.image(index) if has_data else None,
            "manufacturer": PUBLISHERS[drawn >> 12 & 7],
            "brand": PUBLISHERS[drawn >> 12 & 7],
            "author": NAMES[drawn >> 16 & 7] if is_book else None,
            "binding": BINDINGS[(drawn >> 20) % len(BINDINGS)] if is_book else ROOT_NAMES[root],
            "productGroup": "Book" if is_book else OTHER_GROUP,
            "model": None,
            "color": None,
            "size": None,
            "edition": None,
            "format": None,
            "partNumber": None,
            "trackingSince": since,
            "listedSince": 0 if drawn >> 24 & 3 else since - 10_000,
            "lastUpdate": crawl,
            "lastPriceChange": int(self._prices.crawls.changed(moments)[0]),
            "lastRatingUpdate": self._natural(index, crawl, RATED_EVERY_DAYS),
            "lastEbayUpdate": 0,
            "lastStockUpdate": 0,
            "releaseDate": NOT_AVAILABLE,
            "publicationDate": int(f"{published:%Y%m%d}") if drawn >> 26 & 7 else published.year,
            "numberOfPages": 60 + (drawn >> 29) % 900 if is_book and drawn >> 40 & 15 else NOT_AVAILABLE,
            "numberOfItems": 1,
            "packageHeight": 10 + (drawn >> 30) % 60,
            "packageLength": 180 + (drawn >> 32) % 120,
            "packageWidth": 120 + (drawn >> 34) % 100,
            "packageWeight": 120 + (drawn >> 36) % 2200 if drawn >> 44 & 15 else NOT_AVAILABLE,
            "packageQuantity": 1,
            "itemHeight": NOT_AVAILABLE,
            "itemLength": NOT_AVAILABLE,
            "itemWidth": NOT_AVAILABLE,
            "itemWeight": 100 + (drawn >> 36) % 2100,
            "availabilityAmazon": 0 if amazon >= 0 else NOT_AVAILABLE,
            "eanList": [_ean(asin)] if is_book else None,
            "upcList": None,
            "hasReviews": reviews > 0,
            "isAdultProduct": bool(kinds.is_adult(moments.index)[0]),
            "newPriceIsMAP": drawn >> 50 & 63 == 0,
            "isEligibleForTradeIn": drawn >> 52 & 7 == 0,
            "isEligibleForSuperSaverShipping": amazon >= 0,
            "isRedirectASIN": False,
            "isSNS": False,
            "coupon": None,
            "promotions": None,
            "variations": None,
            "offersSuccessful": False,
            "stats": None,
            "offers": None,
            "csv": None,
        }
        return head | self._fees(index)

    def _fees(self, index: int) -> dict[str, object]:
        """Return the fees, which may be negative, null or absent (P5)."""
        drawn = self._noise.number(Stream.DETAIL, index, 2)
        fees: dict[str, object] = {"referralFeePercentage": REFERRAL_PERCENTS[(drawn >> 8) % len(REFERRAL_PERCENTS)]}
        pick_and_pack = 306 + (drawn >> 16) % 700
        match drawn & 31:
            case 0:
                return {"fbaFees": None, "referralFeePercentage": None}
            case 1:
                return {}
            case 2:
                pick_and_pack = NOT_AVAILABLE
            case 3:
                fees["referralFeePercentage"] = NOT_AVAILABLE
            case 4:
                return fees | {"fbaFees": None}
            case _:
                pass
        return fees | {
            "fbaFees": {
                "pickAndPackFee": pick_and_pack,
                "pickAndPackFeeTax": 0,
                "storageFee": 12 + (drawn >> 28) % 40,
                "storageFeeTax": 0,
            }
        }

    def rated_at(self, moments: Moments) -> int:
        """Return the minute of Keepa's last look at the rating."""
        return self._natural(int(moments.index[0]), int(moments.crawl[0]), RATED_EVERY_DAYS)

    def stocked_at(self, moments: Moments) -> int:
        """Return the minute of Keepa's last look at the sellers' stock."""
        return self._natural(int(moments.index[0]), int(moments.crawl[0]), STOCKED_EVERY_DAYS)

    def offers_at(self, moments: Moments) -> int:
        """Return the minute of Keepa's last crawl of the offers that no request caused."""
        return self._natural(int(moments.index[0]), int(moments.crawl[0]), OFFERS_EVERY_DAYS)

    def _natural(self, index: int, minute: int, every_days: int) -> int:
        """Return the last minute of a grid with a phase of the product's own."""
        every = every_days * DAY
        phase = self._noise.number(Stream.DETAIL, index, 3) % every // 2 * 2
        return (minute - phase) // every * every + phase


def _ean(isbn: str) -> str:
    """Return the EAN-13 of an ISBN-10."""
    body = f"978{isbn[:-1]}"
    total = sum(int(digit) * (1 + 2 * (position % 2)) for position, digit in enumerate(body))
    return f"{body}{-total % 10}"
