import errno
import gzip
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import pytest
import requests
import urllib3
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from requests.adapters import BaseAdapter, HTTPAdapter

from deals_pipeline import __version__
from deals_pipeline.clock import VirtualClock
from deals_pipeline.keepa.client import KEEPA_URL, KeepaClient
from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.keepa.reading import read_reply
from deals_pipeline.keepa.replies import Page, Products, WireAnswer
from deals_pipeline.keepa.requests import DealPageRequest, ProductRequest, Request, SellerRequest, TokenStatusRequest
from deals_pipeline.keepa.selection import DateRange, DealSelection, Domain, SortType
from deals_pipeline.landing import (
    Landed,
    Landing,
    NotLanded,
    NotReadable,
    Scan,
    landed_files,
    read,
    remove_old,
    replay,
)
from deals_pipeline_tests.keepa.wire_examples import PAGE, VALID_ANSWERS, answered
from deals_pipeline_tests.simulator.services import START, UncheckedHold, make_service

CANARY = "CANARY0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"
ANSWER = answered(VALID_ANSWERS[0][1])


def land(root: Path, *, times: int = 1, start: datetime = START, answer: WireAnswer = ANSWER) -> list[Path]:
    clock = VirtualClock(start)
    landing = Landing(root, "run-1", clock)
    paths = []
    for _ in range(times):
        landing(PAGE, UncheckedHold(PAGE), answer)
        assert landing.latest
        paths.append(landing.latest)
        clock.sleep(1)
    return paths


def replayed(root: Path, since: datetime | None = None) -> tuple[list[Landed], dict[str, str]]:
    skipped: dict[str, str] = {}
    return list(replay(root, since, skipped=lambda path, why: skipped.update({path.name: why}))), skipped


RANGES = st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)).map(lambda pair: (min(pair), max(pair)))
ASINS = st.lists(st.from_regex(r"\A[A-Z0-9]{10}\Z"), min_size=1, max_size=20, unique=True).map(tuple)
SELECTIONS = st.builds(
    DealSelection,
    domain=st.sampled_from(Domain),
    price_type=st.sampled_from([kind for kind in PriceType if kind.deal_relevant]),
    date_range=st.sampled_from(DateRange),
    sort_type=st.sampled_from(SortType),
    include_categories=st.lists(st.integers(0, 2**60), max_size=3).map(tuple),
    current_range=st.none() | RANGES,
    delta_range=st.none() | RANGES,
    sales_rank_range=st.none() | RANGES | st.tuples(st.integers(0, 9), st.just(-1)),
    title_search=st.none() | st.text(min_size=1, max_size=50),
    warehouse_conditions=st.lists(st.integers(0, 5), max_size=3).map(tuple),
    is_lowest=st.booleans(),
    filter_erotic=st.booleans(),
)
REQUESTS: st.SearchStrategy[Request] = st.one_of(
    st.builds(DealPageRequest, selection=SELECTIONS, page=st.integers(0, 66)),
    st.builds(
        ProductRequest,
        domain=st.sampled_from(Domain),
        asins=ASINS,
        stats=st.none() | st.integers(1, 4000),
        history=st.booleans(),
        days=st.none() | st.integers(1, 4000),
        offers=st.none() | st.integers(20, 100),
        update=st.none() | st.integers(-1, 100),
        rating=st.booleans(),
    ),
    st.builds(SellerRequest, domain=st.sampled_from(Domain), seller_ids=st.just(("A2L77EE7U53NWQ",))),
    st.builds(TokenStatusRequest),
)
ANSWERS = st.builds(
    WireAnswer, st.integers(100, 599), st.sampled_from(["", "gzip", "unsupported"]), st.binary(max_size=300)
)


@settings(max_examples=150)
@given(REQUESTS, ANSWERS, st.none() | st.text(max_size=20))
def test_any_request_and_any_bytes_are_read_as_they_were_landed(
    request_: Request, answer: WireAnswer, shard: str | None
) -> None:
    """F44: the newline that ends the header cannot occur in it, whatever a title search or a shard holds."""
    scan = Scan(selection="wide", kind="shard", started_at=START, shard=shard)
    with TemporaryDirectory() as folder:
        landing = Landing(Path(folder), "run-1", VirtualClock(START))
        with landing.reading(scan):
            landing(request_, UncheckedHold(request_, "hold-7"), answer)
        (landed,) = replay(Path(folder))
    assert landed.request == request_
    assert landed.answer == answer
    header = landed.header
    assert (header.hold_id, header.run_id, header.code_version) == ("hold-7", "run-1", __version__)
    assert (header.scan, header.status, header.received_at) == (scan, answer.status, START)


