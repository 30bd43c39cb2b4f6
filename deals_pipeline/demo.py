"""`make demo`: the main job and one backfill shard, by the very commands that one would type, and what came of them."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from deals_pipeline.clock import SystemClock
from deals_pipeline.config import Mode, Settings
from deals_pipeline.home import environment
from deals_pipeline.token_bucket.ledger import account_of
from deals_pipeline.token_bucket.ledgers import open_ledger
from deals_pipeline.token_bucket.model import Lane
from deals_pipeline.token_bucket.status import BucketStatus, status
from deals_pipeline.warehouse.connection import connect
from deals_pipeline.warehouse.statements import statement

MODULE: Final = ("-m", "deals_pipeline.definitions")
SHOWN: Final = 5
TITLE_CHARACTERS_MAX: Final = 44
CENTS: Final = 100


def run_demo(settings: Settings) -> int:
    """Run the main job and a backfill shard in the prepared home, and say what was found; return the exit status."""
    began = time.monotonic()
    served = settings.api_url or "the simulator; nothing here is real"
    print(f"{'Live' if settings.mode is Mode.LIVE else 'No KEEPA_API_KEY'}: asking {served}.\n", flush=True)
    commands = [["job", "execute", *MODULE, "-j", "refresh_job"]]
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


def _dagster(settings: Settings, command: Sequence[str]) -> int:
    print(f"$ dagster {' '.join(command)}", flush=True)
    quiet = ["-W", "ignore", "-m", "dagster"]
    result = subprocess.run(  # noqa: S603 - our own command, and no `.env` where it works
        [sys.executable, *quiet, *command],
        cwd=settings.places.dagster_home,
        env={**os.environ, **environment(settings)},
        check=False,
    )
    if result.returncode:
        print(f"deals_pipeline: dagster {' '.join(command)}: exit status {result.returncode}", file=sys.stderr)
    print(flush=True)
    return result.returncode


def _report(settings: Settings) -> list[str]:
    with connect(settings.places.warehouse) as connection:
        found = connection.sql(statement("summary")).to_arrow_table().to_pylist()[0]
        drops = connection.execute(statement("largest_drops"), {"limit": SHOWN}).fetchall()
    bucket = _bucket(settings)
    spent = ", ".join(f"{tokens} {name.replace('_', ' ')}" for name, tokens in bucket.spent_by_purpose.items())
    again_at = bucket.affordable_at[Lane.RECENT]
    lines = [
        f"Found   {found['deals_listed']} deals, {found['deals_backfilled']} of them only by the backfill; "
        f"{found['products']} with their history, {found['points']:,} points".replace(",", " "),
        f"Tokens  {sum(bucket.spent_by_purpose.values())} spent lately ({spent}); {bucket.available} left, "
        f"{bucket.refill_rate} come a minute" + (f", the next at {again_at:%H:%M:%S} UTC" if again_at else ""),
        "",
        f"{'Largest drops of what sells':<{TITLE_CHARACTERS_MAX}}  used now  90-day avg  drop  rank drops, 30 days",
    ]
    for _, title, used, average, percent, rank_drops in drops:
        shown = "".join(each if each.isprintable() else " " for each in title or "")[:TITLE_CHARACTERS_MAX]
        money = f"{used / CENTS:8.2f}  {average / CENTS if average else 0:10.2f}"
        lines.append(f"{shown:<{TITLE_CHARACTERS_MAX}}  {money}  {percent or 0:3} %  {rank_drops:19}")
    places = settings.places
    files: list[tuple[str, Path]] = [
        ("warehouse", places.warehouse),
        ("for readers", places.published / "deals.parquet"),
        ("", places.published / "deals.csv"),
        ("raw answers", places.landing),
    ]
    lines += ["", *(f"{name:<12}{_shown(path)}" for name, path in files)]
    lines += ["", f"To look inside: duckdb -readonly {_shown(places.warehouse)}, and in it: FROM deal LIMIT 10;"]
    return lines


def _bucket(settings: Settings) -> BucketStatus:
    clock = SystemClock()
    with closing(open_ledger(settings.places.ledger, account_of(settings.key), clock)) as ledger:
        state, now = ledger.read()
        return status(state, ledger.record(now - settings.budget.shares.window), settings.budget.policy, now)


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
