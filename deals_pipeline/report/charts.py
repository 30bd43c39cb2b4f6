"""The charts, as Altair describes them; the page gives them their data, width and colours."""

from typing import Any, Final

import altair as alt

from deals_pipeline.report.libraries import Spec

VEGA_LITE: Final = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
"""The version that Altair writes."""
AXIS_WIDTH: Final = 50
"""Pixels of each vertical axis, so that charts above each other share their time."""
PRICES: Final = ("Used price", "Amazon", "Buy at", "List at")
"""What the chart of prices shows in the colours of the page, in this order."""
HOVERED: Final = {"opacity": 0, "size": 80}
"""Points that are not seen, and show what they are when pointed at."""
HOURLY: Final = "utcFormat(datum.value, utchours(datum.value) == 0 ? '%-d %b' : '%H:%M')"
MONTHLY: Final = "utcFormat(datum.value, '%b %Y')"


def deal_chart() -> Spec:
    """Return the chart of a deal: `prices` with `levels` and `sales`, then `ranks`, then `counts` with `drops`."""
    time, hidden = _time(MONTHLY), _time(None)
    colour = alt.Color("series:N", scale=alt.Scale(domain=PRICES), legend=None)
    prices = (
        alt.Chart(alt.NamedData("prices"))
        .mark_line(interpolate="step-after", strokeWidth=1.6, point=HOVERED)
        .encode(hidden, _height("value", "Price"), colour, tooltip=["date:N", "series:N", "text:N"])
    )
    levels = (
        alt.Chart(alt.NamedData("levels"))
        .mark_rule(strokeDash=[5, 4], strokeWidth=1.6)
        .encode(_height("value", "Price"), colour, tooltip=["series:N", "text:N"])
    )
    sales = (
        alt.Chart(alt.NamedData("sales"))
        .mark_point(size=60, filled=True, opacity=0.9)
        .encode(
            hidden,
            _height("value", "Price"),
            shape=alt.Shape(
                "kind:N", scale=alt.Scale(domain=["sale", "outlier"], range=["circle", "cross"]), legend=None
            ),
            tooltip=["date:N", "kind:N", "price:N", "offers:N", "confirmed by:N"],
        )
        .properties(name="sales")
    )
    ranks = (
        alt.Chart(alt.NamedData("ranks"))
        .mark_line(interpolate="step-after", strokeWidth=1.2, point=HOVERED)
        .encode(
            hidden,
            _height("value", "Sales rank", scale=alt.Scale(reverse=True, zero=False)),
            tooltip=["date:N", "text:N"],
        )
    )
    counts = (
        alt.Chart(alt.NamedData("counts"))
        .mark_line(interpolate="step-after", strokeWidth=1.2)
        .encode(time, _height("value", "Used offers"))
    )
    drops = (
        alt.Chart(alt.NamedData("drops"))
        .mark_point(size=22, filled=True)
        .encode(
            time,
            _height("value", "Used offers"),
            opacity=alt.condition("datum.kind === 'no sale'", alt.value(0.35), alt.value(1)),
            tooltip=["date:N", "kind:N", "offers:N"],
        )
    )
    return _spec(
        alt.vconcat(
            (prices + levels + sales).properties(height=190),
            ranks.properties(height=80),
            (counts + drops).properties(height=64),
            spacing=10,
        ).resolve_scale(x="shared", color="independent")
    )


def tokens_chart() -> Spec:
    """Return the chart of the account: the `balance`, above what was `spent` in each hour by class of work."""
    balance = (
        alt.Chart(alt.NamedData("balance"))
        .mark_line(strokeWidth=1.8, point={"size": 14})
        .encode(_time(None), _height("tokens", "Balance"), tooltip=["hour:N", "tokens:Q"])
    )
    spent = (
        alt.Chart(alt.NamedData("spent"))
        .mark_bar(orient="vertical")
        .encode(
            _time(HOURLY),
            alt.X2("until:T"),
            _height("tokens", "Spent an hour", stack="zero"),
            alt.Color("class:N", sort=None, legend=None),
            alt.Order("rank:Q"),
            tooltip=["hour:N", "class:N", "tokens:Q"],
        )
    )
    return _spec(
        alt.vconcat(balance.properties(height=66), spent.properties(height=66), spacing=10).resolve_scale(x="shared")
    )


def _time(labels: str | None) -> alt.X:
    """Return the axis of time, UTC; of charts above each other only the lowest has labels."""
    axis = alt.Axis(labelExpr=labels, labelFlush=True) if labels else alt.Axis(labels=False, ticks=False)
    return alt.X("time:T", title=None, scale=alt.Scale(type="utc"), axis=axis)


def _height(field: str, title: str, **options: Any) -> alt.Y:  # noqa: ANN401 - what `alt.Y` takes
    axis = alt.Axis(minExtent=AXIS_WIDTH, maxExtent=AXIS_WIDTH, tickCount=4, format=",~f")
    return alt.Y(f"{field}:Q", title=title, axis=axis, **options)


def _spec(chart: alt.VConcatChart) -> Spec:
    return {key: value for key, value in chart.to_dict().items() if key not in ("$schema", "config")}
