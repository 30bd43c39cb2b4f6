"""The libraries that the page carries with it: DataTables as itables ships it, Vega-Lite as vl-convert bundles it."""

import re
from functools import cache
from importlib.resources import files
from typing import Any, Final, TypeAlias

Spec: TypeAlias = dict[str, Any]
"""A chart in Vega-Lite, as JSON."""

DEFAULT_EXPORT: Final = re.compile(r"export\{[^}]*\b(?P<name>[\w$]+) as default\b[^}]*\}")
OPENING: Final = re.compile(r"<(?=!--|/?script)", re.IGNORECASE)


@cache
def table_library() -> str:
    """Return a script that leaves DataTables in `DataTable`."""
    source = (files("itables") / "html" / "dt_bundle.js").read_text(encoding="utf-8")
    script, exports = DEFAULT_EXPORT.subn(r"globalThis.DataTable=\g<name>", source)
    assert exports == 1, "itables bundles DataTables in another way than its version 2.9"
    return embeddable(script)


def chart_library(vega_lite: str) -> str:
    """Return a script that leaves Vega-Embed in `vegaEmbed`, for this version of Vega-Lite: `6.4`; it takes seconds."""
    import vl_convert  # noqa: PLC0415 - 90 MB, which only this needs

    return embeddable(vl_convert.javascript_bundle("globalThis.vegaEmbed = vegaEmbed;", vl_version=vega_lite))


def embeddable(script: str) -> str:
    """Return a script that HTML takes for no more than one: `<` of tags, in its strings and patterns, is escaped."""
    return OPENING.sub(r"\\x3c", script)
