"""How long the web page takes where the pipeline has run for a week and more: 5 000 materializations against 50.

The main job runs once, on the simulator. What its assets told is then written down again for run after run, 15 minutes
apart, in two Dagster homes with the pipeline's `dagster.yaml`: one with 50 materializations, one with 5 000. Both are
served, and a headless Chromium opens the same pages of each in turn: from the address until the numbers of the newest
run are seen. Medians; the first visit, which loads the page's code, does not count.
"""

import sqlite3
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import dagster as dg
import requests
from dagster._core.events import StepMaterializationData
from sqlalchemy import event
from sqlalchemy.engine import Engine

from benchmarks.verdicts import Row, Target, command_line, conclude
from deals_pipeline.home import HOST, prepare
from deals_pipeline_tests.e2e.browser import Page, chromium
from deals_pipeline_tests.e2e.processes import (
    READY,
    Workplace,
    execute_job,
    free_port,
    graphql,
    instance,
    started,
    wait_until,
    workplace,
)

FEW: Final = 50
MANY: Final = 5000
VISITS: Final = 5
RATIO_MAX: Final = 2.0
PLOTS: Final = "its plots"
PLOTS_RATIO_MAX: Final = 10.0
"""A plot shows all runs: a hundred times the points in ten times the time."""
JOB: Final = "refresh_job"
ASSET: Final = "recent_deals"
ASSETS: Final = (ASSET, "price_history", "live_offers", "deals", "deal_metrics", "published_deals", "deals_report")
BETWEEN_RUNS: Final = timedelta(minutes=15)
BALANCE: Final = 100_000
"""The balance that the first run tells; each next one tells one more, so that one sees which run a page shows."""
START_SECONDS_MAX: Final = 240
RUNS_TOLD: Final = 100
"""After how many runs progress is told."""


@dataclass(frozen=True, slots=True)
class Served:
    """A home whose web page answers, with its newest run and the balance that that told."""

    url: str
    run_id: str
    balance: int


def main() -> int:
    """Measure; return 1 where a target is missed."""
    line = command_line(__doc__)
    line.add_argument("--many", type=int, default=MANY, help=f"how many materializations to compare with {FEW}")
    many: int = line.parse_args().many
    event.listen(Engine, "connect", _never_flushed)
    with TemporaryDirectory(prefix="many-materializations-") as folder, ExitStack() as stack:
        source = _workplace(Path(folder, "source"))
        _say("the main job runs once")
        done = execute_job(source, JOB)
        assert done.returncode == 0, done.stderr
        with instance(source) as ran:
            told = _told(ran)
        homes = {}
        for count in (FEW, many):
            at = _workplace(Path(folder, str(count)))
            homes[count] = stack.enter_context(_served(at, told, ceil(count / len(told))))
        page = stack.enter_context(chromium())
        seconds = _seconds(page, homes)
        complaints = page.complaints()
    rows: list[Row] = [
        {"page": name, f"{FEW} materializations, s": some, f"{many}, s": more, "x": more / some}
        for name, (some, more) in seconds.items()
    ]
    targets = [
        Target(f"{name}, x", more / some, "at most", PLOTS_RATIO_MAX if name == PLOTS else RATIO_MAX)
        for name, (some, more) in seconds.items()
    ]
    targets.append(Target("errors in the browser", len(complaints), "at most", 0))
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    return conclude(__file__, rows, targets)


def _workplace(folder: Path) -> Workplace:
    folder.mkdir()
    at = workplace(folder, DEALS_HOME=str(folder))
    prepare(at.settings)
    return at


def _told(ran: dg.DagsterInstance) -> Sequence[dg.AssetMaterialization]:
    """Return what each asset of the one run told."""
    (run,) = ran.get_runs()
    events = ran.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION).records
    found = [event.event_log_entry.asset_materialization for event in events]
    return [each for each in found if each is not None]


