"""Eight processes that reserve, call, settle and die on one ledger: a program, run by test_ledger_storm.py.

Arguments: the ledger's place, its account, the simulated account's file, a directory for what the workers report,
the seconds, and a seed. It forks the workers, kills some, and replaces each that dies; it ends with 1 if any ends
otherwise.

A worker appends to a file of its own what it knows to be done: `settled`, `voided` or `deferred`, the hold, its tokens.
"""

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random
from uuid import UUID

from deals_pipeline.clock import SystemClock
from deals_pipeline.keepa.tokens import Cost, TokenObservation
from deals_pipeline.simulator import account
from deals_pipeline.simulator.store import SqliteStore, stored_config
from deals_pipeline.token_bucket import bucket
from deals_pipeline.token_bucket.ledger import Change
from deals_pipeline.token_bucket.ledgers import open_ledger
from deals_pipeline.token_bucket.model import Amount, Ask, BucketState, Decision, Granted, Lane, LookFirst

WORKERS = 8
COST = Cost(1, 20)
DEFICIT = 200
ASK = Ask(Lane.RECENT, COST, "deal", 1, Amount(0), Amount(0, tokens=DEFICIT))
DEATHS = ("asked", "reserving", "reserved", "charging", "charged", "settling", "settled", "acknowledged")
DEATH_RATE = 0.015
KILLED_EVERY_SECONDS = 0.2
LIFE = timedelta(seconds=4)


