"""The simulated Keepa as a process of its own, whose account is the truth, and what a home says of what it bought."""

import os
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec
import requests
from duckdb import DuckDBPyConnection

from deals_pipeline.analytics.recompute import recompute
from deals_pipeline.clock import SystemClock
from deals_pipeline.config import Settings
from deals_pipeline.home import HOST, prepare
from deals_pipeline.keepa.reading import read_reply
from deals_pipeline.keepa.replies import Page, Products
from deals_pipeline.keepa.requests import DealPageRequest, ProductRequest
from deals_pipeline.keepa.time import from_unix_ms, to_unix_ms
from deals_pipeline.landing import Landed, landed_files, replay
from deals_pipeline.simulator.account import Account, advance
from deals_pipeline.simulator.endpoints import Endpoints
from deals_pipeline.simulator.store import SqliteStore, stored_config
from deals_pipeline.simulator.wire import DealQuery
from deals_pipeline.token_bucket.ledger import account_of
from deals_pipeline.token_bucket.ledgers import open_ledger
from deals_pipeline.token_bucket.model import BucketState
from deals_pipeline.warehouse.connection import connect
from deals_pipeline.warehouse.loading import load_landed
from deals_pipeline.warehouse.schema import migrate
from deals_pipeline_tests.e2e.processes import Workplace, free_port, started, wait_until, workplace

PRODUCTS: Final = 24_000
"""Of these, some 1 300 are listed by the selection below, on nine pages; a page takes a second."""
SEED: Final = 0
SETTINGS: Final = """
[[marketplaces]]
name = "US"

[[recent]]
name = "used-books"
marketplace = "US"
price_type = "USED"
date_range = "QUARTER"
include_categories = [283155]
current_range = [300, 8000]
delta_percent_range = [20, 95]
sales_rank_range = [1, 300_000]
single_variation = true
filter_erotic = true

[intervals]
head_scan_minutes = {head_scan_minutes}
head_scan_percent_max = {head_scan_percent_max}

[shares]
full_scan = {full_scan_share}
history = {history_share}
offers = 0
backfill = 0

[max_deficit]
tokens = {max_deficit}
"""
REFRESHES_PER_DAY: Final = 100
"""Of histories: in production it follows from what was spent lately."""
UNCOMPARED: Final = {"migration", "write_probe"}
"""Tables that tell of a warehouse itself."""


class Sent(msgspec.Struct, rename="camel"):
    """What the service says of when it answered, in milliseconds."""

    timestamp: int
    processing_time_in_ms: int


@dataclass(frozen=True)
class Service:
    """A simulated Keepa that serves over HTTP, slowly, so that there is a middle to hit."""

    at: Workplace
    pid: int
    store: SqliteStore

    @property
    def account(self) -> Account:
        """The account as it is now."""
        with self.store.transaction() as transaction:
            return advance(self.store.config, transaction.account, to_unix_ms(SystemClock().now()))

    def spend_elsewhere(self, tokens: int) -> None:
        """Let another program on the same key spend."""
        now = to_unix_ms(SystemClock().now())
        with self.store.transaction() as transaction:
            account = advance(self.store.config, transaction.account, now)
            transaction.account = replace(
                account, balance=account.balance - tokens, foreign_spent=account.foreign_spent + tokens
            )

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop the process for the length of the block: calls are taken, and not answered."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)


