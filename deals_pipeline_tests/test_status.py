"""`make status`: what it says, how wide, and with which exit status; it spends nothing and never waits for long."""

import re
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

import deals_pipeline.__main__ as command
from deals_pipeline import status
from deals_pipeline.config import ConfigError, Mode
from deals_pipeline.home import LOCK
from deals_pipeline.state import Rejection, Screening, Stuck, progress
from deals_pipeline.state.funding import Funding
from deals_pipeline.status import COLUMNS, StateUnknown, lines, look, runs_here, tell
from deals_pipeline_tests.dagster_world import DagsterWorld
from deals_pipeline_tests.e2e.processes import Workplace, pipeline, workplace
from deals_pipeline_tests.state.states import NOW, a_bucket, a_state
from deals_pipeline_tests.warehouse.test_connection import held

Make = Callable[..., DagsterWorld]


def said(**fields: object) -> str:
    state = a_state(**fields)
    return "\n".join(lines(state, progress(state)))


def test_it_says_in_plain_text_what_the_pipeline_has_and_does() -> None:
    assert (
        said()
        == """\
2026-03-02 12:30:00 UTC; simulated, nothing here is real

Tokens      40 available of 300, 5 come a minute; the deficit is 0, allowed are 50
            next token for: recent now, history now, offers now, backfill now, ad hoc now
Today       300 tokens spent since 00:00 UTC: 200 history, 100 head scan
            7 spent by others, 11 of the refill lost at the full bucket, 2 calls answered 429
            4 500 rows came, 15 000 for 1 000 tokens
Deals       753 listed, 100 of them only by the backfill; 20 gone
            newest change 6 min ago, last sighting 5 min ago, last full scan 2 h ago
            coverage 100.0 % of what it listed
            260 products with a history, 1 100 207 points
            1 of 6 shards of the backfill read to the end
Screening   97 deals survive: 7 by history, 90 by page
            7 deals worth buying, by history or offers
            656 rejected: 656 does not sell (page)
Freshness   histories of 100 deals are bought again every 24 h if they move, of 40 less often,
            of 3 not at all
Stuck       nothing
Next        12:32: history of 25 products
            used-books: head scan due 12:40, full scan due 14:30
            waiting: 40 history, 2 offers, 5 backfill

Progresses: the last answer came 5.0 min ago"""
    )


def test_a_deficit_is_told_with_its_end_in_every_lane() -> None:
    """F08."""
    text = said(bucket=a_bucket(-60), funding=Funding(timedelta(0), NOW + timedelta(minutes=12)))
    assert "-60 available of 300, 5 come a minute; the deficit is 60, allowed are 50" in text
    assert "recent 12:42, history 12:44, offers 12:46, backfill 12:48, ad hoc 12:42" in re.sub(r"\s+", " ", text)
    assert text.endswith("Progresses: it waits for tokens until 2026-03-02 12:42:00 UTC, the balance is -60 tokens")
    assert "recent never, no refill is foreseen" in re.sub(r"\s+", " ", said(bucket=a_bucket(-60, rate=0)))
    assert "ad hoc 03-03 03:55" in re.sub(r"\s+", " ", said(bucket=a_bucket(-4600)))


def test_the_reason_for_standing_still_comes_last() -> None:
    text = said(brought_at=NOW - timedelta(days=3), funding=Funding(timedelta(days=3), None))
    assert (
        text.splitlines()[-1]
        == "Stopped: nothing came for 3 days, and for 3 days there were tokens: allowed are 30 min"
    )


def test_what_is_stuck_and_why_deals_are_rejected_is_named() -> None:
    stuck = Stuck({"deal page": 1, "product": 2}, 3, ("all-used-books_283155_300-599",), 1, 4)
    reasons = tuple(Rejection("page", f"reason {number}", 10 - number) for number in range(6))
    text = said(stuck=stuck, screening=Screening({}, reasons, 0, 12))
    for each in (
        "Stuck       1 deal page item put aside in the last day\n            2 product items put aside",
        "3 products asked for never came",
        "the scan of all-used-books_283155_300-599 was broken off, and begins again",
        "4 landed answers not loaded yet",
        "0 deals survive\n",
        "12 listed since",
    ):
        assert each in text
    listed = (
        "45 rejected: 10 reason 0 (page), 9 reason 1 (page), 8 reason 2 (page), 7 reason 3 (page), 11 for other reasons"
    )
    assert listed in re.sub(r"\s+", " ", text)


