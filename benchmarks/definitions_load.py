"""How long the definitions take to load beyond `import dagster`: medians of interleaved runs, each in a new process.

Seconds are of the processor, so that what else runs on the machine does not count.
"""

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Final

RUNS: Final = 7
SECONDS_MAX: Final = 1.0
"""The target: what the definitions may add."""
PROGRAM: Final = "import time; began = time.process_time(); import {module}; print(time.process_time() - began)"
MODULES: Final = ("dagster", "deals_pipeline.definitions")


def main() -> int:
    """Measure, print a table, write it beside as JSON; return 1 where the target is missed."""
    seconds: dict[str, list[float]] = {module: [] for module in MODULES}
    for _ in range(RUNS):
        for module in MODULES:
            program = [sys.executable, "-W", "ignore", "-c", PROGRAM.format(module=module)]
            seconds[module].append(float(subprocess.run(program, capture_output=True, text=True, check=True).stdout))  # noqa: S603
    dagster, ours = (statistics.median(seconds[module]) for module in MODULES)
    is_met = ours - dagster < SECONDS_MAX
    verdict = "met" if is_met else "MISSED"
    print(f"import dagster                     {dagster:6.2f} s")
    print(f"import deals_pipeline.definitions  {ours:6.2f} s  {ours / dagster:.2f} x")
    print(f"beyond dagster                     {ours - dagster:6.2f} s  allowed are {SECONDS_MAX} s: {verdict}")
    result = {"runs": RUNS, "dagster": dagster, "definitions": ours, "allowed_beyond": SECONDS_MAX, "met": is_met}
    Path(__file__).with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
