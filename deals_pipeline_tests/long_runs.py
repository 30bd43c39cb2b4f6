"""Programs of many hours: two processes for their parts; what is over is kept, so that an interrupted one goes on."""

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Final, Generic, TypeVar

import msgspec

Part = TypeVar("Part")

PROCESSES: Final = 2
ROOT: Final = Path(__file__).parents[1]
SOURCES: Final = ("deals_pipeline/**/*", "deals_pipeline_tests/virtual_pipeline.py", "requirements.lock")
"""What decides how whatever runs the pipeline ends."""
SUFFIXES: Final = frozenset({".py", ".sql", ".toml", ".yaml", ".lock"})


@dataclass(frozen=True, slots=True)
class _Line:
    code: str
    name: str
    part: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Kept(Generic[Part]):
    """The parts in a file, by their names, that some code has brought to their end."""

    path: Path
    code: str
    kind: type[Part]

    def keep(self, name: str, part: Part) -> None:
        """Remember a part."""
        with self.path.open("ab") as file:
            file.write(b"\n" + msgspec.json.encode(_Line(self.code, name, msgspec.Raw(msgspec.json.encode(part)))))

    def parts(self) -> Mapping[str, Part]:
        """Return what this code has brought to its end; what a kill cut off is nothing."""
        found: dict[str, Part] = {}
        for line in self.path.read_bytes().splitlines() if self.path.exists() else ():
            with suppress(msgspec.DecodeError):
                kept = msgspec.json.decode(line, type=_Line)
                if kept.code == self.code:
                    found[kept.name] = msgspec.json.decode(kept.part, type=self.kind)
        return found


def code_of(places: Iterable[str] = (), root: Path = ROOT, *, sources: Iterable[str] = SOURCES) -> str:
    """Return what is another after a change of the pipeline in a checkout, or of what else these patterns match."""
    found = {path for place in (*sources, *places) for path in root.glob(place) if path.suffix in SUFFIXES}
    digest = sha256()
    for path in sorted(found):
        digest.update(f"{path.relative_to(root)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def workers() -> ProcessPoolExecutor:
    """Return processes that end with this one, however it ends."""
    return ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn"), initializer=_end_with_parent)


def _end_with_parent() -> None:
    def watch() -> None:
        if (parent := parent_process()) is not None:
            parent.join()
            os._exit(1)

    Thread(target=watch, daemon=True).start()