def test_it_is_readable_in_a_narrow_terminal_and_has_no_colours() -> None:
    served = {"mode": Mode.LIVE, "served_by": "https://api.keepa.com"}
    for text in (said(), said(**served), said(bucket=a_bucket(-4600), brought_at=None)):
        assert max(map(len, text.splitlines())) <= COLUMNS <= 100
        assert text.isprintable() or set(filter(lambda each: not each.isprintable(), text)) == {"\n"}


@pytest.mark.skipif(not Path("/proc").exists(), reason="nothing tells who runs here")
def test_it_says_whether_make_dev_runs(at: Workplace) -> None:
    at.home.mkdir(parents=True)
    (at.home / LOCK).touch()
    assert runs_here(at.settings) == "no `make dev` runs"
    command = [sys.executable, "-c", "import signal; print(flush=True); signal.pause()"]
    with (
        (at.home / LOCK).open() as lock,
        subprocess.Popen(command, stdin=lock, stdout=subprocess.PIPE) as dev,
    ):
        assert dev.stdout
        dev.stdout.readline()
        assert runs_here(at.settings) == f"`make dev` runs, process {dev.pid}"
        dev.kill()


def test_of_an_account_that_was_never_asked_it_says_so(make: Make) -> None:
    world = make()
    world.settings.places.home.mkdir(parents=True)
    progresses, told = tell(world.settings)
    assert not progresses
    assert "Tokens      the balance is not known: Keepa was not asked yet" in told
    assert "Screening   not computed yet" in told
    assert told[-1] == "Stopped: nothing was bought yet: `make dev` buys"
    assert "            coverage is not known" in told


def test_it_tells_what_a_run_bought_and_spends_nothing(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make(products=3_000, tokens=60)
    world.execute("refresh_job", assets=["recent_deals", "price_history"])
    world.pass_time(minutes=5)
    spent = world.spent
    monkeypatch.setattr(status, "SystemClock", lambda: world.clock)
    progresses, told = tell(world.settings)
    assert progresses
    assert f"Today       {spent} tokens spent since 00:00 UTC: 45 history, 5 full scan" in told
    assert told[-1] == "Progresses: the last answer came 5.0 min ago"
    assert world.spent == spent == 50
    world.pass_time(minutes=40)
    assert tell(world.settings)[0] is False


def test_a_warehouse_that_is_kept_open_is_waited_for_and_then_its_holder_is_named(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F50."""
    world = make()
    world.settings.places.home.mkdir(parents=True)
    monkeypatch.setattr(status, "LOCK_SECONDS_MAX", 0.2)
    with held(world.settings.places.warehouse) as process, pytest.raises(StateUnknown, match=f"process {process.pid} "):
        look(world.settings)


@pytest.fixture
def at(tmp_path: Path) -> Workplace:
    return workplace(tmp_path)


def test_a_missing_home_is_said_and_not_made(at: Workplace) -> None:
    told = pipeline(at, "status")
    assert (told.returncode, told.stderr) == (1, "")
    assert told.stdout == f"Stopped: nothing was bought yet: `make dev` buys, and makes {at.settings.places.home}\n"
    assert not at.settings.places.home.exists()


@pytest.mark.parametrize(("error", "exit_status"), [(StateUnknown("locked"), 3), (ConfigError("wrong"), 2)])
def test_the_exit_status_tells_stopped_from_wrong_and_from_unknown(
    error: Exception, exit_status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "load_settings", lambda: None)
    for progresses in (True, False):
        monkeypatch.setattr(command, "tell", lambda _, progresses=progresses: (progresses, ["a line"]))
        assert command.main(["status"]) == (not progresses)
        assert capsys.readouterr().out == "a line\n"

    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(command, "tell", fail)
    assert command.main(["status"]) == exit_status
    assert capsys.readouterr().err == f"deals_pipeline: {error}\n"


def test_its_help_says_what_the_exit_status_means(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["status", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert all(f" {number} " in text for number in (0, 1, 2, 3))
    assert "spends nothing" in text
