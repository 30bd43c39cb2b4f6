"""What a listed deal costs when 10 000, 100 000 and 1 000 000 are listed: tokens, our own time, memory.

The real planner, bucket, buying code and warehouse read a wide selection whole, on a plan of 4 000 tokens a minute and
a virtual clock; shards that are too wide for one query are found to be so and cut. The service is the simulator's,
account and all, but its market is a plain list, since a simulated one of that size would take days. Seconds are of the
processor, without what the service takes; memory is the most that the process held, beyond what it held at the start.
Each size is read in a process of its own. Metrics are left out: `make bench-metrics` measures them. Nothing but shards
has a share, so that no plan looks for products to buy.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
import numpy as np
import requests

from benchmarks.memory import memory
from benchmarks.verdicts import Row, Target, command_line, conclude
from deals_pipeline.buying.shards import shard_states
from deals_pipeline.clock import VirtualClock
from deals_pipeline.config import Settings, load_settings
from deals_pipeline.keepa.client import KEEPA_URL
from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.keepa.requests import DEALS_PER_PAGE, DEALS_PER_SELECTION_MAX
from deals_pipeline.keepa.selection import DealSelection
from deals_pipeline.keepa.time import to_keepa_minutes, to_unix_ms
from deals_pipeline.simulator.account import AccountConfig
from deals_pipeline.simulator.endpoints import TOKENS_PER_DEAL_PAGE, Endpoints, Result
from deals_pipeline.simulator.market.market import Market
from deals_pipeline.simulator.server import Call, Delivery, KeepaServer
from deals_pipeline.simulator.store import MemoryStore
from deals_pipeline.simulator.transport import SimulatorAdapter
from deals_pipeline.simulator.wire import DealQuery
from deals_pipeline.token_bucket.ledger import account_of
from deals_pipeline.token_bucket.ledgers import open_ledger
from deals_pipeline_tests.virtual_pipeline import VirtualPipeline

LISTED: Final = (10_000, 100_000, 1_000_000)
REFILL_RATE: Final = 4_000
PRICES: Final = (100, 20_100)
START: Final = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
PAUSE_SECONDS: Final = 15
GROWTH_MAX: Final = 1.3


@dataclass(frozen=True, slots=True)
class Reading:
    """What it took to read a feed of `listed` deals, of which `found` are stored."""

    listed: int
    found: int
    pages: int
    tokens: int
    seconds: float
    memory: int

    @property
    def row(self) -> Row:
        """The row of the table."""
        return {
            "listed": self.listed,
            "found": self.found,
            "pages": self.pages,
            "tokens": self.tokens,
            "tokens a deal": self.tokens / self.listed,
            "our seconds": self.seconds,
            "ms a deal": 1000 * self.seconds / self.listed,
            "memory, MB": self.memory / 1e6,
            "kB a deal": self.memory / 1000 / self.listed,
        }


class PlainFeed(Endpoints):
    """So many deals that never change; the price range of a query picks among them. It tells each tenth of the way."""

    def __init__(self, listed: int) -> None:
        super().__init__(seed=1, products=1)
        self._shown = 0
        market = Market(1, 4_000)
        selection = DealSelection(price_type=PriceType.USED)
        self._examples: list[dict[str, Any]] = market.deals(market.matching(selection, START)[:DEALS_PER_PAGE], START)
        self._prices = np.sort(np.random.default_rng(1).integers(*PRICES, listed))

    def deal_page(self, query: DealQuery, now: datetime) -> Result:
        """Return a page of the deals within the price range, the newest first."""
        low, high = query.selection.current_range or PRICES
        first, end = (int(place) for place in np.searchsorted(self._prices, [low, high + 1]))
        numbers = range(first, min(end, first + DEALS_PER_SELECTION_MAX))
        shown = numbers[query.page * DEALS_PER_PAGE : (query.page + 1) * DEALS_PER_PAGE]
        deals = [self._deal(number, to_keepa_minutes(now) - 10 - (number - first)) for number in shown]
        self._tell(len(deals))
        return Result({"deals": {"dr": deals}, "dealsCached": False}, TOKENS_PER_DEAL_PAGE)

    def _tell(self, deals: int) -> None:
        listed = len(self._prices)
        tenth, self._shown = 10 * self._shown // listed, self._shown + deals
        if 10 * self._shown // listed > tenth:
            print(f"  {self._shown} of {listed} deals shown", file=sys.stderr, flush=True)

    def _deal(self, number: int, found: int) -> Mapping[str, object]:
        example = self._examples[number % len(self._examples)]
        current = list(example["current"])
        current[PriceType.USED] = int(self._prices[number])
        return {**example, "asin": f"S{number:09d}", "creationDate": found, "lastUpdate": found, "current": current}


class TimedServer(KeepaServer):
    """A service that notes how many seconds of the processor it takes."""

    seconds = 0.0

    def deliver(self, call: Call, now: datetime) -> Delivery:
        """Answer a call."""
        began = time.process_time()
        try:
            return super().deliver(call, now)
        finally:
            self.seconds += time.process_time() - began


class Reader(VirtualPipeline):
    """The pipeline without its metrics."""

    def recompute(self) -> None:
        """Leave the metrics as they are."""

    def is_done(self) -> bool:
        """Return whether all shards were read to their end."""
        with self.warehouse.connect() as connection:
            states = [state for each in self.settings.backfill for state in shard_states(connection, each)]
        return all(state.is_complete for state in states)


def main() -> int:
    """Measure, print a table, write it beside as JSON; return 1 where a target is missed."""
    parser = command_line(__doc__)
    parser.add_argument("--listed", type=int, nargs="+", default=list(LISTED), help="how many deals are listed")
    parser.add_argument("--alone", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone is not None:
        print(msgspec.json.encode(_read(arguments.alone)).decode())
        return 0
    readings = [_in_a_process(listed) for listed in sorted(arguments.listed)]
    return conclude(__file__, [reading.row for reading in readings], _targets(readings))


def _memory_grows_evenly(readings: Sequence[Reading]) -> Iterator[Target]:
    """Yield what each further deal takes among the most, of what it takes among the least: nothing fixed hides it."""
    steps = [(after.memory - before.memory) / (after.listed - before.listed) for before, after in pairwise(readings)]
    if len(steps) > 1:
        yield Target("memory of each further deal, the last / the first", steps[-1] / steps[0], "at most", GROWTH_MAX)


def _targets(readings: Sequence[Reading]) -> Sequence[Target]:
    few, many = readings[0], readings[-1]
    growth = {
        "tokens": (few.tokens, many.tokens),
        "our seconds": (few.seconds, many.seconds),
        "memory": (few.memory, many.memory),
    }
    found = min(100 * reading.found / reading.listed for reading in readings)
    return [
        Target("deals found, %, the least", found, "at least", 100),
        *(
            Target(
                f"{what} a deal, most listed / least",
                (most / many.listed) / (least / few.listed),
                "at most",
                GROWTH_MAX,
            )
            for what, (least, most) in growth.items()
        ),
        *_memory_grows_evenly(readings),
    ]


def _in_a_process(listed: int) -> Reading:
    print(f"reading {listed} deals", file=sys.stderr)
    program = [sys.executable, __file__, "--alone", str(listed)]
    told = subprocess.run(program, stdout=subprocess.PIPE, check=True).stdout  # noqa: S603
    return msgspec.json.decode(told, type=Reading)


def _read(listed: int) -> Reading:
    """Read a feed of so many deals to its end."""
    server = TimedServer(
        PlainFeed(listed), MemoryStore(AccountConfig(seed=1, refill_rate=REFILL_RATE, started_at=to_unix_ms(START)))
    )
    with TemporaryDirectory() as folder:
        reader = _reader(_settings(folder), server)
        with closing(reader.warehouse):
            reader.step()  # what is loaded and made only once
            before, began, served = memory("VmRSS"), time.process_time(), server.seconds
            while not reader.is_done():
                reader.step()
                reader.clock.sleep(PAUSE_SECONDS)
            seconds = time.process_time() - began - (server.seconds - served)
            with reader.warehouse.connect() as connection:
                ((found,),) = connection.execute("SELECT count(*) FROM backfilled_deal").fetchall()
                ((pages,),) = connection.execute("SELECT count(*) FROM landed_file").fetchall()
        with server.store.transaction() as transaction:
            tokens = transaction.account.spent
    return Reading(listed, found, pages, tokens, seconds, memory("VmHWM") - before)


def _settings(folder: str) -> Settings:
    config = Path(__file__).with_suffix(".toml")
    settings = load_settings({"DEALS_HOME": folder, "DEALS_CONFIG": str(config)}, Path(folder))
    settings.places.home.mkdir(parents=True, exist_ok=True)
    return settings


def _reader(settings: Settings, server: KeepaServer) -> Reader:
    clock = VirtualClock(START)

    def connect() -> requests.Session:
        session = requests.Session()
        session.mount(KEEPA_URL, SimulatorAdapter(server, clock))
        return session

    return Reader(settings, clock, open_ledger(settings.places.ledger, account_of(settings.key), clock), connect)


if __name__ == "__main__":
    sys.exit(main())
