"""The bound of the token yield: no schedule of page reads that finds all in time is shorter."""

from datetime import datetime, timedelta, timezone
from itertools import combinations_with_replacement

from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.contestants.bound import Find, page_reads

START = datetime(2026, 3, 1, tzinfo=timezone.utc)


def find(since: int, until: int) -> Find:
    return Find(START + timedelta(minutes=since), START + timedelta(minutes=until))


def test_nothing_found_needs_no_read() -> None:
    assert page_reads([]) == 0


def test_one_read_finds_all_that_are_there_together() -> None:
    assert page_reads([find(0, 10), find(5, 30), find(10, 20)]) == 1


def test_finds_apart_need_a_read_each() -> None:
    assert page_reads([find(0, 10), find(11, 20), find(21, 30)]) == 3


def test_a_page_shows_no_more_than_fit() -> None:
    assert page_reads([find(0, 10)] * 301) == 3


def test_what_waits_longest_leaves_its_place_to_what_cannot_wait() -> None:
    assert page_reads([find(0, 10), find(0, 30), find(0, 20), find(15, 30)], size=2) == 2


spans = st.tuples(st.integers(0, 5), st.integers(0, 3)).map(lambda span: find(span[0], span[0] + span[1]))


@settings(max_examples=150)
@given(st.lists(spans, min_size=1, max_size=5), st.integers(1, 3))
def test_no_schedule_is_shorter_and_one_is_as_short(finds: list[Find], size: int) -> None:
    """Against every schedule there is: reads at the deadlines suffice, since a read may be put off to one."""
    reads = page_reads(finds, size)
    times = sorted({each.until for each in finds})
    assert any(finds_all(finds, size, read_at) for read_at in combinations_with_replacement(times, reads))
    assert not any(finds_all(finds, size, read_at) for read_at in combinations_with_replacement(times, reads - 1))


def finds_all(finds: list[Find], size: int, reads: tuple[datetime, ...]) -> bool:
    """Return whether some assignment of finds to reads finds them all: tries each."""
    room = {at: reads.count(at) * size for at in set(reads)}

    def place(left: list[Find]) -> bool:
        if not left:
            return True
        for at, free in room.items():
            if left[0].since <= at <= left[0].until and free:
                room[at] -= 1
                if place(left[1:]):
                    return True
                room[at] += 1
        return False

    return place(finds)
