"""Processes: what each knows, does and waits for, and how it ends."""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TypeAlias

from deals_pipeline.keepa.replies import Reply
from deals_pipeline.keepa.requests import Request
from deals_pipeline.token_bucket.model import Lane
from deals_pipeline.token_bucket.reservation import TokenBucket
from deals_pipeline_tests.simulation.ledger import ProcessLedger
from deals_pipeline_tests.simulation.service import Call

Work: TypeAlias = Generator["int | Call", "Reply | None", None]
"""What a process does: it yields milliseconds to sleep or a call to wait for."""


class WorkEnded(Exception):
    """There is nothing more to do."""


@dataclass(eq=False)
class Waiting:
    """An ask that waits for tokens and looks again at each tick."""

    lane: Lane
    request: Request
    since: int
    failed_looks: int = 0
    affordable_since: int | None = None


@dataclass(eq=False)
class Process:
    """A process with its own view of the ledger."""

    name: str
    ledger: ProcessLedger
    bucket: TokenBucket
    works: list[Work] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)

    def end(self) -> None:
        """End without a word."""
        self.ledger.is_alive = False
        for work in self.works:
            work.close()
