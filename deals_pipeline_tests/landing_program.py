"""Land answers again and again until killed: a program, run by test_landing.py.

Arguments: the root, how many files must have landed and writers been killed before it ends, and how long a writer may
live at most, in milliseconds: one is started after the other.
"""

import gzip
import os
import random
import signal
import sys
import time
from itertools import count
from pathlib import Path

from deals_pipeline.clock import SystemClock
from deals_pipeline.keepa.replies import WireAnswer
from deals_pipeline.keepa.requests import DealPageRequest
from deals_pipeline.keepa.selection import DealSelection
from deals_pipeline.landing import Landing, landed_files
from deals_pipeline_tests.simulator.services import UncheckedHold

REQUEST = DealPageRequest(selection=DealSelection())
ANSWER = WireAnswer(200, "gzip", gzip.compress(os.urandom(1_000_000), compresslevel=1))


def land_for_ever(root: Path, run_id: str) -> None:
    landing = Landing(root, run_id, SystemClock())
    while True:
        landing(REQUEST, UncheckedHold(REQUEST), ANSWER)


def main(root: str, files: str, writers: str, milliseconds_max: str) -> None:
    chance = random.Random(1)
    for writer in count():
        child = os.fork()
        if child == 0:
            land_for_ever(Path(root), f"run-{writer}")
        time.sleep(chance.uniform(0.005, int(milliseconds_max) / 1000))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        landed = list(landed_files(Path(root), skipped=lambda *_: None))
        if len(landed) >= int(files) and writer >= int(writers):
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
