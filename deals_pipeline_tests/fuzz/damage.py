"""True answers of the simulator, and what can be wrong with one: in JSON, in its bytes, its compression, its status.

A damage is drawn, never computed from what the code does with it; what an answer still says is read by `oracle`.
"""

import copy
import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeAlias

from hypothesis import strategies as st

from deals_pipeline.keepa.replies import Products, WireAnswer
from deals_pipeline.keepa.requests import DealPageRequest, ProductRequest, Request, SellerRequest
from deals_pipeline.keepa.selection import DealSelection
from deals_pipeline_tests.simulator.services import make_service

Purchase: TypeAlias = DealPageRequest | ProductRequest | SellerRequest
Wire: TypeAlias = dict[str, Any]
Path: TypeAlias = tuple[str | int, ...]

DEALS_KEPT: Final = 6
TWIN: Final = "twin of "
"""Begins a key that becomes, in the text, a second one of the same name."""
DEEP: Final = "deep "
"""Begins a text that becomes so many nested lists."""
BARE: Final = "bare "
"""Begins a text that becomes a bare word or number."""

TEXTS: Final = (
    "",
    "x",
    "5",
    "\x00",
    "a\x00b",
    "\ud800",
    "\udc00\ud800",
    "\u202e\u200b\ufeff",
    "\U0001f4da" * 3,
    "e\u0301\u0327",
    "=cmd|' /C calc'!A0",
    "\x1b[2J\x1b]0;x\x07",
    "</script><script>",
    "a\r\nb\u2028c\x85",
    "\\",
    "'; DROP TABLE deal; --",
    "x" * 70_000,
)
NUMBERS: Final = (
    *(0, -0.0, -1, -2, 1, 5, 0.5, 1e300, -1e300, 295.0),
    *(sign * 2**bits + offset for bits in (7, 15, 31, 32, 53, 63, 64, 100) for sign in (1, -1) for offset in (-1, 0)),
    *(float("nan"), float("inf"), float("-inf")),
)
TIMES: Final = (0, 1, -1, 8_000_000, 8_200_000, 2**31 - 1, 2**31, 1_772_366_400, 1_772_366_400_000, 253_402_300_800_000)
OTHERS: Final[tuple[Any, ...]] = (
    None,
    True,
    False,
    [],
    {},
    [[]],
    [None],
    {"": ""},
    [1, 2, 3],
    ["x"],
    {"asin": "B000000000"},
)
SPECIALS: Final = (
    *(f"{DEEP}{depth}" for depth in (3, 100, 100_000)),
    *(f"{BARE}{word}" for word in ("1e400", "-0", "01", "1.", "undefined", "'x'", "True", "\\ud800", "9" * 5_000)),
)
BODIES: Final = (
    b"",
    b" \n",
    b"null",
    b"[]",
    b"{}",
    b"0",
    b'"x"',
    b"<html><body><h1>502 Bad Gateway</h1></body></html>",
    b"\xff\xfe{\x00}\x00",
    b"\xef\xbb\xbf{}",
    b"\x1f\x8b",
    b"[" * 100_000,
    b'{"deals":' * 50_000,
    b"9" * 100_000,
    b'{"error": {"type": "x", "message": "y", "details": {"z": 1}}}',
)
STATUSES: Final = (
    200,
    201,
    204,
    206,
    301,
    302,
    304,
    400,
    401,
    402,
    403,
    404,
    405,
    418,
    429,
    500,
    502,
    503,
    504,
    599,
    999,
)
BODILESS: Final = (204, 304)
ENCODINGS: Final = ("", "gzip", "GZIP", "identity", "deflate", "br", "gzip, gzip", "x" * 2_000)


@dataclass(frozen=True)
class Base:
    """A true answer: what was asked, and the document."""

    request: Purchase
    document: Wire


@dataclass(frozen=True, repr=False)
class Sent:
    """What the service sends: `encoding` is the header's text, `wrong` what was damaged, in words."""

    base: Base
    status: int
    encoding: str
    body: bytes
    wrong: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"{self.base.request.kind} {self.status} {self.encoding[:20]!r} {self.wrong}"


@cache
def bases() -> tuple[Base, ...]:
    """Return a page, products without and with offers, and sellers, as the simulator answers; each is short."""
    answers: list[tuple[Request, WireAnswer]] = []
    service = make_service(products=1_000, land=lambda request, _, answer: answers.append((request, answer)))
    page = service.page(DealPageRequest(selection=DealSelection()))
    asins = tuple(deal.asin for deal in page.deals[:2])  # type: ignore[union-attr]
    service.products(ProductRequest(asins=asins, stats=90, days=30))
    offered = service.products(ProductRequest(asins=asins, stats=90, days=30, offers=20, only_live_offers=True))
    assert isinstance(offered, Products)
    sellers = sorted({offer.seller_id for product in offered.products for offer in product.live_offers})
    service.sellers(SellerRequest(seller_ids=tuple(sellers[:3])))
    found = []
    for request, answer in answers:
        document = json.loads(answer.content)
        if isinstance(request, DealPageRequest):
            document["deals"]["dr"] = document["deals"]["dr"][:DEALS_KEPT]
        assert isinstance(request, DealPageRequest | ProductRequest | SellerRequest)
        found.append(Base(request, document))
    assert len(found) == 4
    return tuple(found)


@cache
def text_of(index: int) -> str:
    """Return the document of a base as text, from which it is read faster than it is copied."""
    return json.dumps(bases()[index].document)


