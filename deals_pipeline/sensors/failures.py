"""Tells of each failed run: a line in the log, and the same to a webhook where one is set."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Final

import dagster as dg
import requests
from dagster_shared.error import SerializableErrorInfo
from pydantic import SecretStr

from deals_pipeline.keepa.key import LOGGERS_OF_URLS, REDACTED
from deals_pipeline.resources.keepa import KeepaResource
from deals_pipeline.resources.token_bucket import MODE_TAG
from deals_pipeline.sensors import reaper
from deals_pipeline.sensors.runs import spends

SECONDS_MAX: Final = (5.0, 10.0)
"""How long a webhook may take to connect, and to answer."""
ERROR_CHARACTERS_MAX: Final = 400
NEXT: Final = "What it landed is kept, and the next run goes on from there."
PARTITION_TAG: Final = "dagster/partition"


@dg.run_failure_sensor(
    monitor_all_code_locations=True,  # a run of the command line belongs to none
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Logs a line for each failed run, and posts it to DEALS_WEBHOOK_URL where that is set.",
)
def failure_sensor(context: dg.RunFailureSensorContext, keepa: KeepaResource) -> None:
    """Tell of one run that failed. A webhook that does not take it is logged, and never fails the sensor."""
    if not is_ours(context.dagster_run):
        return
    line = describe(context, keepa.settings.key)
    context.log.error(line)
    if (url := keepa.settings.webhook_url) and (refusal := post(url, line)):
        context.log.warning("DEALS_WEBHOOK_URL was not told: %s", refusal)


def is_ours(run: dg.DagsterRun) -> bool:
    """Return whether a run took a lease of ours, or was to spend; others may share the instance."""
    return MODE_TAG in run.tags or spends(run)


def describe(context: dg.RunFailureSensorContext, key: SecretStr) -> str:
    """Return which run failed, where, of what, and what happens next, in one line without the key (F66)."""
    run = context.dagster_run
    step, error = _step_and_error(context)
    error = error.replace(key.get_secret_value(), REDACTED)[:ERROR_CHARACTERS_MAX]
    where = f" in {step}" if step else ""
    partition = f", partition {run.tags[PARTITION_TAG]}," if PARTITION_TAG in run.tags else ""
    line = f"Run {run.run_id[:8]} of {run.job_name}{partition} failed{where}: {error.rstrip('.')}."
    return line if line.endswith(reaper.NEXT) else f"{line} {NEXT}"


def post(url: SecretStr, line: str, seconds_max: tuple[float, float] = SECONDS_MAX) -> str | None:
    """Post a line as `{"text": …}`; return why it was not taken, without the address, which may be a secret."""
    address = url.get_secret_value()
    try:
        with (
            _without_urls_in_logs(),
            requests.post(
                address, json={"text": line}, timeout=seconds_max, allow_redirects=False, stream=True
            ) as answer,
        ):
            return None if answer.status_code // 100 == 2 else f"it answered {answer.status_code}"  # noqa: PLR2004
    except requests.RequestException as failure:
        return type(failure).__name__  # its text has the address


def _step_and_error(context: dg.RunFailureSensorContext) -> tuple[str | None, str]:
    """Return the step that failed first, if one did, and what it says; else what is said of the run."""
    for event in context.get_step_failure_events():
        if error := event.step_failure_data.error:
            return event.step_key, _first_line(error)
    ending = context.failure_event
    # A run that is said to have failed from outside has a message, and no data.
    error = ending.job_failure_data.error if ending.event_specific_data is not None else None
    return None, _first_line(error) if error else " ".join((ending.message or "it said nothing").split())


def _first_line(error: SerializableErrorInfo) -> str:
    """Return the first line of what our code raised, without the wrapping of Dagster's and the module's name."""
    while error.cause is not None and (error.cls_name or "").startswith("Dagster"):
        error = error.cause
    line = next(iter(error.message.strip().splitlines()), error.cls_name or "no message")
    return re.sub(r"^(\w+\.)+(?=\w+(:|$))", "", line)


@contextmanager
def _without_urls_in_logs() -> Iterator[None]:
    """Keep urllib3 from logging the address, at level DEBUG, that this thread calls within the block."""
    thread = get_ident()

    def is_of_another(record: logging.LogRecord) -> bool:
        return record.thread != thread

    loggers = [logging.getLogger(name) for name in LOGGERS_OF_URLS]
    for logger in loggers:
        logger.addFilter(is_of_another)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(is_of_another)
