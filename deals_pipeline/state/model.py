"""The values of the pipeline's state: what is known at one moment, and nothing that acts. Times are UTC."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from deals_pipeline.config import Mode
from deals_pipeline.state.funding import Funding
from deals_pipeline.token_bucket.status import BucketStatus
from deals_pipeline.warehouse.quality import Finding
from deals_pipeline.work import Work


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour of the account, in tokens; `spent` is by class of work, as `Work` has it, what calls settled at.

    `foreign` left the bucket beside that; it may be negative where a tick was foreseen late, the sums over time are
    right. `balance` is what Keepa said last within the hour, `lowest` the least; `None` where it said nothing.
    """

    start: datetime
    spent: Mapping[str, int]
    foreign: int
    lost: int
    calls: int
    throttled: int
    balance: int | None
    lowest: int | None


@dataclass(frozen=True, slots=True)
class WatchedSelection:
    """A watched selection: when it was last read, and when it is due again if tokens allow.

    `head_scan_at` is when its first page was last read, `full_scan_at` when it last came to its end. `pages` is how
    many it had then, `page` how many of the full scan in progress are stored, 0 where none is.
    """

    name: str
    marketplace: str
    head_scan_at: datetime | None
    head_scan_due_at: datetime
    full_scan_at: datetime | None
    full_scan_due_at: datetime
    pages: int | None
    page: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How much is stored. `listed` and `gone` add up to all deals; `shards` are those of the settings, cut or not."""

    listed: int
    gone: int
    backfilled: int
    histories: int
    points: int
    shards: int
    shards_complete: int


@dataclass(frozen=True, slots=True)
class Rejection:
    """How many listed deals a stage of the screening rejects, and why."""

    stage: str
    reason: str
    deals: int


@dataclass(frozen=True, slots=True)
class Screening:
    """What became of the listed deals: survivors by the dearest stage that they passed, rejections most frequent first.

    `worth_buying` are the survivors whose sales history or live offers are known. `unscreened` deals were listed since.
    """

    survivors: Mapping[str, int]
    rejections: tuple[Rejection, ...]
    worth_buying: int
    unscreened: int

    @property
    def rejected(self) -> int:
        """How many listed deals are rejected."""
        return sum(rejection.deals for rejection in self.rejections)


@dataclass(frozen=True, slots=True)
class FreshnessPlan:
    """How often the histories of tracked listed deals are planned to be bought again (F37).

    `fresh` in every `interval`, `rarer` less often, `never` not at all: tokens do not reach.
    """

    interval: timedelta
    fresh: int
    rarer: int
    never: int


@dataclass(frozen=True, slots=True)
class Stuck:
    """What does not move by itself, or was put aside.

    `quarantined` are the items put aside in the last day, by what was asked for; `missing_products` were asked for and
    never came since. `abandoned` names selections and shards whose scan was begun and is too old to go on with;
    `shards_begun` are in the middle. `answers_unloaded` were landed and are not in the warehouse yet.
    """

    quarantined: Mapping[str, int]
    missing_products: int
    abandoned: tuple[str, ...]
    shards_begun: int
    answers_unloaded: int


@dataclass(frozen=True, slots=True)
class Next:
    """What is bought next if nobody asks for anything else: in words, and when at the earliest; `work` is its class.

    `work` is `None` where nothing is to be bought before `at`, when it is looked at again.
    """

    at: datetime
    work: Work | None
    words: str


@dataclass(frozen=True, slots=True)
class PipelineState:
    """All that the pipeline is asked about itself, at a moment.

    `bucket` covers today, since 00:00 UTC; `hours` the last 48 hours, oldest first, the hour of `at` last. `coverage`
    is the finding of `quality.coverage`. `newest_deal_at` is the latest change of a watched deal, `seen_at` its latest
    sighting; `full_scan_at` is of the selection whose last complete scan is the oldest, `None` unless all had one.
    `first_answer_at` and `brought_at` are when the first answer came, and the last one that brought something.
    `rows_today` are the deals, products and sellers that came since 00:00 UTC. `funding` is since the last such answer,
    as far as the 48 hours tell. `pending` is how many scans, products or shards wait in each class of work that has a
    share.
    `head_scan_interval` and `full_scan_interval` are the times between two scans that the refill allows.
    """

    at: datetime
    mode: Mode
    served_by: str
    bucket: BucketStatus
    hours: tuple[Hour, ...]
    funding: Funding
    selections: tuple[WatchedSelection, ...]
    coverage: Finding
    newest_deal_at: datetime | None
    seen_at: datetime | None
    full_scan_at: datetime | None
    first_answer_at: datetime | None
    brought_at: datetime | None
    rows_today: int
    counts: Counts
    screening: Screening
    freshness: FreshnessPlan
    pending: Mapping[Work, int]
    next: Next
    stuck: Stuck
    head_scan_interval: timedelta
    full_scan_interval: timedelta

    @property
    def spent_today(self) -> int:
        """What our calls cost since 00:00 UTC, in tokens."""
        return sum(self.bucket.spent_by_purpose.values())

    @property
    def rows_per_1000_tokens(self) -> float | None:
        """Rows that 1000 tokens brought today; `None` before any was spent."""
        return round(1000 * self.rows_today / self.spent_today, 1) if self.spent_today else None
