"""The token bucket as a Dagster resource."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import dagster as dg
from pydantic import Field, SecretStr

from deals_pipeline.clock import Clock, SystemClock
from deals_pipeline.token_bucket.ledger import account_of
from deals_pipeline.token_bucket.ledgers import open_ledger
from deals_pipeline.token_bucket.model import Amount, Lane, Policy
from deals_pipeline.token_bucket.reservation import Look, TokenBucket


class AmountConfig(dg.Config):
    """Tokens as minutes of refill at the plan's rate, or as an absolute number where `tokens` is given."""

    minutes: int = 0
    tokens: int | None = None

    def amount(self) -> Amount:
        """Return the amount; raises `ValueError` out of range."""
        return Amount(self.minutes, self.tokens)


class TokenBucketResource(dg.ConfigurableResource[TokenBucket]):
    """The tokens of the account behind an API key, shared by all processes that name the same ledger.

    `floors` overrides the floor of a lane (recent, history, offers, backfill, ad_hoc). Making one does no I/O.
    """

    ledger: str = Field(description="The path of a SQLite file, or a postgresql:// URL.")
    max_deficit: AmountConfig = AmountConfig(minutes=10)
    floors: dict[str, AmountConfig] = Field(default_factory=dict)

    def policy(self) -> Policy:
        """Return the policy; raises `ValueError` that names the lane or amount that is wrong."""
        floors = {Lane(name): floor.amount() for name, floor in self.floors.items()}
        return Policy(self.max_deficit.amount(), {**Policy().floors, **floors})

    @contextmanager
    def for_run(self, run_id: str, key: SecretStr, look: Look, clock: Clock | None = None) -> Iterator[TokenBucket]:
        """Hold a run's lease and hand out its bucket while the block lasts."""
        clock = clock or SystemClock()
        with closing(open_ledger(self.ledger, account_of(key), clock)) as ledger, ledger.lease(run_id):
            yield TokenBucket(ledger, look, clock, run_id=run_id, policy=self.policy())