def test_a_clients_answers_give_the_same_replies_when_they_are_read_again(tmp_path: Path) -> None:
    service = make_service(land=(landing := Landing(tmp_path, "run-1", VirtualClock(START))))
    page = service.page(DealPageRequest(selection=DealSelection()))
    assert isinstance(page, Page)
    products = service.products(ProductRequest(asins=tuple(deal.asin for deal in page.deals[:3]), stats=90))
    first, second = replay(tmp_path)
    assert read_reply(first.request, first.answer) == page
    again = read_reply(second.request, second.answer)
    assert isinstance(again, Products)
    assert isinstance(products, Products)
    assert [each.asin for each in again.products] == [each.asin for each in products.products]
    assert first.header.server_time == page.tokens.timestamp
    assert landing.latest == list(landed_files(tmp_path))[-1]


def test_gzip_is_kept_as_received_and_a_plain_body_is_gzipped_here(tmp_path: Path) -> None:
    zipped = WireAnswer(200, "gzip", gzip.compress(b"x" * 1000, 1))
    plain = WireAnswer(200, "", b"x" * 1000)
    for number, answer in enumerate((zipped, plain)):
        (path,) = land(tmp_path / str(number), answer=answer)
        body = path.read_bytes().partition(b"\n")[2]
        assert gzip.decompress(body) == b"x" * 1000
        assert (body == zipped.body) == (answer is zipped)
        assert read(path).answer == answer


def test_names_sort_in_the_order_of_landing_even_when_the_clock_goes_back_or_stands(tmp_path: Path) -> None:
    clock = VirtualClock(START)
    landing = Landing(tmp_path, "run-1", clock)
    landed = []
    for moved in (0, 0, -3600, 0, 86_400, -86_400):
        clock.set(clock.now() + timedelta(seconds=moved))
        landing(PAGE, UncheckedHold(PAGE), ANSWER)
        landed.append(landing.latest)
    assert list(landed_files(tmp_path)) == landed
    assert [day.name for day in sorted(tmp_path.iterdir())] == ["2026-03-01", "2026-03-02"]


def test_local_time_is_in_no_name(tmp_path: Path) -> None:
    """F59."""
    elsewhere = START.astimezone(timezone(timedelta(hours=-9)))
    (path,) = land(tmp_path, start=elsewhere)
    assert path.name.startswith("20260301T120000.000000Z-")


def test_foreign_files_are_reported_and_half_written_ones_passed_over(tmp_path: Path) -> None:
    whole = land(tmp_path, times=2)
    day = whole[0].parent
    (day / f".{whole[0].name}").write_bytes(b'{"request')
    (day / "notes.txt").write_text("mine")
    (day / "folder.landed").mkdir()
    (tmp_path / "README").write_text("mine")
    landed, skipped = replayed(tmp_path)
    assert [each.file_id for each in landed] == [path.stem for path in whole]
    assert skipped.keys() == {"notes.txt", "folder.landed"}, "a hidden one is being written, or never was whole"


def test_without_a_listener_what_is_passed_over_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (path,) = land(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    with caplog.at_level(logging.WARNING):
        assert list(replay(tmp_path)) == []
    assert [path.name in record.getMessage() for record in caplog.records] == [True]


SPOILING: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda content: content[:-1],
    "cut within the header": lambda content: content[:40],
    "empty": lambda _: b"",
    "a bit flipped": lambda content: content[:-20] + bytes([content[-20] ^ 1]) + content[-19:],
    "an unknown kind": lambda content: content.replace(b'"deal page"', b'"deal cage"'),
    "a field out of range": lambda content: content.replace(b'"selection":{}', b'"selection":{"date_range":30}'),
    "no text": lambda content: b"\xff" + content,
}


@pytest.mark.parametrize("spoiled", SPOILING)
def test_a_damaged_file_is_named_and_the_others_are_read(tmp_path: Path, spoiled: str) -> None:
    first, second = land(tmp_path, times=2)
    first.write_bytes(SPOILING[spoiled](first.read_bytes()))
    with pytest.raises(NotReadable, match=first.name):
        read(first)
    landed, skipped = replayed(tmp_path)
    assert [each.file_id for each in landed] == [second.stem]
    assert skipped.keys() == {first.name}


def test_a_replay_begins_where_it_is_told_and_does_not_read_what_is_known(tmp_path: Path) -> None:
    paths = land(tmp_path, times=4, start=START.replace(hour=23, minute=59, second=58))
    for number, path in enumerate(paths):
        assert [each.file_id for each in replayed(tmp_path, read(path).header.received_at)[0]] == [
            later.stem for later in paths[number:]
        ]
    paths[0].write_bytes(b"damaged")
    assert [each.file_id for each in replay(tmp_path, known={paths[0].stem, paths[2].stem})] == [
        paths[1].stem,
        paths[3].stem,
    ]


def test_no_landing_at_all_replays_as_nothing(tmp_path: Path) -> None:
    assert replayed(tmp_path / "never") == ([], {})


