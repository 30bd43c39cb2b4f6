"""The token bucket as Dagster hands it to assets and sensors."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from deals_pipeline import __version__
from deals_pipeline.clock import SystemClock
from deals_pipeline.config import Settings, load_settings
from deals_pipeline.resources.token_bucket import TokenBucketResource
from deals_pipeline.token_bucket.ledger import LedgerError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"DEALS_HOME": str(tmp_path / "home"), "DEALS_CONFIG": str(ROOT / "deals.toml")}, tmp_path)


def resource_of(settings: Settings) -> TokenBucketResource:
    return TokenBucketResource(settings=settings, clock=SystemClock())


def test_a_run_holds_its_lease_until_its_end_and_no_longer(settings: Settings) -> None:
    """F17."""
    seen: list[str] = []

    @dg.asset
    def spending(context: dg.AssetExecutionContext, token_bucket: TokenBucketResource) -> None:
        other = resource_of(settings)
        with dg.build_resources({"other": other}) as resources, pytest.raises(LedgerError, match="executed already"):
            in_another_process(settings, context.run.run_id)
        seen.append(context.run.run_id)
        assert resources.other.ledger.dead_leases() == ()
        assert token_bucket.status().available == 0

    assert dg.materialize([spending], resources={"token_bucket": resource_of(settings)}).success
    in_another_process(settings, seen[0])


def in_another_process(settings: Settings, run_id: str) -> None:
    program = (
        "import sys; from pathlib import Path; from deals_pipeline.clock import SystemClock\n"
        "from deals_pipeline.token_bucket.sqlite_ledger import SqliteLedger\n"
        "from deals_pipeline.token_bucket.ledger import LedgerError\n"
        "try:\n"
        "    with SqliteLedger(Path(sys.argv[1]), sys.argv[2], clock=SystemClock()).lease(sys.argv[3]): pass\n"
        "except LedgerError as taken: sys.exit(str(taken))\n"
    )
    from deals_pipeline.token_bucket.ledger import account_of  # noqa: PLC0415

    arguments = [settings.places.ledger, account_of(settings.key), run_id]
    result = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    if result.returncode:
        raise LedgerError(result.stderr)


def test_a_runs_tags_say_who_served_and_which_code(settings: Settings) -> None:
    """F22."""

    @dg.asset
    def spending(token_bucket: TokenBucketResource) -> None:
        assert token_bucket.ledger

    with dg.DagsterInstance.ephemeral() as instance:
        resources = {"token_bucket": resource_of(settings)}
        run = dg.materialize([spending], instance=instance, resources=resources).dagster_run
        tags = instance.get_runs()[0].tags
    assert run.run_id
    assert (tags["deals_pipeline/mode"], tags["deals_pipeline/code_version"]) == ("simulated", __version__)


def test_making_the_resource_does_no_io(settings: Settings, tmp_path: Path) -> None:
    """F19."""
    resource_of(settings)
    assert list(tmp_path.iterdir()) == []


def test_the_workspace_loads() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
