"""The `keepa` library as it is, with its transport and its clock routed to the simulation.

It reads all pages, then asks for what it has not bought in that state, in its own batches of 100, waiting as it does;
and begins again a minute later.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

import keepa
import requests

from benchmarks.contestants.policy import HISTORY_DAYS, MINUTE, OFFERS, Caller
from deals_pipeline.keepa.client import KEEPA_URL
from deals_pipeline.keepa.requests import DEALS_PER_PAGE, PAGES_MAX
from deals_pipeline.keepa.selection import SortType
from deals_pipeline.simulator.transport import SimulatorAdapter

KEY: Final = "any"


def keepa_library(caller: Caller) -> None:
    """Read the pages, buy what moved, for ever."""
    clock, session = caller.clock, requests.Session()
    session.mount(KEEPA_URL, SimulatorAdapter(caller.service, clock))
    time = SimpleNamespace(time=lambda: clock.now().timestamp(), sleep=clock.sleep)
    with patch("keepa.keepa_sync.requests.get", session.get), patch("keepa.keepa_sync.time", time):
        reader = _Reader(keepa.Keepa(KEY, logging_level="CRITICAL"), caller)
        while True:
            reader.run()
            clock.sleep(MINUTE)


@dataclass
class _Reader:
    library: keepa.Keepa
    caller: Caller

    def __post_init__(self) -> None:
        self._bought: dict[str, int] = {}

    def run(self) -> None:
        shown = self._shown()
        moved = [asin for asin, last_update in shown.items() if self._bought.get(asin, 0) < last_update]
        if moved:
            self.library.query(moved, offers=OFFERS, history=True, days=HISTORY_DAYS, wait=True, progress_bar=False)
        self._bought |= {asin: shown[asin] for asin in moved}

    def _shown(self) -> dict[str, int]:
        selection = self.caller.selection.model_copy(update={"sort_type": SortType.PERCENT_DELTA})
        shown: dict[str, int] = {}
        for number in range(PAGES_MAX):
            page: Any = self.library.deals({**selection.wire(), "page": number}, wait=True)
            shown |= {deal["asin"]: deal["lastUpdate"] for deal in page["dr"]}
            if len(page["dr"]) < DEALS_PER_PAGE:
                break
        return shown
