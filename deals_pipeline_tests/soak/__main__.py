"""The whole pipeline through months of virtual time, in worlds where everything fails that can, under all invariants.

One world a seed: all faults, processes killed at every side effect, changes of plan, others who spend, releases amid a
wait, any one state deleted. `python -m deals_pipeline_tests.soak`, or `make soak`

What is over is kept in `lives.jsonl` beside the program: an interrupted soak goes on, as long as the code is the same.
"""

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Final

from benchmarks.verdicts import Row, Target, command_line, conclude
from deals_pipeline_tests.soak.kept import KEPT, code_of, keep, kept_lives
from deals_pipeline_tests.soak.life import Life, live_alone, tell

PROCESSES: Final = 2
LONG_DAYS: Final = 5
"""From so many days on each world strikes at every place."""


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
    return conclude(__file__, [_row(life) for life in lives], targets)


def _lives(seeds: Sequence[int], days: float) -> Iterator[Life]:
    code = code_of()
    known = {life.seed: life for life in kept_lives(KEPT, code, days) if life.seed in seeds}
    if known:
        tell(f"lived before: worlds {', '.join(map(str, sorted(known)))}")
        yield from known.values()
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(live_alone, seed, days) for seed in seeds if seed not in known]):
            life = future.result()
            keep(KEPT, code, life)
            ending = "VIOLATED" if _is_violated(life) else "all invariants held"
            tell(f"world {life.seed}: {ending}, {life.seconds:.0f} s")
            yield life


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
        "deletions": life.deletions,
        "tokens": life.tokens,
        "processor s": life.seconds,
        "violated": (life.violation or "none").partition(":")[0],
    }


if __name__ == "__main__":
    sys.exit(main())
