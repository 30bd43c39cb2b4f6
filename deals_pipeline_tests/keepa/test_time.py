from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deals_pipeline.keepa.time import (
    from_keepa_minutes,
    from_unix_ms,
    keepa_minutes_to_unix_microseconds,
    to_keepa_minutes,
    to_unix_ms,
)

INT32 = st.integers(0, 2**31 - 1)
AWARE = st.datetimes(
    datetime(1970, 1, 1),  # noqa: DTZ001 (Hypothesis adds the zone)
    datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([timezone.utc, timezone(timedelta(hours=-8)), timezone(timedelta(hours=5, minutes=30))]),
)


@pytest.mark.parametrize(
    ("minutes", "time"),
    [
        (0, datetime(2011, 1, 1, tzinfo=timezone.utc)),
        (-21_564_000, datetime(1970, 1, 1, tzinfo=timezone.utc)),
        (411_180, datetime(2011, 10, 13, 13, 0, tzinfo=timezone.utc)),
        (7_537_784, datetime(2025, 5, 1, 13, 44, tzinfo=timezone.utc)),
    ],
)
def test_keepa_minutes_count_from_2011_as_the_facts_say(minutes: int, time: datetime) -> None:
    """F33: the one constant, 21 564 000 minutes after the Unix epoch."""
    assert from_keepa_minutes(minutes) == time
    assert to_keepa_minutes(time) == minutes
    assert time.timestamp() == (minutes + 21_564_000) * 60


@given(INT32)
def test_a_keepa_minute_survives_the_way_there_and_back(minutes: int) -> None:
    """F33."""
    assert to_keepa_minutes(from_keepa_minutes(minutes)) == minutes


@given(AWARE)
def test_a_time_comes_back_as_the_start_of_its_minute_whatever_its_zone(time: datetime) -> None:
    """F33, F59."""
    back = from_keepa_minutes(to_keepa_minutes(time))
    assert timedelta(0) <= time - back < timedelta(minutes=1)
    assert back.utcoffset() == timedelta(0)


@given(AWARE)
def test_a_time_comes_back_as_the_start_of_its_millisecond(time: datetime) -> None:
    """F33, F59."""
    back = from_unix_ms(to_unix_ms(time))
    assert timedelta(0) <= time - back < timedelta(milliseconds=1)
    assert back.utcoffset() == timedelta(0)


@pytest.mark.parametrize("to_wire", [to_keepa_minutes, to_unix_ms])
def test_a_time_without_a_zone_is_refused(to_wire: Callable[[datetime], int]) -> None:
    """F59."""
    with pytest.raises(TypeError, match="offset-naive"):
        to_wire(datetime(2025, 6, 1))  # noqa: DTZ001 (the point)


@given(st.lists(INT32))
def test_whole_arrays_are_converted_as_each_minute_is(minutes: list[int]) -> None:
    """F33."""
    whole = keepa_minutes_to_unix_microseconds(np.array(minutes, dtype=np.int32))
    assert whole.tolist() == [to_unix_ms(from_keepa_minutes(minute)) * 1000 for minute in minutes]
