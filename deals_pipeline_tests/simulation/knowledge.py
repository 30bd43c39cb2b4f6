"""What the ledger cannot know yet: an invariant is held to the truth only where the ledger can know it."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from deals_pipeline_tests.simulation.service import Call, Cause

OF_CLOCKS: Final = frozenset({Cause.CLOCK_JUMP, Cause.SERVER_CLOCK_SET_BACK})


@dataclass(eq=False)
class Surprise:
    """Something that happened at a true time (Unix ms), amid calls that matter to it."""

    cause: Cause
    at: int
    amid: list[Call]
    told: deque[bool] = field(default_factory=lambda: deque(maxlen=5))

    def take_in(self, asked_at: int, *, is_glitched: bool) -> None:
        """Take in an answer to a call made at a true time; a wrong rate tells nothing of a plan."""
        self.amid = [call for call in self.amid if call.is_in_flight]
        if asked_at >= self.at and not self.amid:
            self.told.append(self.cause.answers == 1 or not is_glitched)

    @property
    def is_over(self) -> bool:
        """Whether the ledger can know of it."""
        return sum(self.told) >= self.cause.answers


@dataclass
class Knowledge:
    """The surprises that the ledger cannot know of yet, and which of the last answers had a wrong rate."""

    surprises: list[Surprise] = field(default_factory=list)
    glitches: deque[bool] = field(default_factory=lambda: deque(maxlen=5))

    was_misled: bool = False
    """Whether the rate has ever been believed wrongly."""

    @property
    def _rate_is_known(self) -> bool:
        return 2 * sum(self.glitches) < max(1, len(self.glitches))

    @property
    def is_complete(self) -> bool:
        """Whether the ledger is informed, but for which of two overlapping answers is the newer.

        It is not while half of the last five answers had a wrong rate: then their median is wrong.
        """
        return self._rate_is_known and self.unknown <= {Cause.SERVER_CLOCK_SET_BACK}

    @property
    def unknown(self) -> frozenset[Cause]:
        """Return what kinds of things the ledger cannot know yet."""
        return frozenset(surprise.cause for surprise in self.surprises)

    def surprise(self, cause: Cause, at: int, in_flight: Iterable[Call]) -> None:
        """Note something that the ledger cannot know."""
        self.surprises.append(Surprise(cause, at, list(in_flight) if cause in OF_CLOCKS else []))

    def take_in(self, asked_at: int, *, is_glitched: bool) -> None:
        """Take in an answer that the ledger has taken in."""
        self.glitches.append(is_glitched)
        self.was_misled |= not self._rate_is_known
        for surprise in self.surprises:
            surprise.take_in(asked_at, is_glitched=is_glitched)
        self.surprises = [surprise for surprise in self.surprises if not surprise.is_over]
