"""Fixtures of tests that run Dagster."""

import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import dagster as dg
import hypothesis
import pytest

from deals_pipeline.simulator.endpoints import Endpoints
from deals_pipeline_tests.dagster_world import ROOT, DagsterWorld, make_world

# How long an example takes says on a busy machine nothing of the code.
hypothesis.settings.register_profile(
    "busy machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy machine")

NO_COMPUTE_LOGS: Final = """
# Four processes for each step that is executed, for what nobody reads here.
compute_logs:
  module: dagster.core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
"""


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the home of an instance that nothing was done in: to make its tables takes longer than to copy them."""
    home = tmp_path_factory.mktemp("empty") / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text() + NO_COMPUTE_LOGS)
    with dg.DagsterInstance.from_config(str(home)) as made:
        made.get_runs()
    return home


@pytest.fixture
def instance(empty_home: Path, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """Return a Dagster instance of its own, in files."""
    home = Path(shutil.copytree(empty_home, tmp_path / "dagster"))
    with dg.DagsterInstance.from_config(str(home)) as made:
        yield made


@cache
def market(products: int = 20_000) -> Endpoints:
    """Return a market, which is a pure function of time and may be shared."""
    return Endpoints(1, products)


@pytest.fixture
def make(tmp_path: Path, instance: dg.DagsterInstance) -> Callable[..., DagsterWorld]:
    """Return a maker of worlds with homes of their own."""
    homes = iter(range(100))

    def made(**options: Any) -> DagsterWorld:  # noqa: ANN401 - what `make_world` takes
        options.setdefault("endpoints", market(options.pop("products", 20_000)))
        return make_world(tmp_path / f"home-{next(homes)}", instance, **options)

    return made
