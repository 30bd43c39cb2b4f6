"""What the pipeline costs beyond Dagster itself: a run with nothing to do, loading the definitions, `make dev` at rest.

**A run**: `dagster job execute` of the main job, as a whole process, against a job of one empty asset, and against one
of as many empty assets and checks as the main job has: what that takes is Dagster's own. The same once more with the
pipeline imported is what would be left if the assets did nothing. Nothing to do means that no token is left: another
program on the key has spent all. All assets look for what to buy, compute and publish.

**Definitions**: what importing them takes beyond importing those of one empty asset.

**At rest**: `python -m deals_pipeline dev` and `dagster dev` of the empty project, at the same time, for five minutes
once both are ready; `--idle-seconds` picks another time. All processes of each count. No token is left, so that sensors
and schedules look and ask for nothing.

Seconds of the processor are of all processes, and are judged: they change little with what else runs on the machine;
those by the clock do. Runs are interleaved, medians.
"""

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import requests

from benchmarks.process_tree import Usage, usage
from benchmarks.verdicts import Row, Target, command_line, conclude
from deals_pipeline.clock import SystemClock
from deals_pipeline.home import CONFIG, HOST, prepare
from deals_pipeline.keepa.time import to_unix_ms
from deals_pipeline.resources.keepa import SIMULATED_ACCOUNT
from deals_pipeline.simulator.account import advance
from deals_pipeline.simulator.store import SqliteStore, stored_config
from deals_pipeline_tests.e2e.processes import READY, Workplace, free_port, graphql, started, wait_until, workplace

RUNS: Final = 5
LOADS: Final = 7
IDLE_SECONDS: Final = 300.0
SETTLING_SECONDS: Final = 30.0
"""What starts up is not at rest."""
START_SECONDS_MAX: Final = 240
BALANCE: Final = -45
"""A deficit that does not halt the pipeline, and lasts for nine minutes: `planner_sensor` looks in vain."""
RATIO_MAX: Final = 1.3
LOAD_SECONDS_MAX: Final = 1.0
CORE_PERCENT_MAX: Final = 5.0
EMPTY: Final = "benchmarks.empty_project"
HOLLOW: Final = "benchmarks.hollow_project"
LOADED: Final = "benchmarks.loaded_project"
OURS: Final = "deals_pipeline.definitions"
JOBS: Final = {EMPTY: "empty_job", HOLLOW: "hollow_job", LOADED: "hollow_job", OURS: "refresh_job"}
SHOWN: Final = {
    EMPTY: "run of one empty asset",
    HOLLOW: "run of as many empty assets and checks",
    LOADED: "the same, with the pipeline imported",
    OURS: "run of refresh_job, nothing to do",
}


@dataclass(frozen=True, slots=True)
class Taken:
    """What a command took, in seconds: of the processor, and by the clock."""

    processor: float
    clock: float


@dataclass(frozen=True, slots=True)
class Rest:
    """What a tree of processes used at rest, and what it used in the end."""

    percent: float
    """Of one core."""
    usage: Usage


def main() -> int:
    """Measure; return 1 where a target is missed."""
    line = command_line(__doc__)
    line.add_argument("--idle-seconds", type=float, default=IDLE_SECONDS, help="how long each `dev` is at rest")
    idle_seconds: float = line.parse_args().idle_seconds
    with TemporaryDirectory(prefix="dagster-overhead-") as folder:
        ours, empty = _workplaces(Path(folder))
        runs, loads = _runs(ours, empty), _loads(ours, empty)
        rest = _rest(ours, empty, idle_seconds)
    beyond = loads[OURS].processor - loads[EMPTY].processor
    targets = [
        Target(
            "a run, processor, x one empty asset", runs[OURS].processor / runs[EMPTY].processor, "at most", RATIO_MAX
        ),
        Target("loading the definitions, processor seconds beyond empty ones", beyond, "at most", LOAD_SECONDS_MAX),
        Target(
            "at rest, % of a core beyond empty", rest[OURS].percent - rest[EMPTY].percent, "at most", CORE_PERCENT_MAX
        ),
    ]
    rows = [_row(SHOWN[module], taken, runs[EMPTY]) for module, taken in runs.items()]
    rows += [_row(f"import {module}", taken, loads[EMPTY]) for module, taken in loads.items()]
    rows += [_row(f"dev of {module} at rest", rest=each) for module, each in rest.items()]
    return conclude(__file__, rows, targets)


