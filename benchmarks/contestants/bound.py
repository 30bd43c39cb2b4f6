"""The least tokens with which somebody who knows the future could have found the same deals no later."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from heapq import heappop, heappush

from deals_pipeline.keepa.requests import DEALS_PER_PAGE


@dataclass(frozen=True, slots=True)
class Find:
    """A deal that can be found from `since` on and was found at `until`."""

    since: datetime
    until: datetime


def page_reads(finds: Iterable[Find], size: int = DEALS_PER_PAGE) -> int:
    """Return the least number of reads of a page of `size` deals by which each deal is found in its time.

    Any deals may share a page, which no market grants: the number is a lower bound. The first deadline among those not
    found needs a read by then, and none is better than one at that very time, of those that are there with the next
    deadlines.
    """
    todo = sorted(finds, key=lambda find: find.until)
    found = [False] * len(todo)
    by_release = sorted(range(len(todo)), key=lambda number: todo[number].since)
    there: list[int] = []
    reads = released = 0
    for number, find in enumerate(todo):
        while released < len(todo) and todo[by_release[released]].since <= find.until:
            heappush(there, by_release[released])
            released += 1
        if found[number]:
            continue
        reads += 1
        for _ in range(min(size, len(there))):
            found[heappop(there)] = True
    return reads
