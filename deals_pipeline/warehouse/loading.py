"""Loading landed answers: each whole in one transaction, rows and cursor together, each once (F26, F31).

The tables are a function of the set of answers that were loaded, whatever their order.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from duckdb import DuckDBPyConnection

from deals_pipeline import __version__
from deals_pipeline.keepa.columns import history_table
from deals_pipeline.keepa.reading import read_reply
from deals_pipeline.keepa.replies import Page, Products, Sellers
from deals_pipeline.keepa.requests import DealPageRequest, ProductRequest, SellerRequest, TokenStatusRequest
from deals_pipeline.landing import Landed, NotReadable, Skipped, log_skipped, path_of, read, replay
from deals_pipeline.warehouse import arriving
from deals_pipeline.warehouse.connection import transaction
from deals_pipeline.warehouse.restoring import note_filled
from deals_pipeline.warehouse.scans import scan_id
from deals_pipeline.warehouse.statements import TargetTable, statement

SCAN_IDENTITY: Final = ("scan_id", "selection", "selection_version", "domain_id", "kind", "shard", "started_at")
BATCH_FILES_MAX: Final = 32
BATCH_BYTES_MAX: Final = 4_000_000
"""How much of landed answers, as they lie on disk, one transaction takes in: it is kept in memory until its commit."""
UNLOADABLE: Final = (duckdb.DataError, duckdb.IntegrityError, ValueError, OverflowError)
"""What is raised by a value that its column cannot hold; Arrow's errors are `ValueError`s."""


class NotLoaded(Exception):
    """An answer holds what its table cannot; the message names it and says why. It stays landed."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the loading of one answer did.

    `rows_seen` are the sound deals or products of the answer; of these `rows_new` were not stored at all and
    `rows_updated` only in an older state. `points` are points of price histories, `offers` live offers, `sellers` the
    sound sellers; `missing` were asked for and did not come. `scan_id` is the scan that moved.
    An answer that `was_loaded` before changed nothing, and its counts are 0.
    """

    file_id: str
    outcome: str
    was_loaded: bool = False
    rows_seen: int = 0
    rows_new: int = 0
    rows_updated: int = 0
    quarantined: int = 0
    duplicates: int = 0
    points: int = 0
    offers: int = 0
    sellers: int = 0
    missing: tuple[str, ...] = ()
    breaches: tuple[str, ...] = ()
    scan_id: str | None = None


def load(connection: DuckDBPyConnection, landed: Landed) -> Loaded:
    """Load one answer: all of it or, when an exception comes out, nothing. Raises `NotLoaded`."""
    with _loading(connection):
        return _load(connection, landed)


def load_landed(
    connection: DuckDBPyConnection, root: Path, since: datetime | None = None, skipped: Skipped | None = None
) -> Iterator[Loaded]:
    """Load all answers under `root` that are not loaded yet, in order of landing: after a crash too, at no cost.

    Each is yielded when it is committed. `since` leaves out older ones; `skipped` (or the log) is told of files that
    are no whole answers or cannot be loaded: these stay where they are, and hold up no others.
    """
    report = skipped or log_skipped
    known = {file_id for (file_id,) in connection.execute(statement("loaded_files")).fetchall()}
    answers = replay(root, since, known=known, skipped=report)
    for first in answers:
        taken: list[Path] = []
        try:
            with _loading(connection):
                loaded = [_load(connection, landed) for landed in _batch(root, first, answers, taken)]
        except NotLoaded:
            for path in taken:
                yield from _load_alone(connection, path, report)
        else:
            yield from loaded


def _batch(root: Path, first: Landed, others: Iterator[Landed], taken: list[Path]) -> Iterator[Landed]:
    """Yield the answers of one transaction, and note where they lie: they themselves are not kept in memory."""
    size = 0
    for landed in chain([first], others):
        taken.append(path_of(root, landed.file_id))
        yield landed
        size += landed.header.body_bytes
        if len(taken) == BATCH_FILES_MAX or size >= BATCH_BYTES_MAX:
            return


def _load_alone(connection: DuckDBPyConnection, path: Path, report: Skipped) -> Iterator[Loaded]:
    """Load an answer of a batch that was rolled back because of one of them."""
    try:
        loaded = load(connection, read(path))
    except (NotLoaded, NotReadable) as failure:
        report(path, str(failure))
    else:
        yield loaded


@contextmanager
def _loading(connection: DuckDBPyConnection) -> Iterator[None]:
    """Load what the block loads as a whole, or nothing of it."""
    with transaction(connection):
        yield
        note_filled(connection)


def _load(connection: DuckDBPyConnection, landed: Landed) -> Loaded:
    try:
        return _load_rows(connection, landed)
    except UNLOADABLE as failure:
        raise NotLoaded(f"{landed.file_id} cannot be loaded: {failure}") from failure


def _load_rows(connection: DuckDBPyConnection, landed: Landed) -> Loaded:
    request, reply = landed.request, read_reply(landed.request, landed.answer)
    loaded = Loaded(landed.file_id, arriving.outcome(reply))
    ((was_loaded,),) = connection.execute(statement("is_loaded"), {"landed_file": landed.file_id}).fetchall()
    if was_loaded:
        return replace(loaded, was_loaded=True)
    _add(connection, "landed_file", [arriving.file_row(landed, reply)])
    if isinstance(reply, Page | Products | Sellers) and not isinstance(request, TokenStatusRequest):
        if reply.quarantined:
            _add(connection, "quarantine", arriving.quarantine_rows(landed, request, reply))
        loaded = replace(loaded, quarantined=len(reply.quarantined))
    if isinstance(reply, Page) and isinstance(request, DealPageRequest):
        loaded = _load_page(connection, landed, request, reply, loaded)
    if isinstance(reply, Products) and isinstance(request, ProductRequest):
        loaded = _load_products(connection, landed, request, reply, loaded)
    if isinstance(reply, Sellers) and isinstance(request, SellerRequest):
        loaded = _load_sellers(connection, landed, request, reply, loaded)
    return loaded


