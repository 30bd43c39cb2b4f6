"""Keepa as a Dagster resource, or the simulator within the process where there is no key."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeAlias

import dagster as dg
import requests
from requests.adapters import BaseAdapter

from deals_pipeline.clock import SystemClock
from deals_pipeline.config import Settings
from deals_pipeline.keepa.client import KEEPA_URL, READ_SECONDS_MAX, KeepaClient, Land

SIMULATED_SEED: Final = 0
SIMULATED_PRODUCTS: Final = 20_000
"""Of these some 700 are deals by the selection that `deals.toml` watches."""
SIMULATED_REFILL_RATE: Final = 5
SIMULATED_ACCOUNT: Final = "simulator.sqlite"
"""The simulated account, in the simulated home: what all processes there spend from."""

Connect: TypeAlias = Callable[[], requests.Session]
"""Makes the session over which a client talks."""


class KeepaResource(dg.ConfigurableResource["KeepaResource"]):
    """Whom the pipeline asks: Keepa with a key, the simulator without. Making one does no I/O."""

    settings: dg.ResourceDependency[Settings]
    connect: dg.ResourceDependency[Connect]

    def client(self, land: Land | None = None, *, read_seconds_max: float = READ_SECONDS_MAX) -> KeepaClient:
        """Return a client; `land` sees each answer first."""
        url = self.settings.api_url or KEEPA_URL
        return KeepaClient(
            self.settings.key, url=url, session=self.connect(), land=land, read_seconds_max=read_seconds_max
        )


def connect(settings: Settings) -> requests.Session:
    """Return a session to whom the settings name; without a key and an address, to a simulator within this process."""
    session = requests.Session()
    if settings.api_url is None:
        home = settings.places.home
        home.mkdir(parents=True, exist_ok=True)
        session.mount(KEEPA_URL, _simulator(home / SIMULATED_ACCOUNT))
    return session


@lru_cache(maxsize=1)
def _simulator(account: Path) -> BaseAdapter:
    from deals_pipeline.simulator.transport import open_simulator  # noqa: PLC0415 - not needed by who has a key

    return open_simulator(account, SystemClock(), SIMULATED_SEED, SIMULATED_PRODUCTS, SIMULATED_REFILL_RATE)
