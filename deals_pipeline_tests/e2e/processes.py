"""Real processes of the pipeline and of Dagster: in a work folder of their own, in a process group of their own.

Nothing outlives the block that started it, nor the tests: its whole group is killed with SIGKILL.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import dagster as dg
import pytest
import requests
from dagster._core.execution.plan.objects import StepFailureData

from deals_pipeline.config import Settings, load_settings
from deals_pipeline.home import HOST

ROOT: Final = Path(__file__).parents[2]
START_SECONDS_MAX: Final = 120
"""`dagster dev` is ready after 13 to 24 s on two idle cores; they may be shared."""
COMMAND_SECONDS_MAX: Final = 120
READY: Final = """{
  instance { daemonHealth { allDaemonStatuses { healthy required } } }
  workspaceOrError { ... on Workspace {
    locationEntries { loadStatus locationOrLoadError { ... on PythonError { message } } }
  } }
}"""


@dataclass(frozen=True, slots=True)
class Workplace:
    """A work folder and the environment of the commands that are given in it."""

    folder: Path
    environ: Mapping[str, str]

    @property
    def settings(self) -> Settings:
        """The settings that commands find here."""
        return load_settings(self.environ, self.folder)

    @property
    def home(self) -> Path:
        """Dagster's home."""
        return self.settings.places.dagster_home


@dataclass(frozen=True, slots=True)
class Started:
    """A running command with its process group; both outputs go to the log."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """The process, whose number is also its group's."""
        return self.process.pid

    def text(self) -> str:
        """Return what the group has said until now."""
        return self.log.read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole group, as Ctrl-C in a terminal does."""
        os.killpg(self.pid, number)

    def kill(self) -> None:
        """Kill the whole group, as a power cut does, and wait until nothing of it is left."""
        if lives(self.pid):
            self.signal(signal.SIGKILL)
        self.process.wait()
        wait_until(lambda: not lives(self.pid), "a killed process group ends", 20)


@dataclass(frozen=True, slots=True)
class RunningDev:
    """A `dev` whose web page answers, whose daemons are healthy and whose definitions are loaded."""

    started: Started
    url: str

    @property
    def pid(self) -> int:
        """The process, whose number is also its group's."""
        return self.started.pid

    def graphql(self, query: str, **variables: object) -> Any:  # noqa: ANN401 - the shape is the query's
        """Return the data that a GraphQL query is answered with; an answer with errors fails the test."""
        return graphql(self.url, query, **variables)


def workplace(folder: Path, **variables: str) -> Workplace:
    """Return a work folder with the repository's settings and none of the caller's, and with the variables given."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DAGSTER_", "DEALS_", "KEEPA_"))}
    return Workplace(folder, {**kept, "DEALS_CONFIG": str(ROOT / "deals.toml"), **variables})


def pipeline(at: Workplace, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Return how `python -m deals_pipeline` ended."""
    return _ended(at, ["deals_pipeline", *arguments], {})


