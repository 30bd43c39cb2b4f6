"""The page of results: what was run here is told anew, what was not stays as it was."""

from pathlib import Path

import msgspec
import pytest

from benchmarks.document import document, sections
from benchmarks.verdicts import ROOT, Target, Told

PAGE = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
TOLD = Told(
    "python benchmarks/b.py", "2 cores", "2026-11-23 10:00 UTC", [{"what": "ours"}], [Target("x", 1, "at most", 2)]
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "benchmarks").mkdir()
    for name in "abc":
        (tmp_path / "benchmarks" / f"{name}.py").write_text(f'"""What {name} costs.\n\nMore.\n"""\n', encoding="utf-8")
    return tmp_path


def test_what_was_run_here_is_told_anew_and_what_was_not_stays(root: Path) -> None:
    page = "# Benchmarks\n\n## What a costs\n\n```\nof before\n\n1\n```\n\n## What b costs\n\n```\nof before\n```\n"
    (root / "benchmarks" / "b.json").write_bytes(msgspec.json.encode(TOLD))
    found = sections("\n".join(document(root, page)))
    assert list(found) == ["What a costs", "What b costs"]
    assert found["What a costs"] == "```\nof before\n\n1\n```"
    assert found["What b costs"].splitlines()[1:-1] == list(TOLD.lines())


def test_what_no_program_measures_any_more_goes(root: Path) -> None:
    page = "## What z costs\n\n```\nof before\n```\n"
    assert sections(page)
    assert not sections("\n".join(document(root, page)))


def test_each_section_of_the_page_is_of_a_program_and_tells_command_and_verdicts() -> None:
    told = sections(PAGE)
    assert told.keys() <= sections("\n".join(document(ROOT, PAGE))).keys()
    for block in told.values():
        first, *_, last = block.splitlines()[1:-1]
        assert first.startswith("python ")
        assert last.endswith((": met", ": MISSED"))
