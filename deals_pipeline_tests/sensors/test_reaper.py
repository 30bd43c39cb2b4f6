"""The reaper: what it takes for dead, and that after a crash the next run starts by itself."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import IO, Any

import dagster as dg
import pytest
from dagster import DagsterRunStatus as Status

from deals_pipeline.assets.spending import POOL
from deals_pipeline.clock import VirtualClock
from deals_pipeline.sensors.reaper import (
    NEXT,
    SILENCE_MAX,
    Action,
    Cancel,
    Fail,
    Free,
    Revoke,
    Seen,
    SeenRun,
    decide,
    reap,
    reaper_sensor,
    suspects,
)
from deals_pipeline.token_bucket.ledger import Lease, account_of
from deals_pipeline_tests.sensors.places import SHIPPED, Home, open_home

GHOST_JOB = Path(__file__).with_name("ghost_job.py")
LEASE_WORKER = Path(__file__).parents[1] / "token_bucket" / "lease_worker.py"
START_SECONDS_MAX = 45.0
FREED_SECONDS_MAX = 45.0
"""How long after the reaper's tick the next run may take until it works: it asks for its place every second or so, and
a busy machine lets it wait."""
NOW = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
LATER = SILENCE_MAX + timedelta(seconds=1)


def utc_now() -> datetime:
    return datetime.now(timezone.utc)


def wait_for(condition: Callable[[], object], seconds_max: float = START_SECONDS_MAX) -> None:
    deadline = time.monotonic() + seconds_max
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path) as home:
        yield home


@dataclass(frozen=True)
class Ghost:
    """A `dagster job execute` of a job of ghost_job.py, in a process of its own."""

    job: str
    folder: Path
    process: "subprocess.Popen[bytes]"

    def tell(self, what: str) -> None:
        (self.folder / f"{self.job}.{what}").touch()

    def reached(self, what: str) -> str:
        """Return the run's id when it is that far."""
        path = self.folder / f"{self.job}.{what}"
        wait_for(lambda: self.process.poll() is not None or (path.exists() and path.read_text()))
        assert self.process.poll() is None, (self.folder / f"{self.job}.log").read_text()
        return path.read_text()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def executing(job: str, home: Home, folder: Path) -> Iterator[Ghost]:
    environ = {
        "DAGSTER_HOME": str(home.settings.places.dagster_home),
        "DEALS_HOME": str(folder),
        "DEALS_CONFIG": str(SHIPPED),
        "GHOST_FOLDER": str(folder),
    }
    command = [sys.executable, "-m", "dagster", "job", "execute", "-f", str(GHOST_JOB), "-j", job]
    with (
        (folder / f"{job}.log").open("wb") as log,
        subprocess.Popen(command, env=environ, cwd=folder, stdout=log, stderr=log) as process,
    ):
        try:
            yield Ghost(job, folder, process)
        finally:
            process.kill()


