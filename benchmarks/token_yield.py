"""What tokens buy: five contestants on one simulated service and a bound, seven virtual days, three plans, two markets.

Each contestant has an account of its own with a full bucket; market, seeds and service are the same for all, without
faults. `contestants/` holds each policy in a module, and the referee's rules, by which all are judged from the requests
that the service executed, whatever they say of themselves.

The bound is the least with which somebody who knows the future could have found each listing that ours found, no later,
and have had as many needed histories: 5 tokens for each of the fewest page reads, 1 for each history.

All but ours get answers without the bodies of histories, which they do not read: their tokens are the same.

Results are kept beside the program, and of ours each virtual day: an interrupted benchmark goes on, as long as the code
of a contestant is the same.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

from benchmarks.contestants.contest import JANUARY_B, OURS, POLICIES, PRODUCTS, Result, World, contest, truth_of
from benchmarks.contestants.stages import Stages
from benchmarks.verdicts import Row, Target, command_line, conclude
from deals_pipeline_tests.long_runs import Kept, code_of, workers

KEPT: Final = Path(__file__).with_suffix(".kept.jsonl")
STAGES: Final = Path(__file__).with_suffix(".stages")
CODE: Final = ("benchmarks/contestants/*", "benchmarks/token_yield.py")
RIVALS: Final = (
    "deals_pipeline/__init__.py",
    "deals_pipeline/clock.py",
    "deals_pipeline/showing.py",
    "deals_pipeline/config/*",
    "deals_pipeline/keepa/*",
    "deals_pipeline/simulator/**/*",
    "deals_pipeline/token_bucket/__init__.py",
    "deals_pipeline/token_bucket/model.py",
    "requirements.lock",
)
"""What of the pipeline decides how the others end, who use its client and its simulator alone."""
HOURS: Final = 7 * 24
PLANS: Final = (5, 20, 60)
"""Tokens a minute."""
CONTESTANTS: Final = (OURS, *POLICIES)
RATIO_MIN: Final = 10.0
BOUND_MIN: Final = 0.88
DISCOVERED_MIN: Final = 99.5
LOST_MAX: Final = 1.0


@dataclass(frozen=True, slots=True)
class Entry:
    """How a contestant did in a world: what is told of it, and what is judged if it is ours."""

    contestant: str
    world: World
    row: Row
    bound_row: Row | None
    histories_per_1000: float
    share_of_bound: float
    found: float
    """Percent of the deals."""
    lost_while_pending: float
    """Percent of the refill."""
    refused: int
    spare: int
    """Tokens by which the lowest balance was above what is allowed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the worlds; return 1 where a target is missed."""
    options = _parser().parse_args(arguments)
    entries = list(_run(options.markets, options.plans, options.contestants, options.hours))
    entries.sort(key=lambda entry: (entry.world.deals, entry.world.plan, CONTESTANTS.index(entry.contestant)))
    rows = [row for entry in entries for row in (entry.row, entry.bound_row) if row is not None]
    return conclude(__file__, rows, list(_targets(entries)))


def _parser() -> argparse.ArgumentParser:
    line = command_line(__doc__)
    line.add_argument("--hours", type=float, default=HOURS, help="virtual hours; a week if not given")
    line.add_argument("--plans", type=int, nargs="+", default=PLANS, choices=PLANS, help="tokens a minute")
    line.add_argument("--markets", type=int, nargs="+", default=list(PRODUCTS), choices=list(PRODUCTS), help="deals")
    line.add_argument("--contestants", nargs="+", default=CONTESTANTS, choices=CONTESTANTS, help="who takes part")
    return line


def _run(markets: Sequence[int], plans: Sequence[int], contestants: Sequence[str], hours: float) -> Iterator[Entry]:
    """Yield entries as they come, those that take longest begun first."""
    began = time.monotonic()
    ours, rivals = Kept(KEPT, code_of(CODE), Entry), Kept(KEPT, code_of(CODE, sources=RIVALS), Entry)
    stages = Stages(STAGES, ours.code)
    stages.remove_others()
    parts = {name: entry for kept in (ours, rivals) for name, entry in kept.parts().items()}
    wanted = [
        (contestant, World(deals, plan, hours))
        for contestant in contestants
        for deals in sorted(markets, reverse=True)
        for plan in sorted(plans, reverse=True)
    ]
    missing = [each for each in wanted if _name(*each) not in parts]
    for each in wanted:
        if each not in missing:
            _say(f"{_name(*each)}: known from before")
            yield parts[_name(*each)]
    with workers() as pool:
        markets = sorted({world.deals for _, world in missing}, reverse=True)
        truths = {deals: pool.submit(truth_of, deals, hours) for deals in markets}
        running: list[Future[Result]] = [
            pool.submit(contest, world, contestant, truths[world.deals].result(), stages)
            for contestant, world in missing
        ]
        for future in as_completed(running):
            entry = entry_of(future.result())
            name = _name(entry.contestant, entry.world)
            (ours if entry.contestant == OURS else rivals).keep(name, entry)
            if entry.contestant == OURS:
                stages.forget(entry.world.folder)
            _say(f"{name}: done after {time.monotonic() - began:.0f} s")
            yield entry


def _name(contestant: str, world: World) -> str:
    return f"{contestant}, {world}, {world.hours:g} h"


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def entry_of(result: Result) -> Entry:
    """Return what of a result is told and judged."""
    score, tokens, balance = result.score, result.score.tokens, result.score.balance
    found, lost = _percent(score.deals_discovered, score.deals), _percent(balance.lost_while_pending, balance.refilled)
    row: Row = {
        "market": result.world.deals,
        "plan": result.world.plan,
        "contestant": result.contestant,
        "deals": score.deals,
        "found": score.deals_discovered,
        "found %": found,
        "listings found %": _percent(score.listings_discovered, score.listings),
        "with history": score.with_history,
        "with offers": score.with_offers,
        "needed histories": score.histories_needed,
        "per 1000 for them": result.histories_per_1000,
        "per 1000 in all": _per_1000(score.histories_needed, tokens.in_all),
        "deals found per 1000": _per_1000(score.deals_discovered, tokens.in_all),
        "with offers per 1000": _per_1000(score.with_offers, tokens.in_all),
        "found after, p50 min": _minutes(score.freshness, 50),
        "p95 min": _minutes(score.freshness, 95),
        "tokens": tokens.in_all,
        "pages": tokens.pages,
        "histories alone": tokens.products,
        "with offers as well": tokens.products_with_offers,
        "sellers": tokens.sellers,
        "nothing new %": _percent(tokens.on_nothing_new, tokens.in_all),
        "lost %": _percent(balance.lost, balance.refilled),
        "lost while pending %": lost,
        "lowest": balance.lowest,
        "429s": result.refused,
        "below zero h": balance.below_zero / timedelta(hours=1),
    }
    return Entry(
        contestant=result.contestant,
        world=result.world,
        row=row,
        bound_row=_bound_row(result, row) if result.contestant == OURS else None,
        histories_per_1000=result.histories_per_1000,
        share_of_bound=result.bound_tokens / max(1, tokens.for_histories),
        found=found,
        lost_while_pending=lost,
        refused=result.refused,
        spare=balance.lowest + result.max_deficit,
    )


def _bound_row(result: Result, row: Row) -> Row:
    bound, needed = result.bound_tokens, result.score.histories_needed
    told: Row = {
        "contestant": "bound of ours",
        "needed histories": needed,
        "per 1000 for them": _per_1000(needed, bound),
        "tokens": bound,
        "pages": bound - needed,
        "histories alone": needed,
    }
    kept: Row = {name: value if name in ("market", "plan") else None for name, value in row.items()}
    return {**kept, **told}


def _targets(entries: Sequence[Entry]) -> Iterator[Target]:
    """Yield the targets of each market, with the worst plan."""
    rivals = {entry.world: entry for entry in entries if entry.contestant == JANUARY_B}
    for deals in sorted({entry.world.deals for entry in entries}):
        mine = [entry for entry in entries if entry.contestant == OURS and entry.world.deals == deals]
        if not mine:
            continue
        if all(each.world in rivals for each in mine):
            yield _worst(
                "needed histories per 1000 tokens spent on pages and histories, of January B's",
                mine,
                lambda each: _ratio(each.histories_per_1000, rivals[each.world].histories_per_1000),
                "at least",
                RATIO_MIN,
            )
        bound = "the bound's tokens, which finds all as early as ours, of ours"
        yield _worst(bound, mine, lambda each: each.share_of_bound, "at least", BOUND_MIN)
        yield _worst("deals found, %", mine, lambda each: each.found, "at least", DISCOVERED_MIN)
        lost = "refill lost while histories were pending, %"
        yield _worst(lost, mine, lambda each: each.lost_while_pending, "at most", LOST_MAX)
        yield _worst("429s of our own", mine, lambda each: each.refused, "at most", 0)
        yield _worst("lowest balance, above the deficit allowed", mine, lambda each: each.spare, "at least", 0)


def _worst(
    name: str,
    mine: Sequence[Entry],
    value: Callable[[Entry], float],
    limit: Literal["at least", "at most"],
    bound: float,
) -> Target:
    worst = (min if limit == "at least" else max)(mine, key=value)
    return Target(f"{name} ({worst.world})", value(worst), limit, bound)


def _ratio(value: float, rival: float) -> float:
    return value / rival if rival else math.inf


def _per_1000(count: int, tokens: int) -> float:
    return 1000 * count / tokens if tokens else 0.0


def _percent(part: float, whole: float) -> float:
    return 100 * part / whole if whole else 0.0


def _minutes(ascending: Sequence[timedelta], quantile: int) -> float | None:
    if not ascending:
        return None
    return ascending[min(len(ascending) - 1, len(ascending) * quantile // 100)] / timedelta(minutes=1)


if __name__ == "__main__":
    sys.exit(main())
