"""Makes the page: one HTML file with its libraries, data and style in it, which asks no network for anything.

Whatever came from outside stays text: Jinja2 escapes it, or it is packed. Should it become markup nevertheless, the
page's own policy lets no script run but those whose hashes it names, and nothing be fetched.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from hashlib import sha256
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from deals_pipeline import __version__
from deals_pipeline.report.data import SHOWN_MAX, SPAN_DAYS, Deals
from deals_pipeline.report.drawing import Drawing
from deals_pipeline.report.libraries import embeddable, table_library
from deals_pipeline.report.markets import MARKETS
from deals_pipeline.report.packing import DEALS_MAX, packed, packed_histories
from deals_pipeline.state import Hour, PipelineState
from deals_pipeline.state.words import span

PARTS: Final = ("text", "charts", "detail", "table", "start")
"""The page's own script; each part uses only what is before it."""


@dataclass(frozen=True, slots=True)
class Script:
    """A script in the page, and the hash by which the page's policy admits it."""

    text: Markup
    source: str


def render(deals: Deals, state: PipelineState, drawing: Drawing) -> str:
    """Return the page as HTML."""
    environment = Environment(
        loader=PackageLoader("deals_pipeline.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "utc": _utc,
        "clock": partial(_clock, state.at),
        "due": partial(_due, state.at),
        "number": _number,
        "words": _words,
        "duration": span,
    }
    libraries = [table_library(), drawing.script, embeddable("".join(_part(f"{name}.js") for name in PARTS))]
    return environment.get_template("report.html").render(
        deals=deals,
        state=state,
        currencies=len({MARKETS[domain].currency for domain in deals.domains}),
        shown_max=SHOWN_MAX,
        version=__version__,
        style=Markup(_part("report.css")),  # noqa: S704 - a file of ours
        scripts=[_script(text) for text in libraries],
        known={
            "at": state.at.timestamp(),
            "markets": {domain.value: asdict(market) for domain, market in MARKETS.items()},
            "span_days": SPAN_DAYS,
            "histories_per_pack": DEALS_MAX,
            "prices": drawing.prices,
            "charts": {"deal": drawing.deal, "tokens": drawing.tokens},
            "hours": [_hour(hour) for hour in state.hours],
        },
        packed_deals=packed(deals.columns),
        packed_histories=packed_histories(deals.histories),
    )


def _part(name: str) -> str:
    return (files(__package__) / "templates" / name).read_text(encoding="utf-8")


def _script(text: str) -> Script:
    digest = b64encode(sha256(text.encode()).digest()).decode("ascii")
    return Script(Markup(text), f"'sha256-{digest}'")  # noqa: S704 - ours, and our libraries'


def _hour(hour: Hour) -> Mapping[str, object]:
    spent = {_words(name): tokens for name, tokens in hour.spent.items()} | {"others on this key": hour.foreign}
    return {"start": hour.start.timestamp(), "balance": hour.balance, "spent": spent}


def _utc(time: datetime | None) -> Markup:
    """Return a time that the page adds its age to."""
    if time is None:
        return Markup("never")
    return Markup('<time datetime="{}">{:%Y-%m-%d %H:%M} UTC</time>').format(time.isoformat(), time)


def _clock(now: datetime, time: datetime | None) -> Markup:
    """Return a time of the same day without its date."""
    if time is None or time.date() != now.date():
        return _utc(time)
    return Markup('<time datetime="{}">{:%H:%M} UTC</time>').format(time.isoformat(), time)


def _due(now: datetime, time: datetime) -> Markup:
    return Markup("now") if time <= now else _clock(now, time)


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.10g}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _words(name: str) -> str:
    return name.replace("_", " ")
