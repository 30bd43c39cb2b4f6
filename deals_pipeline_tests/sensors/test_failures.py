"""What is told of failed runs, to whom, and what is kept to ourselves."""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
import requests
from pydantic import SecretStr

from deals_pipeline.config import ConfigError, Settings, load_settings
from deals_pipeline.keepa.key import REDACTED
from deals_pipeline.resources.keepa import KeepaResource
from deals_pipeline.resources.token_bucket import MODE_TAG
from deals_pipeline.sensors import reaper
from deals_pipeline.sensors.failures import NEXT, failure_sensor, is_ours, post
from deals_pipeline_tests.keepa.misbehaving_server import Exchange, MisbehavingServer
from deals_pipeline_tests.sensors.places import SHIPPED

KEY = "k3y-that-nobody-may-see"
PATH = "/services/T0/pa55w0rd"
QUERY = "?token=pa55w0rd"
JOB = "__ephemeral_asset_job__"
OURS = {MODE_TAG: "live"}


@dg.resource
def broken() -> None:
    raise ValueError("no disk")


def boom() -> None:
    raise ConfigError(f"deals.toml: budget: too small, see http://host/?key={KEY}\nand a second line")


def refuse() -> None:
    try:
        boom()
    except ConfigError as refused:
        raise dg.Failure("Keepa refused: no such key.", allow_retries=False) from refused


def wordless() -> None:
    raise ValueError


def talkative() -> None:
    raise ValueError("x" * 375 + KEY + "x" * 999)


@dg.asset(required_resource_keys={"broken"})
def never() -> None: ...


@dg.job
def empty() -> None: ...


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@contextmanager
def failed(instance: dg.DagsterInstance, settings: Settings) -> Iterator[tuple[dg.RunStatusSensorContext, list[str]]]:
    """Hand out the context of the newest run's failure, and what will be logged there."""
    run = instance.get_runs(limit=1)[0]
    (ending,) = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE).records
    assert ending.event_log_entry.dagster_event is not None
    context = dg.build_run_status_sensor_context(
        "failure_sensor",
        dagster_event=ending.event_log_entry.dagster_event,
        dagster_instance=instance,
        dagster_run=run,
        resources={"keepa": KeepaResource(settings=settings, connect=requests.Session)},
    )
    said: list[str] = []
    with context:
        handler = logging.Handler()
        handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
        context.log.addHandler(handler)
        yield context, said


def materialize(instance: dg.DagsterInstance, asset: dg.AssetsDefinition, **tags: str) -> str:
    result = dg.materialize(
        [asset], instance=instance, resources={"broken": broken}, tags=OURS | tags, raise_on_error=False
    )
    assert not result.success
    return result.run_id


def settings_with(folder: Path, webhook: str = "") -> Settings:
    environ = {"KEEPA_API_KEY": KEY, "DEALS_CONFIG": str(SHIPPED), "DEALS_WEBHOOK_URL": webhook}
    return load_settings(environ, folder)


