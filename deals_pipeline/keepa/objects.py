"""Keepa's objects as they arrive: deals, products, offers, sellers; any negative price, rank or count is missing.

Fields carry Keepa's names in snake case. Times are Keepa minutes, money integer cents; a missing value is `None`
(D10, P2), never -1. Unknown fields are ignored, a wrong type raises `msgspec.ValidationError` with its path.
"""

from array import array
from collections.abc import Sequence
from typing import Annotated, ClassVar, TypeAlias

import numpy as np
from msgspec import Meta, Raw, Struct, field
from msgspec.structs import asdict, force_setattr
from numpy.typing import NDArray

from deals_pipeline.keepa.price_types import PriceType

Asin: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Z0-9]{10}\Z")]
Number: TypeAlias = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Code: TypeAlias = Annotated[int, Meta(ge=-128, le=127)]
Minute: TypeAlias = Annotated[int, Meta(ge=0, le=2**31 - 1)]
CategoryId: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Character: TypeAlias = Annotated[int, Meta(ge=0, le=127)]
Values: TypeAlias = tuple[Number | None, ...]
"""One value per price type; look up with `value_of`."""


def value_of(values: Values | None, price_type: PriceType) -> int | None:
    """Return the value of a price type, `None` when it is missing or the array is shorter."""
    return values[price_type] if values is not None and price_type < len(values) else None


def _present(value: float | None) -> bool:
    return value is not None and value >= 0


class _Object(Struct, frozen=True, kw_only=True, rename="camel"):
    """An object of the wire, whose fields in `or_missing` become `None` where Keepa sends a negative."""

    or_missing: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for name in self.or_missing:
            value = getattr(self, name)
            if isinstance(value, tuple):
                present = [None if item is None or item < 0 else item for item in value]
                force_setattr(self, name, tuple(present))
            elif not _present(value):
                force_setattr(self, name, None)


class Deal(_Object, frozen=True, kw_only=True):
    """One deal of a page (D8).

    `current`, `current_since` and `delta_last` have one value per price type; `avg`, `delta` and `delta_percent` one
    such array per date range (day, week, month, 90 days). A delta is average minus current: positive is a drop.
    """

    or_missing: ClassVar[tuple[str, ...]] = (
        "current",
        "current_since",
        "sales_rank_drops30",
        "sales_rank_drops90",
        "sales_rank_drops180",
        "sales_rank_drops365",
        "warehouse_condition",
    )

    asin: Asin
    title: str | None = None
    parent_asin: str | None = None
    root_cat: CategoryId
    categories: tuple[CategoryId, ...] = ()
    image: tuple[Character, ...] | None = None
    creation_date: Minute
    last_update: Minute
    current: Values
    current_since: Values
    delta_last: tuple[Number, ...]
    avg: tuple[Values, ...]
    delta: tuple[tuple[Number, ...], ...]
    delta_percent: tuple[tuple[Number, ...], ...]
    back_in_stock: tuple[bool, ...] = ()
    sales_rank_drops30: Number | None = None
    sales_rank_drops90: Number | None = None
    sales_rank_drops180: Number | None = None
    sales_rank_drops365: Number | None = None
    warehouse_condition: Code | None = None
    warehouse_condition_comment: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        force_setattr(
            self, "avg", tuple(tuple(item if _present(item) else None for item in window) for window in self.avg)
        )

    @property
    def image_name(self) -> str | None:
        """The file name of the image, which travels as character codes."""
        return None if self.image is None else "".join(map(chr, self.image))


class Stats(_Object, frozen=True, kw_only=True):
    """The statistics of a product (P4): one value per price type, averages weighted by time."""

    or_missing: ClassVar[tuple[str, ...]] = (
        "current",
        "avg",
        "avg30",
        "avg90",
        "avg180",
        "avg365",
        "sales_rank_drops30",
        "sales_rank_drops90",
        "sales_rank_drops180",
        "sales_rank_drops365",
    )

    current: Values
    avg: Values | None = None
    avg30: Values | None = None
    avg90: Values | None = None
    avg180: Values | None = None
    avg365: Values | None = None
    sales_rank_drops30: Number | None = None
    sales_rank_drops90: Number | None = None
    sales_rank_drops180: Number | None = None
    sales_rank_drops365: Number | None = None


class FbaFees(_Object, frozen=True, kw_only=True):
    """What Amazon charges to pick and pack one unit, in cents (P5)."""

    or_missing: ClassVar[tuple[str, ...]] = ("pick_and_pack_fee",)

    pick_and_pack_fee: Number | None = None


class Offer(_Object, frozen=True, kw_only=True):
    """One seller's offer of a product; `offer_csv` is triples (time, price, shipping), newest last (P3)."""

    offer_id: Number
    seller_id: str
    condition: Code
    last_seen: Minute
    condition_comment: str | None = None
    is_amazon: bool = False
    is_fba: bool = field(name="isFBA", default=False)
    is_prime: bool = False
    is_shippable: bool = True
    is_preorder: bool = False
    is_warehouse_deal: bool = False
    offer_csv: tuple[Number, ...] = field(name="offerCSV", default=())
    stock_csv: tuple[Number, ...] | None = field(name="stockCSV", default=None)

    @property
    def price(self) -> int | None:
        """The newest item price in cents."""
        return self._newest(-2)

    @property
    def shipping(self) -> int | None:
        """The newest shipping price in cents; `None` is unknown, 0 free."""
        return self._newest(-1)

    def _newest(self, position: int) -> int | None:
        if len(self.offer_csv) < PriceType.NEW_FBM_SHIPPING.stride:
            return None
        value = self.offer_csv[position]
        return value if _present(value) else None