@contextmanager
def holding_lease(home: Home, run_id: str) -> Iterator[Callable[[], None]]:
    """Hold a lease in another process, and hand out how to kill it."""
    settings = home.settings
    command = [sys.executable, str(LEASE_WORKER), settings.places.ledger, account_of(settings.key), run_id, "hold"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def kill() -> None:
            process.kill()
            process.wait()

        try:
            said: IO[str] | None = process.stdout
            assert said is not None
            assert said.readline().strip().isdigit()
            yield kill
        finally:
            process.kill()


def leave_dead_lease(home: Home, run_id: str) -> None:
    with holding_lease(home, run_id) as kill:
        kill()


def add_run(home: Home, status: Status, pool: str = POOL) -> str:
    """Add the record of a run that nobody executes, with a step in a pool."""

    @dg.asset(pool=pool)
    def anything() -> None: ...

    definitions = dg.Definitions(assets=[anything], jobs=[dg.define_asset_job("any_job", [anything])])
    job: Any = definitions.resolve_job_def("any_job")
    return home.instance.create_run_for_job(job, status=status).run_id


def status_of(home: Home, run_id: str) -> Status:
    run = home.instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def take_place(home: Home, run_id: str) -> bool:
    storage = home.instance.event_log_storage
    storage.initialize_concurrency_limit_to_default(POOL)
    return bool(storage.claim_concurrency_slot(POOL, run_id, "anything").is_claimed)


def in_pool(home: Home) -> set[str]:
    return home.instance.event_log_storage.get_concurrency_run_ids()


def test_when_a_run_is_killed_the_one_that_waits_for_its_place_starts_and_ends(home: Home, tmp_path: Path) -> None:
    """F17, F20: the run that lives is left alone, however silent it is."""
    with executing("one_job", home, tmp_path) as one, executing("other_job", home, tmp_path) as other:
        one.tell("lease")
        dead = one.reached("working")
        other.tell("lease")
        waiting = other.reached("started")
        wait_for(lambda: in_pool(home) == {dead, waiting})
        for now in (utc_now(), utc_now() + timedelta(days=1)):
            assert reap(home.instance, home.ledger, now).startswith("Nothing to do: 2 runs under way")

        one.kill()
        assert status_of(home, dead) is Status.STARTED, "Dagster does not notice"
        assert "fail" in reap(home.instance, home.ledger, utc_now())
        freed_at = time.monotonic()
        assert other.reached("working") == waiting
        assert time.monotonic() - freed_at < FREED_SECONDS_MAX
        record = home.instance.get_run_record_by_id(dead)
        assert record is not None
        assert record.dagster_run.status is Status.FAILURE
        assert record.end_time is not None, "the planner counts it"
        messages = [entry.dagster_event.message or "" for entry in home.instance.all_logs(dead) if entry.dagster_event]
        assert f"Process {one.process.pid} on " in messages[-1]
        assert messages[-1].endswith(NEXT)
        assert home.ledger.read()[0].revoked == {dead}
        assert home.ledger.dead_leases() == ()
        assert status_of(home, waiting) is Status.STARTED

        assert reap(home.instance, home.ledger, utc_now()).startswith("Nothing to do: 1 runs under way")
        other.tell("end")
        assert other.process.wait(START_SECONDS_MAX) == 0
    assert status_of(home, waiting) is Status.SUCCESS
    assert in_pool(home) == set()


def test_a_run_that_was_killed_before_it_took_its_lease_fails_after_a_silence(home: Home, tmp_path: Path) -> None:
    """F17."""
    with executing("one_job", home, tmp_path) as ghost:
        run_id = ghost.reached("started")
        ghost.kill()
    assert status_of(home, run_id) is Status.STARTED
    assert reap(home.instance, home.ledger, utc_now()).startswith("Nothing to do")
    assert "fail" in reap(home.instance, home.ledger, utc_now() + LATER)
    assert status_of(home, run_id) is Status.FAILURE
    assert home.ledger.read()[0].revoked == {run_id}


@pytest.mark.parametrize(
    ("status", "end"),
    [
        (Status.NOT_STARTED, Status.FAILURE),
        (Status.STARTING, Status.FAILURE),
        (Status.STARTED, Status.FAILURE),
        (Status.CANCELING, Status.CANCELED),
    ],
)
@pytest.mark.parametrize("has_lease", [True, False])
def test_a_dead_run_ends_whatever_it_was_doing(status: Status, end: Status, has_lease: bool, home: Home) -> None:
    """F17: one with a dead lease at once."""
    run_id = add_run(home, status)
    assert take_place(home, run_id)
    if has_lease:
        leave_dead_lease(home, run_id)
    reap(home.instance, home.ledger, utc_now() + (timedelta(0) if has_lease else LATER))
    assert status_of(home, run_id) is end
    assert in_pool(home) == set()
    assert home.ledger.read()[0].revoked == {run_id}


def test_runs_of_others_that_share_the_instance_are_left_alone(home: Home) -> None:
    run_id = add_run(home, Status.STARTED, pool="of_others")
    assert reap(home.instance, home.ledger, utc_now() + timedelta(days=9)).startswith("Nothing to do: 1 runs under way")
    assert status_of(home, run_id) is Status.STARTED


def test_a_run_that_ended_or_was_deleted_gives_its_place_to_the_next(home: Home) -> None:
    """F17."""
    for end in (Status.SUCCESS, Status.FAILURE, Status.CANCELED, None):
        run_id = add_run(home, end or Status.SUCCESS)
        if end is None:
            home.instance.run_storage.delete_run(run_id)
        assert take_place(home, run_id)
        reap(home.instance, home.ledger, utc_now())
        assert in_pool(home) == set()
        assert end is None or status_of(home, run_id) is end
    assert home.ledger.read()[0].revoked == frozenset()


def test_a_failed_run_whose_orphan_works_on_keeps_its_place_until_that_is_gone(home: Home) -> None:
    """F20."""
    run_id = add_run(home, Status.FAILURE)
    assert take_place(home, run_id)
    with holding_lease(home, run_id) as kill:
        reap(home.instance, home.ledger, utc_now())
        assert in_pool(home) == {run_id}
        kill()
    reap(home.instance, home.ledger, utc_now())
    assert in_pool(home) == set()


def test_a_dead_lease_of_a_run_that_ended_or_that_nobody_knows_is_only_revoked(home: Home) -> None:
    ended = add_run(home, Status.SUCCESS)
    for run_id in (ended, "of-another-home"):
        leave_dead_lease(home, run_id)
    assert "revoke" in reap(home.instance, home.ledger, utc_now())
    assert home.ledger.dead_leases() == ()
    assert status_of(home, ended) is Status.SUCCESS


def test_the_sensor_runs_by_itself_and_says_what_it_did(home: Home) -> None:
    run_id = add_run(home, Status.STARTED)
    clock = VirtualClock(utc_now())
    assert reaper_sensor.default_status is dg.DefaultSensorStatus.RUNNING
    said = []
    for _ in range(2):
        with dg.build_sensor_context(
            instance=home.instance, resources={"token_bucket": home.token_bucket(clock)}
        ) as context:
            reason: Any = reaper_sensor(context)
        said.append(reason.skip_message)
        clock.sleep(LATER.total_seconds())
    short = run_id[:8]
    assert said == [
        "Nothing to do: 1 runs under way, none of ours without its process.",
        f"Cleared what a crash left behind: fail {short}; free {short}; revoke {short}.",
    ]


def run(status: Status, silence: timedelta = LATER, *, is_in_pool: bool = True) -> SeenRun:
    return SeenRun("run", status, NOW - silence, is_in_pool)


@pytest.mark.parametrize(
    ("seen", "holders", "is_suspect"),
    [
        (run(Status.STARTED), (), True),
        (run(Status.NOT_STARTED), (), True),
        (run(Status.STARTED, SILENCE_MAX), (), False),
        (run(Status.STARTED, -SILENCE_MAX), (), False),
        (run(Status.STARTED, is_in_pool=False), (), False),
        (run(Status.STARTED, timedelta(0)), ("run",), False),
        (run(Status.QUEUED), (), False),
        (run(Status.QUEUED), ("run",), False),
        (run(Status.SUCCESS), (), False),
        (run(Status.SUCCESS, timedelta(0)), ("run",), True),
        (run(Status.FAILURE, is_in_pool=False), ("run",), True),
        (None, ("run",), True),
    ],
)
def test_the_lease_is_tried_only_of_runs_that_should_not_be_taking_it(
    seen: SeenRun | None, holders: tuple[str, ...], is_suspect: bool
) -> None:
    runs = {"run": seen} if seen else {}
    assert suspects(Seen(runs, {}, holders), NOW) == (("run",) if is_suspect else ())
    lease = Lease("run", "host", 1, NOW)
    assert suspects(Seen(runs, {"run": lease}, holders), NOW) == ()


@pytest.mark.parametrize(
    ("seen", "is_leased", "holders", "is_gone", "kinds"),
    [
        (run(Status.STARTED), True, (), False, (Fail, Free, Revoke)),
        (run(Status.STARTED), False, (), True, (Fail, Free, Revoke)),
        (run(Status.STARTED), False, ("run",), False, ()),
        (run(Status.CANCELING), True, ("run",), False, (Cancel, Free, Revoke)),
        (run(Status.QUEUED), True, (), False, (Revoke,)),
        (run(Status.SUCCESS), True, (), False, (Revoke,)),
        (run(Status.SUCCESS), True, ("run",), False, (Free, Revoke)),
        (run(Status.SUCCESS), False, ("run",), True, (Free,)),
        (None, True, (), False, (Revoke,)),
        (None, False, ("run",), True, (Free,)),
        (None, False, ("run",), False, ()),
    ],
)
def test_what_is_done_follows_from_what_is_seen(
    seen: SeenRun | None, is_leased: bool, holders: tuple[str, ...], is_gone: bool, kinds: tuple[type[Action], ...]
) -> None:
    leases = {"run": Lease("run", "host", 7, NOW)} if is_leased else {}
    actions = decide(Seen({"run": seen} if seen else {}, leases, holders), ("run",) if is_gone else ())
    assert tuple(type(action) for action in actions) == kinds
    assert all(action.run_id == "run" for action in actions)
