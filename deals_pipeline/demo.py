"""`make demo`: the main job and one backfill shard, by the very commands that one would type, and what came of them."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from deals_pipeline.analytics.best_deals import BestDeal, best_deals, in_words, why
from deals_pipeline.clock import SystemClock
from deals_pipeline.config import Mode, Settings
from deals_pipeline.home import environment
from deals_pipeline.showing import shown
from deals_pipeline.state import gather
from deals_pipeline.state.words import grouped
from deals_pipeline.token_bucket.ledger import account_of
from deals_pipeline.token_bucket.ledgers import open_ledger
from deals_pipeline.token_bucket.model import Lane
from deals_pipeline.warehouse.connection import connect

MODULE: Final = ("-m", "deals_pipeline.definitions")
SHOWN: Final = 5
TITLE_CHARACTERS_MAX: Final = 44
RUN_CONFIG: Final = """\
# What the demo spends on histories, so that of a small plan's 300 tokens live offers get some too.
ops:
  price_history:
    config:
      tokens_max: 180
"""


def run_demo(settings: Settings) -> int:
    """Run the main job and a backfill shard in the prepared home, and say what was found; return the exit status."""
    began = time.monotonic()
    served = settings.api_url or "the simulator; nothing here is real"
    print(f"{'Live' if settings.mode is Mode.LIVE else 'No KEEPA_API_KEY'}: asking {served}.\n", flush=True)
    config = settings.places.dagster_home / "demo.yaml"
    config.write_text(RUN_CONFIG)
    commands: list[list[str | Path]] = [["job", "execute", *MODULE, "-j", "refresh_job", "-c", config]]
    if settings.backfill:
        shard = settings.backfill[0].shards()[0].key
        commands.insert(0, ["asset", "materialize", *MODULE, "--select", "backfilled_deals", "--partition", shard])
    for command in commands:
        if failed := _dagster(settings, command):
            return failed
    for line in _report(settings):
        print(line)
    print(f"\nThat took {time.monotonic() - began:.0f} s. `make dev` goes on from here, with everything running.")
    return 0


def _dagster(settings: Settings, command: Sequence[str | Path]) -> int:
    words = " ".join(str(_shown(each)) if isinstance(each, Path) else each for each in command)
    print(f"$ dagster {words}", flush=True)
    quiet = ["-W", "ignore", "-m", "dagster"]
    result = subprocess.run(  # noqa: S603 - our own command, and no `.env` where it works
        [sys.executable, *quiet, *command],
        cwd=settings.places.dagster_home,
        env={**os.environ, **environment(settings)},
        check=False,
    )
    if result.returncode:
        print(f"deals_pipeline: dagster {words}: exit status {result.returncode}", file=sys.stderr)
    print(flush=True)
    return result.returncode


def _report(settings: Settings) -> list[str]:
    clock = SystemClock()
    with (
        closing(open_ledger(settings.places.ledger, account_of(settings.key), clock)) as ledger,
        connect(settings.places.warehouse) as connection,
    ):
        state = gather(connection, ledger, settings, clock.now())
        best = best_deals(connection, SHOWN)
    counts, screening, bucket = state.counts, state.screening, state.bucket
    spent = ", ".join(f"{tokens} {name.replace('_', ' ')}" for name, tokens in bucket.spent_by_purpose.items())
    again_at = bucket.affordable_at[Lane.RECENT]
    rejected = ", ".join(f"{each.deals} {each.reason}" for each in screening.rejections)
    worth, live, more = screening.worth_buying, *(screening.survivors.get(stage, 0) for stage in ("offers", "page"))
    found = f"{counts.listed} deals, {counts.backfilled} of them only by the backfill"
    lines = [
        f"Found   {found}; {counts.histories} with their history, {grouped(counts.points)} points",
        f"Tokens  {state.spent_today} spent today ({spent}); {bucket.available} left, "
        f"{bucket.refill_rate} come a minute" + (f", the next at {again_at:%H:%M:%S} UTC" if again_at else ""),
        f"Worth   {worth} deals are worth buying, {live} of them by a live offer; {more} others wait for their history",
        f"Not     {screening.rejected} deals: {rejected or 'none'}",
        "",
        f"{'Best expected profit':<{TITLE_CHARACTERS_MAX}}     buy    list  profit    ROI  confidence",
    ]
    for deal in best:
        amounts = (deal.price_now, deal.list_price_estimate, deal.profit)
        prices = "".join(f"{in_words(cents, deal.domain):>8}" for cents in amounts)
        lines.append(f"{_title(deal):<{TITLE_CHARACTERS_MAX}}{prices}  {deal.roi:5.0%}  {deal.sale_confidence:10.0%}")
    if best:
        lines += ["", f"Why {_title(best[0])} ({best[0].asin}):", *(f"  {sentence}" for sentence in why(best[0]))]
    places = settings.places
    files: list[tuple[str, Path]] = [
        ("the page", places.published / "deals_report.html"),
        ("for programs", places.published / "deals.parquet"),
        ("", places.published / "deals.csv"),
        ("", places.published / "price_history"),
        ("warehouse", places.warehouse),
        ("raw answers", places.landing),
    ]
    lines += ["", *(f"{name:<14}{_shown(path)}" for name, path in files)]
    lines += [
        "",
        f"To look inside: duckdb -readonly {_shown(places.warehouse)}, and in it: FROM deal_metrics LIMIT 10;",
    ]
    return lines


def _title(deal: BestDeal) -> str:
    return shown(deal.title or deal.asin)[:TITLE_CHARACTERS_MAX]


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
