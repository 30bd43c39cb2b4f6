"""Processes are killed with SIGKILL: the next run starts by itself, nothing is lost, nothing is bought twice.

How long each recovery took is recorded with the test; `make crash-matrix` repeats these tests under load and shows it.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

import dagster as dg

from deals_pipeline.assets.spending import POOL
from deals_pipeline.home import holders
from deals_pipeline.keepa.requests import ProductRequest
from deals_pipeline.sensors.runs import ENDED
from deals_pipeline.warehouse.connection import connect
from deals_pipeline_tests.e2e.processes import Started, Workplace, dev, instance, started, wait_until
from deals_pipeline_tests.e2e.service import (
    has_landed,
    is_calling,
    landed_count,
    ledger_rows,
    loaded_count,
    require_bought_once,
    require_nothing_lost,
    require_one_whole_scan,
    served,
    worker_of,
)

RECOVERY_SECONDS_MAX: Final = 90
"""From the kill, or from the restart where all was killed, until the next run has started (F17)."""
PATIENCE_SECONDS: Final = 150
"""How long anything may take that is not measured, on a machine that others use too."""
Record: TypeAlias = Callable[[str, object], None]
EXECUTE: Final = ("-m", "dagster", "job", "execute", "-m", "deals_pipeline.definitions", "-j", "recent_deals_job")


def test_a_scan_whose_worker_is_killed_and_then_the_command_that_took_over_is_read_to_its_end(
    tmp_path: Path, record_property: Record
) -> None:
    """F17, F27, F31, F44: the one dies between the landing of a page and its loading, the other within a call."""
    with (
        served(tmp_path, refill_rate=5, tokens=70, history_share=0) as service,
        dev(service.at) as running,
        instance(service.at) as runs,
    ):
        at, log = service.at, running.started
        wait_until(lambda: landed_count(at) >= 2, "a scan is under way", PATIENCE_SECONDS, log)
        (scan,) = runs.get_runs()
        with started(at, *EXECUTE, DAGSTER_HOME=str(at.home)) as command:
            with waiting_to_load(at):
                wait_until(lambda: len(runs.get_runs()) == 2, "the command has a run", PATIENCE_SECONDS, command)
                os.kill(worker_of(at, scan.run_id), signal.SIGKILL)
                killed_at = time.time()
            execution = runs.get_runs(limit=1)[0]
            wait_until(lambda: has_landed(at, execution.run_id), "the command reads on", PATIENCE_SECONDS, command)
            require_soon(step_started_at(runs, execution.run_id) - killed_at, "worker killed", record_property)
            with service.frozen():
                wait_until(lambda: is_calling(at), "a call is under way", PATIENCE_SECONDS, command)
                command.kill()
                killed_at = time.time()
        require_recovery(runs, killed_at, log, "command killed", record_property)
        wait_until(lambda: is_quiet(at, runs), "the scan ends, and nothing is left behind", PATIENCE_SECONDS, log)
        assert failed(runs) == {scan.run_id, execution.run_id}
    bought = require_nothing_lost(service, unanswered_max=1)
    require_bought_once(bought)
    require_one_whole_scan(at, bought)


def test_histories_that_landed_before_a_power_cut_are_loaded_after_it_and_not_bought_again(
    tmp_path: Path, record_property: Record
) -> None:
    """F17, F27, F31, F44: a restart is all it takes."""
    with served(tmp_path, refill_rate=5, tokens=220) as service:
        at = service.at
        with dev(at) as running, instance(at) as runs:
            wait_until(lambda: has_ended(runs, "recent_deals_job"), "a scan", PATIENCE_SECONDS, running.started)
            with waiting_to_load(at):
                running.started.kill()
            under_way = dg.RunsFilter(job_name="history_job", statuses=[dg.DagsterRunStatus.STARTED])
            (histories,) = runs.get_runs(under_way)  # nobody was left to say that it failed
        restarted_at = time.time()
        with dev(at) as running, instance(at) as runs:
            require_recovery(runs, restarted_at, running.started, "power cut", record_property)
            wait_until(lambda: is_quiet(at, runs), "more are bought", PATIENCE_SECONDS, running.started)
            assert failed(runs) == {histories.run_id}
    bought = require_nothing_lost(service)
    require_bought_once(bought)
    require_one_whole_scan(at, bought)
    batches = [len(each.request.asins) for each in bought if isinstance(each.request, ProductRequest)]
    assert len(batches) >= 2, "one by the run that was killed"


def test_a_code_server_that_is_killed_is_started_again_and_work_goes_on(
    tmp_path: Path, record_property: Record
) -> None:
    """F17: beside a dead one Dagster's daemon asks for nothing any more, and says so in its log alone."""
    with (
        served(tmp_path, refill_rate=5, tokens=220) as service,
        dev(service.at) as running,
        instance(service.at) as runs,
    ):
        at, log = service.at, running.started
        wait_until(lambda: has_ended(runs, "recent_deals_job"), "a scan", PATIENCE_SECONDS, log)
        os.kill(code_server_of(at), signal.SIGKILL)
        require_recovery(runs, time.time(), log, "code server killed", record_property)
        assert "cannot be reached and is loaded again" in log.text()
        wait_until(lambda: is_quiet(at, runs), "what was begun ends", PATIENCE_SECONDS, log)
    require_bought_once(require_nothing_lost(service, unanswered_max=1))


def code_server_of(at: Workplace) -> int:
    """Return the process that has our code loaded, not the proxy before it."""
    (found,) = (pid for pid in holders(at.home) if b"\0api\0grpc\0" in Path(f"/proc/{pid}/cmdline").read_bytes())
    return found


@contextmanager
def waiting_to_load(at: Workplace) -> Iterator[None]:
    """Take the warehouse while a call is under way, so that its answer lands and waits to be loaded; keep it so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if is_calling(at):
            with connect(at.settings.places.warehouse) as warehouse:
                loaded, patience = loaded_count(warehouse), time.monotonic() + 5
                while time.monotonic() < patience:
                    if landed_count(at) > loaded and not is_calling(at):
                        yield
                        return
                    time.sleep(0.02)
        time.sleep(0.02)
    raise AssertionError("no answer was kept waiting")


def has_ended(runs: dg.DagsterInstance, job: str) -> bool:
    return any(run.status in ENDED for run in runs.get_runs(dg.RunsFilter(job_name=job)))


def step_started_at(runs: dg.DagsterInstance, run_id: str) -> float:
    (event,) = runs.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_START).records
    return event.timestamp


def is_quiet(at: Workplace, runs: dg.DagsterInstance) -> bool:
    """Return whether every run has ended, the killed ones too, and none keeps a place in the pool or a lease."""
    pool = runs.event_log_storage.get_concurrency_info(POOL)
    kept = [*pool.claimed_slots, *pool.pending_steps, *ledger_rows(at, "SELECT run_id FROM token_lease")]
    return not kept and all(run.status in ENDED for run in runs.get_runs())


def failed(runs: dg.DagsterInstance) -> set[str]:
    return {run.run_id for run in runs.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))}


def require_recovery(runs: dg.DagsterInstance, since: float, log: Started, after: str, record: Record) -> None:
    """Require that a run starts soon, as the instance has it."""

    def starts() -> list[float]:
        return [at for record in runs.get_run_records() if (at := record.start_time) is not None and at > since]

    wait_until(lambda: bool(starts()), "the next run starts", PATIENCE_SECONDS, log)
    require_soon(min(starts()) - since, after, record)


def require_soon(seconds: float, after: str, record: Record) -> None:
    record(after, seconds)
    assert seconds < RECOVERY_SECONDS_MAX
