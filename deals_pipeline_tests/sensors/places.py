"""A home for the guards' tests: settings, a ledger, and a Dagster instance on disk, with the pool's limit."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from deals_pipeline.clock import Clock, SystemClock
from deals_pipeline.config import Settings, load_settings
from deals_pipeline.resources.token_bucket import TokenBucketResource
from deals_pipeline.token_bucket.ledger import Ledger, account_of
from deals_pipeline.token_bucket.ledgers import open_ledger

SHIPPED = Path(__file__).parents[2] / "deals.toml"
DAGSTER_YAML = """
concurrency:
  pools:
    default_limit: 1
    granularity: op
telemetry:
  enabled: false
"""


@dataclass(frozen=True)
class Home:
    """A home in use."""

    settings: Settings
    instance: dg.DagsterInstance
    ledger: Ledger

    def token_bucket(self, clock: Clock | None = None) -> TokenBucketResource:
        return TokenBucketResource(settings=self.settings, clock=clock or SystemClock())


@contextmanager
def open_home(folder: Path, **environ: str) -> Iterator[Home]:
    """Make a home in a folder, or open the one that is there."""
    settings = load_settings({"DEALS_HOME": str(folder), "DEALS_CONFIG": str(SHIPPED), **environ}, folder)
    dagster_home = settings.places.dagster_home
    dagster_home.mkdir(parents=True, exist_ok=True)
    (dagster_home / "dagster.yaml").write_text(DAGSTER_YAML, encoding="utf-8")
    with (
        dg.DagsterInstance.from_config(str(dagster_home)) as instance,
        closing(open_ledger(settings.places.ledger, account_of(settings.key), SystemClock())) as ledger,
    ):
        yield Home(settings, instance, ledger)
