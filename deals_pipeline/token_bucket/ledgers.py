"""Which ledger a setting names."""

from pathlib import Path

from deals_pipeline.clock import Clock
from deals_pipeline.token_bucket.ledger import Ledger
from deals_pipeline.token_bucket.sqlite_ledger import SqliteLedger


def open_ledger(place: str, account: str, clock: Clock) -> Ledger:
    """Return the ledger at `place`, a postgresql:// URL or else the path of a SQLite file; `clock` is for the latter.

    Nothing is opened before it is used. Raises `ValueError` for a URL of another kind.
    """
    scheme, is_url, _ = place.partition("://")
    if not is_url:
        return SqliteLedger(Path(place), account, clock=clock)
    if scheme not in ("postgresql", "postgres"):
        raise ValueError(f"ledger {scheme}://…: allowed are postgresql:// and the path of a SQLite file")
    from deals_pipeline.token_bucket.postgres_ledger import PostgresLedger  # noqa: PLC0415 - an optional extra

    return PostgresLedger(place, account)
