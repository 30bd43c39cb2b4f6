"""What was deleted from the warehouse by hand is noticed, and loaded again from the landed answers (F21)."""

import logging
from typing import Final

from duckdb import DuckDBPyConnection

from deals_pipeline.warehouse.connection import transaction
from deals_pipeline.warehouse.statements import statement

_log: Final = logging.getLogger(__name__)


def note_filled(connection: DuckDBPyConnection) -> None:
    """Note which tables hold rows of answers: part of each transaction that loads any."""
    for table_name in sorted(_tables(connection, "filled_tables") - _tables(connection, "noted_tables")):
        connection.execute(statement("note_table"), {"table_name": table_name})


def restore(connection: DuckDBPyConnection) -> None:
    """Let everything landed be loaded anew, at no tokens, where a table has lost all its rows.

    It is loaded over what is there, which merges: rows of answers that landed too long ago to be there still stay. Only
    what counts answers is forgotten: of older ones it says nothing that is asked after 32 days, the longest wait before
    another try. Rows that are deleted while others stay are not noticed.
    """
    with transaction(connection):
        lost = _tables(connection, "expected_tables") - _tables(connection, "filled_tables")
        if lost:
            connection.execute(statement("forget_answers"))
            _log.warning("No rows are left in %s: all landed answers are loaded anew.", ", ".join(sorted(lost)))
        else:
            note_filled(connection)


def _tables(connection: DuckDBPyConnection, name: str) -> set[str]:
    return {table_name for (table_name,) in connection.execute(statement(name)).fetchall()}
