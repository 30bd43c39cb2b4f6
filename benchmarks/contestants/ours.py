"""Ours: the real planner, bucket, buying code and warehouse, without Dagster, on a virtual clock."""

from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import requests

from benchmarks.contestants.service import Service
from benchmarks.contestants.stages import Stage
from deals_pipeline.clock import VirtualClock
from deals_pipeline.config import Settings, load_settings
from deals_pipeline.keepa.client import KEEPA_URL
from deals_pipeline.planner import RECHECK
from deals_pipeline.sensors.planning import planner_sensor
from deals_pipeline.simulator.transport import SimulatorAdapter
from deals_pipeline.token_bucket.ledger import account_of
from deals_pipeline.token_bucket.ledgers import open_ledger
from deals_pipeline.work import Wait
from deals_pipeline_tests.virtual_pipeline import VirtualPipeline

SENSOR: Final = timedelta(seconds=planner_sensor.minimum_interval_seconds or 0)
"""How soon after a run the planner's sensor looks again; while it waits, it is asked when it said, or at a recheck."""


def settings_of(config: Path, home: Path) -> Settings:
    """Return the settings of a file, for a pipeline in a folder of its own."""
    return load_settings({"DEALS_HOME": str(home), "DEALS_CONFIG": str(config)}, home)


def ours(
    service: Service,
    settings: Settings,
    begun: Stage,
    until: datetime,
    every: timedelta,
    reached: Callable[[Stage], None],
) -> None:
    """Run the pipeline against a service from a stage on; `reached` is told each further one, while all files rest."""
    clock = VirtualClock(begun.at)

    def connect() -> requests.Session:
        session = requests.Session()
        session.mount(KEEPA_URL, SimulatorAdapter(service, clock))
        return session

    Path(settings.places.ledger).parent.mkdir(parents=True, exist_ok=True)
    ledger = open_ledger(settings.places.ledger, account_of(settings.key), clock)
    pipeline = VirtualPipeline(settings, clock, ledger, connect, dict(begun.ended), begun.runs)
    stage_at = begun.at + every
    with closing(ledger), closing(pipeline.warehouse):
        while (now := clock.now()) < until:
            if now >= stage_at:
                stage_at = now + every
                pipeline.warehouse.close()
                reached(Stage(now, tuple(service.executed), dict(pipeline.ended), pipeline.runs))
            planned, _ = pipeline.step()
            pause = SENSOR
            if isinstance(planned, Wait):
                pause = max(SENSOR, min(RECHECK, planned.until - now))
            clock.sleep(pause.total_seconds())
