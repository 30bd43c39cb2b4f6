"""Publishes the report beside the other snapshots: written aside and renamed (F50)."""

from pathlib import Path
from typing import Final

from deals_pipeline.report.data import Deals
from deals_pipeline.state import PipelineState
from deals_pipeline.warehouse.publishing import write_aside

NAME: Final = "deals_report.html"


def publish_report(deals: Deals, state: PipelineState, folder: Path, cache: Path) -> Path:
    """Write the report into a folder and return its path; it needs no open warehouse.

    What draws its charts is kept in `cache`: it takes seconds to make.

    Raises `WarehouseError` where it cannot be written; the report before is then still there.
    """
    from deals_pipeline.report.drawing import drawing  # noqa: PLC0415 - not needed to load the definitions
    from deals_pipeline.report.page import render  # noqa: PLC0415

    page, path = render(deals, state, drawing(cache)), folder / NAME
    write_aside(path, lambda aside: Path(aside).write_text(page, encoding="utf-8"))
    return path
