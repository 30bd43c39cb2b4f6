"""Dagster's home and the command line, with real processes but without `dagster dev`, which e2e/test_dev.py starts."""

import os
import re
import signal
import socket
from contextlib import AbstractContextManager
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.instance.config import PoolGranularity
from dagster._core.run_coordinator import QueuedRunCoordinator

from deals_pipeline.config import ConfigError, Mode, load_settings
from deals_pipeline.config.environment import VARIABLES
from deals_pipeline.home import (
    CONFIG,
    HOST,
    Dev,
    HomeInUse,
    environment,
    holders,
    in_use,
    prepare,
    require_own_home,
    take,
)
from deals_pipeline_tests.e2e.processes import (
    ROOT,
    Started,
    Workplace,
    free_port,
    pipeline,
    started,
    wait_until,
    workplace,
)

HOLDER = Path(__file__).with_name("home_holder.py")
KEY = "k" * 64
PLAIN = re.sub(r"#.*", "", CONFIG.read_text())
KEYS = list(re.finditer(r"\w+(?=:)", PLAIN))
HOME = Path("/deals/simulated/dagster")


@pytest.fixture
def at(tmp_path: Path) -> Workplace:
    return workplace(tmp_path)


def test_a_prepared_home_is_absolute_and_holds_the_configuration_of_the_repository(at: Workplace) -> None:
    home = prepare(at.settings)
    assert home == at.folder / ".deals/simulated/dagster"
    assert home.is_absolute()
    assert [path.name for path in home.iterdir()] == ["dagster.yaml"]
    assert (home / "dagster.yaml").read_bytes() == (ROOT / "dagster.yaml").read_bytes()


def test_a_configuration_that_differs_from_the_repositorys_is_replaced(at: Workplace) -> None:
    copy = prepare(at.settings) / "dagster.yaml"
    copy.write_text("telemetry: {enabled: true}\n")
    prepare(at.settings)
    assert copy.read_bytes() == CONFIG.read_bytes()


def test_dagster_finds_one_run_at_a_time_in_every_pool_and_each_limit_in_the_home(at: Workplace) -> None:
    """F20: whoever starts a run that spends, the pool lets one at a time through."""
    with dg.DagsterInstance.from_config(str(prepare(at.settings))) as instance:
        limits = instance.get_concurrency_config()
        assert limits.pool_config.default_pool_limit == 1
        assert limits.pool_config.pool_granularity is PoolGranularity.OP
        assert limits.run_queue_config
        assert limits.run_queue_config.max_concurrent_runs == 4
        assert limits.run_queue_config.should_block_op_concurrency_limited_runs
        assert isinstance(instance.run_coordinator, QueuedRunCoordinator)
        assert instance.run_coordinator.dequeue_interval_seconds == 1
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_settings["free_slots_after_run_end_seconds"] == 5
        assert instance.managed_python_loggers == ["deals_pipeline"]
        assert not instance.telemetry_enabled


