"""Whoever asks for runs, and however many at once: one of them spends, nobody waits for ever."""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from itertools import groupby, pairwise
from pathlib import Path
from typing import Final

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._grpc.types import ExecuteRunArgs, ResumeRunArgs

from deals_pipeline.assets.spending import POOL
from deals_pipeline.keepa.requests import DealPageRequest
from deals_pipeline.sensors.runs import ENDED, UNIT_TAG
from deals_pipeline_tests.e2e.processes import Started, dev, instance, require_no_failures, started, wait_until
from deals_pipeline_tests.e2e.service import (
    landed_count,
    ledger_rows,
    require_bought_once,
    require_nothing_lost,
    require_one_whole_scan,
    served,
)

PATIENCE_SECONDS: Final = 600
HISTORY_TOKENS: Final = 20
DEFINITIONS: Final = "deals_pipeline.definitions"
EXECUTE: Final = ("-m", "dagster", "job", "execute", "-m", DEFINITIONS, "-j")
LAUNCH: Final = """mutation Launch($runs: [ExecutionParams!]!) {
  launchMultipleRuns(executionParamsList: $runs) {
    ... on LaunchMultipleRunsResult { launchMultipleRunsResult { __typename } }
  }
}"""
HISTORIES: Final = {"ops": {"price_history": {"config": {"tokens_max": HISTORY_TOKENS}}}}
NO_OFFERS: Final = {"live_offers": {"config": {"tokens_max": 1}}}
"""Of a product whose history was bought the offers may be bought too, by another answer about it."""


@pytest.mark.parametrize("places", [1, 12])
def test_ten_triggers_at_one_instant_cost_one_scan_and_take_turns(tmp_path: Path, places: int) -> None:
    """F17, F20, F27: three from the web page, seven from command lines, and the planner's own; others buy histories.

    And where Dagster lets all of them into the pool at once, as it lets two now and then.
    """
    refresh = tmp_path / "refresh.yaml"
    refresh.write_text(json.dumps({"ops": HISTORIES["ops"] | NO_OFFERS}))
    with served(tmp_path, refill_rate=5, tokens=120, history_share=0) as service, instance(service.at) as runs:
        at, pool = service.at, runs.event_log_storage
        pool.set_concurrency_slots(POOL, 0)  # nobody begins before all are there, however long they take to start
        with dev(at) as running, ExitStack() as stack:
            lines = [["recent_deals_job"]] * 6 + [["refresh_job", "-c", str(refresh)]]
            commands = [stack.enter_context(started(at, *EXECUTE, *line, DAGSTER_HOME=str(at.home))) for line in lines]
            asked = [*[pressed("recent_deals")] * 3, pressed("price_history", HISTORIES)]
            answer = running.graphql(LAUNCH, runs=asked)["launchMultipleRuns"]["launchMultipleRunsResult"]
            assert {each["__typename"] for each in answer} == {"LaunchRunSuccess"}
            asked_for = len(lines) + len(asked)
            wait_until(
                lambda: sum(UNIT_TAG not in run.tags for run in runs.get_runs()) >= asked_for,
                "all are there, the planner's aside",
                PATIENCE_SECONDS,
                running.started,
            )
            assert ledger_rows(at, "SELECT count(*) FROM token_settlement") == [(0,)]
            pool.set_concurrency_slots(POOL, places)

            wait_until(
                lambda: (
                    all(command.process.poll() is not None for command in commands)
                    and all(run.status in ENDED for run in runs.get_runs())
                ),
                "all of them end",
                PATIENCE_SECONDS,
                running.started,
            )
            require_no_failures(runs)
            assert [command.process.returncode for command in commands] == [0] * len(commands)
    bought = require_nothing_lost(service)
    require_bought_once(bought)
    require_one_whole_scan(at, bought)
    pages = sum(isinstance(each.request, DealPageRequest) for each in bought)
    spent = [("deal page", pages * DealPageRequest.cost.high), ("product", HISTORY_TOKENS), ("product", HISTORY_TOKENS)]
    assert sorted(ledger_rows(at, "SELECT kind, sum(tokens) FROM token_settlement GROUP BY run_id, kind")) == spent
    calls = ledger_rows(at, "SELECT reserved_at, resolved_at, run_id, kind FROM token_settlement ORDER BY reserved_at")
    assert all(end <= start for (_, end, *_), (start, *_) in pairwise(calls))
    assert len(list(groupby(calls, lambda call: call[2:]))) == len(spent)


def test_a_run_that_is_executed_three_times_buys_once(tmp_path: Path) -> None:
    """F20: by two daemons in one home, which `dev` refuses, and by a process that thinks that both are dead."""
    with served(tmp_path, refill_rate=5, tokens=120) as service:
        at = service.at
        with instance(at) as runs, ExitStack() as stack:
            job = ReconstructableRepository.for_module(DEFINITIONS, "defs").get_reconstructable_job("recent_deals_job")
            origin = job.get_python_origin()
            run = runs.create_run_for_job(job.get_definition(), job_code_origin=origin)

            def execute(arguments: ExecuteRunArgs | ResumeRunArgs) -> Started:
                words = arguments.get_command_args()[-3:]
                return stack.enter_context(started(at, "-m", "dagster", *words, DAGSTER_HOME=str(at.home)))

            workers = [execute(ExecuteRunArgs(origin, run.run_id, None)) for _ in range(2)]
            wait_until(lambda: landed_count(at) >= 1, "one of them reads", PATIENCE_SECONDS, workers[0])
            with service.frozen():
                third = execute(ResumeRunArgs(origin, run.run_id, None))
                third.process.wait(PATIENCE_SECONDS)
            for worker in workers:
                worker.process.wait(PATIENCE_SECONDS)
            ended = runs.get_run_by_id(run.run_id)
            assert ended is not None
            assert ended.status is dg.DagsterRunStatus.SUCCESS
            (refused,) = runs.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE).records
            assert f"run {run.run_id} is being executed already, by process" in str(refused.event_log_entry)
    bought = require_nothing_lost(service)
    require_bought_once(bought)
    require_one_whole_scan(at, bought)


def pressed(asset: str, config: Mapping[str, object] | None = None) -> Mapping[str, object]:
    """Return what the web page's button Materialize asks for."""
    selector = {
        "repositoryLocationName": DEFINITIONS,
        "repositoryName": "__repository__",
        "jobName": "__ASSET_JOB",
        "assetSelection": [{"path": [asset]}],
    }
    return {"selector": selector, "mode": "default", "runConfigData": config or {}}
