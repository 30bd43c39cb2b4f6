"""The README's commands and numbers, held to the code."""

import re
import shlex
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from benchmarks.feed_scale import LISTED
from benchmarks.many_materializations import MANY
from deals_pipeline.config import load_settings
from deals_pipeline.config.environment import VARIABLES
from deals_pipeline.definitions import defs
from deals_pipeline.resources.keepa import SIMULATED_REFILL_RATE
from deals_pipeline.simulator.__main__ import parser
from deals_pipeline.simulator.server import Call
from deals_pipeline.token_bucket.model import CAPACITY_TICKS
from deals_pipeline_tests.mutants.catalogue import mutants
from deals_pipeline_tests.simulator.services import make_service

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = [line[2:] for line in re.findall(r"^\$ .*$", README, re.MULTILINE)]
MADE = sorted({*re.findall(r"`make ([a-z-]+)", README), *re.findall(r"^\$ make ([a-z-]+)", README, re.MULTILINE)})
CALLED = [command for command in COMMANDS if command.startswith("curl ")]

DAGSTER = [command for command in COMMANDS if command.startswith("dagster ")]


def test_every_command_is_known_to_a_test() -> None:
    assert {command.split()[0] for command in COMMANDS} == {"make", "curl", "export", "source", "dagster"}
    assert CALLED
    assert DAGSTER


@pytest.mark.parametrize("target", MADE)
def test_every_target_it_names_exists(target: str) -> None:
    result = subprocess.run(
        ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("command", CALLED)
def test_every_call_it_shows_is_answered(command: str) -> None:
    url = urlsplit(shlex.split(command)[-1])
    assert url.netloc == f"127.0.0.1:{parser().parse_args([]).port}"
    service = make_service()
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert service.server.deliver(Call("GET", url.path, query), service.clock.now()).status == 200


def test_the_simulator_serves_what_it_says() -> None:
    options = parser().parse_args([])
    assert f"{options.products:,} products".replace(",", " ") in README
    assert f"{options.refill_rate} tokens a minute" in README


def test_the_demo_has_the_simulated_tokens_that_it_says() -> None:
    assert f"{CAPACITY_TICKS * SIMULATED_REFILL_RATE} simulated tokens" in README


def test_the_jobs_it_names_are_the_jobs_that_there_are() -> None:
    named = set(re.findall(r"^\| `(\w+_job)`", README, re.MULTILINE))
    assert named == {job.name for job in defs.jobs or ()}


def test_the_sensors_it_names_are_the_sensors_that_there_are() -> None:
    assert set(re.findall(r"`(\w+_sensor)`", README)) == {sensor.name for sensor in defs.sensors or ()}


def test_the_schedule_ticks_as_often_as_it_says() -> None:
    minutes = int(re.findall(r"every (\d+) minutes", README)[0])
    assert load_settings({}, ROOT).budget.intervals.head_scan_minutes == minutes


@pytest.mark.parametrize("variable", re.findall(r"\b(?:KEEPA|DEALS|DAGSTER)_[A-Z_]+\b", README))
def test_every_variable_it_names_exists(variable: str) -> None:
    assert variable in (*VARIABLES, "DAGSTER_HOME")


@pytest.mark.parametrize("path", re.findall(r"`((?:docs|deals_pipeline)/[^`*]*)`", README))
def test_every_path_it_names_exists(path: str) -> None:
    assert (ROOT / path).exists()


def test_the_proofs_are_as_large_as_it_says() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert "FUZZ_CASES ?= 20000" in makefile
    assert "20 000 damaged" in README
    assert "(or $(SEEDS),20)" in makefile
    assert "(or $(DAYS),30)" in makefile
    assert "30 virtual days in 20 worlds" in README
    assert len(mutants()) >= 100
    assert max(LISTED) == 1_000_000
    assert "up to a million listed deals" in README
    assert f"{MANY:,} materializations".replace(",", " ") in README
