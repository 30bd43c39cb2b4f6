"""A service that sends what it is told, and all that lies behind it: client, bucket, ledger, landing and warehouse."""

import gzip
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Final

import requests
import urllib3
from pydantic import SecretStr
from requests.adapters import BaseAdapter, HTTPAdapter

from deals_pipeline.clock import VirtualClock
from deals_pipeline.keepa.client import KEEPA_URL, KeepaClient
from deals_pipeline.keepa.replies import Reply
from deals_pipeline.keepa.tokens import TokenObservation
from deals_pipeline.landing import Landing, Scan, landed_files, read
from deals_pipeline.token_bucket.bucket import RATES_NEEDED, observe
from deals_pipeline.token_bucket.ledger import Change, Ledger, account_of
from deals_pipeline.token_bucket.ledgers import open_ledger
from deals_pipeline.token_bucket.model import BucketState, Lane
from deals_pipeline.token_bucket.reservation import TokenBucket
from deals_pipeline_tests.fuzz.damage import Sent
from deals_pipeline_tests.simulator.services import START

KEY: Final = "a-key-that-is-in-no-answer"
TOKENS: Final = 200
"""What is in the bucket before each answer."""
SCAN: Final = Scan(selection="recent", kind="full", started_at=START)


def known(now: datetime) -> BucketState:
    """Return the state of an account whose balance was told often enough to be believed."""
    state = BucketState()
    for _ in range(RATES_NEEDED):
        seen = TokenObservation(now, TOKENS, timedelta(seconds=30), 5, 0.0, 0)
        state, _, _ = observe(state, seen, now, asked_at=now)
    return state


class Scripted(BaseAdapter):
    """Answers one call with what is to be sent next."""

    def __init__(self) -> None:
        super().__init__()
        self.next: Sent | None = None
        self._http = HTTPAdapter()

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002
        timeout: float | tuple[float | None, float | None] | None = None,  # noqa: ARG002
        verify: bool | str = True,  # noqa: ARG002
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,  # noqa: ARG002
        proxies: Mapping[str, str] | None = None,  # noqa: ARG002
    ) -> requests.Response:
        """Return the answer."""
        sent, self.next = self.next, None
        assert sent is not None, "it was asked once"
        headers = {"Content-Encoding": sent.encoding} if sent.encoding else {}
        raw = urllib3.HTTPResponse(
            BytesIO(sent.body), headers=headers, status=sent.status, preload_content=False, decode_content=False
        )
        return self._http.build_response(request, raw)

    def close(self) -> None:
        """Do nothing: there are no connections."""


@dataclass
class Bought:
    """What became of one answer: the reply, and the bucket's state before and after."""

    sent: Sent
    reply: Reply
    before: BucketState
    after: BucketState
    hold_id: str


@dataclass
class Shop:
    """A home on the virtual clock, with an empty warehouse."""

    folder: Path
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(START))
    bought: list[Bought] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.landing = Landing(self.folder / "landing", "run-1", self.clock)
        self._adapter = Scripted()
        session = requests.Session()
        session.mount(KEEPA_URL, self._adapter)
        self.client = KeepaClient(SecretStr(KEY), session=session, land=self.landing)
        self._kept_open = self.ledger("kept open")
        self._kept_open.read()

    def close(self) -> None:
        """Close the ledger, which takes longest for the last that has it open."""
        self._kept_open.close()

    @property
    def warehouse(self) -> Path:
        return self.folder / "warehouse.duckdb"

    def take_warehouse(self, migrated: Path) -> None:
        """Begin with a copy of an empty warehouse."""
        shutil.copy(migrated, self.warehouse)

    def ledger(self, name: str) -> Ledger:
        """Return the ledger of an account of its own."""
        return open_ledger(str(self.folder / "ledger.sqlite"), account_of(SecretStr(name)), self.clock)

    def buy(self, sent: Sent) -> Bought:
        """Reserve, send, land, settle, as a run does; on an account whose balance is known, and of no other call."""
        ledger = self.ledger(str(len(self.bought)))
        ledger.transact(lambda _, now: Change(known(now), None))
        bucket = TokenBucket(ledger, self.client.token_status, self.clock, run_id="run-1")
        self._adapter.next = sent
        self.clock.sleep(1)
        before, _ = bucket.state()
        with (
            bucket.reserve(sent.base.request, lane=Lane.RECENT, purpose="fuzz") as hold,
            self.landing.reading(SCAN),
        ):
            self.clock.sleep(0.5)
            reply = self.client.send(sent.base.request, hold)
            hold.settle(reply)
        bucket.status()
        bucket.spendable(Lane.BACKFILL)
        after, _ = bucket.state()
        ledger.close()
        found = Bought(sent, reply, before, after, hold.hold_id)
        self.bought.append(found)
        self.clock.sleep(1)
        return found

    def landed(self) -> list[tuple[str, bytes]]:
        """Return the id of each landed answer and its body as it came over the wire, read from the file."""
        found = []
        for path in landed_files(self.landing.root):
            _, _, body = path.read_bytes().partition(b"\n")
            landed = read(path)
            wire = gzip.decompress(body) if landed.header.is_gzipped_here else body
            assert landed.answer.body == wire
            found.append((path.stem, wire))
        return found
