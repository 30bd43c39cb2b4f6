"""SQL statements, each in a file of its own under `sql/`."""

from functools import cache
from importlib.resources import files
from typing import Final, Literal

TargetTable = Literal["recent_deal", "backfilled_deal", "product", "product_stats", "missing_product", "missing_seller"]

TARGET: Final = "target_table"
"""Stands for the table in a statement that several tables share."""


@cache
def statement(name: str, target: TargetTable | None = None) -> str:
    """Return a statement by the name of its file."""
    text = (files(__package__) / "sql" / f"{name}.sql").read_text(encoding="utf-8")
    assert (TARGET in text) == (target is not None), f"{name}.sql: whether it is shared and target={target} differ"
    return text.replace(TARGET, target or "")
