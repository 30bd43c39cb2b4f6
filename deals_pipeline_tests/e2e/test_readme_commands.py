"""The README's commands, run as they stand there, by a newcomer in an empty home."""

import os
import re
import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import duckdb

from deals_pipeline_tests.e2e.processes import ROOT

COMMANDS = [line[2:] for line in re.findall(r"^\$ .*$", (ROOT / "README.md").read_text(), re.MULTILINE)]
PLAIN = [command for command in COMMANDS if command.startswith("dagster ")]


def shell(line: str, environment: Mapping[str, str]) -> str:
    result = subprocess.run(
        ["bash", "-c", line], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, f"{line}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def newcomer(home: Path) -> dict[str, str]:
    """Return the environment of somebody who has nothing of ours in it."""
    foreign = ("KEEPA_", "DEALS_", "DAGSTER_", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | {
        "DEALS_HOME": str(home)
    }


def test_the_demo_says_what_it_found_and_leaves_what_it_says(tmp_path: Path) -> None:
    """Section 1, as it stands."""
    assert "make demo" in COMMANDS
    said = shell("make demo", newcomer(tmp_path))
    found = re.search(r"Found +(\d+) deals, (\d+) of them only by the backfill; (\d+) with their history", said)
    assert found, said
    deals, backfilled, histories = map(int, found.groups())
    home = tmp_path / "simulated"
    with duckdb.connect(home / "warehouse.duckdb", read_only=True) as warehouse:
        assert warehouse.sql("SELECT count(*), count(*) FILTER (source = 'backfilled') FROM deal").fetchall() == [
            (deals, backfilled)
        ]
        assert warehouse.sql("SELECT count(*) FROM product").fetchall() == [(histories,)]
        ((tokens,),) = warehouse.sql("SELECT sum(tokens_consumed) FROM landed_file").fetchall()
        assert f"Tokens  {tokens} spent" in said
        worth = warehouse.sql(
            "SELECT count(*), arg_max(asin, expected_profit) FROM deal_metrics JOIN deal USING (domain_id, asin) "
            "WHERE gone_at IS NULL AND screened = 'survives' AND screened_stage IN ('history', 'offers')"
        ).fetchall()
        published = warehouse.read_parquet(str(home / "published/deals.parquet"))
        assert len(published.fetchall()) == deals
    deals_worth_buying, best = worth[0]
    assert f"Worth   {deals_worth_buying} deals are worth buying" in said
    assert re.search(rf"Why .+ \({best}\):\n  It can be bought for", said), said
    for place in ("warehouse.duckdb", "published/deals_report.html"):
        assert str(home / place) in said
        assert (home / place).is_file()


def test_plain_dagster_works_as_it_stands_there(tmp_path: Path) -> None:
    """Section 4, in one shell: what is launched waits for a daemon, what is executed is done."""
    source, export, *plain = COMMANDS[COMMANDS.index("source .venv/bin/activate") :]
    assert export == "export DAGSTER_HOME=$(make -s home)"
    lines = [source, export, *[command for command in plain if command in PLAIN], "dagster run list"]
    said = shell("set -e\nexport PYTHONWARNINGS=ignore\n" + "\n".join(lines), newcomer(tmp_path))
    runs = Counter(re.findall(r"^Run: \S+\n +Job: (\w+)$", said, re.MULTILINE))
    assert runs == {"refresh_job": 2, "__ASSET_JOB": 1, "backfill_job": 1}
    with duckdb.connect(tmp_path / "simulated/warehouse.duckdb", read_only=True) as warehouse:
        scans = warehouse.sql("SELECT selection, kind FROM scan WHERE completed_at IS NOT NULL").fetchall()
    assert ("used-books", "full") in scans
