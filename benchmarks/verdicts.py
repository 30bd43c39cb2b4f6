"""What every benchmark ends with: its table, its targets with value and verdict, the same as JSON, its exit status."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal, TypeAlias

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


def conclude(program: str, rows: Sequence[Row], targets: Sequence[Target]) -> int:
    """Print the table and the targets, write both beside `program` as JSON; return 1 where a target is missed."""
    if rows:
        print(_table(rows))
        print()
    for target in targets:
        verdict = "met" if target.is_met else "MISSED"
        print(f"{target.name}: {_shown(target.value)}, {target.limit} {_shown(target.bound)}: {verdict}")
    told = {
        "measured_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "rows": [dict(row) for row in rows],
        "targets": [asdict(target) | {"met": target.is_met} for target in targets],
    }
    Path(program).with_suffix(".json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return 0 if all(target.is_met for target in targets) else 1


def _table(rows: Sequence[Row]) -> str:
    names = list(rows[0])
    shown = [names, *([_shown(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in shown) for column in range(len(names))]
    return "\n".join(_line(line, widths) for line in shown)


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
