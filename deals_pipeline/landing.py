"""Paid answers on disk: each is one file, whole or absent, put there before anything else looks at it (F31, F44).

A file is a line of JSON, the header, and after it the gzipped body, as it came over the wire. Names sort in the order
of landing; there is a folder for each day. Everything after the landing can be done again from these files, at no cost.
"""

import gzip
import logging
import os
import re
import secrets
import shutil
import zlib
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from threading import Lock
from typing import Any, Final, Literal, TypeAlias

import msgspec
from pydantic import ValidationError

from deals_pipeline import __version__
from deals_pipeline.clock import Clock
from deals_pipeline.keepa.client import Hold
from deals_pipeline.keepa.reading import read_reply
from deals_pipeline.keepa.replies import WireAnswer
from deals_pipeline.keepa.requests import DealPageRequest, ProductRequest, Request, SellerRequest, TokenStatusRequest

RETENTION: Final = timedelta(days=30)
TEMPORARY_AGE_MAX: Final = timedelta(days=1)
"""A temporary file older than this belongs to nobody: its writer was killed."""
ANSWER_BYTES_MAX: Final = 4 * 2**20
"""More than an answer has: 100 products with three years of history are 3 MB."""
SUFFIX: Final = ".landed"
NAME: Final = re.compile(r"(\d{8}T\d{6}\.\d{6}Z)-\d{6}-[0-9a-f]{8}")
TIME_FORMAT: Final = "%Y%m%dT%H%M%S.%fZ"
DAY_FORMAT: Final = "%Y-%m-%d"
REQUESTS: Final[Mapping[str, type[Request]]] = {
    "deal page": DealPageRequest,
    "product": ProductRequest,
    "seller": SellerRequest,
    "token status": TokenStatusRequest,
}
_log: Final = logging.getLogger(__name__)

Skipped: TypeAlias = Callable[[Path, str], None]
"""Is told of each file that is passed over, and why."""


class NotLanded(OSError):
    """An answer could not be put on disk; the message names the path."""


class NotReadable(ValueError):
    """A file is not a whole landed answer; the message names the path."""


class Scan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which scan a deal page is read for.

    `selection` is the name in the settings, `kind` how the scan began; `shard` is the key of a backfill's shard.
    """

    selection: str
    kind: Literal["head", "full", "shard"]
    started_at: datetime
    shard: str | None = None


class RequestRecord(msgspec.Struct, frozen=True):
    """A request without the key, so that the typed request can be made from it again."""

    kind: str
    fields: dict[str, Any]


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an answer besides its bytes. Times are UTC; `server_time` is `None` where it is not readable.

    `content_encoding` is the one on the wire; a body that came plain was gzipped here. `body_crc32` is of the file's.
    """

    request: RequestRecord
    hold_id: str
    run_id: str
    code_version: str
    received_at: datetime
    server_time: datetime | None
    status: int
    content_encoding: str
    is_gzipped_here: bool
    body_bytes: int
    body_crc32: int
    scan: Scan | None = None


class Landed(msgspec.Struct, frozen=True, kw_only=True):
    """A landed answer; `file_id` is the name of its file without suffix, unique for ever."""

    file_id: str
    header: Header
    request: Request
    answer: WireAnswer


_header = msgspec.json.Decoder(Header)


class Landing:
    """Lands the answers of one run under `root`; an instance is the `land` callback of a `KeepaClient`.

    Raises `NotLanded` where an answer cannot be written. `latest` is the path of the newest.
    """

    def __init__(self, root: Path, run_id: str, clock: Clock) -> None:
        self.root: Final = root
        self.latest: Path | None = None
        self._run_id = run_id
        self._clock = clock
        self._scan: Scan | None = None
        self._landed = 0
        self._newest = datetime.min.replace(tzinfo=timezone.utc)
        self._lock = Lock()

    def require_room(self) -> None:
        """Put on disk what is as large as an answer, and remove it: what cannot land is not to be paid for."""
        folder = self.root / self._clock.now().strftime(DAY_FORMAT)
        probe = folder / f".{secrets.token_hex(8)}{SUFFIX}"
        try:
            _put(probe, bytes(ANSWER_BYTES_MAX))
        except OSError as failure:
            reason = failure.strerror or failure
            raise NotLanded(f"{folder}: {reason}. Nothing was bought; make room and try again") from failure
        finally:
            with suppress(OSError):
                probe.unlink(missing_ok=True)

    @contextmanager
    def reading(self, scan: Scan) -> Iterator[None]:
        """Note on each answer that lands within the block that it belongs to a scan."""
        before, self._scan = self._scan, scan
        try:
            yield
        finally:
            self._scan = before

    def __call__(self, request: Request, hold: Hold, answer: WireAnswer) -> None:
        """Put an answer on disk: return when it would survive a power cut."""
        is_plain = answer.content_encoding == ""
        body = gzip.compress(answer.body, mtime=0) if is_plain else answer.body
        with self._lock:
            received_at = self._newest = max(self._clock.now(), self._newest)
            self._landed += 1
            file_id = f"{received_at.strftime(TIME_FORMAT)}-{self._landed:06d}-{secrets.token_hex(4)}"
        header = Header(
            request=_record(request),
            hold_id=hold.hold_id,
            run_id=self._run_id,
            code_version=__version__,
            received_at=received_at,
            server_time=_server_time(answer),
            status=answer.status,
            content_encoding=answer.content_encoding,
            is_gzipped_here=is_plain,
            body_bytes=len(body),
            body_crc32=zlib.crc32(body),
            scan=self._scan,
        )
        path = path_of(self.root, file_id)
        _write(path, msgspec.json.encode(header) + b"\n" + body)
        self.latest = path