def _load_page(
    connection: DuckDBPyConnection, landed: Landed, request: DealPageRequest, page: Page, loaded: Loaded
) -> Loaded:
    scan, selection = landed.header.scan, request.selection
    seen_by = scan_id(scan, selection) if scan else None
    target: TargetTable = "backfilled_deal" if scan and scan.kind == "shard" else "recent_deal"
    with _arriving(connection, target, arriving.deal_rows(landed, page, selection, seen_by)):
        weighed = connection.sql(statement("weigh_deals", target)).to_arrow_table()
    new, updated = (pc.sum(weighed[name], min_count=0).as_py() for name in ("is_new", "is_updated"))
    with _registered(connection, "arriving", weighed):
        if new < weighed.num_rows:
            connection.execute(statement("merge_sightings", target))
            connection.execute(statement("remove_older_deals", target))
        connection.execute(statement("add_deals", target))
    if scan:
        _add(connection, "scan_page", [arriving.page_row(landed, request, page, scan)])
        with _arriving(connection, "scan", [arriving.scan_row(selection, scan)], SCAN_IDENTITY):
            connection.execute(statement("merge_scan"))
    return replace(
        loaded,
        rows_seen=len(page.deals),
        rows_new=new,
        rows_updated=updated,
        duplicates=page.duplicates,
        breaches=page.breaches,
        scan_id=seen_by,
    )


def _load_products(
    connection: DuckDBPyConnection, landed: Landed, request: ProductRequest, reply: Products, loaded: Loaded
) -> Loaded:
    observed_at = reply.tokens.timestamp
    with _arriving(connection, "product", arriving.product_rows(landed, reply)):
        ((new, updated),) = connection.execute(statement("count_products")).fetchall()
        connection.execute(statement("remove_older_products", "product"))
        connection.execute(statement("add_unstored", "product"))
    with _arriving(connection, "product_stats", arriving.stats_rows(landed, reply)):
        connection.execute(statement("remove_older_products", "product_stats"))
        connection.execute(statement("add_unstored", "product_stats"))
    with _arriving(connection, "missing_product", arriving.missing_rows(request, reply)):
        connection.execute(statement("merge_missing", "missing_product"))
    offers = _load_offers(connection, landed, reply) if request.offers is not None else 0
    histories = history_table(reply.products)
    with _registered(connection, "arriving", histories):
        answer = {"days": request.days, "observed_at": observed_at, "landed_file": landed.file_id}
        connection.execute(statement("remove_older_histories"), answer)
        connection.execute(statement("add_histories"), answer | {"code_version": __version__})
    return replace(
        loaded,
        rows_seen=len(reply.products),
        rows_new=new,
        rows_updated=updated,
        points=sum(len(chunk.values) for chunk in histories["times"].chunks),
        offers=offers,
        missing=reply.missing,
        breaches=reply.breaches,
    )


def _load_offers(connection: DuckDBPyConnection, landed: Landed, reply: Products) -> int:
    with _arriving(connection, "offer_snapshot", arriving.snapshot_rows(landed, reply)):
        connection.execute(statement("merge_offer_snapshots"))
    offers = list(arriving.offer_rows(landed, reply))
    with _arriving(connection, "live_offer", offers):
        connection.execute(statement("merge_live_offers"))
    connection.execute(statement("remove_old_offers"))
    return len(offers)


def _load_sellers(
    connection: DuckDBPyConnection, landed: Landed, request: SellerRequest, reply: Sellers, loaded: Loaded
) -> Loaded:
    with _arriving(connection, "seller", arriving.seller_rows(landed, reply)):
        connection.execute(statement("merge_sellers"))
    with _arriving(connection, "missing_seller", arriving.missing_seller_rows(request, reply)):
        connection.execute(statement("merge_missing", "missing_seller"))
    return replace(loaded, sellers=len(reply.sellers), missing=reply.missing)


def _add(connection: DuckDBPyConnection, table: str, rows: Iterable[arriving.Row]) -> None:
    with _arriving(connection, table, rows):
        connection.execute(statement(f"add_{table}"))


@contextmanager
def _arriving(
    connection: DuckDBPyConnection, table: str, rows: Iterable[arriving.Row], columns: tuple[str, ...] = ()
) -> Iterator[None]:
    """Let rows be known as `arriving`, in the types of the table they are for; all of its columns unless told."""
    schema = connection.table(table).limit(0).to_arrow_table().schema
    if columns:
        schema = pa.schema([schema.field(name) for name in columns])
    with _registered(connection, "arriving", arriving.arrow_table(list(rows), schema)):
        yield


@contextmanager
def _registered(connection: DuckDBPyConnection, name: str, table: pa.Table) -> Iterator[None]:
    connection.register(name, table)
    try:
        yield
    finally:
        with suppress(duckdb.TransactionException):  # an error aborted it, and its rollback takes the name away
            connection.unregister(name)