@contextmanager
def served(
    folder: Path,
    *,
    refill_rate: int,
    tokens: int,
    head_scan_minutes: int = 1440,
    head_scan_percent_max: int = 20,
    history_share: int = 50,
    max_deficit: int = 50,
) -> Iterator[Service]:
    """Serve a simulated Keepa while the block lasts, to a home in a folder whose settings watch one selection."""
    state, settings, port = folder / "keepa.sqlite", folder / "deals.toml", free_port()
    settings.write_text(
        SETTINGS.format(
            head_scan_minutes=head_scan_minutes,
            head_scan_percent_max=head_scan_percent_max,
            full_scan_share=100 - history_share,
            history_share=history_share,
            max_deficit=max_deficit,
        )
    )
    at = workplace(folder, DEALS_CONFIG=str(settings), KEEPA_API_URL=f"http://{HOST}:{port}")
    prepare(at.settings)
    options = {
        "port": port,
        "state": state,
        "refill-rate": refill_rate,
        "tokens": tokens,
        "products": PRODUCTS,
        "seed": SEED,
        "faults": "latency",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    with started(at, "-m", "deals_pipeline.simulator", *words) as simulator:
        wait_until(lambda: _answers(f"http://{HOST}:{port}/token?key=any"), "the service answers", 60, log=simulator)
        config = stored_config(state)
        assert config is not None
        yield Service(at, simulator.pid, SqliteStore(state, config))


def bucket_state(at: Workplace) -> BucketState:
    """Return what the ledger of a home knows of the balance."""
    settings = at.settings
    with closing(open_ledger(settings.places.ledger, account_of(settings.key), SystemClock())) as ledger:
        return ledger.read()[0]


def ledger_rows(at: Workplace, query: str, *values: str) -> list[Any]:
    """Return rows of the ledger's tables."""
    with closing(sqlite3.connect(at.settings.places.ledger)) as ledger:
        return ledger.execute(query, values).fetchall()


def worker_of(at: Workplace, run_id: str) -> int:
    """Return the process that executes a run."""
    ((pid,),) = ledger_rows(at, "SELECT pid FROM token_lease WHERE run_id = ?", run_id)
    return int(pid)


def landed_count(at: Workplace) -> int:
    """Return how many answers are on disk."""
    return sum(1 for _ in landed_files(at.settings.places.landing))


def has_landed(at: Workplace, run_id: str) -> bool:
    """Return whether a run has put an answer on disk."""
    return any(each.header.run_id == run_id for each in replay(at.settings.places.landing))


def is_calling(at: Workplace) -> bool:
    """Return whether a call is under way, or was when its process ended."""
    return bool(bucket_state(at).holds)


def loaded_count(warehouse: DuckDBPyConnection) -> int:
    """Return how many answers are in the tables."""
    ((count,),) = warehouse.execute("SELECT count(*) FROM landed_file").fetchall()
    return int(count)


def require_nothing_lost(service: Service, *, unanswered_max: int = 0) -> Sequence[Landed]:
    """Require that all that was paid for is stored, but for so many calls that nobody was left to hear answered (F31).

    Return what was bought.
    """
    at = service.at
    landed = tuple(replay(at.settings.places.landing))
    replies = [read_reply(each.request, each.answer) for each in landed]
    consumed = {
        each.header.hold_id: reply.tokens.tokens_consumed
        for each, reply in zip(landed, replies, strict=True)
        if reply.tokens
    }
    query = "SELECT hold_id, tokens, high FROM token_settlement WHERE outcome <> 'voided'"
    ended = {hold_id: (tokens, high) for hold_id, tokens, high in ledger_rows(at, query)}
    calls = ended | {hold.hold_id: (None, hold.high) for hold in bucket_state(at).holds}
    assert consumed.items() <= {hold_id: tokens for hold_id, (tokens, _) in calls.items()}.items()
    unanswered = [high for hold_id, (_, high) in calls.items() if hold_id not in consumed]
    assert len(unanswered) <= unanswered_max, (calls, consumed)
    assert 0 <= service.account.spent - sum(consumed.values()) <= sum(unanswered)
    _require_same_as_replayed(at.settings)
    return [each for each, reply in zip(landed, replies, strict=True) if isinstance(reply, Page | Products)]


def require_bought_once(bought: Sequence[Landed]) -> None:
    """Require that no product and no page of a scan was bought twice (F27)."""
    times: Counter[object] = Counter()
    for each in bought:
        match each.request:
            case ProductRequest(asins=asins):
                times.update(asins)
            case DealPageRequest(page=page):
                times[each.header.scan, page] += 1
    assert times
    assert not [what for what, count in times.items() if count > 1]


def require_one_whole_scan(at: Workplace, bought: Sequence[Landed]) -> None:
    """Require that one scan came to its end, and that every deal is stored that the service listed on its pages."""
    with connect(at.settings.places.warehouse) as warehouse:
        scans = warehouse.execute("FROM scan SELECT completed_at IS NOT NULL, next_page = pages").fetchall()
        stored = {asin for (asin,) in warehouse.execute("FROM recent_deal SELECT asin").fetchall()}
    assert scans == [(True, True)]
    assert stored == _listed(bought)


def _listed(bought: Sequence[Landed]) -> set[str]:
    """Return what the service listed on pages, which is a function of when it was asked for them."""
    endpoints = Endpoints(SEED, PRODUCTS)
    listed: set[str] = set()
    for each in bought:
        if isinstance(each.request, DealPageRequest):
            sent = msgspec.json.decode(each.answer.content, type=Sent)
            asked_at = from_unix_ms(sent.timestamp - sent.processing_time_in_ms)
            page: Any = endpoints.deal_page(DealQuery(each.request.selection, each.request.page), asked_at).payload
            listed |= {deal["asin"] for deal in page["deals"]["dr"]}
    return listed


def _require_same_as_replayed(settings: Settings) -> None:
    """Require the tables of a home in which nothing ever went wrong: they are a function of what landed (F44).

    Of what is computed from them too, once it is brought up to date.
    """
    disturbed = settings.places.warehouse
    with connect(disturbed) as warehouse:
        recompute(warehouse, settings.marketplaces, settings.budget.intervals, REFRESHES_PER_DAY)
    with connect(disturbed.with_name("undisturbed.duckdb")) as fresh:
        migrate(fresh)
        assert sum(1 for _ in load_landed(fresh, settings.places.landing))
        recompute(fresh, settings.marketplaces, settings.budget.intervals, REFRESHES_PER_DAY)
        fresh.execute(f"ATTACH '{disturbed}' AS disturbed (READ_ONLY)")
        names = fresh.execute("FROM duckdb_tables() SELECT table_name WHERE database_name = 'disturbed'").fetchall()
        tables = {name for (name,) in names} - UNCOMPARED
        assert {"landed_file", "scan", "recent_deal", "price_history"} <= tables
        for table in sorted(tables):
            one, other = f"FROM disturbed.main.{table}", f"FROM warehouse.main.{table}"
            differences = fresh.execute(f"({one} EXCEPT ALL {other}) UNION ALL ({other} EXCEPT ALL {one})").fetchall()
            assert not differences, table


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=10).ok
    except requests.ConnectionError:
        return False
