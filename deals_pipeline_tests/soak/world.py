"""A world in virtual time: the whole pipeline, process after process, a service, and who watches them.

The world knows the truth; processes know what their ledger and their answers tell them; watchers compare the two.
"""

import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
import requests

from deals_pipeline.clock import VirtualClock
from deals_pipeline.config import load_settings
from deals_pipeline.keepa.client import KEEPA_URL
from deals_pipeline.keepa.time import to_unix_ms
from deals_pipeline.landing import Landing, landed_files
from deals_pipeline.simulator.account import Account, advance
from deals_pipeline.simulator.endpoints import Endpoints
from deals_pipeline.simulator.faults import Fault
from deals_pipeline.simulator.market.market import Market
from deals_pipeline.simulator.server import Call, Delivery, KeepaServer
from deals_pipeline.simulator.store import MemoryStore
from deals_pipeline.token_bucket.ledger import account_of
from deals_pipeline.token_bucket.model import Hold
from deals_pipeline.token_bucket.reservation import TokenBucket
from deals_pipeline.warehouse.loading import load_landed
from deals_pipeline_tests.simulation.knowledge import Knowledge
from deals_pipeline_tests.simulation.service import Cause
from deals_pipeline_tests.simulation.watcher import Transaction, Violation
from deals_pipeline_tests.soak.deleting import delete
from deals_pipeline_tests.soak.fate import Fate, Killed, MortalAdapter, striking
from deals_pipeline_tests.soak.process import MortalLedger, Process
from deals_pipeline_tests.soak.scenario import START, Deleted, Deletion, Scenario
from deals_pipeline_tests.soak.watcher import Sent, Watcher

KEY: Final = "canary" * 10 + "keys"
TOML: Final = Path(__file__).with_name("deals.toml")
LOG_LINES: Final = 40
PROBED_EVERY: Final = timedelta(hours=2)
WAITED: Final = timedelta(minutes=30)
"""How long a run started by hand waits for tokens."""


class WorldClock(VirtualClock):
    """The clock of a world, on which something may happen to a run that waits."""

    def __init__(self, start: datetime, world: "World") -> None:
        super().__init__(start)
        self._world = world

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        super().sleep(seconds)
        if self._world.is_waiting:
            self._world.befall_waiting()
            self._world.fate.strike("amid a wait")


class WatchedServer(KeepaServer):
    """The service, which tells the world of each request."""

    world: "World"

    def deliver(self, call: Call, now: datetime) -> Delivery:
        """Answer a call that arrives at `now`."""
        before = self.world.account
        delivery = super().deliver(call, now)
        with self.store.transaction() as transaction:
            number, after = transaction.requests, transaction.account
        self.world.sent(call, self.faults.strike(number), before, after)
        return delivery


