"""What every benchmark ends with: its table, its targets with value and verdict, the same as JSON, its exit status."""

import argparse
import os
import platform
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

ROOT: Final = Path(__file__).parents[1]

Number: TypeAlias = int | float
Cell: TypeAlias = str | int | float | None
Row: TypeAlias = Mapping[str, Cell]


@dataclass(frozen=True, slots=True)
class Target:
    """A claim: `value` is to be at least, or at most, `bound`."""

    name: str
    value: Number
    limit: Literal["at least", "at most"]
    bound: Number

    @property
    def is_met(self) -> bool:
        """Whether the claim holds."""
        return self.value >= self.bound if self.limit == "at least" else self.value <= self.bound

    def __str__(self) -> str:
        verdict = "met" if self.is_met else "MISSED"
        value, bound = _shown(self.value), _shown(self.bound)
        if value == bound:
            value = f"{self.value:.6g}"
        return f"{self.name}: {value}, {self.limit} {bound}: {verdict}"


@dataclass(frozen=True, slots=True)
class Told:
    """What a benchmark found, on which machine and when, and by which command."""

    command: str
    machine: str
    measured_at: str
    rows: Sequence[Row]
    targets: Sequence[Target]

    def lines(self) -> Iterator[str]:
        """Yield what the benchmark prints."""
        yield f"{self.command}; {self.machine}; {self.measured_at}"
        yield from _table(self.rows)
        yield from map(str, self.targets)


def command_line(told: str | None) -> argparse.ArgumentParser:
    """Return the parser of a program whose docstring says what it does."""
    return argparse.ArgumentParser(description=told, formatter_class=argparse.RawDescriptionHelpFormatter)


def command_of(program: str, arguments: Sequence[str]) -> str:
    """Return how to call a program of ours from the project's folder."""
    place = Path(program).resolve().relative_to(ROOT)
    module = ["-m", ".".join(place.parent.parts)] if place.name == "__main__.py" else [place.as_posix()]
    return shlex.join(["python", *module, *arguments])


def conclude(program: str, rows: Sequence[Row], targets: Sequence[Target]) -> int:
    """Print the table and the targets, write both beside `program` as JSON; return 1 where a target is missed."""
    told = Told(
        command_of(program, sys.argv[1:]), _machine(), f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC", rows, targets
    )
    print("\n".join(told.lines()))
    Path(program).with_suffix(".json").write_bytes(msgspec.json.format(msgspec.json.encode(told)) + b"\n")
    return 0 if all(target.is_met for target in targets) else 1


def _machine() -> str:
    gibibytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    version = ".".join(platform.python_version_tuple())
    load = os.getloadavg()[1]
    return f"{os.cpu_count()} cores of {platform.machine()}, {gibibytes:.0f} GiB, Python {version}, load {load:.1f}"


def _table(rows: Sequence[Row]) -> Iterator[str]:
    if not rows:
        return
    names = list(rows[0])
    shown = [names, *([_shown(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in shown) for column in range(len(names))]
    yield from (_line(line, widths) for line in shown)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.ljust(width) if not column else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join([first, *others]).rstrip()


def _shown(value: Cell) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"  # noqa: PLR2004 - four digits are enough
    return str(value)
