"""Worlds that are over, kept so that a soak of many hours goes on where it was interrupted."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from deals_pipeline_tests.soak.life import Life

KEPT: Final = Path(__file__).with_name("lives.jsonl")
ROOT: Final = Path(__file__).parents[2]
SOURCES: Final = (
    "deals_pipeline/**/*",
    "deals_pipeline_tests/virtual_pipeline.py",
    "deals_pipeline_tests/simulation/*",
    "deals_pipeline_tests/soak/*",
)
"""What decides how a world unfolds."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A life, and by which code it was lived."""

    code: str
    life: Life


def code_of(root: Path = ROOT) -> str:
    """Return what is another after any change of the code in a checkout that a world depends on."""
    found = (path for place in SOURCES for path in root.glob(place) if path.suffix in {".py", ".sql", ".toml"})
    digest = sha256()
    for path in sorted(path for path in found if not path.name.startswith("test_")):
        digest.update(f"{path.relative_to(root)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def keep(path: Path, code: str, life: Life) -> None:
    """Remember a life in which all invariants held; one in which not is to be replayed."""
    if life.violation is None:
        with path.open("ab") as file:
            file.write(b"\n" + msgspec.json.encode(Kept(code, life)))


def kept_lives(path: Path, code: str, days: float) -> Iterator[Life]:
    """Yield the lives of so many days that this code has lived; what a kill cut off is none."""
    for line in path.read_bytes().splitlines() if path.exists() else ():
        with suppress(msgspec.DecodeError):
            kept = msgspec.json.decode(line, type=Kept)
            if kept.code == code and kept.life.days == days:
                yield kept.life
