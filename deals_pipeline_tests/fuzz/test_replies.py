"""Damaged answers on their whole way: client, landing, bucket, warehouse, metrics, what is published."""

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Final

from duckdb import DuckDBPyConnection
from hypothesis import event, given, note
from hypothesis import strategies as st

from deals_pipeline.analytics import bring_up_to_date
from deals_pipeline.config import load_settings
from deals_pipeline.keepa.replies import (
    Fatal,
    Page,
    Products,
    Retryable,
    Sellers,
    Throttled,
)
from deals_pipeline.report import read_deals
from deals_pipeline.state import gather, progress
from deals_pipeline.token_bucket.reservation import TokenBucket
from deals_pipeline.warehouse.connection import connect
from deals_pipeline.warehouse.loading import Loaded, load_landed
from deals_pipeline.warehouse.publishing import publish, publish_histories
from deals_pipeline_tests.dagster_world import ROOT
from deals_pipeline_tests.fuzz.cases import fuzzed, no_hang
from deals_pipeline_tests.fuzz.damage import Sent, as_text, bases, damaged_answers
from deals_pipeline_tests.fuzz.oracle import said_by
from deals_pipeline_tests.fuzz.shop import Bought, Shop

ANSWERS: Final = 30
"""How many answers are bought and loaded together: cases, of which each example has so many."""


def sound(kind: int) -> Sent:
    base = bases()[kind]
    return Sent(base, 200, "", as_text(base.document).encode())


def ids_in(bought: Bought) -> frozenset[str]:
    match bought.reply:
        case Page():
            return frozenset(deal.asin for deal in bought.reply.deals)
        case Products():
            return frozenset(product.asin for product in bought.reply.products)
        case Sellers():
            return frozenset(seller.seller_id for seller in bought.reply.sellers)
        case _:
            return frozenset()


def check_reply(bought: Bought) -> None:
    """F29, F53: a closed result; the balance as it was said or not at all; and sound items are kept."""
    reply, said = bought.reply, said_by(bought.sent)
    assert isinstance(reply, Page | Products | Sellers | Throttled | Retryable | Fatal)
    if said.tokens is not None:
        assert reply.tokens is not None
    if reply.tokens is not None and said.tokens is not None:
        assert reply.tokens.tokens_left == said.tokens["tokensLeft"]
        assert reply.tokens.tokens_consumed == said.tokens["tokensConsumed"]
    if said.items is not None:
        assert said.items <= ids_in(bought), (reply, said.items)
    if isinstance(reply, Retryable | Fatal):
        assert reply.detail.isprintable()
        assert len(reply.detail) < 1_000


def check_balance(bought: Bought) -> None:
    """F05, F13: the newest observation is the answer's own word, and a hold ends only by an answer that tells."""
    reply, before, after = bought.reply, before_and_after(bought)[0], bought.after
    assert after.observation is not None
    is_open = any(hold.hold_id == bought.hold_id for hold in after.holds)
    if reply.tokens is None:
        assert after.observation.tokens_left == before
        assert is_open != isinstance(reply, Throttled)
    else:
        assert after.observation.tokens_left == reply.tokens.tokens_left
        assert not is_open


def before_and_after(bought: Bought) -> tuple[int, int]:
    assert bought.before.observation is not None
    assert bought.after.observation is not None
    return bought.before.observation.tokens_left, bought.after.observation.tokens_left


def check_landing(shop: Shop) -> None:
    """F44: each answer is on disk as it came."""
    assert [body for _, body in shop.landed()] == [bought.sent.body for bought in shop.bought]


def check_loading(connection: DuckDBPyConnection, shop: Shop) -> None:
    """F44, F53: each answer is loaded, or said in a line not to be; those beside it are loaded whatever it holds."""
    refused: dict[str, str] = {}
    loaded = {
        each.file_id: each
        for each in load_landed(
            connection, shop.landing.root, skipped=lambda path, why: refused.update({path.stem: why})
        )
    }
    for (file_id, _), bought in zip(shop.landed(), shop.bought, strict=True):
        if file_id in refused:
            note(refused[file_id])
            event("not loaded")
            assert file_id in refused[file_id]
            assert not said_by(bought.sent).items, (refused[file_id], bought.sent)
        else:
            check_counts(loaded[file_id], bought)
    ((rows,),) = connection.execute("SELECT count(*) FROM landed_file").fetchall()
    assert rows == len(loaded)
    assert not list(load_landed(connection, shop.landing.root, skipped=lambda *_: None)), "nothing is loaded twice"


def check_counts(loaded: Loaded, bought: Bought) -> None:
    found = len(ids_in(bought))
    assert found == (loaded.sellers if isinstance(bought.reply, Sellers) else loaded.rows_seen)


def check_what_follows(connection: DuckDBPyConnection, shop: Shop) -> None:
    """F53: what an answer may hold breaks nothing that is computed and published from all of them."""
    settings = load_settings({"DEALS_HOME": str(shop.folder), "DEALS_CONFIG": str(ROOT / "deals.toml")}, shop.folder)
    with closing(shop.ledger("0")) as ledger:
        bucket = TokenBucket(ledger, shop.client.token_status, shop.clock, run_id="run-2")
        bring_up_to_date(connection, settings, bucket.status())
        progress(gather(connection, ledger, settings, shop.clock.now()))
    read_deals(connection)
    publish(connection, shop.folder / "published")
    publish_histories(lambda: nullcontext(connection), shop.folder / "published", shop.clock.now())


def check_shop(answers: Sequence[Sent], folder: Path, migrated: Path, *, is_published: bool) -> None:
    shop = Shop(folder)
    shop.take_warehouse(migrated)
    with closing(shop):
        check_bought(shop, answers, is_published=is_published)


def check_bought(shop: Shop, answers: Sequence[Sent], *, is_published: bool) -> None:
    for sent in answers:
        bought = shop.buy(sent)
        event(f"{type(bought.reply).__name__} {getattr(getattr(bought.reply, 'cause', None), 'name', '')}")
        try:
            check_reply(bought)
            check_balance(bought)
        except AssertionError:
            note(f"{bought.sent!r} was answered {bought.reply!r:.1000}")
            raise
    check_landing(shop)
    with connect(shop.warehouse) as connection:
        check_loading(connection, shop)
        if is_published:
            check_what_follows(connection, shop)


@fuzzed(0.5, ANSWERS)
@given(
    answers=st.lists(damaged_answers(), min_size=ANSWERS, max_size=ANSWERS),
    at=st.integers(0, ANSWERS),
    is_published=st.integers(0, 2),
)
def test_a_damaged_answer_is_landed_as_it_came_and_spoils_nothing_but_itself(
    migrated: Path, answers: list[Sent], at: int, is_published: int
) -> None:
    """F05, F13, F29, F44, F53."""
    beside = [sound(kind) for kind in range(len(bases()))]
    folder = Path(tempfile.mkdtemp())
    try:
        with no_hang():
            check_shop([*answers[:at], *beside, *answers[at:]], folder, migrated, is_published=is_published == 0)
    finally:
        shutil.rmtree(folder)
