"""What screening tells, written straight into its table: tests of what is bought need none of the analytics."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from duckdb import DuckDBPyConnection

from deals_pipeline.keepa.selection import Domain


def screen(
    connection: DuckDBPyConnection,
    profits: Mapping[str, int | None],
    at: datetime,
    *,
    screened: str = "survives",
    stage: str = "history",
    next_try_at: datetime | None = None,
    domain: Domain = Domain.US,
) -> None:
    """Screen the deals of a marketplace with these ASINs; `profits` are their expected profits in cents."""
    for asin, profit in profits.items():
        connection.execute(
            "INSERT OR REPLACE INTO deal_metrics BY NAME "
            "SELECT $domain::TINYINT AS domain_id, $asin AS asin, $profit AS expected_profit, "
            "$screened AS screened, $stage AS screened_stage, $at::TIMESTAMPTZ AS screened_inputs_at, "
            "$next_try_at::TIMESTAMPTZ AS screened_next_try_at, 'test' AS code_version",
            {"asin": asin, "profit": profit, "screened": screened, "stage": stage, "at": at}
            | {"next_try_at": next_try_at or at, "domain": int(domain)},
        )


def move_used_price(connection: DuckDBPyConnection, at: datetime, asins: Sequence[str]) -> None:
    """Let the used prices of listed deals have moved."""
    connection.execute(
        "UPDATE recent_deal SET current_since = current_since[:2] || [$at::TIMESTAMPTZ] || current_since[4:] "
        "WHERE list_contains($asins, asin)",
        {"at": at, "asins": list(asins)},
    )