@pytest.mark.parametrize(
    ("asset", "said"),
    [
        (
            dg.asset(boom),
            f"{JOB} failed in boom: ConfigError: deals.toml: budget: too small, see http://host/?key={REDACTED}.",
        ),
        (dg.asset(refuse), f"{JOB} failed in refuse: Failure: Keepa refused: no such key."),
        (dg.asset(wordless), f"{JOB} failed in wordless: ValueError."),
        (dg.asset(talkative), f"{JOB} failed in talkative: ValueError: {'x' * 375}{REDACTED}xxx."),
        (never, f"{JOB} failed: ValueError: no disk."),
    ],
    ids=["boom", "refuse", "wordless", "talkative", "never"],
)
def test_a_line_says_which_run_failed_where_of_what_and_what_is_next(
    asset: dg.AssetsDefinition, said: str, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """F66: whatever an error says, the key is not in it."""
    run_id = materialize(instance, asset)
    with failed(instance, settings_with(tmp_path)) as (context, lines):
        failure_sensor(context)
    assert lines == [f"Run {run_id[:8]} of {said} {NEXT}"]


def test_the_partition_is_named(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    materialize(instance, dg.asset(wordless), **{"dagster/partition": "used-books_all_1-2"})
    with failed(instance, settings_with(tmp_path)) as (context, lines):
        failure_sensor(context)
    assert f"{JOB}, partition used-books_all_1-2, failed in wordless: " in lines[0]


def test_a_run_that_the_reaper_ended_is_told_in_its_words(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    run = instance.create_run_for_job(empty, tags=OURS)
    instance.report_run_failed(run, f"Process 7 on here, which executed this run, is gone. {reaper.NEXT}")
    with failed(instance, settings_with(tmp_path)) as (context, lines):
        failure_sensor(context)
    said = f"Run {run.run_id[:8]} of empty failed: Process 7 on here, which executed this run, is gone. {reaper.NEXT}"
    assert lines == [said]


def test_the_webhook_is_told_the_same_line(
    instance: dg.DagsterInstance, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """F66: its address is in no log, at any level."""
    caplog.set_level(logging.DEBUG)
    materialize(instance, dg.asset(boom))
    with (
        MisbehavingServer(lambda exchange: exchange.answer(200, b"ok")) as server,
        failed(instance, settings_with(tmp_path, server.url + PATH + QUERY)) as (context, lines),
    ):
        failure_sensor(context)
        (request,) = server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(f"POST {PATH}{QUERY} HTTP".encode())
    assert b"Content-Type: application/json" in head
    assert [json.loads(body)] == [{"text": line} for line in lines]
    assert KEY not in str(request)
    assert "pa55w0rd" not in caplog.text
    logging.getLogger("urllib3.connectionpool").debug("later")
    assert "later" in caplog.text, "others are logged again"


@pytest.mark.parametrize(
    ("status", "said"), [(500, "it answered 500"), (404, "it answered 404"), (302, "it answered 302")]
)
def test_a_webhook_that_refuses_is_logged_without_its_address_and_fails_nothing(
    status: int, said: str, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    """F24, F66."""
    materialize(instance, dg.asset(boom))
    with (
        MisbehavingServer(lambda exchange: exchange.answer(status, b"", "Location: /elsewhere")) as server,
        failed(instance, settings_with(tmp_path, server.url + PATH)) as (context, lines),
    ):
        failure_sensor(context)
    assert server.connections == 1
    assert lines[1:] == [f"DEALS_WEBHOOK_URL was not told: {said}"]


def drip(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    exchange.fall_silent()


def test_a_webhook_that_hangs_is_given_up() -> None:
    """F24."""
    start = time.monotonic()
    with MisbehavingServer(Exchange.fall_silent) as server:
        assert post(SecretStr(server.url + PATH), "line", (0.2, 0.2)) == "ReadTimeout"
    with MisbehavingServer(drip) as server:
        assert post(SecretStr(server.url + PATH), "line", (0.2, 0.2)) is None, "its body is not waited for"
    assert post(SecretStr("http://127.0.0.1:1" + PATH), "line", (0.2, 0.2)) == "ConnectionError"
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("name", "asset", "tags", "ours"),
    [
        ("a_job", None, OURS, True),
        ("recent_deals_job", None, {}, True),
        ("__ASSET_JOB", "recent_deals", {}, True),
        ("__ASSET_JOB", "of_others", {}, False),
        ("of_others", None, {}, False),
    ],
)
def test_runs_of_others_that_share_the_instance_are_not_told_of(
    name: str, asset: str | None, tags: dict[str, str], ours: bool
) -> None:
    selection = frozenset({dg.AssetKey(asset)}) if asset else None
    assert is_ours(dg.DagsterRun(job_name=name, tags=tags, asset_selection=selection)) is ours


def test_the_sensor_runs_by_itself_and_tells_of_each_failed_run_of_ours_once(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    assert failure_sensor.default_status is dg.DefaultSensorStatus.RUNNING
    cursor = None
    told = []
    with MisbehavingServer(lambda exchange: exchange.answer(200, b"ok")) as server:
        keepa = KeepaResource(settings=settings_with(tmp_path, server.url), connect=requests.Session)
        for _ in range(3):
            with dg.build_sensor_context(
                instance=instance, cursor=cursor, resources={"keepa": keepa}, repository_name="ours"
            ) as context:
                cursor = failure_sensor.evaluate_tick(context).cursor
            told.append(len(server.requests))
            materialize(instance, dg.asset(wordless))  # as the command line does, in no repository
            dg.materialize([dg.asset(refuse)], instance=instance, raise_on_error=False)
    assert told == [0, 1, 2]