class Service:
    """The simulated account, which never has two answers at one millisecond."""

    def __init__(self, path: Path) -> None:
        config = stored_config(path)
        assert config is not None
        self.config = config
        self.store = SqliteStore(path, config)

    def answer(self, hold_id: str = "", cost: int = 0, *, dies: bool = False) -> TokenObservation:
        """Charge a call, or look, which is free; the charge is kept as the truth under the hold's id."""
        with self.store.transaction() as tx:
            now = max(time.time_ns() // 1_000_000, (tx.refreshed("stock", "clock") or 0) + 1)
            tx.mark_refreshed("stock", ["clock"], now)
            if cost:
                outcome = account.charge(self.config, tx.account, now, cost)
                assert isinstance(outcome, account.Charged), f"over-granted: {hold_id} is refused at {tx.account}"
                tx.account = outcome.account
                tx.mark_refreshed("product", [hold_id], cost)
            seen = account.observe(self.config, tx.account, now, tokens_consumed=cost)
            if dies:
                die()
        return TokenObservation(
            timestamp=datetime.fromtimestamp(seen.timestamp / 1000, timezone.utc),
            tokens_left=seen.tokens_left,
            refill_in=timedelta(milliseconds=seen.refill_in),
            refill_rate=seen.refill_rate,
            token_flow_reduction=seen.token_flow_reduction,
            tokens_consumed=seen.tokens_consumed,
        )


class Worker:
    """One process: it goes round until `stop` exists or its fate is met."""

    def __init__(self, place: str, of: str, service: Path, reports: Path, seed: int) -> None:
        self.ledger = open_ledger(place, of, SystemClock())
        self.service = Service(service)
        self.random = Random(seed)
        self.stop = reports / "stop"
        self.report = os.open(reports / f"{seed}.log", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        self.run_id = f"run-{seed}"

    def work(self) -> None:
        with closing(self.ledger), self.ledger.lease(self.run_id):
            while not self.stop.exists():
                dies = self.random.choice(DEATHS) if self.random.random() < DEATH_RATE else ""
                self.go_round(UUID(int=self.random.getrandbits(128)).hex, dies)

    def go_round(self, hold_id: str, dies: str) -> None:
        if dies == "asked":
            die()
        decision, asked_at = self.reserve(hold_id, dies=dies == "reserving")
        if isinstance(decision, LookFirst):
            self.end(None, self.service.answer(), asked_at)
        if not isinstance(decision, Granted):
            self.tell("deferred")
            time.sleep(0.005)
            return
        if dies == "reserved":
            die()
        if self.random.random() < 0.05:
            self.void(hold_id)
            self.tell("voided", hold_id)
            return
        seen = self.service.answer(hold_id, self.random.randint(COST.low, COST.high), dies=dies == "charging")
        if dies == "charged":
            die()
        is_settled = self.end(hold_id, seen, asked_at, dies=dies == "settling")
        if dies == "settled":
            die()
        if is_settled:
            self.tell("settled", hold_id, seen.tokens_consumed)
        if dies == "acknowledged":
            die()

    def reserve(self, hold_id: str, *, dies: bool) -> tuple[Decision, datetime]:
        def change(state: BucketState, now: datetime) -> Change[tuple[Decision, datetime]]:
            after, decision = bucket.reserve(state, ASK, now, hold_id=hold_id, run_id=self.run_id, purpose="storm")
            if isinstance(decision, Granted):
                available = bucket.balance_at(state, now) - sum(hold.high for hold in state.holds)
                assert available > 0, f"over-granted: {available}"
                assert available - COST.high >= -DEFICIT, f"over-granted: {available}"
            if dies:
                die()
            return Change(after, (decision, now))

        return self.ledger.transact(change)

    def void(self, hold_id: str) -> None:
        def change(state: BucketState, now: datetime) -> Change[None]:
            after, settlement = bucket.void(state, hold_id, now)
            return Change(after, None, (settlement,))

        self.ledger.transact(change)

    def end(self, hold_id: str | None, seen: TokenObservation, asked_at: datetime, *, dies: bool = False) -> bool:
        """Settle a hold, unless its life has ended, and take the answer in; return whether it was settled."""

        def change(state: BucketState, now: datetime) -> Change[bool]:
            settlements = []
            if hold_id is not None and (now < asked_at + LIFE or any(hold.hold_id == hold_id for hold in state.holds)):
                state, settlement = bucket.settle(state, hold_id, seen.tokens_consumed, now)
                settlements.append(settlement)
            state, flow, expired = bucket.observe(state, seen, now, asked_at=asked_at)
            if dies:
                die()
            return Change(state, bool(settlements), (*settlements, *expired), (flow,) if flow else ())

        return self.ledger.transact(change)

    def tell(self, *words: object) -> None:
        os.write(self.report, (" ".join(map(str, words)) + "\n").encode())


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def forked(worker: tuple[str, str, Path, Path], seed: int) -> int:
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        Worker(*worker, seed).work()
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
        raise
    finally:
        os._exit(status)


def ended(children: set[int]) -> Iterator[int]:
    """Return the statuses of the children that ended since."""
    for child in sorted(children):
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            children.remove(pid)
            yield os.waitstatus_to_exitcode(status)


def main(place: str, of: str, service: str, reports: str, seconds: float, seed: int) -> int:
    bucket.LIFE = LIFE  # type: ignore[misc] # so that the holds of the dead expire within the storm
    worker = (place, of, Path(service), Path(reports))
    random, seeds = Random(seed), iter(range(seed * 1_000_000, (seed + 1) * 1_000_000))
    children = {forked(worker, next(seeds)) for _ in range(WORKERS)}
    endings: Counter[int] = Counter()
    started = killed_at = time.monotonic()
    while time.monotonic() - started < seconds:
        time.sleep(0.01)
        if time.monotonic() - killed_at > KILLED_EVERY_SECONDS:
            os.kill(random.choice(sorted(children)), signal.SIGKILL)
            killed_at = time.monotonic()
        for status in ended(children):
            endings[status] += 1
            children.add(forked(worker, next(seeds)))
    worker[3].joinpath("stop").touch()
    while children:
        time.sleep(0.01)
        endings.update(ended(children))
    print(endings[-signal.SIGKILL])  # noqa: T201 - what the test reads
    return 0 if set(endings) <= {0, -signal.SIGKILL} else 1


if __name__ == "__main__":
    _, a_place, an_account, service_file, directory, for_seconds, of_seed = sys.argv
    sys.exit(main(a_place, an_account, service_file, directory, float(for_seconds), int(of_seed)))
