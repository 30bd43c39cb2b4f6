"""How spans, counts and amounts are said, wherever the state is told."""

from datetime import timedelta
from typing import Final

MINUTES_MAX: Final = 120
HOURS_MAX: Final = 48


def span(time: timedelta) -> str:
    """Return a span in minutes, hours or days, such as `45 min`, `3.5 h` or `12 days`.

    One that is negative is 0 min: Keepa's clock may be a little ahead of ours.
    """
    minutes = max(timedelta(0), time) / timedelta(minutes=1)
    if minutes < MINUTES_MAX:
        return f"{minutes:.0f} min"
    hours = minutes / 60
    return f"{round(hours, 1):g} h" if hours < HOURS_MAX else f"{round(hours / 24, 1):g} days"


def count(number: int, what: str) -> str:
    """Return a number of things, such as `1 page` or `12 000 pages`."""
    return f"{grouped(number)} {what}" + ("s" if number != 1 else "")


def grouped(number: int) -> str:
    """Return a whole number with its thousands apart."""
    return f"{number:,}".replace(",", " ")
