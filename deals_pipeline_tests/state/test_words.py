from datetime import timedelta

import pytest

from deals_pipeline.state.words import span


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (timedelta(seconds=-20), "0 min"),
        (timedelta(0), "0 min"),
        (timedelta(minutes=45), "45 min"),
        (timedelta(minutes=119), "119 min"),
        (timedelta(hours=3, minutes=30), "3.5 h"),
        (timedelta(days=12), "12 days"),
    ],
)
def test_a_span_is_said_in_the_unit_that_suits_it(time: timedelta, said: str) -> None:
    assert span(time) == said
