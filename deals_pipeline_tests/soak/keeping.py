"""The invariants of what was paid for: nothing is lost, nothing is bought twice, everything can be had again."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from deals_pipeline.analytics.recompute import recompute
from deals_pipeline.keepa.reading import read_reply
from deals_pipeline.keepa.replies import Page, Products
from deals_pipeline.keepa.requests import DealPageRequest, ProductRequest
from deals_pipeline.landing import Landed, read
from deals_pipeline.warehouse.connection import connect
from deals_pipeline.warehouse.loading import load_landed
from deals_pipeline.warehouse.schema import migrate
from deals_pipeline_tests.soak.scenario import Deleted, Deletion
from deals_pipeline_tests.soak.watcher import Watcher
from deals_pipeline_tests.soak.world import World

OF_ANSWERS: Final = (
    "landed_file",
    "recent_deal",
    "backfilled_deal",
    "scan",
    "scan_page",
    "product",
    "product_stats",
    "price_history",
    "missing_product",
    "offer_snapshot",
    "live_offer",
    "seller",
    "missing_seller",
    "quarantine",
)
"""The tables that are a function of the landed answers."""
COMPUTED: Final = ("marketplace", "offer_drop", "product_sales", "deal_metrics")
"""Those that are computed from them."""
REFRESHES_PER_DAY: Final = 1000.0
DIGEST: Final = (
    "SELECT count(*), bit_xor(hash(kept)) FROM (SELECT COLUMNS(lambda name: name <> 'code_version') FROM {}) AS kept"
)
"""What a table holds, whoever loaded it."""
SKEW: Final = timedelta(minutes=5)
"""How far Keepa's clock and ours may differ, its jumps included."""

Contents = dict[str, tuple[object, ...]]


def answers(world: World) -> Iterator[Landed]:
    """Yield what has landed, in order."""
    for path in world.landed():
        yield read(path)


class NothingPaidIsLost(Watcher):
    """(F31, F44) Every answer that was on disk before a crash is there and in the warehouse at the end."""

    def __init__(self) -> None:
        self.files: set[str] = set()

    def landed(self, world: World, path: Path) -> None:  # noqa: ARG002
        self.files.add(path.stem)

    def ended(self, world: World) -> None:
        if lost := self.files - {path.stem for path in world.landed()}:
            world.fail("F44", f"{len(lost)} landed answers are gone from disk")
        if lost := self.files - {name for (name,) in world.rows("SELECT landed_file FROM landed_file")}:
            world.fail("F31", f"{len(lost)} landed answers are not loaded")


class NothingIsBoughtTwice(Watcher):
    """(F27) No page of a scan is bought again once it is loaded, and no history before its time is past."""

    def ended(self, world: World) -> None:
        ((pages, distinct),) = world.rows("SELECT count(*), count(DISTINCT (scan_id, page)) FROM scan_page")
        if pages != distinct:
            world.fail("F27", f"{pages - distinct} pages of a scan were bought twice")
        known: dict[str, datetime] = {}
        for landed in answers(world):
            request = landed.request
            if not isinstance(request, ProductRequest):
                continue
            if request.offers is None:
                self._check(world, request, known, landed.header.received_at)
            reply = read_reply(request, landed.answer)
            if isinstance(reply, Products):
                known |= {product.asin: landed.header.received_at for product in reply.products}

    def _check(self, world: World, request: ProductRequest, known: dict[str, datetime], now: datetime) -> None:
        allowed = now - world.settings.budget.intervals.history + SKEW
        if again := [asin for asin in request.asins if asin in known and known[asin] > allowed]:
            world.fail("F27", f"at {now:%d %H:%M:%S} {len(again)} histories are bought again: {again[0]}")


class StateIsFoundAgain(Watcher):
    """(F21) After a deletion all that was landed is loaded again, and is what it was."""

    def __init__(self) -> None:
        self.before: Contents = {}

    def deleting(self, world: World, deleted: Deleted) -> None:  # noqa: ARG002
        load = {path.stem for path in world.landed()} - {
            name for (name,) in world.rows("SELECT landed_file FROM landed_file")
        }
        self.before = {} if load else {table: world.rows(DIGEST.format(table))[0] for table in OF_ANSWERS}

    def restored(self, world: World, deleted: Deleted) -> None:
        if deleted.what in (Deletion.WAREHOUSE, Deletion.TABLE):
            for table, before in self.before.items():
                if (after := world.rows(DIGEST.format(table))[0]) != before:
                    world.fail("F21", f"{table} was {before} and is {after} after {deleted.what.value} was deleted")

    def ended(self, world: World) -> None:
        published = world.settings.places.published / "deals.parquet"
        ((deals, rows),) = world.rows(
            "SELECT (SELECT count(*) FROM deal), (SELECT count(*) FROM read_parquet($path))",
            path=str(published),
        )
        if deals != rows:
            world.fail("F21", f"{rows} deals are published, {deals} are there")


class ReplayGivesTheSame(Watcher):
    """(F21, F44) All landed answers, loaded into an empty warehouse, give the same rows, and so what is computed."""

    def ended(self, world: World) -> None:
        settings = world.settings
        with TemporaryDirectory() as folder, connect(Path(folder) / "warehouse.duckdb") as connection:
            migrate(connection)
            count = sum(1 for _ in load_landed(connection, world.settings.places.landing))
            if count != len(list(world.landed())):
                world.fail("F44", f"{count} of the landed answers can be loaded again")
            with world.living().warehouse.connect() as disturbed:
                for each in (disturbed, connection):
                    recompute(each, settings.marketplaces, settings.budget.intervals, REFRESHES_PER_DAY)
            for table in (*OF_ANSWERS, *COMPUTED):
                (found,) = world.rows(DIGEST.format(table))
                (again,) = connection.execute(DIGEST.format(table)).fetchall()
                if found != again:
                    world.fail("F44", f"{table} is {found}, and {again} when it is loaded anew")


class SightingsRefresh(Watcher):
    """(F26, F36, F53) Each deal that any landed page listed is stored, and last seen when the last of them was made."""

    def ended(self, world: World) -> None:
        seen: dict[str, dict[str, datetime]] = {"recent_deal": {}, "backfilled_deal": {}}
        quarantined = 0
        for landed in answers(world):
            if not isinstance(landed.request, DealPageRequest) or landed.header.scan is None:
                continue
            page = read_reply(landed.request, landed.answer)
            if not isinstance(page, Page):
                continue
            quarantined += len(page.quarantined)
            table = seen["backfilled_deal" if landed.header.scan.kind == "shard" else "recent_deal"]
            for deal in page.deals:
                table[deal.asin] = max(table.get(deal.asin, page.tokens.timestamp), page.tokens.timestamp)
        for name, wanted in seen.items():
            found = dict(world.rows(f"SELECT asin, last_seen FROM {name}"))
            if found != wanted:
                wrong = {asin for asin in found.keys() | wanted.keys() if found.get(asin) != wanted.get(asin)}
                world.fail("F36", f"{len(wrong)} rows of {name} tell another last sighting, such as {min(wrong)}")
        ((put_aside,),) = world.rows("SELECT count(*) FROM quarantine WHERE kind = 'deal page'")
        if put_aside != quarantined:
            world.fail("F53", f"{quarantined} items of pages are malformed, {put_aside} are in quarantine")


KEEPING: Final = (
    NothingPaidIsLost,
    NothingIsBoughtTwice,
    StateIsFoundAgain,
    ReplayGivesTheSame,
    SightingsRefresh,
)