def replay(
    root: Path,
    since: datetime | None = None,
    *,
    known: Container[str] = (),
    skipped: Skipped | None = None,
) -> Iterator[Landed]:
    """Yield all answers that landed at or after `since`, in order; tell `skipped` (or the log) of other files.

    Those whose `file_id` is `known` are left out, unread.
    """
    report = skipped or log_skipped
    for path in landed_files(root, since, report):
        if path.stem in known:
            continue
        try:
            yield read(path)
        except NotReadable as unreadable:
            report(path, str(unreadable))


def landed_files(root: Path, since: datetime | None = None, skipped: Skipped | None = None) -> Iterator[Path]:
    """Yield the paths of the answers that landed at or after `since`, in order, without opening them."""
    report = skipped or log_skipped
    first_day, first_name = (since.strftime(form) if since else "" for form in (DAY_FORMAT, TIME_FORMAT))
    for day in _days(root):
        if day.name < first_day:
            continue
        for path in sorted(day.iterdir()):
            if path.name.startswith("."):  # being written, or by a writer that was killed
                continue
            if not (path.suffix == SUFFIX and NAME.fullmatch(path.stem) and path.is_file()):
                report(path, "is no landed answer")
            elif path.name >= first_name:
                yield path


def path_of(root: Path, file_id: str) -> Path:
    """Return where an answer was put, whether or not it still is there; raises `ValueError` for no `file_id`."""
    if not NAME.fullmatch(file_id):
        raise ValueError(f"file_id {file_id!r}: allowed is the name of a landed file without {SUFFIX}")
    return root / f"{file_id[:4]}-{file_id[4:6]}-{file_id[6:8]}" / f"{file_id}{SUFFIX}"


def read(path: Path) -> Landed:
    """Return a landed answer, fit for `read_reply`; raises `NotReadable`."""
    try:
        line, _, body = path.read_bytes().partition(b"\n")
        header = _header.decode(line)
        if (len(body), zlib.crc32(body)) != (header.body_bytes, header.body_crc32):
            raise NotReadable(f"{path} is damaged: its body is not the one that was landed")
        request = REQUESTS[header.request.kind].model_validate(header.request.fields)
        body = gzip.decompress(body) if header.is_gzipped_here else body
    except OSError as failure:
        raise NotReadable(f"{path} cannot be read: {failure.strerror or failure}") from failure
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, ValidationError) as failure:
        raise NotReadable(f"{path} is no landed answer of this version: {failure}") from failure
    answer = WireAnswer(header.status, header.content_encoding, body)
    return Landed(file_id=path.stem, header=header, request=request, answer=answer)


def remove_old(root: Path, now: datetime, retention: timedelta = RETENTION) -> tuple[str, ...]:
    """Delete the folders of days that ended more than `retention` ago, and what killed writers left; return the days.

    A folder with a foreign name is left alone.
    """
    oldest = (now - retention).strftime(DAY_FORMAT)
    days = list(_days(root))
    removed = [day for day in days if day.name < oldest]
    for day in removed:
        shutil.rmtree(day)
    for day in days:
        for temporary in day.glob(f".*{SUFFIX}") if day not in removed else ():
            with suppress(FileNotFoundError):
                if temporary.stat().st_mtime < (now - TEMPORARY_AGE_MAX).timestamp():
                    temporary.unlink()
    return tuple(day.name for day in removed)


def log_skipped(path: Path, reason: str) -> None:
    """Log that a file is passed over, and why."""
    _log.warning("passed over %s: %s", path, reason)


def _record(request: Request) -> RequestRecord:
    (kind,) = (name for name, type_ in REQUESTS.items() if type(request) is type_)
    return RequestRecord(kind, request.model_dump(mode="json", exclude_defaults=True))


def _server_time(answer: WireAnswer) -> datetime | None:
    tokens = read_reply(TokenStatusRequest(), answer).tokens
    return tokens.timestamp if tokens else None


def _days(root: Path) -> Iterator[Path]:
    for day in sorted(root.iterdir()) if root.is_dir() else ():
        if re.fullmatch(r"\d{4}-\d\d-\d\d", day.name) and day.is_dir():
            yield day


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}")
    try:
        _put(temporary, content)
        temporary.rename(path)
        _sync_folder(path.parent)
    except OSError as failure:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        reason = failure.strerror or failure
        raise NotLanded(f"{path}: {reason}. The answer was paid for and is lost; make room and try again") from failure


def _put(path: Path, content: bytes) -> None:
    _make_folder(path.parent)
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
