"""For how long there were tokens: what the pipeline may be asked to have used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from math import ceil
from typing import Final

from deals_pipeline.keepa.requests import DealPageRequest
from deals_pipeline.token_bucket.bucket import TICKS_FORESEEN_MAX, needed_for
from deals_pipeline.token_bucket.model import Ask, BucketState, Flow, Lane, Policy

FOR_EVER: Final = datetime.max.replace(tzinfo=timezone.utc)


@dataclass(frozen=True, slots=True)
class Funding:
    """For how long there were tokens for a page of a scan, and until when there are none; `None` where there are."""

    lasted: timedelta
    waits_until: datetime | None


def funding(account: BucketState, flows: Sequence[Flow], since: datetime, policy: Policy, now: datetime) -> Funding:
    """Return how it was since a time, by what was seen of the balance.

    A deficit is taken to last until its end as that was foreseen at its beginning, however often others put it off.
    """
    needed = _needed(account, policy)
    seen = [(flow.observed_at, flow.tokens_left) for flow in flows if flow.observed_at >= since]
    if not seen and account.observation is not None:  # the newest word on it is older than the flows
        seen = [(account.observation.received_at, account.observation.tokens_left)]
    lasted, ends_at = timedelta(0), None
    for position, (at, tokens_left) in enumerate(seen):
        until = seen[position + 1][0] if position + 1 < len(seen) else now
        if tokens_left >= needed:
            ends_at = None
        elif ends_at is None:
            ends_at = _refilled_at(account, at, needed - tokens_left)
        lasted += max(timedelta(0), until - max(at, ends_at or at, since))
    return Funding(lasted, ends_at if ends_at is not None and ends_at > now else None)


def _needed(account: BucketState, policy: Policy) -> int:
    page, floor = DealPageRequest, policy.floors[Lane.RECENT]
    return needed_for(account, Ask(Lane.RECENT, page.cost, page.kind, 1, floor, policy.max_deficit))


def _refilled_at(account: BucketState, at: datetime, missing: int) -> datetime:
    if missing > TICKS_FORESEEN_MAX * account.refill:
        return FOR_EVER
    return at + ceil(missing / account.refill) * account.tick
