"""The ways in which the code is broken: realistic mistakes of a line or two, each with the test that must notice it."""

from pathlib import Path
from typing import Final

import msgspec

ROOT: Final = Path(__file__).parents[2]


class Mutant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """In `file`, `old`, which occurs once, becomes `new`; `test` is the node id of who notices, `ids` what breaks."""

    name: str
    ids: tuple[str, ...]
    file: str
    old: str
    new: str
    test: str

    def occurrences(self, root: Path) -> int:
        """Return how often the old text occurs under a root: once, or the list is out of date."""
        path = root / self.file
        return path.read_text(encoding="utf-8").count(self.old) if path.is_file() else 0

    def broken(self, root: Path) -> str:
        """Return the text of the file with the mistake in it."""
        return (root / self.file).read_text(encoding="utf-8").replace(self.old, self.new)


class _Catalogue(msgspec.Struct, forbid_unknown_fields=True):
    mutant: tuple[Mutant, ...]


def mutants() -> tuple[Mutant, ...]:
    """Return all mutants, in the order of `mutants.toml`."""
    return msgspec.toml.decode(Path(__file__).with_name("mutants.toml").read_bytes(), type=_Catalogue).mutant