class Series:
    """One history as Keepa sends it, in 32-bit integers: pairs (time, value), or triples (time, price, shipping)."""

    __slots__ = ("flat",)

    def __init__(self, flat: NDArray[np.int32]) -> None:
        self.flat = flat

    def __repr__(self) -> str:
        return f"Series({len(self.flat)} integers)"

    def times(self, price_type: PriceType) -> NDArray[np.int32]:
        """Return the times in Keepa minutes, oldest first."""
        return self.flat[:: price_type.stride]

    def values(self, price_type: PriceType) -> NDArray[np.int32]:
        """Return the values; a negative one is missing."""
        return self.flat[1 :: price_type.stride]

    def shipping(self, price_type: PriceType) -> NDArray[np.int32] | None:
        """Return the shipping prices of a type with shipping, else `None`; a negative one is unknown."""
        return self.flat[2 :: price_type.stride] if price_type.with_shipping else None


def decode_series(kind: type, value: object) -> object:
    """Turn the list of integers of a `Series` field into one; the `dec_hook` of msgspec's decoders.

    Raises `TypeError` for anything but integers and `ValueError` beyond 32 bits.
    """
    if kind is not Series:
        raise NotImplementedError(kind)
    if not isinstance(value, list):
        raise TypeError(f"Expected an array of integers, got {type(value).__name__}")
    try:
        return Series(np.frombuffer(array("i", value), dtype=np.int32))
    except OverflowError as beyond:
        raise ValueError("Expected 32-bit integers") from beyond


class _ProductButHistories(_Object, frozen=True, kw_only=True):
    or_missing: ClassVar[tuple[str, ...]] = (
        "referral_fee_percentage",
        "availability_amazon",
        "number_of_pages",
        "package_weight",
        "publication_date",
    )

    asin: Asin
    domain_id: Number
    product_type: Code = 0
    title: str | None = None
    parent_asin: str | None = None
    root_category: CategoryId = 0
    categories: tuple[CategoryId, ...] | None = None
    manufacturer: str | None = None
    brand: str | None = None
    author: str | None = None
    binding: str | None = None
    number_of_pages: Number | None = None
    publication_date: Number | None = None
    package_weight: Number | None = None
    tracking_since: Minute
    last_update: Minute
    availability_amazon: Number | None = None
    fba_fees: FbaFees | None = None
    referral_fee_percentage: float | None = None
    stats: Stats | None = None
    offers: tuple[Offer | Number, ...] | None = None
    offers_successful: bool | None = None
    live_offers_order: tuple[Number, ...] | None = None


class Product(_ProductButHistories, frozen=True, kw_only=True):
    """One product; `csv` has one history per price type, `None` where there is none (P2).

    `stats`, `csv` and `offers` come only when they were asked for. `live_offers_order` are positions in `offers`.
    """

    csv: tuple[Series | None, ...] | None = None

    def history(self, price_type: PriceType) -> Series | None:
        """Return the history of a price type, `None` when there is none."""
        return self.csv[price_type] if self.csv is not None and price_type < len(self.csv) else None

    @property
    def live_offers(self) -> tuple[Offer, ...]:
        """The offers that are live now, in the order of Amazon's offer page; positions that hold no object are left."""
        offers = self.offers or ()
        ordered = (offers[position] for position in self.live_offers_order or () if 0 <= position < len(offers))
        return tuple(offer for offer in ordered if isinstance(offer, Offer))


class UnparsedProduct(_ProductButHistories, frozen=True, kw_only=True):
    """A product whose histories are still JSON, which NumPy reads faster than numbers become Python's and then its."""

    csv: tuple[Raw, ...] | None = None

    def parsed(self) -> Product:
        """Return the product; raises `ValueError` unless each history is `null` or an array of 32-bit integers."""
        csv = None if self.csv is None else _parsed(self.csv)
        return Product(**(asdict(self) | {"csv": csv}))


def _parsed(histories: Sequence[Raw]) -> tuple[Series | None, ...]:
    """Return the histories of a product, whose numbers are read at once: calls of NumPy cost more than short arrays."""
    texts = [bytes(history) for history in histories]
    digits = [b"" if text == b"null" else text[1:-1].strip() for text in texts]
    joined = b",".join(filter(None, digits))
    is_plain = all(text[:1] == b"[" or text == b"null" for text in texts) and b"." not in joined and b'"' not in joined
    if not is_plain or np.frombuffer(joined, dtype=np.uint8).max(initial=0) > ord("9"):
        raise ValueError("Expected an array of integers")
    numbers = np.fromstring(joined, dtype=np.int64, sep=",")
    flat = numbers.astype(np.int32)
    if (flat != numbers).any():
        raise ValueError("Expected 32-bit integers")
    series: list[Series | None] = []
    is_comma, at, start = np.frombuffer(joined, dtype=np.uint8) == ord(","), 0, 0
    for text, each in zip(texts, digits, strict=True):
        end = start + np.count_nonzero(is_comma[at : at + len(each)]) + 1 if each else start
        series.append(None if text == b"null" else Series(flat[start:end]))
        at, start = at + len(each) + 1 if each else at, end
    return tuple(series)


class Seller(_Object, frozen=True, kw_only=True):
    """One seller; `current_rating` is percent of positive ratings, `current_rating_count` how many there are."""

    or_missing: ClassVar[tuple[str, ...]] = ("current_rating", "current_rating_count", "ratings_last30_days")

    seller_id: str
    domain_id: Number
    seller_name: str | None = None
    tracked_since: Minute
    last_update: Minute
    current_rating: Code | None = None
    current_rating_count: Number | None = None
    ratings_last30_days: Number | None = None
    has_fba: bool | None = field(name="hasFBA", default=None)
    ships_from_china: bool | None = None
