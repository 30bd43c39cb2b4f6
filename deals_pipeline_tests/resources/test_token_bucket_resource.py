"""The token bucket as Dagster hands it to an asset."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from pydantic import SecretStr

from deals_pipeline.keepa.replies import Page
from deals_pipeline.keepa.requests import DealPageRequest
from deals_pipeline.keepa.selection import DealSelection
from deals_pipeline.resources.token_bucket import AmountConfig, TokenBucketResource
from deals_pipeline.token_bucket.model import Lane
from deals_pipeline_tests.simulator.services import KEY, make_service

PAGE = DealPageRequest(selection=DealSelection())


def test_an_asset_reserves_sends_and_settles(tmp_path: Path) -> None:
    service = make_service(refill_rate=5)
    balances: list[tuple[int, int]] = []

    @dg.asset
    def one_page(context: dg.AssetExecutionContext, tokens: TokenBucketResource) -> None:
        with tokens.for_run(context.run.run_id, SecretStr(KEY), service.client.token_status, service.clock) as bucket:
            with bucket.reserve(PAGE, lane=Lane.RECENT, purpose="a page") as hold:
                reply = service.client.send(PAGE, hold)
                hold.settle(reply)
            assert isinstance(reply, Page)
            status = bucket.status()
            balances.append((status.available, status.spent_by_run[context.run.run_id]))

    resource = TokenBucketResource(ledger=str(tmp_path / "ledger.sqlite"))
    assert dg.materialize([one_page], resources={"tokens": resource}).success
    assert balances == [(295, 5)]
    assert service.balance() == 295


def test_floors_and_deficit_are_configured_in_minutes_or_tokens() -> None:
    resource = TokenBucketResource(
        ledger="unused",
        max_deficit=AmountConfig(minutes=3),
        floors={"history": AmountConfig(tokens=40), "backfill": AmountConfig(minutes=9)},
    )
    policy = resource.policy()
    assert policy.max_deficit.at_rate(5) == 15
    assert [policy.floors[lane].at_rate(20) for lane in (Lane.RECENT, Lane.HISTORY, Lane.BACKFILL)] == [0, 40, 180]


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        ({"max_deficit": AmountConfig(minutes=60)}, "minutes 60: allowed is 0 to 59"),
        ({"floors": {"recent": AmountConfig(tokens=-1)}}, "tokens -1: allowed is at least 0"),
        ({"floors": {"fast": AmountConfig()}}, "fast"),
    ],
    ids=str,
)
def test_a_policy_out_of_range_is_refused_by_name(resource: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TokenBucketResource(ledger="unused", **resource).policy()  # type: ignore[arg-type]


def test_a_ledger_of_an_unknown_kind_is_refused_without_its_password() -> None:
    resource = TokenBucketResource(ledger="mysql://user:secret@host/db")
    with (
        pytest.raises(ValueError, match="allowed are postgresql://") as refused,
        resource.for_run("run", SecretStr(KEY), make_service().client.token_status),
    ):
        pass
    assert "secret" not in str(refused.value)


def test_making_and_configuring_the_resource_does_no_io(tmp_path: Path) -> None:
    TokenBucketResource(ledger=str(tmp_path / "folder" / "ledger.sqlite")).policy()
    assert list(tmp_path.iterdir()) == []


def test_the_workspace_loads() -> None:
    root = Path(__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
