"""How many tokens a second several processes take from one account: reserve, call, settle, one token at a time.

A simulated account, in memory that the processes share, has a fixed number of tokens, and no refill comes. All
processes take tokens until none is left; what counts is the time until the last was taken. The account itself counts
the calls that it would have to refuse: each is an over-grant. The calls for the last tokens take a while, so that some
would be over-granted if nobody held them back.

Ours is the real bucket over a real ledger, two transactions a token: one reserves, the other settles and takes in
Keepa's word on the balance. PyrateLimiter does one, which says that a call may be made; it is told the same number of
calls an hour.

Rounds are interleaved, each in a file or an account of its own; the table shows medians. The Postgres server is started
for the measurement, on this machine, without fsync; where none is installed its rows are left out. All processes share
the machine with whatever else runs: its load stands beside.
"""

import multiprocessing
import os
import statistics
import sys
import time
from contextlib import ExitStack
from dataclasses import astuple, dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from benchmarks.ledger_contestants import Account, Open, ours, pyrate
from benchmarks.verdicts import Row, Target, command_line, conclude
from deals_pipeline_tests.token_bucket.served_postgres import MISSING, postgres_served, server_binaries

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue

ROUNDS: Final = 5
TOKENS: Final = 6000
POSTGRES_TOKENS: Final = 1000
"""Of a round in Postgres, where each statement is a message to its server and back."""
PROCESSES: Final = (1, 8)
FORK: Final = multiprocessing.get_context("fork")
JUDGED: Final = ("ours, SQLite", 8)
PAIRS_PER_SECOND_MIN: Final = 3000


@dataclass(frozen=True, slots=True)
class Part:
    """What one process did; `longest` is the longest that a token took, times are of the machine's monotonic clock."""

    taken: int
    began: float
    ended: float
    longest: float


@dataclass(frozen=True, slots=True)
class Round:
    """What all processes did with an account, and the machine's load meanwhile."""

    parts: tuple[Part, ...]
    account: Account
    load: float

    @property
    def per_second(self) -> float:
        """How many tokens were taken in a second, from the first process's start to the last token."""
        seconds = max(part.ended for part in self.parts) - min(part.began for part in self.parts)
        return sum(part.taken for part in self.parts) / seconds

    @property
    def longest(self) -> float:
        """The longest that a token took, in seconds."""
        return max(part.longest for part in self.parts)


def main() -> int:
    """Measure; return 1 where a target is missed."""
    command_line(__doc__).parse_args()
    rounds: dict[tuple[str, int], list[Round]] = {}
    with ExitStack() as stack, TemporaryDirectory(prefix="ledger-throughput-") as folder:
        contestants: dict[str, tuple[Open, str | None, int]] = {
            "ours, SQLite": (ours, None, TOKENS),
            "PyrateLimiter, SQLite": (pyrate, None, TOKENS),
        }
        if binaries := server_binaries():
            contestants["ours, Postgres"] = (ours, stack.enter_context(postgres_served(binaries)), POSTGRES_TOKENS)
        else:
            print(f"Left out: {MISSING}", file=sys.stderr)
        for number in range(ROUNDS):
            for name, (opens, server, tokens) in contestants.items():
                for processes in PROCESSES:
                    account = Account(tokens)
                    done = _round(opens, server or str(Path(folder, f"{account.name}.sqlite")), account, processes)
                    rounds.setdefault((name, processes), []).append(done)
                    progress = f"round {number + 1} of {ROUNDS}: {name}, {processes} processes"
                    print(f"{progress}: {done.per_second:.0f}/s, load {done.load:.1f}", file=sys.stderr, flush=True)
    own = [done.account for (name, _), every in rounds.items() if name.startswith("ours") for done in every]
    judged = statistics.median(done.per_second for done in rounds[JUDGED])
    name = f"reserve + settle pairs a second, {JUDGED[0]}, {JUDGED[1]} processes"
    targets = [
        Target(name, judged, "at least", PAIRS_PER_SECOND_MIN),
        Target("over-grants of ours", sum(account.over_granted for account in own), "at most", 0),
        Target("tokens that ours did not take", sum(account.left for account in own), "at most", 0),
    ]
    return conclude(__file__, [_row(*key, every) for key, every in rounds.items()], targets)


def _round(opens: Open, place: str, account: Account, processes: int) -> Round:
    """Have so many processes, started at once, take all tokens of an account."""
    start, told = FORK.Barrier(processes), FORK.SimpleQueue()
    workers = [FORK.Process(target=_work, args=(opens, place, account, start, told)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0, "what went wrong stands above"
    return Round(tuple(Part(*told.get()) for _ in workers), account, os.getloadavg()[0])


def _work(
    opens: Open, place: str, account: Account, start: Barrier, told: "SimpleQueue[tuple[int, float, float, float]]"
) -> None:
    taken, longest = 0, 0.0
    with opens(place, account) as take_one:
        start.wait()
        began = ended = time.monotonic()
        while take_one():
            taken, longest, ended = taken + 1, max(longest, time.monotonic() - ended), time.monotonic()
    told.put(astuple(Part(taken, began, ended, longest)))


def _row(name: str, processes: int, rounds: list[Round]) -> Row:
    return {
        "account": name,
        "processes": processes,
        "rounds": len(rounds),
        "tokens a second": statistics.median(done.per_second for done in rounds),
        "least": min(done.per_second for done in rounds),
        "most": max(done.per_second for done in rounds),
        "longest, ms": statistics.median(done.longest for done in rounds) * 1000,
        "over-granted": sum(done.account.over_granted for done in rounds),
        "not taken": sum(done.account.left for done in rounds),
        "load": statistics.median(done.load for done in rounds),
    }


if __name__ == "__main__":
    sys.exit(main())
