"""Dagster definitions with as many assets and checks in one job as our main job has, all empty: Dagster's own part."""

from collections.abc import Iterator
from typing import Final

import dagster as dg

ASSETS: Final = 7
CHECKS: Final = (7, 2)
"""How many checks the first asset has, and the second; those of an asset are one step."""


def _asset(number: int) -> dg.AssetsDefinition:
    @dg.asset(name=f"empty_{number}", deps=[f"empty_{number - 1}"] if number else [])
    def empty() -> None:
        pass

    return empty


def _checks(asset: dg.AssetsDefinition, count: int) -> dg.AssetChecksDefinition:
    specs = [dg.AssetCheckSpec(f"check_{number}", asset=asset) for number in range(count)]

    @dg.multi_asset_check(name=f"checks_of_{asset.key.to_python_identifier()}", specs=specs)
    def checks() -> Iterator[dg.AssetCheckResult]:
        for each in specs:
            yield dg.AssetCheckResult(passed=True, check_name=each.name, asset_key=each.asset_key)

    return checks


_assets = [_asset(number) for number in range(ASSETS)]
defs = dg.Definitions(
    assets=_assets,
    asset_checks=[_checks(asset, count) for asset, count in zip(_assets, CHECKS, strict=False)],
    jobs=[dg.define_asset_job("hollow_job", _assets)],
    executor=dg.in_process_executor,
)
