"""The whole pipeline through months of virtual time, in worlds where everything fails that can, under all invariants.

One world a seed: all faults, processes killed at every side effect, changes of plan, others who spend, releases amid a
wait, any one state deleted. `python -m deals_pipeline_tests.soak`, or `make soak`

Worlds that are over are kept beside the program: an interrupted soak goes on, as long as the code is the same.
"""

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import Final

from benchmarks.verdicts import Row, Target, command_line, conclude
from deals_pipeline_tests.long_runs import Kept, code_of, workers
from deals_pipeline_tests.soak.deleting import RECORDS, TABLES
from deals_pipeline_tests.soak.life import Life, live_alone, tell

KEPT: Final = Path(__file__).with_suffix(".kept.jsonl")
CODE: Final = ("deals_pipeline_tests/simulation/*", "deals_pipeline_tests/soak/*")
LONG_DAYS: Final = 5
"""From so many days on each world strikes at every place."""
LONG_DAYS_IN_ALL: Final = 300
"""From so many days on in all worlds together each table is deleted in one of them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Live in the worlds; return 1 where an invariant did not hold."""
    line = command_line(__doc__)
    line.add_argument("--seed", type=int, default=1, help="the first world")
    line.add_argument("--seeds", type=int, default=20, help="how many worlds")
    line.add_argument("--days", type=float, default=30, help="virtual days in each")
    options = line.parse_args(arguments)
    lives = sorted(_lives(range(options.seed, options.seed + options.seeds), options.days), key=lambda life: life.seed)
    for violation in (life.violation for life in lives if life.violation):
        sys.stdout.write(f"{violation}\n\n")
    targets = [Target("worlds in which an invariant did not hold", sum(map(_is_violated, lives)), "at most", 0)]
    if options.days >= LONG_DAYS:
        spared = max((len(life.spared) for life in lives), default=0)
        targets.append(Target("places where no process was killed, the most in a world", spared, "at most", 0))
    if options.days * options.seeds >= LONG_DAYS_IN_ALL:
        undeleted = {*TABLES, *RECORDS}.difference(*(life.deleted for life in lives))
        targets.append(Target("tables that nobody deleted in any world", len(undeleted), "at most", 0))
        waits = sum(life.amid_waits for life in lives)
        targets.append(Target("versions installed while a run waited for tokens", waits, "at least", 1))
    return conclude(__file__, [_row(life) for life in lives], targets)


def _lives(seeds: Sequence[int], days: float) -> Iterator[Life]:
    """Yield lives as they end; one in which an invariant did not hold is not kept, but lived again."""
    kept = Kept(KEPT, code_of(CODE), Life)
    parts = kept.parts()
    known = {seed: parts[name] for seed in seeds if (name := _name(seed, days)) in parts}
    if known:
        tell(f"lived before: worlds {', '.join(map(str, known))}")
        yield from known.values()
    with workers() as pool:
        for future in as_completed([pool.submit(live_alone, seed, days) for seed in seeds if seed not in known]):
            life = future.result()
            if not _is_violated(life):
                kept.keep(_name(life.seed, days), life)
            ending = "VIOLATED" if _is_violated(life) else "all invariants held"
            tell(f"world {life.seed}: {ending}, {life.seconds:.0f} s")
            yield life


def _name(seed: int, days: float) -> str:
    return f"world {seed}, {days:g} days"


def _is_violated(life: Life) -> bool:
    return life.violation is not None


def _row(life: Life) -> Row:
    return {
        "world": life.seed,
        "days": life.days,
        "steps": life.steps,
        "kills": life.kills,
        "spared places": len(life.spared),
        "versions": life.versions,
        "amid waits": life.amid_waits,
        "deletions": life.deletions,
        "tokens": life.tokens,
        "processor s": life.seconds,
        "violated": (life.violation or "none").partition(":")[0],
    }


if __name__ == "__main__":
    sys.exit(main())
