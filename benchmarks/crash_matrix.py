"""The crash matrix again and again on a busy machine: how long the pipeline takes until the next run has started.

Each round is the tests of killed processes and of colliding runs (`test_crashes.py`, `test_collisions.py`); two rounds
at once are each other's load. From the kill until the next run has started, or from the restart where all was killed
(F17); what else must hold the tests say. Where one fails, no other round begins.

Rounds are kept beside the program, those that failed too: an interrupted matrix goes on, as long as the code is the
same, and one that failed stays so.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from xml.etree import ElementTree as ET

from benchmarks.verdicts import Row, Target, command_line, conclude
from deals_pipeline_tests.e2e.processes import ROOT
from deals_pipeline_tests.e2e.test_crashes import RECOVERY_SECONDS_MAX
from deals_pipeline_tests.long_runs import Kept, code_of

KEPT: Final = Path(__file__).with_suffix(".kept.jsonl")
CODE: Final = ("deals_pipeline_tests/e2e/*",)
TESTS: Final = ("test_crashes.py", "test_collisions.py")
RECOVERIES: Final = ("worker killed", "command killed", "power cut", "code server killed")
AT_ONCE: Final = 2


@dataclass(frozen=True, slots=True)
class Round:
    """How a round of the tests ended; `recoveries` are in seconds, and lack those that it did not come to."""

    is_passed: bool
    ended: str
    """When, UTC."""
    seconds: float
    recoveries: Mapping[str, float]
    load: float


def main() -> int:
    """Repeat; return 1 where a test failed or a recovery took too long."""
    line = command_line(__doc__)
    line.add_argument("repeat", type=int, help="how many rounds")
    repeat: int = line.parse_args().repeat
    kept = Kept(KEPT, code_of(CODE), Round)
    rounds = list(kept.parts().values())[:repeat]
    if rounds:
        print(f"from before: {len(rounds)} rounds", file=sys.stderr, flush=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while len(rounds) < repeat and all(each.is_passed for each in rounds):
            numbers = range(len(rounds) + 1, min(len(rounds) + AT_ONCE, repeat) + 1)
            for number, each in zip(numbers, pool.map(_round, numbers), strict=True):
                rounds.append(each)
                kept.keep(f"round {number}", each)
    recoveries = [seconds for each in rounds for seconds in each.recoveries.values()]
    targets = [
        Target("rounds passed", sum(each.is_passed for each in rounds), "at least", repeat),
        Target("recoveries seen", len(recoveries), "at least", repeat * len(RECOVERIES)),
        Target("longest recovery, s", max(recoveries, default=0.0), "at most", RECOVERY_SECONDS_MAX),
    ]
    return conclude(__file__, [_row(number, each) for number, each in enumerate(rounds, 1)], targets)


def _round(number: int) -> Round:
    """Run the tests once, and tell how it went; what they say is shown where one fails."""
    with TemporaryDirectory(prefix="crash-matrix-") as folder:
        report, began = Path(folder, "report.xml"), time.monotonic()
        tests = [str(ROOT / "deals_pipeline_tests" / "e2e" / name) for name in TESTS]
        command = [sys.executable, "-m", "pytest", "-q", "-x", f"--basetemp={folder}/tests", f"--junitxml={report}"]
        command += ["-o", "junit_family=xunit1"]  # the other has no properties
        done = subprocess.run([*command, *tests], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
        seconds, load = time.monotonic() - began, os.getloadavg()[0]
        if done.returncode:
            print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        recoveries = _recoveries(report) if report.exists() else {}
    told = ", ".join(f"{name} {waited:.0f} s" for name, waited in recoveries.items())
    ending = "FAILED" if done.returncode else "passed"
    print(f"round {number}: {ending} in {seconds:.0f} s; {told}", file=sys.stderr, flush=True)
    return Round(not done.returncode, f"{datetime.now(timezone.utc):%m-%d %H:%M}", seconds, recoveries, load)


def _recoveries(report: Path) -> Mapping[str, float]:
    """Return what the tests recorded of how long they waited."""
    properties = ET.parse(report).iter("property")  # noqa: S314 - pytest wrote it
    return {each.attrib["name"]: float(each.attrib["value"]) for each in properties}


def _row(number: int, each: Round) -> Row:
    recoveries = {f"{name}, s": each.recoveries.get(name) for name in RECOVERIES}
    return {"round": number, "ended": each.ended, **recoveries, "all, s": each.seconds, "load": each.load}


if __name__ == "__main__":
    sys.exit(main())