def _workplaces(folder: Path) -> tuple[Workplace, Workplace]:
    """Return a folder for the pipeline, which has bought what it could, and one for the empty projects.

    In both, code is compiled once.
    """
    for name in ("ours", "empty"):
        (folder / name).mkdir()
    ours, empty = workplace(folder / "ours", DEALS_HOME=str(folder / "ours")), workplace(folder / "empty")
    prepare(ours.settings)
    (folder / "empty" / CONFIG.name).write_bytes(CONFIG.read_bytes())
    compiled = {"PYTHONDONTWRITEBYTECODE": ""}
    variables = {"DAGSTER_HOME": str(folder / "empty"), "PYTHONPATH": str(Path(__file__).parents[1])}
    empty = replace(empty, environ={**empty.environ, **compiled, **variables})
    variables["DAGSTER_HOME"] = str(ours.home)
    ours = replace(ours, environ={**ours.environ, **compiled, **variables})
    _say("the pipeline buys what it can")
    _execute(ours, OURS)
    return ours, empty


def _runs(ours: Workplace, empty: Workplace) -> dict[str, Taken]:
    """Return what a run of each job takes."""
    taken: dict[str, list[Taken]] = {module: [] for module in JOBS}
    for number in range(RUNS):
        for module, every in taken.items():
            if module == OURS:
                _spend_all(ours)
            every.append(_execute(ours if module in {LOADED, OURS} else empty, module))
            _say(f"run {number + 1} of {RUNS}: {SHOWN[module]}: {every[-1].processor:.1f} s")
    return {module: _median(every) for module, every in taken.items()}


def _loads(ours: Workplace, empty: Workplace) -> dict[str, Taken]:
    """Return what importing the definitions takes."""
    taken: dict[str, list[Taken]] = {module: [] for module in (EMPTY, OURS)}
    for _ in range(LOADS):
        for module, every in taken.items():
            every.append(_command(ours if module == OURS else empty, "-c", f"import {module}"))
    return {module: _median(every) for module, every in taken.items()}


def _rest(ours: Workplace, empty: Workplace, seconds: float) -> dict[str, Rest]:
    """Return what both `dev` use at rest."""
    ports = {OURS: free_port(), EMPTY: free_port()}
    empty_dev = ["-W", "ignore", "-m", "dagster", "dev", "-m", EMPTY, "-h", HOST, "-p", str(ports[EMPTY])]
    with (
        started(ours, "-m", "deals_pipeline", "dev", "--port", str(ports[OURS])) as own,
        started(empty, *empty_dev) as other,
    ):
        trees = {EMPTY: other, OURS: own}
        for module, tree in trees.items():
            _say(f"dev of {module} starts")
            wait_until(partial(_is_ready, ports[module]), f"dev of {module} is ready", START_SECONDS_MAX, tree)
        _spend_all(ours)
        time.sleep(SETTLING_SECONDS)
        _say(f"{seconds:g} s at rest")
        began, before = time.monotonic(), {module: usage(tree.pid) for module, tree in trees.items()}
        time.sleep(seconds)
        after, passed = {module: usage(tree.pid) for module, tree in trees.items()}, time.monotonic() - began
    return {
        module: Rest(100 * (after[module].seconds - before[module].seconds) / passed, after[module]) for module in trees
    }


def _spend_all(ours: Workplace) -> None:
    """Let another program on the key spend all tokens."""
    path = ours.settings.places.home / SIMULATED_ACCOUNT
    config = stored_config(path)
    assert config is not None
    with SqliteStore(path, config).transaction() as transaction:
        account = advance(config, transaction.account, to_unix_ms(SystemClock().now()))
        spent = account.balance - BALANCE
        transaction.account = replace(account, balance=BALANCE, foreign_spent=account.foreign_spent + spent)


def _execute(at: Workplace, module: str) -> Taken:
    return _command(at, "-W", "ignore", "-m", "dagster", "job", "execute", "-m", module, "-j", JOBS[module])


def _command(at: Workplace, *words: str) -> Taken:
    """Return what Python took with these arguments, and all that it waited for."""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(  # noqa: S603 - our own commands
        [sys.executable, *words], cwd=at.folder, env=dict(at.environ), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    clock, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Taken(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, clock)


def _is_ready(port: int) -> bool:
    try:
        locations = graphql(f"http://{HOST}:{port}", READY)["workspaceOrError"]["locationEntries"]
    except requests.ConnectionError:
        return False
    return all(location["loadStatus"] == "LOADED" for location in locations)


def _median(taken: Sequence[Taken]) -> Taken:
    return Taken(statistics.median(each.processor for each in taken), statistics.median(each.clock for each in taken))


def _row(what: str, taken: Taken | None = None, empty: Taken | None = None, rest: Rest | None = None) -> Row:
    return {
        "what": what,
        "processor s": taken.processor if taken else None,
        "clock s": taken.clock if taken else None,
        "x empty": taken.processor / empty.processor if taken and empty else None,
        "x by the clock": taken.clock / empty.clock if taken and empty else None,
        "% of a core": rest.percent if rest else None,
        "processes": rest.usage.processes if rest else None,
        "RSS MiB": rest.usage.resident if rest else None,
        "PSS MiB": rest.usage.proportional if rest else None,
    }


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
