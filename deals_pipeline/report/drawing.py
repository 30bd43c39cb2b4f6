"""What draws the charts: their specifications and the script that shows them, made once for each version of both.

To make them takes two seconds of the processor and 90 MB of libraries. They change with a release only, so the newest
are kept in the home.
"""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Final

import msgspec

from deals_pipeline.report.libraries import Spec, chart_library
from deals_pipeline.warehouse.publishing import write_aside

MAKERS: Final = ("altair", "vl-convert-python")
SOURCES: Final = ("charts.py", "libraries.py")


@dataclass(frozen=True, slots=True)
class Drawing:
    """The charts of a deal and of the account, the series that the page has colours for, and the script.

    `version` tells the code and the libraries that made them.
    """

    version: str
    deal: Spec
    tokens: Spec
    prices: tuple[str, ...]
    script: str


_drawing = msgspec.json.Decoder(Drawing)


def drawing(cache: Path) -> Drawing:
    """Return what is kept in a folder, or make it and keep it there; raises `WarehouseError` where it cannot be."""
    path = cache / "charts.json"
    with suppress(OSError, msgspec.DecodeError):
        kept = _drawing.decode(path.read_bytes())
        if kept.version == _version():
            return kept
    made = make_drawing()
    write_aside(path, lambda aside: Path(aside).write_text(json.dumps(asdict(made)), encoding="utf-8"))
    return made


def _version() -> str:
    sources = [(files(__package__) / name).read_bytes() for name in SOURCES]
    makers = " ".join(version(maker) for maker in MAKERS).encode()
    return sha256(b"".join([makers, *sources])).hexdigest()[:16]


def make_drawing() -> Drawing:
    """Return the charts and their script anew; it takes seconds."""
    from deals_pipeline.report import charts  # noqa: PLC0415 - half a second

    return Drawing(
        _version(), charts.deal_chart(), charts.tokens_chart(), charts.PRICES, chart_library(charts.VEGA_LITE)
    )