@contextmanager
def _served(at: Workplace, told: Sequence[dg.AssetMaterialization], runs: int) -> Iterator[Served]:
    """Serve a home in which so many runs told the same, but for the balance."""
    began = time.monotonic()
    with instance(at) as home:
        run_id = _live_through(home, told, runs)
    _say(f"{runs * len(told)} materializations of {runs} runs, in {time.monotonic() - began:.0f} s")
    port = free_port()
    web = ["-W", "ignore", "-m", "dagster_webserver", "-m", "deals_pipeline.definitions", "-h", HOST, "-p", str(port)]
    with started(at, *web, DAGSTER_HOME=str(at.home)) as running:
        wait_until(partial(_is_ready, port), "the web page answers", START_SECONDS_MAX, running)
        yield Served(f"http://{HOST}:{port}", run_id, BALANCE + runs - 1)


def _live_through(home: dg.DagsterInstance, told: Sequence[dg.AssetMaterialization], runs: int) -> str:
    """Write down so many runs, the last of them just now; return its id."""
    now, run_id = datetime.now(timezone.utc), ""
    for number in range(runs):
        ran_at = now - BETWEEN_RUNS * (runs - 1 - number)
        run_id = home.add_run(dg.DagsterRun(JOB)).run_id
        for each in _events(told, number):
            home.report_dagster_event(each, run_id, timestamp=ran_at.timestamp())
        if not (number + 1) % RUNS_TOLD:
            _say(f"{number + 1} of {runs} runs are written down")
    return run_id


def _events(told: Sequence[dg.AssetMaterialization], number: int) -> Iterator[dg.DagsterEvent]:
    """Return what the run of a number says, from its start to its end."""
    yield dg.DagsterEvent(dg.DagsterEventType.PIPELINE_START.value, JOB)
    for each in told:
        metadata = {**each.metadata, "balance_after": dg.MetadataValue.int(BALANCE + number)}
        yield dg.DagsterEvent(
            dg.DagsterEventType.ASSET_MATERIALIZATION.value,
            JOB,
            step_key=each.asset_key.to_user_string(),
            event_specific_data=StepMaterializationData(
                dg.AssetMaterialization(each.asset_key, metadata=metadata, tags=each.tags)
            ),
        )
    yield dg.DagsterEvent(dg.DagsterEventType.PIPELINE_SUCCESS.value, JOB)


def _visits(page: Page, home: Served) -> Mapping[str, Callable[[], object]]:
    """Return what is done to see each page, with its numbers."""
    return {
        "the asset catalogue": lambda: page.open(f"{home.url}/assets", *ASSETS),
        "an asset": lambda: page.open(f"{home.url}/assets/{ASSET}", "Metadata", str(home.balance)),
        PLOTS: partial(_see_plots, page),
        "the runs": lambda: page.open(f"{home.url}/runs", home.run_id[:8], JOB),
    }


def _see_plots(page: Page) -> None:
    page.press("Plots")
    page.see("rows_new", "tokens_per_row")


def _seconds(page: Page, homes: Mapping[int, Served]) -> Mapping[str, tuple[float, ...]]:
    """Return the median of each page's seconds, in each home."""
    taken: dict[str, dict[int, list[float]]] = {}
    for number in range(VISITS + 1):
        for count, home in homes.items():
            for name, visit in _visits(page, home).items():
                began = time.monotonic()
                visit()
                seconds = time.monotonic() - began
                if number:
                    taken.setdefault(name, {}).setdefault(count, []).append(seconds)
        _say(f"visit {number} of {VISITS}")
    return {name: tuple(statistics.median(every) for every in each.values()) for name, each in taken.items()}


def _never_flushed(connection: sqlite3.Connection, _: object) -> None:
    """Write without waiting for the disk: nothing here has to outlive a power cut."""
    connection.execute("PRAGMA synchronous = OFF")


def _is_ready(port: int) -> bool:
    try:
        locations = graphql(f"http://{HOST}:{port}", READY)["workspaceOrError"]["locationEntries"]
    except requests.ConnectionError:
        return False
    return all(location["loadStatus"] == "LOADED" for location in locations)


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
