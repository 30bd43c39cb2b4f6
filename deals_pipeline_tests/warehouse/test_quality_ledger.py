"""The ledger and the landed answers are two records of what was spent: where they differ, a check says so."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from duckdb import DuckDBPyConnection
from pydantic import SecretStr

from deals_pipeline.keepa.replies import Page
from deals_pipeline.keepa.requests import DealPageRequest
from deals_pipeline.landing import Landing
from deals_pipeline.simulator.faults import Fault, Faults
from deals_pipeline.token_bucket.bucket import LIFE
from deals_pipeline.token_bucket.ledger import account_of
from deals_pipeline.token_bucket.model import Lane
from deals_pipeline.token_bucket.reservation import TokenBucket
from deals_pipeline.token_bucket.sqlite_ledger import SqliteLedger
from deals_pipeline.warehouse import quality
from deals_pipeline.warehouse.loading import load_landed
from deals_pipeline.warehouse.quality import Finding
from deals_pipeline_tests.simulator.services import KEY, Service, make_service
from deals_pipeline_tests.warehouse.answers import SELECTION

WINDOW = timedelta(days=30)


@dataclass
class Spender:
    """Runs that buy pages, and a ledger of what they cost."""

    service: Service
    ledger: SqliteLedger
    root: Path
    ledger_path: Path
    warehouse: DuckDBPyConnection

    def run(self, run_id: str, pages: int = 2, *, loads: bool = True) -> None:
        """Buy pages, an hour apart, and load them."""
        self.service.client._land = Landing(self.root, run_id, self.service.clock)  # noqa: SLF001
        for _ in range(pages):
            self.service.pass_time(hours=1)
            self.buy(run_id)
        if loads:
            list(load_landed(self.warehouse, self.root))

    def buy(self, run_id: str, *, overcharge: int = 0) -> None:
        request = DealPageRequest(selection=SELECTION)
        bucket = TokenBucket(self.ledger, self.service.client.token_status, self.service.clock, run_id=run_id)
        with bucket.reserve(request, lane=Lane.RECENT, purpose="test") as hold:
            reply = self.service.client.send(request, hold)
            if isinstance(reply, Page):
                tokens = replace(reply.tokens, tokens_consumed=reply.tokens.tokens_consumed + overcharge)
                reply = replace(reply, tokens=tokens)
            hold.settle(reply)

    def spoil(self, statement: str) -> None:
        with closing(sqlite3.connect(self.ledger_path)) as connection, connection:
            assert connection.execute(statement).rowcount == 1

    def finding(self, window: timedelta = WINDOW, *, is_shared: bool = False) -> Finding:
        return quality.ledger_agreement(self.warehouse, self.ledger, window, is_shared=is_shared)

    def numbers(self, *, is_shared: bool = False) -> tuple[object, ...]:
        """Return runs, runs that differ, tokens by their answers, tokens by the ledger, unknown calls."""
        return tuple(self.finding(is_shared=is_shared).numbers.values())


@pytest.fixture
def spender(warehouse: DuckDBPyConnection, tmp_path: Path) -> Iterator[Spender]:
    service = make_service()
    path = tmp_path / "ledger.sqlite"
    with closing(SqliteLedger(path, account_of(SecretStr(KEY)), clock=service.clock)) as ledger:
        yield Spender(service, ledger, tmp_path / "landing", path, warehouse)


def test_the_ledger_and_the_landed_answers_agree_run_by_run(spender: Spender) -> None:
    """F13, F14: and with the server."""
    assert spender.finding() == Finding(
        True,
        "0 of 0 runs differ",
        {"runs": 0, "runs_differing": 0, "tokens_landed": 0, "tokens_charged": 0, "unknown_calls": 0},
    )
    spender.run("one")
    spender.run("two", pages=3)
    spender.service.pass_time(hours=1)
    assert spender.finding().passed
    assert spender.numbers() == (2, 0, 25, 25, 0)
    assert spender.service.spent() == 25


@pytest.mark.parametrize(
    ("spoil", "charged"),
    [
        ("UPDATE token_settlement SET tokens = tokens + 1", 11),
        ("UPDATE token_settlement SET tokens = 0", 5),
        ("DELETE FROM token_settlement", 5),
    ],
    ids=["more", "less", "a settlement is lost"],
)
def test_a_run_that_was_charged_other_than_its_answers_say_is_found(spender: Spender, spoil: str, charged: int) -> None:
    """F13."""
    spender.run("one")
    spender.service.pass_time(hours=1)
    spender.spoil(f"{spoil} WHERE hold_id = (SELECT max(hold_id) FROM token_settlement)")
    found = spender.finding()
    assert not found.passed
    assert found.detail == f"1 of 1 runs differ, such as one: 10 by its answers, {charged} by the ledger"


def test_a_run_that_the_ledger_does_not_know_is_found(spender: Spender) -> None:
    """F11, F14."""
    spender.run("one")
    spender.service.client._land = Landing(spender.root, "two", spender.service.clock)  # noqa: SLF001
    spender.service.pass_time(hours=1)
    spender.service.page(DealPageRequest(selection=SELECTION))
    list(load_landed(spender.warehouse, spender.root))
    spender.service.pass_time(hours=1)
    assert spender.numbers() == (2, 1, 15, 10, 0)
    assert "two: 5 by its answers, 0 by the ledger" in spender.finding().detail


def test_answers_from_before_the_ledger_are_left_out_once_it_knows_a_run(spender: Spender, tmp_path: Path) -> None:
    """F21: the ledger was deleted, or the key is a new one."""
    spender.run("one")
    spender.service.pass_time(hours=1)
    path = tmp_path / "new.sqlite"
    with closing(SqliteLedger(path, account_of(SecretStr(KEY)), clock=spender.service.clock)) as ledger:
        newer = replace(spender, ledger=ledger, ledger_path=path)
        assert newer.numbers() == (1, 1, 10, 0, 0)
        newer.run("two")
        newer.service.pass_time(hours=1)
        assert newer.numbers() == (1, 0, 10, 10, 0)


def test_a_run_whose_answers_were_never_loaded_is_found_unless_others_share_the_ledger(spender: Spender) -> None:
    """F31, F44: paid for, and not here."""
    spender.run("one")
    spender.run("two", loads=False)
    spender.service.pass_time(hours=1)
    assert spender.numbers() == (2, 1, 10, 20, 0)
    assert spender.numbers(is_shared=True) == (1, 0, 10, 10, 0)


def test_a_call_that_nobody_answered_is_unknown_and_no_difference(spender: Spender) -> None:
    """F13: charged, but neither landed nor settled."""
    spender.run("one", pages=1)
    spender.service.server.faults = Faults(kinds=frozenset({Fault.LOST_ANSWER}), share=1.0)
    spender.run("one", pages=1)
    spender.service.server.faults = Faults()
    spender.run("two", pages=1)
    spender.service.pass_time(hours=1)
    assert spender.numbers() == (2, 0, 10, 10, 1)
    assert spender.service.spent() == 15


def test_an_answer_that_landed_before_its_process_died_makes_its_run_say_more_than_the_ledger(
    spender: Spender,
) -> None:
    """F13: an exception does not refund."""
    request = DealPageRequest(selection=SELECTION)
    spender.run("one", pages=1)
    bucket = TokenBucket(spender.ledger, spender.service.client.token_status, spender.service.clock, run_id="one")
    with bucket.reserve(request, lane=Lane.RECENT, purpose="test") as hold:
        spender.service.client.send(request, hold)
    list(load_landed(spender.warehouse, spender.root))
    spender.service.pass_time(hours=1)
    assert spender.numbers() == (0, 0, 0, 0, 0)  # its hold is open
    spender.run("two", pages=1)
    spender.service.pass_time(hours=1)
    assert spender.numbers() == (2, 0, 15, 10, 1)
    spender.spoil("UPDATE token_settlement SET tokens = 11 WHERE run_id = 'one' AND outcome = 'settled'")
    assert spender.numbers() == (2, 1, 15, 16, 1)


def test_a_run_that_may_still_be_settling_is_left_out(spender: Spender) -> None:
    spender.run("one", pages=1, loads=False)
    assert spender.numbers() == (0, 0, 0, 0, 0)
    spender.service.pass_time(seconds=LIFE.total_seconds())
    assert spender.numbers() == (0, 0, 0, 0, 0)
    spender.service.pass_time(seconds=1)
    assert spender.numbers() == (1, 1, 0, 5, 0)
    list(load_landed(spender.warehouse, spender.root))
    assert spender.numbers() == (1, 0, 5, 5, 0)


def test_a_run_that_crosses_the_edge_of_the_window_is_left_out(spender: Spender) -> None:
    spender.run("one", pages=3)
    spender.run("two", pages=3)
    spender.service.pass_time(hours=1)
    for back, runs in ((7, 2), (6.5, 2), (5.9, 1), (4.5, 1), (3.5, 1), (2.9, 0), (0.5, 0)):
        numbers = spender.finding(timedelta(hours=back)).numbers
        assert (numbers["runs"], numbers["runs_differing"]) == (runs, 0), back


def test_a_call_that_cost_more_than_was_held_for_it_is_found_for_a_day(spender: Spender) -> None:
    """F01."""
    spender.run("one", pages=3)
    assert quality.estimates(spender.ledger) == Finding(
        True, "0 of 3 calls cost more than their bound", {"calls": 3, "overshoots": 0}
    )
    spender.buy("two", overcharge=1)
    found = quality.estimates(spender.ledger)
    assert (found.passed, found.numbers) == (False, {"calls": 4, "overshoots": 1})
    assert "such as in run two" in found.detail
    spender.service.pass_time(hours=25)
    assert quality.estimates(spender.ledger).numbers == {"calls": 0, "overshoots": 0}
