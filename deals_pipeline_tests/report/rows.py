"""A warehouse full of deals for tests of the report, made by SQL: thousands in seconds, the same every time."""

from collections.abc import Mapping
from importlib.resources import files

from duckdb import DuckDBPyConnection

from deals_pipeline_tests.state.states import NOW


def fill(
    connection: DuckDBPyConnection, deals: int, *, points: int = 200, titles: Mapping[int, str | None] | None = None
) -> None:
    """Fill a migrated warehouse with deals of four marketplaces; every 10th is rejected, every 7th has no history.

    `points` is how many ranks a history has, prices and counts have fewer; `titles` gives some deals, counted from 0,
    titles of their own.
    """
    text = (files(__package__) / "rows.sql").read_text(encoding="utf-8")
    connection.execute("SET VARIABLE deals = ?", [deals])
    connection.execute("SET VARIABLE points = ?", [points])
    connection.execute("SET VARIABLE now_at = ?", [NOW])
    connection.execute(text)
    for number, title in (titles or {}).items():
        connection.execute(
            "UPDATE recent_deal SET title = $title WHERE asin = $asin", {"title": title, "asin": asin(number)}
        )


def asin(number: int) -> str:
    """Return the ASIN of a deal, counted from 0."""
    return f"B{number:09}"
