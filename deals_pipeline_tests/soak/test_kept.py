"""What an interrupted soak goes on with."""

from dataclasses import replace
from pathlib import Path

import pytest

from deals_pipeline_tests.soak.kept import code_of, keep, kept_lives
from deals_pipeline_tests.soak.life import Life

LIFE = Life(
    seed=1,
    days=30,
    steps=900,
    kills=400,
    spared=frozenset({"a place"}),
    versions=30,
    deletions=90,
    tokens=216_000,
    seconds=1300.5,
    violation=None,
)


def test_a_world_is_lived_once_for_each_code_and_length(tmp_path: Path) -> None:
    path = tmp_path / "lives.jsonl"
    assert not list(kept_lives(path, "code", 30))
    for life in (LIFE, replace(LIFE, seed=2)):
        keep(path, "code", life)
    assert list(kept_lives(path, "code", 30)) == [LIFE, replace(LIFE, seed=2)]
    assert not list(kept_lives(path, "other code", 30))
    assert not list(kept_lives(path, "code", 31))


def test_a_world_in_which_an_invariant_did_not_hold_is_lived_again(tmp_path: Path) -> None:
    path = tmp_path / "lives.jsonl"
    keep(path, "code", replace(LIFE, violation="F05: a token came from nowhere"))
    assert not list(kept_lives(path, "code", 30))


def test_a_line_that_a_kill_cut_off_is_no_life(tmp_path: Path) -> None:
    path = tmp_path / "lives.jsonl"
    keep(path, "code", LIFE)
    keep(path, "code", replace(LIFE, seed=2))
    path.write_bytes(path.read_bytes()[:-20])
    keep(path, "code", replace(LIFE, seed=3))
    assert list(kept_lives(path, "code", 30)) == [LIFE, replace(LIFE, seed=3)]


@pytest.mark.parametrize(
    ("changed", "is_another"),
    [
        ("deals_pipeline/planner.py", True),
        ("deals_pipeline/warehouse/sql/load.sql", True),
        ("deals_pipeline_tests/soak/fate.py", True),
        ("deals_pipeline_tests/virtual_pipeline.py", True),
        ("deals_pipeline_tests/soak/test_soak.py", False),
        ("deals_pipeline_tests/soak/lives.jsonl", False),
        ("docs/benchmarks.md", False),
    ],
)
def test_the_code_is_another_after_any_change_that_a_world_depends_on(
    tmp_path: Path, changed: str, *, is_another: bool
) -> None:
    path = tmp_path / changed
    path.parent.mkdir(parents=True)
    path.write_text("before")
    before = code_of(tmp_path)
    path.write_text("after")
    assert (code_of(tmp_path) != before) == is_another
