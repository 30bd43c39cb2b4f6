"""Load one landed answer again and again, each time killed one statement later: a program, run by test_loading.py.

Arguments: a migrated warehouse, a landed file, and a folder, in which each attempt leaves a warehouse of its own; the
last is the one that was not killed. It prints the number of attempts.
"""

import os
import shutil
import signal
import sys
from itertools import count
from pathlib import Path
from typing import Any, cast

from duckdb import DuckDBPyConnection

from deals_pipeline.landing import read
from deals_pipeline.warehouse.connection import connect
from deals_pipeline.warehouse.loading import load

STATEMENTS = {"execute", "begin", "commit"}


class Mortal:
    """A connection whose process dies before its `steps`-th statement."""

    def __init__(self, connection: DuckDBPyConnection, steps: int) -> None:
        self._connection = connection
        self._steps = steps

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (whatever the connection has)
        self._steps -= name in STATEMENTS
        if self._steps == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return getattr(self._connection, name)


def attempt(path: Path, landed: Path, steps: int) -> None:
    with connect(path) as connection:
        load(cast("DuckDBPyConnection", Mortal(connection, steps)), read(landed))
        os._exit(0)  # a load that returned has happened, however the process ends


def main(warehouse: str, landed: str, folder: str) -> None:
    for steps in count(1):
        path = Path(folder) / f"{steps:03d}.duckdb"
        shutil.copy(warehouse, path)
        child = os.fork()
        if child == 0:
            attempt(path, Path(landed), steps)
        if os.waitpid(child, 0)[1] == 0:
            print(steps)  # noqa: T201 - its output is what the test reads
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
