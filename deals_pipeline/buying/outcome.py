"""How far a unit of work came, why it ended, and what it counted."""

from dataclasses import dataclass, fields
from datetime import datetime
from enum import Enum

from typing_extensions import Self

from deals_pipeline.keepa.requests import DealPageRequest, ProductRequest, Request, SellerRequest
from deals_pipeline.keepa.tokens import TokenObservation
from deals_pipeline.warehouse.loading import Loaded


class StoppedBy(Enum):
    """Why a unit ended; none of them is a failure."""

    COMPLETE = "complete"
    """Nothing more is to be bought."""
    TOO_WIDE = "too wide"
    """A shard shows more than Keepa lists: it was cut in two."""
    TOKENS = "tokens"
    """What is next is not affordable before `retry_at`."""
    BUDGET = "budget"
    """The tokens that the unit was given are spent."""
    TIME = "time"
    """Units are short, so that nobody waits long for the pool."""
    NO_ANSWER = "no answer"
    """Keepa gave no answer that can be read, several times."""


class Stopped(Exception):
    """A unit cannot go on now; all that was bought is stored."""

    def __init__(self, by: StoppedBy, reason: str, retry_at: datetime | None = None) -> None:
        super().__init__(reason)
        self.by = by
        self.retry_at = retry_at


class Rejected(Exception):
    """Keepa refuses the call for good; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What was bought: sums over the answers of a unit.

    `tokens_estimated` is the most that the calls could cost, `tokens_spent` what Keepa says that they did;
    `calls_unknown` are calls that may have been charged although nothing came.
    """

    pages: int = 0
    requests: int = 0
    rows_seen: int = 0
    rows_new: int = 0
    rows_updated: int = 0
    quarantined: int = 0
    duplicates: int = 0
    points: int = 0
    products_missing: int = 0
    offers: int = 0
    sellers: int = 0
    sellers_missing: int = 0
    breaches: int = 0
    tokens_estimated: int = 0
    tokens_spent: int = 0
    calls_unknown: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    @classmethod
    def of(cls, request: Request, tokens: TokenObservation, loaded: Loaded) -> Self:
        """Return the tally of one answer."""
        return cls(
            pages=int(isinstance(request, DealPageRequest)),
            requests=1,
            rows_seen=loaded.rows_seen,
            rows_new=loaded.rows_new,
            rows_updated=loaded.rows_updated,
            quarantined=loaded.quarantined,
            duplicates=loaded.duplicates,
            points=loaded.points,
            products_missing=len(loaded.missing) if isinstance(request, ProductRequest) else 0,
            offers=loaded.offers,
            sellers=loaded.sellers,
            sellers_missing=len(loaded.missing) if isinstance(request, SellerRequest) else 0,
            breaches=len(loaded.breaches),
            tokens_estimated=request.cost.high,
            tokens_spent=tokens.tokens_consumed,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a unit: `reason` in words, `retry_at` when what is next is affordable."""

    stopped_by: StoppedBy
    reason: str
    tally: Tally
    retry_at: datetime | None = None
