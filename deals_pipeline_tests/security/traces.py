"""Everything that a home holds, as bytes that can be searched: as it lies on disk, and as who opens it reads it."""

import gzip
import re
import sqlite3
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

PACKED = re.compile(rb'"(H4sI[A-Za-z0-9+/=]+)"')
"""Gzip in base64, as the page of deals has it."""
PART_CHARACTERS = 16


def forms(secret: str) -> dict[str, bytes]:
    """Return a secret in the forms in which it may be left behind, by their name; of the plain one each part."""
    plain = secret.encode()
    parts = {f"part {at}": plain[at : at + PART_CHARACTERS] for at in range(0, len(plain) - PART_CHARACTERS + 1, 8)}
    # Three bytes become four letters: what stands before decides where they begin.
    base64 = {f"base64 {skip}": b64encode(plain[skip:])[: 4 * ((len(plain) - skip) // 3)] for skip in range(3)}
    quoted = "".join(f"%{byte:02X}" for byte in plain).encode()
    others = {"reversed": plain[::-1], "in percent": quoted, "in hexadecimal": plain.hex().encode()}
    return parts | base64 | others


def traces(secret: str, text: bytes) -> list[str]:
    """Return the forms of a secret that are in a text, whatever the case."""
    lower = text.lower()
    return [name for name, form in forms(secret).items() if form.lower() in lower]


def views(path: Path) -> Iterator[bytes]:
    """Yield what a file holds: its bytes, and what is compressed in them."""
    content = path.read_bytes()
    yield content
    if path.suffix == ".landed":
        with suppress(OSError, EOFError):
            yield gzip.decompress(content.partition(b"\n")[2])
    elif path.suffix == ".parquet":
        table = pq.read_table(path)
        yield repr((table.schema, table.to_pylist())).encode()
    elif path.suffix == ".html":
        for found in PACKED.finditer(content):
            yield gzip.decompress(b64decode(found[1]))
    elif content.startswith(b"SQLite format 3\0"):
        with closing(sqlite3.connect(path)) as opened:
            yield "\n".join(opened.iterdump()).encode()
    elif content[8:12] == b"DUCK":
        yield _rows(path)


def _rows(path: Path) -> bytes:
    with duckdb.connect(path, read_only=True) as opened:
        names = [name for (name,) in opened.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        tables: list[pa.Table] = [opened.sql(f'FROM "{name}"').to_arrow_table() for name in names]
        return repr([table.to_pylist() for table in tables]).encode()


def traces_under(folder: Path, secret: str) -> dict[str, list[str]]:
    """Return the files under a folder, and their names, in which a secret is, with its forms."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        texts = [str(path.relative_to(folder)).encode(), *views(path)]
        if forms_found := sorted({form for text in texts for form in traces(secret, text)}):
            found[str(path.relative_to(folder))] = forms_found
    return found