def dagster(at: Workplace, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Return how a plain `dagster` command ended, with DAGSTER_HOME set as the README says."""
    return _ended(at, ["dagster", *arguments], {"DAGSTER_HOME": str(at.home)})


def execute_job(at: Workplace, job: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Return how `dagster job execute` of one of our jobs ended."""
    return dagster(at, "job", "execute", "-m", "deals_pipeline.definitions", "-j", job, *options)


@contextmanager
def started(at: Workplace, *arguments: str, **variables: str) -> Iterator[Started]:
    """Run Python with these arguments while the block lasts, in a process group of its own; nobody waits for it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in the background of a shell: what is started takes it over
        signal.signal(signal.SIGINT, signal.default_int_handler)
    log = at.folder / f"{time.monotonic_ns()}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=at.folder,
            env={**at.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running = Started(process, log)
    with ending_with_us(process.pid):
        try:
            yield running
        finally:
            running.kill()


@contextmanager
def ending_with_us(group: int) -> Iterator[None]:
    """Have a process group killed when this process ends before the block does, however it ends."""
    command = ["sh", "-c", f"read -r _; kill -s KILL -- -{group}"]  # reads until we close the pipe, or die
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as guard:
        try:
            yield
        finally:
            guard.kill()


@contextmanager
def dev(at: Workplace, port: int | None = None) -> Iterator[RunningDev]:
    """Run `python -m deals_pipeline dev` while the block lasts; the block begins when all of it is ready."""
    port = port or free_port()
    with started(at, "-m", "deals_pipeline", "dev", "--port", str(port)) as running:
        url = f"http://{HOST}:{port}"

        def is_ready() -> bool:
            if running.process.poll() is not None:
                pytest.fail(f"dev ended with {running.process.returncode}:\n{running.text()}")
            return _is_ready(url)

        wait_until(is_ready, "dev is ready", START_SECONDS_MAX, log=running)
        yield RunningDev(running, url)


@contextmanager
def instance(at: Workplace) -> Iterator[dg.DagsterInstance]:
    """Open the instance that all commands of a workplace share."""
    with dg.DagsterInstance.from_config(str(at.home)) as opened:
        yield opened


def runs(at: Workplace) -> Sequence[dg.DagsterRun]:
    """Return all runs of a workplace, newest first."""
    with instance(at) as opened:
        return opened.get_runs()


def require_no_failures(runs: dg.DagsterInstance) -> None:
    """Fail with all that the runs that failed said of it."""
    failed = runs.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
    events = (event.dagster_event for run in failed for event in runs.all_logs(run.run_id))
    if told := [_told(event) for event in events if event and event.is_failure]:
        pytest.fail("\n".join(told), pytrace=False)


def _told(event: dg.DagsterEvent) -> str:
    data = event.event_specific_data
    error = data.error if isinstance(data, StepFailureData) else None
    return error.to_string() if error else str(event.message)


def graphql(url: str, query: str, **variables: object) -> Any:  # noqa: ANN401 - the shape is the query's
    """Return the data that a GraphQL query is answered with; an answer with errors fails the test."""
    answer = requests.post(f"{url}/graphql", json={"query": query, "variables": variables}, timeout=COMMAND_SECONDS_MAX)
    assert answer.ok, answer.text
    body = answer.json()
    assert not body.get("errors"), body["errors"]
    return body["data"]


def wait_until(holds: Callable[[], bool], what: str, seconds: float, log: Started | None = None) -> None:
    """Wait for a condition; the test fails, with the log, when it has not held in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds} s: {what}\n{log.text() if log else ''}")
        time.sleep(0.2)


def lives(group: int) -> bool:
    """Return whether anything of a process group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _is_ready(url: str) -> bool:
    try:
        data = graphql(url, READY)
    except requests.ConnectionError:
        return False
    daemons = data["instance"]["daemonHealth"]["allDaemonStatuses"]
    locations = data["workspaceOrError"]["locationEntries"]
    for location in locations:
        if error := (location["locationOrLoadError"] or {}).get("message"):
            pytest.fail(f"the definitions do not load:\n{error}")
    return all(daemon["healthy"] for daemon in daemons if daemon["required"]) and all(
        location["loadStatus"] == "LOADED" for location in locations
    )


def _ended(at: Workplace, module: Sequence[str], variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *module]
    with (
        subprocess.Popen(
            command,
            cwd=at.folder,
            env={**at.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process,
        ending_with_us(process.pid),
    ):
        try:
            said, complained = process.communicate(timeout=COMMAND_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            pytest.fail(f"not within {COMMAND_SECONDS_MAX} s: {' '.join(module)}")
        finally:
            if lives(process.pid):
                os.killpg(process.pid, signal.SIGKILL)
    return subprocess.CompletedProcess(command, process.returncode, said, complained)