@pytest.mark.parametrize("key", KEYS, ids=[f"{key.group()}-{key.start()}" for key in KEYS])
def test_each_key_of_the_configuration_is_one_that_dagster_knows(key: re.Match[str], tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text(f"{PLAIN[: key.end()]}_misspelt{PLAIN[key.end() :]}")
    with pytest.raises(dg.DagsterInvalidConfigError), dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.run_coordinator, "it is made from its configuration when it is first used"


def test_two_modes_never_share_a_home(tmp_path: Path) -> None:
    simulated, live = (workplace(tmp_path, **key).settings for key in ({}, {"KEEPA_API_KEY": KEY}))
    homes = {mode: settings.places.dagster_home for mode, settings in ((Mode.SIMULATED, simulated), (Mode.LIVE, live))}
    assert len(set(homes.values())) == 2
    for settings in (simulated, live):
        for mode, home in homes.items():
            if mode is settings.mode:
                require_own_home(settings, {"DAGSTER_HOME": str(home)})
            else:
                with pytest.raises(ConfigError, match=re.escape(f"DAGSTER_HOME = {home}: {settings.mode.value} runs")):
                    require_own_home(settings, {"DAGSTER_HOME": str(home)})


@pytest.mark.parametrize("environ", [{}, {"DAGSTER_HOME": ""}, {"DAGSTER_HOME": "/elsewhere"}])
def test_a_home_of_ones_own_making_is_allowed(at: Workplace, environ: dict[str, str]) -> None:
    require_own_home(at.settings, environ)


def test_a_running_dev_keeps_its_settings_whatever_an_env_file_says_later(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"KEEPA_API_KEY={KEY}\nDEALS_HOME=elsewhere\n")
    ledger = "postgresql://user:word@127.0.0.1/db"
    for variables in (
        {"KEEPA_API_KEY": "", "DEALS_HOME": "here"},
        {"KEEPA_API_KEY": "", "KEEPA_API_URL": "http://127.0.0.1:8900"},
        {"KEEPA_API_KEY": "l" * 64, "DEALS_LEDGER_URL": ledger, "DEALS_WEBHOOK_URL": "http://127.0.0.1:1/x?y=z"},
        {},
    ):
        settings = workplace(tmp_path, **variables).settings
        assert environment(settings).keys() == {*VARIABLES, "DAGSTER_HOME"}
        assert load_settings(environment(settings), tmp_path) == settings


def test_home_prints_one_absolute_path_and_nothing_else(tmp_path: Path) -> None:
    at = workplace(tmp_path, DEALS_HOME="somewhere/deals")
    result = pipeline(at, "home")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"{tmp_path}/somewhere/deals/simulated/dagster\n"
    assert (Path(result.stdout.strip()) / "dagster.yaml").exists()


@pytest.mark.parametrize("command", ["home", "dev"])
def test_a_wrong_setting_is_one_line_and_status_2(tmp_path: Path, command: str) -> None:
    at = workplace(tmp_path, DEALS_CONFIG="missing.toml")
    result = pipeline(at, command)
    assert (result.returncode, result.stdout) == (2, "")
    assert re.fullmatch(rf"deals_pipeline: {tmp_path}/missing\.toml: missing.*\n", result.stderr)


def test_a_home_that_cannot_be_made_is_one_line_and_status_2(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = pipeline(workplace(tmp_path, DEALS_HOME="file"), "home")
    assert (result.returncode, result.stdout) == (2, "")
    assert re.fullmatch(
        rf"deals_pipeline: DEALS_HOME: {tmp_path}/file/simulated/dagster: Not a directory: allowed is a folder.*\n",
        result.stderr,
    )


@pytest.mark.parametrize("port", ["0", "65536", "3000.5", "http"])
def test_a_port_that_is_none_is_refused_with_what_is_allowed(at: Workplace, port: str) -> None:
    result = pipeline(at, "dev", "--port", port)
    assert result.returncode == 2
    assert result.stderr.endswith(f"argument --port: '{port}': allowed is a whole number from 1 to 65535\n")


@pytest.mark.parametrize("arguments", [(), ("home",), ("dev",)])
def test_every_command_says_what_it_does(at: Workplace, arguments: tuple[str, ...]) -> None:
    result = pipeline(at, *arguments, "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert "Dagster" in result.stdout


def test_a_port_that_is_taken_is_named(at: Workplace) -> None:
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        result = pipeline(at, "dev", "--port", str(port))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        f"deals_pipeline: --port {port}: Address already in use: allowed is a port that is free on {HOST}\n"
    )


def test_a_second_dev_in_a_home_is_refused_with_the_process_and_the_port_of_the_first(at: Workplace) -> None:
    """F20: two daemons in one home would execute each run twice."""
    home = prepare(at.settings)
    with holder(at, 4711) as first:
        child_of(first)
        second = pipeline(at, "dev", "--port", str(free_port()))
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr == (f"deals_pipeline: {home}: in use by dev, process {first.pid}, at http://127.0.0.1:4711\n")


def test_a_child_that_outlives_a_killed_dev_keeps_the_home_and_is_named_until_it_ends(at: Workplace) -> None:
    """F17: what a crash leaves behind is no riddle."""
    home = prepare(at.settings)
    with holder(at, 4711) as first:
        child = child_of(first)
        first.process.kill()
        first.process.wait()
        second = pipeline(at, "dev")
        assert (second.returncode, second.stdout) == (1, "")
        assert second.stderr.endswith(
            f"dev, process {first.pid}, was killed, and what it started lives on; end it: kill {child}\n"
        )
        os.kill(child, signal.SIGKILL)
        wait_until(lambda: holders(home) == (), "the child ends", 60)
        os.close(take(home, 4712))


def test_after_a_kill_of_all_its_processes_the_home_is_free_at_once(at: Workplace) -> None:
    """F17: nobody cleans up."""
    home = prepare(at.settings)
    for port in (4711, 4712):
        with holder(at, port) as running:
            child_of(running)
            with pytest.raises(HomeInUse, match=f":{port}"):
                take(home, 3000)
            running.kill()
            os.close(take(home, 3000))


def test_of_several_that_start_at_once_one_gets_the_home(at: Workplace) -> None:
    """F20: the lock decides, not who looked first."""
    prepare(at.settings)
    with holder(at, 1) as a, holder(at, 2) as b, holder(at, 3) as c, holder(at, 4) as d:
        wait_until(lambda: all(each.text() for each in (a, b, c, d)), "each has said what became of it", 60)
        said = [each.text() for each in (a, b, c, d)]
    assert sum(text.strip().isdecimal() for text in said) == 1
    assert sum("in use by" in text for text in said) == 3


@pytest.mark.parametrize(
    ("first", "living", "says"),
    [
        (None, (), "in use by a dev that starts at this moment"),
        (Dev(7, 3000), (7, 8), "in use by dev, process 7, at http://127.0.0.1:3000"),
        (Dev(7, 3000), (), "in use by dev, process 7, at http://127.0.0.1:3000"),
        (Dev(7, 3000), (8, 9), "dev, process 7, was killed, and what it started lives on; end it: kill 8 9"),
    ],
)
def test_a_refusal_says_who_has_the_home(first: Dev | None, living: tuple[int, ...], says: str) -> None:
    assert in_use(HOME, first, living) == f"{HOME}: {says}"


def holder(at: Workplace, port: int) -> AbstractContextManager[Started]:
    return started(at, str(HOLDER), str(at.home), str(port))


def child_of(running: Started) -> int:
    wait_until(lambda: running.text().endswith("\n"), "the home is taken", 60, log=running)
    return int(running.text())
