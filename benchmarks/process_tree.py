"""What a tree of processes uses, by `/proc`: all that have one session, which is that of the process that began it."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
SESSION, USER, SYSTEM, CHILDREN_USER, CHILDREN_SYSTEM = 3, 11, 12, 13, 14
"""Places in `/proc/<pid>/stat` after the name of the program, which may contain anything."""
KIBIBYTES_PER_MEBIBYTE: Final = 1024


@dataclass(frozen=True, slots=True)
class Usage:
    """What the processes of a session have used until now.

    `seconds` are of the processor, those of children that have ended too. Mebibytes: `resident` counts what processes
    share once for each, `proportional` once.
    """

    processes: int
    seconds: float
    resident: float
    proportional: float


def usage(session: int) -> Usage:
    """Return what the processes of a session have used until now."""
    processes, seconds, resident, proportional = 0, 0.0, 0.0, 0.0
    for process in _of(session):
        with suppress(OSError):  # it has ended since
            memory = _memory(process)
            seconds += sum(int(_stat(process)[place]) for place in range(USER, CHILDREN_SYSTEM + 1)) / TICKS_PER_SECOND
            resident += memory["Rss"]
            proportional += memory["Pss"]
            processes += 1
    return Usage(processes, seconds, resident, proportional)


def _of(session: int) -> Iterator[Path]:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int(_stat(process)[SESSION]) == session:
                yield process


def _stat(process: Path) -> list[str]:
    return (process / "stat").read_text().rpartition(")")[2].split()


def _memory(process: Path) -> dict[str, float]:
    lines = [line.split() for line in (process / "smaps_rollup").read_text().splitlines()[1:]]
    return {words[0].rstrip(":"): int(words[1]) / KIBIBYTES_PER_MEBIBYTE for words in lines}
