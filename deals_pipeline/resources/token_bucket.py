"""The token bucket as a Dagster resource: the ledger that all runs share, and the lease that each run holds."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from typing import Final

import dagster as dg
from pydantic import PrivateAttr

from deals_pipeline import __version__
from deals_pipeline.clock import Clock
from deals_pipeline.config import Settings
from deals_pipeline.token_bucket.bucket import OLD
from deals_pipeline.token_bucket.ledger import Ledger, account_of
from deals_pipeline.token_bucket.ledgers import open_ledger
from deals_pipeline.token_bucket.reservation import Look, TokenBucket
from deals_pipeline.token_bucket.status import BucketStatus, status

MODE_TAG: Final = "deals_pipeline/mode"
CODE_VERSION_TAG: Final = "deals_pipeline/code_version"


class TokenBucketResource(dg.ConfigurableResource["TokenBucketResource"]):
    """The tokens of the account behind the API key, shared by all processes that use the same home.

    A run holds its lease from the start of this resource until its end, so that whoever can take the lease of a run in
    progress knows that its process is gone; a run that is executed a second time fails here. Making one does no I/O.
    """

    settings: dg.ResourceDependency[Settings]
    clock: dg.ResourceDependency[Clock]

    _ledger: Ledger | None = PrivateAttr(default=None)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["TokenBucketResource"]:
        """Open the ledger while a run or a tick lasts; a run takes its lease, and its tags say who serves."""
        place, account = self.settings.places.ledger, account_of(self.settings.key)
        with ExitStack() as stack:
            self._ledger = stack.enter_context(closing(open_ledger(place, account, self.clock)))
            if context.run is not None:
                stack.enter_context(self._ledger.lease(context.run.run_id))
                tags = {MODE_TAG: self.settings.mode.value, CODE_VERSION_TAG: __version__}
                if context.instance is not None:
                    context.instance.add_run_tags(context.run.run_id, tags)
            yield self

    @property
    def ledger(self) -> Ledger:
        """The open ledger."""
        assert self._ledger is not None, "a ledger is open only while a run or a tick lasts"
        return self._ledger

    def bucket(self, look: Look, run_id: str) -> TokenBucket:
        """Return the bucket as a run may spend it."""
        return TokenBucket(self.ledger, look, self.clock, run_id=run_id, policy=self.settings.budget.policy)

    def status(self, window: timedelta = timedelta(days=1)) -> BucketStatus:
        """Return what is known of the bucket now, and what was spent in the `window` before."""
        state, now = self.ledger.read()
        return status(state, self.ledger.record(now - window), self.settings.budget.policy, now)

    def fresh_status(self, look: Look, age_max: timedelta = OLD) -> BucketStatus:
        """Return the status, after a free look where the last observation is older than `age_max` (F06).

        Raises `BalanceUnknown`.
        """
        known = self.status(self.settings.budget.shares.window)
        if known.observed_at is None or known.at - known.observed_at >= age_max:
            self.bucket(look, "a look at the balance").look()
            return self.status(self.settings.budget.shares.window)
        return known
