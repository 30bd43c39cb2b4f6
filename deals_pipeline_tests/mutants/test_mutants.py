"""The list of mutants is in step with the code, and the pass finds who survives."""

import sys
from pathlib import Path

import pytest

from deals_pipeline_tests.failure_table import failure_modes, guards
from deals_pipeline_tests.mutants.__main__ import MUTANTS_MIN
from deals_pipeline_tests.mutants.catalogue import ROOT, Mutant, mutants
from deals_pipeline_tests.mutants.mutation import NotGreen, Verdict, judge

ALL = {mutant.name: mutant for mutant in mutants()}
GUARDS = guards()
KNOWN = frozenset(failure for holding in failure_modes().values() for failure in holding)


@pytest.mark.parametrize("name", ALL)
def test_the_text_that_is_broken_occurs_once(name: str) -> None:
    mutant = ALL[name]
    assert mutant.occurrences(ROOT) == 1, f"{mutant.file}: {mutant.old!r}"
    broken = mutant.broken(ROOT)
    assert broken != (ROOT / mutant.file).read_text(encoding="utf-8")
    if mutant.file.endswith(".py"):
        compile(broken, mutant.file, "exec")


@pytest.mark.parametrize("name", ALL)
def test_the_test_that_must_notice_cites_what_breaks(name: str) -> None:
    mutant = ALL[name]
    file, _, test = mutant.test.removeprefix("deals_pipeline_tests/").partition("::")
    assert set(mutant.ids) <= KNOWN
    citing = [failure for failure in mutant.ids if {file, f"{file}::{test}"} & set(GUARDS.get(failure, ()))]
    assert citing, f"{mutant.test} cites none of {mutant.ids}"


def test_every_mutant_has_a_name_of_its_own_and_there_are_enough() -> None:
    assert len(ALL) == len(mutants()) >= MUTANTS_MIN


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a tree of one function and its tests."""
    (tmp_path / "double.py").write_text("def double(x):\n    return x + x\n")
    (tmp_path / "test_double.py").write_text(
        "from double import double\n"
        "def test_of_3():\n    assert double(3) == 6\n"
        "def test_of_0():\n    assert double(0) == 0\n"
    )
    return tmp_path


def a_mutant(new: str, test: str, old: str = "x + x") -> Mutant:
    return Mutant(f"{new} for {test}", ("F01",), "double.py", old, new, f"test_double.py::{test}")


def test_who_is_caught_who_survives_and_who_is_out_of_date_is_told_and_the_tree_is_left_alone(tree: Path) -> None:
    before = {path.name: path.read_bytes() for path in tree.iterdir()}
    listed = [
        a_mutant("x + 1", "test_of_3"),
        a_mutant("x * x", "test_of_0"),
        a_mutant("0", "test_of_3", old="x"),
        a_mutant("x +", "test_of_3"),
    ]
    outcomes = judge(tree, listed)
    assert [outcome.mutant for outcome in outcomes] == listed
    assert [outcome.verdict for outcome in outcomes] == [
        Verdict.CAUGHT,
        Verdict.SURVIVED,
        Verdict.NOT_FOUND,
        Verdict.NO_VERDICT,
    ]
    assert [outcome.caught_by for outcome in outcomes[:2]] == ["test_double.py::test_of_3", None]
    assert {path.name: path.read_bytes() for path in tree.iterdir()} == before


def test_tests_that_fail_on_the_unbroken_code_judge_nobody(tree: Path) -> None:
    (tree / "double.py").write_text("def double(x):\n    return 3 * x\n")
    with pytest.raises(NotGreen, match="test_of_3"):
        judge(tree, [a_mutant("x + x", "test_of_3", old="3 * x")])
    assert "double" not in sys.modules
