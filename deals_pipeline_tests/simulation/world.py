"""A world in virtual time: processes that work and die, a service, and who watches them.

The world knows the truth; processes know what their ledger tells them; watchers compare the two.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from deals_pipeline.clock import Clock
from deals_pipeline.keepa.replies import Failure, Reply, TokenStatus
from deals_pipeline.keepa.requests import Request
from deals_pipeline.token_bucket.ledger import Change, Ledger
from deals_pipeline.token_bucket.model import BucketState, Lane, Policy
from deals_pipeline.token_bucket.reservation import Reservation, TokenBucket
from deals_pipeline_tests.simulation.journey import Journey
from deals_pipeline_tests.simulation.ledger import MemoryLedger, ProcessDied, ProcessLedger
from deals_pipeline_tests.simulation.processes import Process, Waiting, Work, WorkEnded
from deals_pipeline_tests.simulation.reality import Reality, WorldClock
from deals_pipeline_tests.simulation.scenario import LENGTH, Scenario
from deals_pipeline_tests.simulation.service import Call, Cause
from deals_pipeline_tests.simulation.watcher import Transaction, Watcher

PROCESSES: Final = ("recent", "others", "ad hoc")
PROBED_EVERY_MS: Final = 20_000
DRAINED_MS: Final = 15 * 60_000
LOOKS_AT_THE_END: Final = 10
RESTARTED_MS_MAX: Final = 600_000


def in_memory(clock: Clock) -> Ledger:
    """Return a ledger in memory."""
    return MemoryLedger(clock.now)


class World(Reality):
    """One world; `run` lets it unfold. `start` starts the works of a process; the ledger is by default in memory."""

    def __init__(
        self,
        scenario: Scenario,
        watchers: Sequence[Watcher],
        start: Callable[["World", Process], None],
        *,
        make_ledger: Callable[[Clock], Ledger] = in_memory,
        length: timedelta = LENGTH,
    ) -> None:
        super().__init__(scenario)
        self.watchers: Final = watchers
        self.policy: Final = Policy()
        self.ledger: Final = make_ledger(WorldClock(self))
        self.processes: Final[list[Process]] = []
        self.is_working = True
        self.newest_is_glitched = False
        """Whether the answer that the ledger took in last had a wrong rate and a wrong time to the next tick."""
        self.glitches = 0
        """How many such answers it has taken in."""
        self.looks = 0
        self._start = start
        self._length = length
        self._source: tuple[int, bool] | None = None

    def run(self) -> None:
        """Let the world unfold to its end. Raises `Violation`."""
        end = self.now + self._length // timedelta(milliseconds=1)
        for at, off in self.scenario.clock_jumps:
            self.timeline.at(at, partial(self.set_clock, off))
        for at in self.scenario.restarts:
            self.timeline.at(at, self._restart)
        for at in self.scenario.server_clock_set_back:
            self.timeline.at(at, partial(self.surprise, Cause.SERVER_CLOCK_SET_BACK))
        for at in range(self.now, end, PROBED_EVERY_MS):
            self.timeline.at(at, self._probe)
        for name in PROCESSES:
            self._begin(name)
        self.timeline.unfold(end)
        self.is_working = False
        self.timeline.unfold(end + DRAINED_MS)
        closing = self._open_process("closing")
        for _ in range(LOOKS_AT_THE_END):
            self.timeline.unfold(self.now + PROBED_EVERY_MS * 2)
            closing.bucket.look()
        for watcher in self.watchers:
            watcher.ended(self)

    def _restart(self) -> None:
        for process in tuple(self.processes):
            self.kill(process)

    def _probe(self) -> None:
        for watcher in self.watchers:
            watcher.probed(self)

    def _open_process(self, name: str) -> Process:
        ledger = ProcessLedger(self.ledger, self._transacted)
        process = Process(name, ledger, TokenBucket(ledger, self._look, WorldClock(self), run_id=name))
        self.processes.append(process)
        return process

    def _begin(self, name: str) -> None:
        if self.is_working:
            self._start(self, self._open_process(name))

    def spawn(self, process: Process, work: Work) -> None:
        """Let a process begin a work."""
        process.works.append(work)
        self.timeline.after(0, lambda: self._go_on(process, work, None))

    def _go_on(self, process: Process, work: Work, reply: Reply | None) -> None:
        if not process.ledger.is_alive:
            return
        try:
            wait = work.send(reply)
        except (StopIteration, WorkEnded):
            process.works.remove(work)
        except ProcessDied:
            self.kill(process)
        else:
            if isinstance(wait, Call):
                self._deliver(wait, lambda answer: self._go_on(process, work, answer))
            else:
                self.timeline.after(wait, lambda: self._go_on(process, work, None))

    def kill(self, process: Process) -> None:
        """End a process, if it lives, without a word; another of its name starts later."""
        if process not in self.processes:
            return
        self.say(f"{process.name} dies")
        self.processes.remove(process)
        process.end()
        for call in self.under_way:
            call.is_over |= call.process == process.name and not call.is_sent
        self.timeline.after(self.draw.randint(1_000, RESTARTED_MS_MAX), lambda: self._begin(process.name))

    def granted(self, request: Request, hold: Reservation, asked_at: int) -> Call:
        """Note a call that was granted."""
        kept = next(kept for kept in self.ledger.read()[0].holds if kept.hold_id == hold.hold_id)
        high = max(kept.high, request.cost.high)
        call = Call(request, hold.hold_id, kept.run_id, high, asked_at, unknown=self.knowledge.unknown)
        self.add(call)
        self.say(f"granted {kept.lane.value} {kept.cost.low}-{kept.high}")
        return call

    def split(self, lane: Lane, request: Request) -> None:
        """Note that a request was refused for good."""
        self.say(f"too large for {lane.value}: {request.cost.high}")
        for watcher in self.watchers:
            watcher.split(self, request)

    def settle(self, call: Call, hold: Reservation, reply: Reply) -> None:
        """Let a process settle a hold with a reply."""
        self.say(f"call {call.number} gets {type(reply).__name__} {reply.tokens.tokens_left if reply.tokens else '-'}")
        call.reply = reply
        self._source = (call.asked_at, call.is_glitched)
        hold.settle(reply)
        self._source = None
        for watcher in self.watchers:
            watcher.settled(self, call)

    def _deliver(self, call: Call, deliver: Callable[[Reply], None]) -> None:
        Journey(
            call,
            self.service,
            self.timeline,
            self.draw,
            arrived=self._arrived,
            charged=self._charged,
            deliver=deliver,
        )

    def _arrived(self, call: Call) -> None:
        if call.is_refused:
            self.say(f"call {call.number} is refused")
        for watcher in self.watchers:
            watcher.arrived(self, call)

    def _charged(self, call: Call) -> None:
        self.say(f"call {call.number} is charged {call.charged}")
        if call.charged > call.high:
            self.surprise(Cause.OVERSHOOT)

    def _look(self) -> TokenStatus | Failure:
        reply, is_glitched = self.service.look(self.now)
        self.looks += 1
        self._source = (self.now, is_glitched)
        self.say(f"a look gets {type(reply).__name__} {reply.tokens.tokens_left if reply.tokens else '-'}")
        if reply.tokens is None:
            for waiting in self.all_waiting():
                waiting.failed_looks += 1
        return reply

    def all_waiting(self) -> list[Waiting]:
        """Return the asks that wait, of all processes."""
        return [waiting for process in self.processes for waiting in process.waiting]

    def _transacted(self, before: BucketState, change: Change[Any], now: datetime) -> None:
        if self._source and change.flows:
            asked_at, self.newest_is_glitched = self._source
            self.glitches += self.newest_is_glitched
            self.knowledge.take_in(asked_at, is_glitched=self.newest_is_glitched)
        for watcher in self.watchers:
            watcher.transacted(self, Transaction(before, change, now))
