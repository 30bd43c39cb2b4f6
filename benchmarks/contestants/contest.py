"""One contestant in one world: the market, the plan, the policies by name, and what the referee says of it."""

import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.contestants.august import august
from benchmarks.contestants.bound import page_reads
from benchmarks.contestants.january import january_a, january_b
from benchmarks.contestants.keepa_library import keepa_library
from benchmarks.contestants.ours import ours, settings_of
from benchmarks.contestants.policy import Caller, ContestClock, Over, Policy
from benchmarks.contestants.referee import Rules, Score, judge
from benchmarks.contestants.service import LeanEndpoints, Service
from benchmarks.contestants.stages import Stage, Stages
from benchmarks.contestants.truth import Truth, observe
from deals_pipeline.config import Settings
from deals_pipeline.keepa.time import to_unix_ms
from deals_pipeline.simulator.account import AccountConfig
from deals_pipeline.simulator.endpoints import TOKENS_PER_DEAL_PAGE, Endpoints
from deals_pipeline.simulator.market.market import Market
from deals_pipeline.simulator.store import MemoryStore, SqliteStore

START: Final = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
SEED: Final = 1
PRODUCTS: Final[Mapping[int, int]] = {800: 21_000, 20_000: 112_000}
"""How many products a market needs for about so many deals."""
OURS: Final = "ours"
JANUARY_B: Final = "January B"
POLICIES: Final[Mapping[str, Policy]] = {
    "January A": january_a,
    JANUARY_B: january_b,
    "August": august,
    "keepa library": keepa_library,
}


@dataclass(frozen=True, slots=True)
class World:
    """A market of about so many deals, a plan in tokens a minute, a length in hours."""

    deals: int
    plan: int
    hours: float

    @property
    def until(self) -> datetime:
        """When it ends."""
        return START + timedelta(hours=self.hours)

    @property
    def account(self) -> AccountConfig:
        """The account of each contestant."""
        return AccountConfig(seed=SEED, refill_rate=self.plan, started_at=to_unix_ms(START))

    @property
    def folder(self) -> str:
        """Its name as a folder's."""
        return f"{self.deals}-{self.plan}-{self.hours:g}"

    def __str__(self) -> str:
        return f"{self.deals} deals at {self.plan}/min"


@dataclass(frozen=True, slots=True)
class Result:
    """How a contestant did in a world; `max_deficit` is what ours is allowed there."""

    world: World
    contestant: str
    score: Score
    refused: int
    max_deficit: int

    @property
    def histories_per_1000(self) -> float:
        """Needed histories per 1000 tokens for histories."""
        tokens = self.score.tokens.for_histories
        return 1000 * self.score.histories_needed / tokens if tokens else 0.0

    @property
    def bound_tokens(self) -> int:
        """The least tokens for the same finds and as many needed histories."""
        return TOKENS_PER_DEAL_PAGE * page_reads(self.score.finds) + self.score.histories_needed


def settings_for(deals: int, home: Path) -> Settings:
    """Return what ours, and the truth, watch in a market."""
    return settings_of(Path(__file__).parent / f"market_{deals}.toml", home)


def truth_of(deals: int, hours: float) -> Truth:
    """Return which deals a market lists."""
    with TemporaryDirectory() as home:
        selection = settings_for(deals, Path(home)).recent[0].query
    return observe(Market(SEED, PRODUCTS[deals]), selection, START, START + timedelta(hours=hours))


def contest(world: World, contestant: str, truth: Truth, stages: Stages) -> Result:
    """Let a contestant have its time in a world, and judge it; ours, which takes hours, goes on from its last stage."""
    with TemporaryDirectory() as home:
        settings = settings_for(world.deals, Path(home))
        if contestant == OURS:
            service = _ours(world, settings, Path(home), stages)
        else:
            service = Service(LeanEndpoints(SEED, PRODUCTS[world.deals]), MemoryStore(world.account))
            with suppress(Over):
                POLICIES[contestant](
                    Caller(service, ContestClock(START, world.until), settings.recent[0].query),
                )
        intervals, policy = settings.budget.intervals, settings.budget.policy
        score = judge(truth, service.executed, world.account, Rules(intervals.history, intervals.offers))
        with service.store.transaction() as transaction:
            refused = transaction.account.refused
        return Result(world, contestant, score, refused, policy.max_deficit.at_rate(world.plan))


def _ours(world: World, settings: Settings, home: Path, stages: Stages) -> Service:
    began, begun = time.monotonic(), stages.resume(world.folder, home) or Stage(START)
    store = SqliteStore(home / "keepa.sqlite", world.account)
    service = Service(Endpoints(SEED, PRODUCTS[world.deals]), store, executed=list(begun.executed))

    def reached(stage: Stage) -> None:
        stages.keep(world.folder, home, stage)
        told = f"  ours, {world}: day {(stage.at - START).days} after {time.monotonic() - began:.0f} s"
        print(told, file=sys.stderr, flush=True)

    ours(service, settings, begun, world.until, stages.every, reached)
    return service
