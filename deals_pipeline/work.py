"""The values of the planner: classes of work, what there is to buy, what was bought, and what to buy next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final, TypeAlias

from deals_pipeline.keepa.requests import DealPageRequest, ProductRequest, Request, SellerRequest
from deals_pipeline.keepa.selection import DealSelection, Domain
from deals_pipeline.token_bucket.model import Lane


class Work(Enum):
    """A class of work; each but head scans has a share of the refill under its name."""

    HEAD_SCAN = "head_scan"
    FULL_SCAN = "full_scan"
    HISTORY = "history"
    OFFERS = "offers"
    BACKFILL = "backfill"

    @property
    def lane(self) -> Lane:
        """The lane in which it spends."""
        return Lane.RECENT if self in (Work.HEAD_SCAN, Work.FULL_SCAN) else Lane(self.value)


_PAGE: Final = DealPageRequest(selection=DealSelection())
_HISTORY: Final = ProductRequest(asins=("0000000000",), stats=365)
_OFFERS: Final = ProductRequest(asins=("0000000000",), stats=365, offers=20, only_live_offers=True, update=1)
_SELLER: Final = SellerRequest(seller_ids=("00000000",))
_CALLS: Final[Mapping[Work, tuple[Request, ...]]] = {
    Work.HEAD_SCAN: (_PAGE,),
    Work.FULL_SCAN: (_PAGE,),
    Work.HISTORY: (_HISTORY,),
    Work.OFFERS: (_OFFERS, _SELLER),
    Work.BACKFILL: (_PAGE,),
}
"""What is asked for each page or product: with live offers, the seller of the cheapest."""


def cost_of(work: Work, bounds: Mapping[str, int]) -> int:
    """Return the most that a page or product can cost, by the cost table and the bounds that calls have exceeded."""
    return sum(_highest(call, bounds) for call in _CALLS[work])


def seller_cost(bounds: Mapping[str, int]) -> int:
    """Return the most that a seller can cost, by the same."""
    return _highest(_SELLER, bounds)


def _highest(call: Request, bounds: Mapping[str, int]) -> int:
    return max(call.cost.high, bounds.get(call.kind, 0))


COST: Final[Mapping[Work, int]] = {work: cost_of(work, {}) for work in Work}
"""The most that a page or product can cost by the cost table."""
PRODUCTS_MAX: Final = {Work.HISTORY: _HISTORY.asins_max, Work.OFFERS: _OFFERS.asins_max}


@dataclass(frozen=True, slots=True)
class Scan:
    """A selection or shard: how often it was scanned to the end, and how far the scan in progress has come.

    `key` contains the version of its query.
    """

    key: str
    cycle: int = 0
    completed_at: datetime | None = None
    page: int = 0

    @property
    def stem(self) -> str:
        """What tells this piece of work from any before and after it."""
        return f"{self.key}/{self.cycle}/{self.page}"


@dataclass(frozen=True, slots=True)
class Product:
    """A product about which something is to be bought, and when it was last asked for."""

    domain: Domain
    asin: str
    asked_at: datetime | None = None

    @property
    def stem(self) -> str:
        """What tells this piece of work from any before and after it."""
        asked_at = f"{self.asked_at:%Y-%m-%dT%H:%M:%SZ}" if self.asked_at else "never"
        return f"{self.domain.name}/{self.asin}/{asked_at}"


@dataclass(frozen=True, slots=True)
class Backlog:
    """What there is to buy, by the warehouse: selections whether due or not, the rest only while pending, best first.

    A head scan has no cursor: one that could not stop early goes on as the selection's full scan.
    """

    head_scans: Sequence[Scan] = ()
    full_scans: Sequence[Scan] = ()
    history: Sequence[Product] = ()
    offers: Sequence[Product] = ()
    shards: Sequence[Scan] = ()

    def of(self, work: Work) -> Sequence[Scan | Product]:
        """Return what there is of a class of work."""
        items: Mapping[Work, Sequence[Scan | Product]] = {
            Work.HEAD_SCAN: self.head_scans,
            Work.FULL_SCAN: self.full_scans,
            Work.HISTORY: self.history,
            Work.OFFERS: self.offers,
            Work.BACKFILL: self.shards,
        }
        return items[work]


@dataclass(frozen=True, slots=True)
class History:
    """What was bought: tokens by class over the shares' window, and what became of the units asked for.

    `running` are the run keys of runs that are queued or in progress, `ended` of those that are over, and since when;
    a run that left its unit as it was is asked for again, later each time. `costs` are bounds that calls have exceeded.
    """

    spent: Mapping[Work, int] = field(default_factory=dict)
    running: Sequence[str] = ()
    ended: Mapping[str, datetime] = field(default_factory=dict)
    costs: Mapping[Work, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScanUnit:
    """Read up to so many pages of a scan, from its cursor on; at least one."""

    work: Work
    scan: Scan
    pages: int
    tokens_max: int
    run_key: str


@dataclass(frozen=True, slots=True)
class ProductUnit:
    """Ask for these products of one marketplace in a request, then for what else is pending, up to `tokens_max`.

    `skip` are the stems of those that are left out, as they were asked for in vain and wait for another try.
    """

    work: Work
    products: tuple[Product, ...]
    tokens_max: int
    run_key: str
    skip: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before `until`, unless the backlog changes; it may be up to one tick late."""

    until: datetime
    reason: str


Unit: TypeAlias = ScanUnit | ProductUnit
Plan: TypeAlias = Unit | Wait
