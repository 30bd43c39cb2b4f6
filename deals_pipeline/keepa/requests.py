"""The requests we make of Keepa: typed, validated when made, with their wire form and their cost.

A value outside the documented range raises `pydantic.ValidationError` (a `ValueError`), which names the field, the
value and what is allowed. Sources: facts D1, P2, P3, P7 and the cost table of docs/keepa_api.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Annotated, ClassVar, Final, TypeAlias

from pydantic import AfterValidator, Field, StrictBool, StrictInt, model_validator
from typing_extensions import Self

from deals_pipeline.keepa.selection import DealSelection, Domain, Frozen, Whole, WireValue
from deals_pipeline.keepa.tokens import Cost

DEALS_PER_PAGE: Final = 150
DEALS_PER_SELECTION_MAX: Final = 10_000
PAGES_MAX: Final = ceil(DEALS_PER_SELECTION_MAX / DEALS_PER_PAGE)
ASINS_PER_REQUEST_MAX: Final = 100
ASINS_PER_REQUEST_WITH_OFFERS_MAX: Final = 20
OFFERS_PER_OFFER_PAGE: Final = 10
TOKENS_PER_OFFER_PAGE: Final = 6


@dataclass(frozen=True, slots=True)
class WireRequest:
    """A request as it travels, without the API key: `body` is the JSON of a POST."""

    path: str
    query: Mapping[str, str | int] = field(default_factory=dict)
    body: Mapping[str, WireValue] | None = None

    @property
    def method(self) -> str:
        """GET, or POST when there is a body."""
        return "GET" if self.body is None else "POST"


def _unique(items: tuple[str, ...]) -> tuple[str, ...]:
    if repeated := sorted({item for item in items if items.count(item) > 1}):
        raise ValueError(f"{', '.join(repeated)}: allowed is each once")
    return items


Asin = Annotated[str, Field(pattern=r"^[A-Z0-9]{10}$")]
SellerId = Annotated[str, Field(pattern=r"^[A-Z0-9]{8,20}$")]


class DealPageRequest(Frozen):
    """One page of up to 150 deals of a selection; `page` counts from 0 and ends with the 10 000th deal (D1)."""

    cost: ClassVar[Cost] = Cost(5, 5)
    kind: ClassVar[str] = "deal page"
    units: ClassVar[int] = 1

    selection: DealSelection
    page: Annotated[StrictInt, Field(ge=0, le=PAGES_MAX - 1)] = 0

    def wire(self) -> WireRequest:
        """Return the request as it travels."""
        return WireRequest("/deal", body=self.selection.wire() | {"page": self.page})


class ProductRequest(Frozen):
    """Products by ASIN: at most 100, at most 20 with `offers`.

    `stats` and `days` are days; `update` is hours since the last crawl after which Keepa refreshes first (0 always,
    -1 never); `offers` is how many live offers to fetch, in pages of 10.
    """

    domain: Annotated[Domain, Whole] = Domain.US
    asins: Annotated[tuple[Asin, ...], Field(min_length=1), AfterValidator(_unique)]
    stats: Annotated[StrictInt, Field(ge=1)] | None = None
    history: StrictBool = True
    days: Annotated[StrictInt, Field(ge=1)] | None = None
    offers: Annotated[StrictInt, Field(ge=20, le=100)] | None = None
    only_live_offers: StrictBool = False
    update: Annotated[StrictInt, Field(ge=-1)] | None = None
    buybox: StrictBool = False
    rating: StrictBool = False
    stock: StrictBool = False
    historical_variations: StrictBool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.asins) > self.asins_max:
            raise ValueError(f"asins has {len(self.asins)}: allowed are at most {self.asins_max}, 20 with offers")
        for name in ("only_live_offers", "stock"):
            if getattr(self, name) and self.offers is None:
                raise ValueError(f"{name} True: allowed only together with offers")
        return self

    @property
    def asins_max(self) -> int:
        """How many ASINs Keepa takes in one such request."""
        return ASINS_PER_REQUEST_MAX if self.offers is None else ASINS_PER_REQUEST_WITH_OFFERS_MAX

    @property
    def kind(self) -> str:
        """What decides the most that each ASIN can cost: after how many hours to refresh does not, but for 0 and -1."""
        valued = [] if self.offers is None else [f"offers={self.offers}"]
        if self.update is not None and self.update <= 0:
            valued.append(f"update={self.update}")
        switched = [name for name in ("buybox", "rating", "stock", "historical_variations") if getattr(self, name)]
        return " ".join(["product", *valued, *switched])

    @property
    def units(self) -> int:
        """How many ASINs are asked for."""
        return len(self.asins)

    @property
    def cost_per_asin(self) -> Cost:
        """What each ASIN costs, by the cost table: an unknown one may cost nothing when `update` is -1."""
        offer_pages_max = ceil((self.offers or 0) / OFFERS_PER_OFFER_PAGE)
        total = Cost(1, max(1, TOKENS_PER_OFFER_PAGE * offer_pages_max))
        if self.buybox and self.offers is None:
            total += Cost(2, 2)
        if self.update == 0:
            total += Cost(0, 1)
        if self.rating:
            total += Cost(0, 1)
        if self.stock:
            total += Cost(0, 2)
        if self.historical_variations:
            total += Cost(0, 1)
        return Cost(0, total.high) if self.update == -1 else total

    @property
    def cost(self) -> Cost:
        """What the whole request costs."""
        return self.cost_per_asin * len(self.asins)

    def asins_affordable(self, tokens: int) -> int:
        """Return how many ASINs of such a request `tokens` pay for at the highest cost."""
        return max(0, min(self.asins_max, tokens // self.cost_per_asin.high))

    def split(self, tokens: int) -> tuple["ProductRequest", ...]:
        """Return requests for the same ASINs, in order, none of which can cost more than `tokens`.

        Raises `ValueError` when `tokens` do not pay for a single ASIN.
        """
        size = self.asins_affordable(tokens)
        if size == 0:
            raise ValueError(f"tokens {tokens}: allowed is at least {self.cost_per_asin.high}, the cost of one ASIN")
        return tuple(
            self.model_copy(update={"asins": self.asins[start : start + size]})
            for start in range(0, len(self.asins), size)
        )

    def wire(self) -> WireRequest:
        """Return the request as it travels."""
        query: dict[str, str | int] = {
            "domain": int(self.domain),
            "asin": ",".join(self.asins),
            "history": int(self.history),
        }
        for name in ("stats", "days", "offers", "update"):
            if (value := getattr(self, name)) is not None:
                query[name] = value
        for name in ("only_live_offers", "buybox", "rating", "stock", "historical_variations"):
            if getattr(self, name):
                query[name.replace("_", "-")] = 1
        return WireRequest("/product", query)


class SellerRequest(Frozen):
    """Sellers by id, at most 100; unknown ids are free and silently missing."""

    domain: Annotated[Domain, Whole] = Domain.US
    seller_ids: Annotated[tuple[SellerId, ...], Field(min_length=1, max_length=100), AfterValidator(_unique)]

    kind: ClassVar[str] = "seller"

    @property
    def units(self) -> int:
        """How many sellers are asked for."""
        return len(self.seller_ids)

    @property
    def cost(self) -> Cost:
        """One token for each id that is found."""
        return Cost(0, len(self.seller_ids))

    def wire(self) -> WireRequest:
        """Return the request as it travels."""
        return WireRequest("/seller", {"domain": int(self.domain), "seller": ",".join(self.seller_ids)})


class TokenStatusRequest(Frozen):
    """The balance alone; free (T7)."""

    cost: ClassVar[Cost] = Cost(0, 0)
    kind: ClassVar[str] = "token status"
    units: ClassVar[int] = 1

    def wire(self) -> WireRequest:
        """Return the request as it travels."""
        return WireRequest("/token")


Request: TypeAlias = DealPageRequest | ProductRequest | SellerRequest | TokenStatusRequest
