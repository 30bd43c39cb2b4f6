"""From the bytes of the largest answer of `/product` to rows in DuckDB, against those who only decode.

100 products x 36 price types x 700 points. `orjson.loads` alone is the limit; the `keepa` library makes data frames of
the same bytes, by `json` and its `parse_csv`; ours checks every field and stores it all, committed. Medians of
interleaved runs, in seconds of the processor, so that what else runs on the machine does not count. The peak of memory
is a fresh process's, beyond what it held before it had the answer, gzipped as on the wire.
"""

import argparse
import gzip
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

import orjson
import pyarrow as pa
from duckdb import DuckDBPyConnection
from keepa import parse_csv

from benchmarks.memory import memory
from benchmarks.verdicts import Row, Target, command_line, conclude
from benchmarks.wide_answer import POINTS, landed, wide_answer, wide_body
from deals_pipeline.keepa.columns import history_table
from deals_pipeline.keepa.reading import read_reply
from deals_pipeline.keepa.replies import Products, WireAnswer
from deals_pipeline.warehouse.connection import ROW_GROUP_ROWS, connect
from deals_pipeline.warehouse.loading import load
from deals_pipeline.warehouse.schema import migrate
from deals_pipeline.warehouse.statements import statement

ROUNDS: Final = 7
MILLIONS: Final = (1, 10, 100)
MILLION: Final = 1_000_000
GZIP_LEVEL: Final = 6
ORJSON, KEEPA, PARSE_CSV, OURS = "orjson.loads", "keepa: json, parse_csv", "keepa: parse_csv alone", "ours, stored"
FILLERS_FROM: Final = 10_000
"""Answers from this number on only fill a warehouse."""

Result = TypeVar("Result")


def main() -> int:
    """Measure, print a table, write it beside as JSON; return 1 where a target is missed."""
    parser = command_line(__doc__)
    parser.add_argument("--millions", type=int, nargs="+", default=list(MILLIONS), help="points that are stored before")
    parser.add_argument("--peak", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak:
        print(_peak())
        return 0
    points, empty = _read_by_each()
    alone = empty[PARSE_CSV] / empty[OURS]
    filled = _load_into_more_and_more(arguments.millions)
    packed = gzip.compress(wide_body(0), GZIP_LEVEL)
    peak = subprocess.run([sys.executable, __file__, "--peak"], input=packed, stdout=subprocess.PIPE, check=True)  # noqa: S603
    rows: list[Row] = [
        {
            "what": what,
            "seconds": spent,
            "million points/s": points / spent / MILLION,
            "x orjson": spent / empty[ORJSON],
        }
        for what, spent in (empty | filled).items()
    ]
    first, *_, last = filled.values()
    targets = [
        Target("times as fast as keepa from the same bytes", empty[KEEPA] / empty[OURS], "at least", 3),
        Target("times as fast as parse_csv alone, which gets what was read", alone, "at least", 3),
        Target("times the seconds of orjson.loads", empty[OURS] / empty[ORJSON], "at most", 2.5),
        Target("peak memory / size of the answer", float(peak.stdout), "at most", 6),
        Target("seconds with the most points stored / with the least", last / first, "at most", 1.3),
    ]
    return conclude(__file__, rows, targets)


def _read_by_each() -> tuple[int, dict[str, float]]:
    """Return how many points an answer holds, and the median seconds of each that reads it."""
    seconds: dict[str, list[float]] = {what: [] for what in (ORJSON, KEEPA, PARSE_CSV, OURS)}
    points = 0
    with _warehouse() as connection:
        load(connection, wide_answer(ROUNDS))  # what is loaded only once
        for number in range(ROUNDS):
            print(f"round {number + 1} of {ROUNDS}", file=sys.stderr)
            answer = wide_answer(number)
            body = answer.answer.body
            points = _timed(seconds[OURS], load, connection, answer).points
            document = _timed(seconds[ORJSON], orjson.loads, body)
            _timed(seconds[PARSE_CSV], _parse, document)
            _timed(seconds[KEEPA], lambda text=body: _parse(json.loads(text)))
    return points, {what: statistics.median(each) for what, each in seconds.items()}


def _parse(document: Any) -> list[object]:  # noqa: ANN401 - JSON
    return [parse_csv(product["csv"]) for product in document["products"]]


def _load_into_more_and_more(millions: list[int]) -> dict[str, float]:
    """Return the median seconds of loading an answer into a warehouse that holds so many points: a copy each time.

    A checkpoint rewrites the newest row group unless it is full: in each round it is fuller, at each level alike.
    """
    filler, found = _histories(FILLERS_FROM), {}
    with TemporaryDirectory() as folder:
        filled, copy = Path(folder) / "filled.duckdb", Path(folder) / "copy.duckdb"
        for level in sorted(millions):
            print(f"filling up to {level} M points", file=sys.stderr)
            full = -(-level * MILLION // POINTS // ROW_GROUP_ROWS) * ROW_GROUP_ROWS
            with connect(filled) as connection:
                migrate(connection)
                _fill(connection, filler, full)
            seconds: list[float] = []
            for number in range(ROUNDS):
                shutil.copy(filled, copy)
                with connect(copy) as connection:
                    _fill(connection, filler, full + number * ROW_GROUP_ROWS // ROUNDS)
                    _timed(seconds, load, connection, wide_answer(number))
                copy.unlink()
            found[f"ours, stored, after {level} M points"] = statistics.median(seconds)
    return found


def _fill(connection: DuckDBPyConnection, filler: pa.Table, histories: int) -> None:
    """Add histories of ever other products until so many are stored."""
    values = {"days": None, "observed_at": "2026-01-01", "landed_file": "filler", "code_version": "filler"}
    while (stored := _stored(connection)) < histories:
        asins = pa.array([f"F{stored:08d}{asin[-5:]}" for asin in filler["asin"].to_pylist()])
        arriving = filler.set_column(1, filler.schema.field("asin"), asins)
        connection.register("arriving", arriving.slice(0, histories - stored))
        connection.execute(statement("add_histories"), values)
        connection.unregister("arriving")


def _stored(connection: DuckDBPyConnection) -> int:
    ((histories,),) = connection.execute("SELECT count(*) FROM price_history").fetchall()
    return int(histories)


def _histories(number: int) -> pa.Table:
    answer = wide_answer(number)
    reply = read_reply(answer.request, answer.answer)
    assert isinstance(reply, Products)
    return history_table(reply.products)


def _peak() -> float:
    """Return the most memory that loading the answer on standard input takes, as a multiple of its bytes unpacked."""
    with _warehouse() as connection:
        before = memory("VmRSS")
        answer = WireAnswer(200, "gzip", sys.stdin.buffer.read())
        load(connection, landed(0, answer))
        return (memory("VmHWM") - before) / len(answer.content)


@contextmanager
def _warehouse() -> Iterator[DuckDBPyConnection]:
    with TemporaryDirectory() as folder, connect(Path(folder) / "warehouse.duckdb") as connection:
        migrate(connection)
        yield connection


def _timed(seconds: list[float], work: Callable[..., Result], *arguments: object) -> Result:
    """Return what `work` returns, and note how long the processor took for it."""
    began = time.process_time()
    result = work(*arguments)
    seconds.append(time.process_time() - began)
    return result


if __name__ == "__main__":
    sys.exit(main())
