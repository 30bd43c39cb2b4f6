"""What somebody deletes of a home: any one state, and never what was landed, which is what was paid for."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from typing_extensions import assert_never

from deals_pipeline.config.environment import Places
from deals_pipeline_tests.soak.process import remove_warehouse
from deals_pipeline_tests.soak.scenario import Deleted, Deletion

TABLES: Final = (
    *("deal_metrics", "product_sales", "offer_drop", "marketplace"),
    *("landed_file", "scan_page", "scan", "recent_deal", "backfilled_deal", "quarantine"),
    *("product", "product_stats", "price_history", "offer_snapshot", "live_offer", "seller"),
    *("missing_product", "missing_seller", "filled_table"),
)
"""Those that are computed, and those of answers."""
RECORDS: Final = ("token_bucket", "token_settlement", "token_flow", "token_throttle", "token_lease", "token_revoked")


def delete(deleted: Deleted, places: Places, query: Callable[[str], object]) -> str:
    """Delete a state and return which; the warehouse's file is closed, `query` speaks to the warehouse for a table."""
    ledger = Path(places.ledger)
    match deleted.what:
        case Deletion.WAREHOUSE:
            remove_warehouse(places.warehouse)
            return str(deleted.what.value)
        case Deletion.TABLE:
            table = TABLES[deleted.number % len(TABLES)]
            query(f"DELETE FROM {table}")
            return table
        case Deletion.LEDGER:
            for file in (ledger, *ledger.parent.glob(f"{ledger.name}-*")):
                file.unlink(missing_ok=True)
            return str(deleted.what.value)
        case Deletion.RECORDS:
            with closing(sqlite3.connect(ledger)) as records, records:
                table = RECORDS[deleted.number % len(RECORDS)]
                records.execute(f"DELETE FROM {table}")
            return table
        case Deletion.PUBLISHED:
            shutil.rmtree(places.published, ignore_errors=True)
            return str(deleted.what.value)
        case _ as never:
            assert_never(never)