def paths(document: object, path: Path = ()) -> Iterator[Path]:
    """Yield the place of each value; of a long list only some, so that a history does not outweigh all else."""
    if path:
        yield path
    match document:
        case dict():
            inner: list[tuple[str | int, object]] = list(document.items())
        case list():
            inner = [*list(enumerate(document))[:6], *list(enumerate(document))[-2:]]
        case _:
            inner = []
    for key, value in inner:
        yield from paths(value, (*path, key))


@cache
def places(index: int) -> tuple[tuple[Path, ...], ...]:
    """Return the places in a base by their depth."""
    found: dict[int, list[Path]] = {}
    for path in paths(bases()[index].document):
        found.setdefault(len(path), []).append(path)
    return tuple(tuple(found[depth]) for depth in sorted(found))


anything = st.one_of(
    st.sampled_from(NUMBERS),
    st.sampled_from(TEXTS),
    st.sampled_from(TIMES),
    st.sampled_from(OTHERS),
    st.sampled_from(SPECIALS),
    st.integers(-(2**32), 2**32),
    st.text(max_size=8),
)


@st.composite
def damaged_documents(draw: st.DrawFn, index: int) -> tuple[str, tuple[str, ...]]:
    """Draw the text of an answer with up to four things wrong in it, at any depth; and these in words."""
    document, wrong = json.loads(text_of(index)), []
    for _ in range(draw(st.integers(0, 4))):
        path = draw(st.sampled_from(draw(st.sampled_from(places(index)))))
        try:
            wrong.append(_damage(draw, document, path))
        except (KeyError, IndexError, TypeError, AttributeError):  # an earlier damage took this place away
            continue
    return as_text(document), tuple(wrong)


def _damage(draw: st.DrawFn, document: Wire, path: Path) -> str:
    """Damage the value at a place of a document, and say how."""
    place: Any = document
    for key in path[:-1]:
        place = place[key]
    last: Any = path[-1]
    old = place[last]
    how = draw(st.sampled_from(["replace", "replace", "remove", "rename", "twin", "longer", "shorter", "again"]))
    new = draw(anything) if how in ("replace", "twin", "longer") else None
    match how:
        case "remove":
            del place[last]
        case "rename":
            place[f"{last}_"] = place.pop(last)
        case "twin":
            place[f"{TWIN}{last}"] = new
        case "longer":
            old.append(new)
        case "shorter":
            old.pop()
        case "again":
            (place if isinstance(place, list) else old).append(copy.deepcopy(old[0] if isinstance(old, list) else old))
        case _:
            place[last] = new
    return f"{how} {'.'.join(map(str, path))} {ascii(new)[:60]}"


def as_text(document: object) -> str:
    """Return a document as JSON, or what passes for it: see the words that a key or a text can begin with."""
    text = json.dumps(document).replace(f'"{TWIN}', '"')
    for special in SPECIALS:
        if special.startswith(DEEP):
            depth = int(special.removeprefix(DEEP))
            text = text.replace(json.dumps(special), "[" * depth + "]" * depth)
        else:
            text = text.replace(json.dumps(special), special.removeprefix(BARE))
    return text


@st.composite
def damaged_bytes(draw: st.DrawFn, body: bytes) -> bytes:
    """Draw what is left of a body when its bytes are cut, flipped, or others come among them."""
    at = draw(st.integers(0, len(body)))
    match draw(st.sampled_from(["cut", "flip", "flip", "insert", "before", "after"])):
        case "cut":
            return body[:at]
        case "flip":
            changed = bytearray(body or b"\x00")
            changed[at % len(changed)] ^= draw(st.integers(1, 255))
            return bytes(changed)
        case "insert":
            return body[:at] + draw(st.sampled_from([b"\x00", b"\xff", b"\xed\xa0\x80", b'"', b"\\", b"}"])) + body[at:]
        case "before":
            return draw(st.sampled_from([b"\xef\xbb\xbf", b"\n", b")]}',\n", b"\x00"])) + body
        case _:
            return body + draw(st.sampled_from([b"\n", b"\x00" * 9, b"{}", b"<!-- cached -->"]))


@st.composite
def damaged_answers(draw: st.DrawFn) -> Sent:
    """Draw an answer with something wrong in its document, its bytes, its compression or its status, or in several."""
    index = draw(st.integers(0, len(bases()) - 1))
    wrong = draw(st.sampled_from(["document"] * 6 + ["bytes", "bytes", "gzip", "gzip", "encoding", "status", "body"]))
    text, said = draw(damaged_documents(index))
    plain = text.encode("utf-8", "surrogatepass")
    if wrong == "body":
        plain = draw(st.sampled_from(BODIES))
    if wrong == "bytes":
        plain = draw(damaged_bytes(plain))
    body, encoding, status = gzip.compress(plain, 1, mtime=0), "gzip", 200
    if wrong == "gzip":
        body = draw(
            st.one_of(
                damaged_bytes(body),
                st.sampled_from([plain, zlib.compress(plain), gzip.compress(body, 1, mtime=0), body + body, b""]),
            )
        )
    if wrong in ("encoding", "body"):
        encoding = draw(st.sampled_from(ENCODINGS))
        body = draw(st.sampled_from([body, plain]))
    if wrong in ("status", "body"):
        status = draw(st.sampled_from(STATUSES))
        body = b"" if status in BODILESS else body
    return Sent(bases()[index], status, encoding, body, (wrong, *said))