def test_retention_deletes_whole_days_that_ended_longer_ago_and_nothing_foreign(tmp_path: Path) -> None:
    """F65."""
    for age in (0, 29, 30, 31, 400):
        land(tmp_path, start=START - timedelta(days=age))
    (tmp_path / "2000").mkdir()
    kept = {(START - timedelta(days=age)).strftime("%Y-%m-%d") for age in (0, 29, 30)}
    removed = remove_old(tmp_path, START)
    assert removed == ("2025-01-25", "2026-01-29")
    assert {path.name for path in tmp_path.iterdir()} == kept | {"2000"}
    assert remove_old(tmp_path, START) == ()
    assert remove_old(tmp_path / "never", START) == ()


def test_what_killed_writers_left_is_removed_after_a_day(tmp_path: Path) -> None:
    (path,) = land(tmp_path)
    old, fresh = path.with_name(".old.landed"), path.with_name(".fresh.landed")
    for temporary, age in ((old, timedelta(hours=25)), (fresh, timedelta(hours=1))):
        temporary.write_bytes(b"{")
        os.utime(temporary, ((START - age).timestamp(),) * 2)
    remove_old(tmp_path, START)
    assert set(path.parent.iterdir()) == {path, fresh}


@pytest.mark.parametrize("failing", ["fsync", "open"])
def test_a_full_disk_is_an_error_that_names_the_path_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """F44: an answer has its name when the disk has it, and not before."""

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    land(tmp_path)
    before = list(tmp_path.rglob("*"))
    monkeypatch.setattr(os, failing, full)
    with pytest.raises(NotLanded, match=rf"{tmp_path}/2026-03-01/.*: No space left on device"):
        land(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.name.startswith(".")] == []
    assert failing == "open" or list(tmp_path.rglob("*")) == before


def test_before_anything_is_bought_there_is_room_for_an_answer_or_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F44: small answers may still land where a large one does not any more."""

    def full(descriptor: int) -> None:
        if os.fstat(descriptor).st_size > 2**20:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    landing = Landing(tmp_path, "run-1", VirtualClock(START))
    landing.require_room()
    monkeypatch.setattr(os, "fsync", full)
    land(tmp_path)
    with pytest.raises(NotLanded, match=rf"{tmp_path}/2026-03-01: No space left on device. Nothing was bought"):
        landing.require_room()
    assert len(list((tmp_path / "2026-03-01").iterdir())) == 1


def test_a_folder_that_cannot_be_made_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "landing").write_text("a file")
    with pytest.raises(NotLanded, match=rf"{tmp_path}/landing/2026-03-01/.*File exists"):
        land(tmp_path / "landing")


class Echo(BaseAdapter):
    """A proxy that answers with the URL it was asked for, the key in it."""

    def __init__(self, *, is_zipped: bool) -> None:
        super().__init__()
        self._is_zipped = is_zipped

    def send(self, request: requests.PreparedRequest, *_: object, **__: object) -> requests.Response:
        assert CANARY in urlsplit(str(request.url)).query
        body = f"<html>{request.url} {request.headers}".encode()
        headers = {"Content-Encoding": "gzip"} if self._is_zipped else {}
        raw = urllib3.HTTPResponse(
            body=BytesIO(gzip.compress(body) if self._is_zipped else body),
            headers=headers,
            status=502,
            preload_content=False,
            decode_content=False,
        )
        return HTTPAdapter().build_response(request, raw)

    def close(self) -> None:
        pass


@pytest.mark.parametrize("is_zipped", [True, False])
def test_the_api_key_is_in_no_landed_file(tmp_path: Path, *, is_zipped: bool) -> None:
    """F66."""
    session = requests.Session()
    session.mount(KEEPA_URL, Echo(is_zipped=is_zipped))
    client = KeepaClient(SecretStr(CANARY), session=session, land=Landing(tmp_path, "run-1", VirtualClock(START)))
    for request in (PAGE, ProductRequest(asins=("B000000001",))):
        client.send(request, UncheckedHold(request))
    paths = list(landed_files(tmp_path))
    assert len(paths) == 2
    for path in paths:
        header, _, body = path.read_bytes().partition(b"\n")
        assert b"redacted" in gzip.decompress(body)
        for content in (str(path).encode(), header, body, gzip.decompress(body)):
            assert CANARY.encode() not in content


def test_every_file_that_exists_is_whole_when_its_writers_were_killed(tmp_path: Path) -> None:
    """F31, F44."""
    program = Path(__file__).with_name("landing_program.py")
    subprocess.run([sys.executable, program, tmp_path, "30", "20", "40"], check=True, timeout=120)
    landed, skipped = replayed(tmp_path)
    assert len(landed) >= 30
    assert len({each.header.run_id for each in landed}) > 1
    assert skipped == {}, skipped
