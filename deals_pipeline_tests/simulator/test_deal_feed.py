"""The feed of a book selection against what was measured on the live service (D4 to D7), tolerances +-30 %."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from deals_pipeline.keepa.selection import DealSelection
from deals_pipeline.keepa.time import from_keepa_minutes
from deals_pipeline.simulator.market.market import Market

START = datetime(2026, 5, 11, tzinfo=timezone.utc)
BOOKS = DealSelection(include_categories=(283155,))
MEASURED_SIZE = 770


@dataclass(frozen=True)
class Shown:
    last_update: int
    created: int
    price: int


@dataclass(frozen=True)
class Feed:
    """What the selection shows at every full hour: by index."""

    hours: list[dict[int, Shown]]

    def per_hour(self, changes: list[int]) -> float:
        """Return a mean count per hour of a selection as large as the measured one."""
        return float(np.mean(changes) * MEASURED_SIZE / np.mean([len(hour) for hour in self.hours]))

    def pairs(self) -> list[tuple[dict[int, Shown], dict[int, Shown]]]:
        return list(zip(self.hours, self.hours[1:], strict=False))


@pytest.fixture(scope="module")
def feed() -> Feed:
    market = Market(1, 4000)
    hours = []
    for hour in range(30):
        now = START + timedelta(hours=hour)
        indices = market.matching(BOOKS, now).tolist()
        deals = market.deals(indices, now)
        hours.append({index: _shown(deal) for index, deal in zip(indices, deals, strict=True)})
    return Feed(hours)


def _shown(deal: dict[str, object]) -> Shown:
    current = deal["current"]
    assert isinstance(current, list)
    return Shown(int(str(deal["lastUpdate"])), int(str(deal["creationDate"])), current[2])


def _ages(feed: Feed, name: str) -> "np.typing.NDArray[np.float64]":
    """Return the ages in hours."""
    return np.array(
        [
            (START + timedelta(hours=number) - from_keepa_minutes(getattr(shown, name))) / timedelta(hours=1)
            for number, hour in enumerate(feed.hours)
            for shown in hour.values()
        ]
    )


def test_about_eight_hundred_books_are_listed(feed: Feed) -> None:
    assert np.mean([len(hour) for hour in feed.hours]) == pytest.approx(800, rel=0.15)


def test_per_hour_about_thirty_deals_come_and_as_many_go(feed: Feed) -> None:
    new = feed.per_hour([len(later.keys() - earlier.keys()) for earlier, later in feed.pairs()])
    gone = feed.per_hour([len(earlier.keys() - later.keys()) for earlier, later in feed.pairs()])
    assert 0.02 * MEASURED_SIZE < new < 0.04 * MEASURED_SIZE
    assert new == pytest.approx(30, rel=0.3)
    assert gone == pytest.approx(new, rel=0.15)


def test_per_hour_about_183_deals_have_a_new_update_and_45_another_price(feed: Feed) -> None:
    common = [(earlier, later, earlier.keys() & later.keys()) for earlier, later in feed.pairs()]
    updated = [sum(a[i].last_update != b[i].last_update for i in both) for a, b, both in common]
    priced = [sum(a[i].price != b[i].price for i in both) for a, b, both in common]
    assert feed.per_hour(updated) == pytest.approx(183, rel=0.3)
    assert feed.per_hour(priced) == pytest.approx(45, rel=0.3)


def test_after_a_day_about_three_of_four_deals_are_still_there(feed: Feed) -> None:
    share = [len(a.keys() & b.keys()) / len(a) for a, b in zip(feed.hours, feed.hours[24:], strict=False)]
    assert np.mean(share) == pytest.approx(0.75, rel=0.3)


def test_updates_are_as_old_as_measured_and_never_a_day(feed: Feed) -> None:
    ages = _ages(feed, "last_update")
    for quantile, measured in ((0.5, 1.6), (0.9, 8.2), (0.99, 18.7)):
        assert np.quantile(ages, quantile) == pytest.approx(measured, rel=0.3)
    assert ages.max() < 24
    assert ages.min() >= -36 / 3600


def test_creation_dates_are_as_old_as_measured(feed: Feed) -> None:
    ages = _ages(feed, "created")
    assert np.quantile(ages, 0.5) == pytest.approx(20, rel=0.35)
    assert np.quantile(ages, 0.9) == pytest.approx(243, rel=0.3)


def test_few_creation_dates_lie_behind_the_last_update(feed: Feed) -> None:
    shown = [shown for hour in feed.hours for shown in hour.values()]
    assert 0.98 < np.mean([each.created <= each.last_update for each in shown]) < 1


def test_updates_are_seen_up_to_36_seconds_before_their_minute() -> None:
    market = Market(1, 4000)
    ahead = []
    for second in range(0, 3600, 12):
        now = START + timedelta(seconds=second)
        newest = max(int(str(deal["lastUpdate"])) for deal in market.deals(market.matching(BOOKS, now)[:40], now))
        ahead.append((from_keepa_minutes(newest) - now).total_seconds())
    assert 20 < max(ahead) <= 36


def test_exposures_are_what_the_pages_showed() -> None:
    market = Market(3, 800)
    end, step = START + timedelta(hours=3), timedelta(minutes=2)
    expected: dict[tuple[str, int], tuple[datetime, datetime]] = {}
    now = START
    while now < end:
        for deal in market.deals(market.matching(BOOKS, now), now):
            key = str(deal["asin"]), int(str(deal["lastUpdate"]))
            expected[key] = expected.get(key, (now, now))[0], now
        now += step
    exposures = list(market.exposures(BOOKS, START, end, step))
    assert {(one.asin, one.last_update): (one.first_seen, one.last_seen) for one in exposures} == expected
    assert len(exposures) == len(expected) > 200


def test_pages_read_minutes_apart_shift_a_little() -> None:
    """D4: between two reads of a scan few deals move from one page to another."""
    market = Market(1, 4000)
    moved = []
    for minutes in range(0, 120, 10):
        now = START + timedelta(minutes=minutes)
        first = market.matching(BOOKS, now)[:150]
        second = market.matching(BOOKS, now + timedelta(minutes=3))[150:300]
        moved.append(len(np.intersect1d(first, second)))
    assert 0 < np.mean(moved) < 5
