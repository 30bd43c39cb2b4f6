"""Fixtures of tests that run Dagster."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from deals_pipeline.simulator.endpoints import Endpoints
from deals_pipeline_tests.dagster_world import ROOT, DagsterWorld, make_world


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """Return a Dagster instance of its own, in files."""
    home = tmp_path / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_bytes((ROOT / "dagster.yaml").read_bytes())
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
