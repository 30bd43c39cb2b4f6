"""docs/failure_modes.md says who guards what now, and nothing is left unguarded."""

from pathlib import Path

import pytest

from deals_pipeline_tests.failure_table import document, failure_modes, guards
from deals_pipeline_tests.mutants.catalogue import mutants

PAGE = Path(__file__).parents[1] / "docs" / "failure_modes.md"
GUARDS = guards()
KNOWN = frozenset(failure for holding in failure_modes().values() for failure in holding)


def test_the_page_is_up_to_date() -> None:
    page = document(failure_modes(), GUARDS, mutants())
    assert PAGE.read_text(encoding="utf-8") == page, "make failure-modes"


@pytest.mark.parametrize("failure", sorted(KNOWN))
def test_a_test_guards(failure: str) -> None:
    files = [Path(name.partition("::")[0]).name for name in GUARDS.get(failure, ())]
    assert any(file.startswith("test_") for file in files)


def test_nobody_cites_what_is_no_failure_mode() -> None:
    assert {failure: names for failure, names in GUARDS.items() if failure not in KNOWN} == {}


def test_citations_are_found_in_the_docstrings_of_tests_checkers_and_whole_files(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "test_it.py").write_text(
        '"""F01: all of these."""\n'
        'def test_one():\n    """F02, F02, XF03: once."""\n    "F04"  # F05\n'
        'class Checker:\n    """F02."""\n    def check(self):\n        """F100."""\n'
    )
    (tmp_path / "helper.py").write_text("def silent(): ...\n")
    assert guards(tmp_path) == {
        "F01": ("inner/test_it.py",),
        "F02": ("inner/test_it.py::test_one", "inner/test_it.py::Checker"),
        "F100": ("inner/test_it.py::check",),
    }


def test_each_id_and_each_mutant_is_a_line_of_the_page(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text('def test_one():\n    """F01."""\n')
    page = document({"Tokens": {"F01": "One.", "F02": "Two."}}, guards(tmp_path), mutants()[:1])
    assert "| F01 | One. | `test_it.py::test_one` |\n| F02 | Two. |  |\n" in page
    assert f"| {mutants()[0].name} | " in page
