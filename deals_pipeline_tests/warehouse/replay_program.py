"""Load all landed answers again and again, each time killed some statements later: a program, run by test_replay.py.

Arguments: a migrated warehouse, a landing, a folder, in which each attempt leaves a warehouse of its own, how many
answers a transaction takes, and how many statements each attempt outlives the one before it. An attempt prints its
number with each answer that it was told is loaded.
"""

import os
import shutil
import sys
from itertools import count
from pathlib import Path
from typing import cast

from duckdb import DuckDBPyConnection

from deals_pipeline.warehouse import loading
from deals_pipeline.warehouse.connection import connect
from deals_pipeline_tests.warehouse.load_program import Mortal


def attempt(number: int, path: Path, landing: Path, steps: int) -> None:
    with connect(path) as connection:
        for loaded in loading.load_landed(cast("DuckDBPyConnection", Mortal(connection, steps)), landing):
            print(number, loaded.file_id, flush=True)  # noqa: T201 - its output is what the test reads
        os._exit(0)


def main(warehouse: str, landing: str, folder: str, files_max: str, stride: str) -> None:
    loading.BATCH_FILES_MAX = int(files_max)  # type: ignore[misc]
    for number in count():
        path = Path(folder) / f"{number:03d}.duckdb"
        shutil.copy(warehouse, path)
        child = os.fork()
        if child == 0:
            attempt(number, path, Path(landing), 1 + number * int(stride))
        if os.waitpid(child, 0)[1] == 0:
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