class World:
    """One world; `run` lets it unfold. All chance comes from the scenario's seed."""

    def __init__(self, scenario: Scenario, home: Path, watchers: Sequence[Watcher]) -> None:
        self.scenario: Final = scenario
        self.watchers: Final = watchers
        self.home: Final = home
        self.settings: Final = load_settings(
            {"DEALS_HOME": str(home), "DEALS_CONFIG": str(TOML), "KEEPA_API_KEY": KEY}, home
        )
        self.clock: Final = WorldClock(START, self)
        self.draw: Final = Random(f"soak world {scenario.seed}")
        self.fate: Final = Fate(Random(f"fate {scenario.seed}"), self.clock.now, self._die, scenario.killed_every)
        self.knowledge: Final = Knowledge()
        self.server: Final = WatchedServer(
            Endpoints(scenario.seed, scenario.products), MemoryStore(scenario.config), scenario.faults
        )
        self.server.world = self
        self.log: Final[deque[str]] = deque(maxlen=LOG_LINES)
        self.process: Process | None = None
        self.version = 0
        self.versions: Final[list[str]] = []
        self.is_waiting = False
        """Whether a run waits for tokens, just now."""
        self.episode = 0
        """How often the balance came back above 0."""
        self.newest: Sent | None = None
        self.steps = self.deletions = self.roll_overs_amid_waits = 0
        self.deleted: Final[set[str]] = set()
        """Which states were deleted, tables by their names."""
        self._hold: Hold | None = None
        self._account = self._read_account()
        self._deletions = deque(scenario.deletions)
        self._roll_overs = deque(scenario.roll_overs)
        self._by_hand = deque(scenario.by_hand)
        self._ended: dict[str, datetime] = {}
        self._runs = 0
        self._has_waited = False
        self._patch = pytest.MonkeyPatch()

    @property
    def market(self) -> Market:
        """Return the market that the watched selection is of."""
        return self.server.endpoints.market(self.settings.recent[0].query.domain)

    @property
    def account(self) -> Account:
        """Return the account as it truly is now, after noting what befell it."""
        before, after = self._account, self._read_account()
        if after.foreign_spent != before.foreign_spent:
            self.surprise(Cause.FOREIGN_SPEND)
        if after.refill_rate != before.refill_rate:
            self.surprise(Cause.PLAN_CHANGE)
        if after.reduction_thousandths != before.reduction_thousandths:
            self.surprise(Cause.FLOW_REDUCTION)
        self.episode += before.balance <= 0 and (after.foreign_spent != before.foreign_spent or after.balance > 0)
        self._account = after
        return after

    def run(self) -> None:
        """Let the world unfold to its end. Raises `Violation`."""
        end = START + self.scenario.length
        probe_at = START
        try:
            self._install()
            with striking(self.fate), self._watching():
                while self.clock.now() < end:
                    self.befall()
                    self._act()
                    if self.clock.now() >= probe_at:
                        probe_at = self.clock.now() + PROBED_EVERY
                        for watcher in self.watchers:
                            watcher.probed(self)
                        self._publish()
                self.fate.is_off = True
                self._end()
                self._finish()
            for watcher in self.watchers:
                watcher.ended(self)
        finally:
            self._end()
            self._patch.undo()

    def rows(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query to the warehouse."""
        with self.living().warehouse.connect() as connection:
            return connection.execute(query, values).fetchall()

    def say(self, line: str) -> None:
        """Note what happened, for whoever reads of a violation."""
        self.log.append(f"{self.clock.now():%d %H:%M:%S} [{self._account.balance}] {line}")

    def fail(self, invariant: str, message: str) -> None:
        """Raise the violation of an invariant, with what led to it."""
        story = "\n  ".join(self.log)
        at = f"{self.clock.now():%Y-%m-%d %H:%M:%S}"
        raise Violation(f"{invariant}: {message}\nat {at} in the world of {self.scenario}\n  {story}")

    def surprise(self, cause: Cause) -> None:
        """Note something that the ledger cannot know."""
        self.knowledge.surprise(cause, to_unix_ms(self.clock.now()), ())
        self.say(cause.text)

    def sent(self, call: Call, fault: Fault | None, before: Account, after: Account) -> None:
        """Take note of a request at the service."""
        self.newest = sent = Sent(
            path=call.path,
            at=to_unix_ms(self.clock.now()),
            fault=fault,
            hold=self._hold,
            charged=after.spent - before.spent,
            is_refused=after.refused > before.refused,
        )
        self._account = after if after.ticked_at >= self._account.ticked_at else self._account
        if not sent.is_free:
            self._hold = None
        self.say(f"{call.path} costs {sent.charged}{', is refused' * sent.is_refused} ({fault and fault.value})")
        for watcher in self.watchers:
            watcher.sent(self, sent)

    def transacted(self, transaction: Transaction) -> None:
        """Take note of a transaction of the ledger."""
        _ = self.account
        if transaction.change.flows and self.newest:
            is_glitched = self.newest.fault is Fault.RATE_GLITCH
            self.knowledge.take_in(self.newest.at, is_glitched=is_glitched)
        for hold in transaction.new_holds:
            self.say(f"hold for {hold.purpose} {hold.high}")
            self._hold = hold
        for watcher in self.watchers:
            watcher.transacted(self, transaction)

    def befall(self) -> None:
        """Let happen what is due: deletions and new versions."""
        now = self.clock.now()
        while self._roll_overs and self._roll_overs[0] <= now:
            self._roll_overs.popleft()
            self._install()
            if self.draw.random() < 0.5:
                self._end()  # else the old code runs on
        while self._deletions and self._deletions[0].at <= now:
            self._delete(self._deletions.popleft())

    def befall_waiting(self) -> None:
        """Let the next version be installed while a run waits for tokens, in one wait of two."""
        if self._roll_overs and not self._has_waited and self.draw.random() < 0.5:
            self._roll_overs.popleft()
            self.roll_overs_amid_waits += 1
            self._install()
        self._has_waited = True

    def _act(self) -> None:
        now = self.clock.now()
        try:
            process = self.living()
            if self._by_hand and self._by_hand[0] <= now and process.has_pending_histories():
                self._by_hand.popleft()
                self._has_waited = False
                self._spend_all()
                process.buy_by_hand(WAITED)
            else:
                plan, outcome = process.step()
                self.steps += 1
                self.say(f"{type(plan).__name__} {outcome.stopped_by.value if outcome else ''}")
                for watcher in self.watchers:
                    watcher.stepped(self, plan, outcome)
                self.clock.sleep(self.draw.uniform(0.1, 1) * self.scenario.pause.total_seconds())
        except Killed as killed:
            self._bury(killed)

    def _spend_all(self) -> None:
        """Let another program on the key spend what there is, so that whoever comes next has to wait."""
        with self.server.store.transaction() as transaction:
            account = advance(self.server.store.config, transaction.account, to_unix_ms(self.clock.now()))
            spent = max(0, account.balance)
            transaction.account = replace(
                account, balance=account.balance - spent, foreign_spent=account.foreign_spent + spent
            )
        _ = self.account

    def living(self) -> Process:
        """Return the process that lives, a new one after the last has ended."""
        if self.process is None:
            self._start_newest()
            ledger = MortalLedger(
                Path(self.settings.places.ledger), account_of(self.settings.key), self.clock, self.fate, self.transacted
            )
            self.process = Process(self.settings, self.clock, ledger, self._connect, self._ended, self._runs)
            self.process.reap()
            for watcher in self.watchers:
                watcher.started(self)
        return self.process

    def _connect(self) -> requests.Session:
        adapter = MortalAdapter(self.server, self.clock)
        adapter.fate = self.fate
        session = requests.Session()
        session.mount(KEEPA_URL, adapter)
        return session

    def _die(self, place: str) -> None:
        assert self.process is not None
        self.say(f"the process dies {place}")
        self.process.die()

    def _bury(self, killed: Killed) -> None:
        assert self.process is not None, killed
        self._runs, self._ended = self.process.runs, self.process.ended
        self.process.bury()
        self.process, self._hold = None, None
        self.clock.sleep(self.draw.uniform(0, 0.2) * self.scenario.pause.total_seconds())

    def _end(self) -> None:
        if self.process is not None:
            self._runs, self._ended = self.process.runs, self.process.ended
            self.process.end()
            self.process = None

    def _install(self) -> None:
        self.version += 1
        self.versions.append(f"0.0.{self.version}")
        self.say(f"version {self.versions[-1]} is installed")

    def _start_newest(self) -> None:
        """Let the next process run the version that is installed; the one that lives runs its own to its end."""
        for name, module in list(sys.modules.items()):
            if name.startswith("deals_pipeline.") and hasattr(module, "__version__"):
                self._patch.setattr(module, "__version__", self.versions[-1])

    def _delete(self, deleted: Deleted) -> None:
        self.living()
        for watcher in self.watchers:
            watcher.deleting(self, deleted)
        self.say(f"somebody deletes {deleted.what.value} ({deleted.draw:.2f})")
        if deleted.what is Deletion.WAREHOUSE or (deleted.what is Deletion.LEDGER and deleted.draw < 0.5):
            self._end()
        self.deleted.add(delete(deleted, self.settings.places, self.rows))
        if deleted.what is Deletion.TABLE:
            self._end()  # it is noticed by whoever opens the file next
        if deleted.what in (Deletion.LEDGER, Deletion.RECORDS):
            self.knowledge.glitches.clear()
        self.deletions += 1
        if deleted.what is Deletion.WAREHOUSE and deleted.draw < 0.5:
            return  # the next run finds an empty one
        self.fate.is_off = True
        with self.living().warehouse.connect() as connection:
            assert all(loaded.file_id for loaded in load_landed(connection, self.settings.places.landing))
        self.fate.is_off = False
        for watcher in self.watchers:
            watcher.restored(self, deleted)

    def _publish(self) -> None:
        try:
            self.living().publish()
        except Killed as killed:
            self._bury(killed)

    def _finish(self) -> None:
        """Let a last process load what has landed, compute and publish."""
        process = self.living()
        with process.warehouse.connect() as connection:
            assert all(loaded.file_id for loaded in load_landed(connection, self.settings.places.landing))
            process.recompute()
        process.publish()

    @contextmanager
    def _watching(self) -> Iterator[None]:
        land = Landing.__call__

        def watched(landing: Landing, *arguments: Any) -> None:  # noqa: ANN401 - whatever it takes
            before = landing.latest
            try:
                land(landing, *arguments)
            finally:
                if landing.latest and landing.latest != before:
                    for watcher in self.watchers:
                        watcher.landed(self, landing.latest)

        wait = TokenBucket._sleep_until  # noqa: SLF001 - nothing else tells a wait for tokens from one for an answer

        def waiting(*arguments: Any) -> None:  # noqa: ANN401 - whatever it takes
            self.is_waiting = True
            try:
                wait(*arguments)
            finally:
                self.is_waiting = False

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Landing, "__call__", watched)
            patch.setattr(TokenBucket, "_sleep_until", waiting)
            yield

    def landed(self) -> Iterator[Path]:
        """Yield what is landed."""
        return landed_files(self.settings.places.landing)

    def _read_account(self) -> Account:
        with self.server.store.transaction() as transaction:
            return advance(self.server.store.config, transaction.account, to_unix_ms(self.clock.now()))
