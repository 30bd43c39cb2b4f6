"""What an interrupted program of many hours goes on with, and what it leaves behind."""

import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from deals_pipeline_tests.long_runs import ROOT, Kept, code_of

PROGRAM = """
import time
from deals_pipeline_tests.long_runs import workers

def work():
    print("at work", flush=True)
    time.sleep(600)

if __name__ == "__main__":
    with workers() as pool:
        pool.submit(work).result()
"""


@dataclass(frozen=True, slots=True)
class Part:
    """What such a program computes."""

    tokens: int
    lasted: timedelta
    places: frozenset[str]


PART = Part(216_000, timedelta(days=30), frozenset({"a place"}))
OTHER = Part(5, timedelta(seconds=1.5), frozenset())


def test_a_part_is_computed_once_for_each_code(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept.jsonl", "code", Part)
    assert not kept.parts()
    kept.keep("one", PART)
    kept.keep("other", OTHER)
    assert kept.parts() == {"one": PART, "other": OTHER}
    assert not Kept(kept.path, "other code", Part).parts()


def test_what_a_kill_cut_off_is_no_part(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept.jsonl", "code", Part)
    kept.keep("one", PART)
    kept.keep("cut off", PART)
    kept.path.write_bytes(kept.path.read_bytes()[:-20])
    kept.keep("other", OTHER)
    assert kept.parts() == {"one": PART, "other": OTHER}


@pytest.mark.parametrize(
    ("changed", "is_another"),
    [
        ("deals_pipeline/planner.py", True),
        ("deals_pipeline/warehouse/sql/load.sql", True),
        ("deals_pipeline_tests/virtual_pipeline.py", True),
        ("requirements.lock", True),
        ("deals_pipeline/dagster.yaml", True),
        ("special/fate.py", True),
        ("special/test_fate.py", True),
        ("special/kept.jsonl", False),
        ("docs/benchmarks.md", False),
    ],
)
def test_the_code_is_another_after_any_change_that_a_part_depends_on(
    tmp_path: Path, changed: str, *, is_another: bool
) -> None:
    path = tmp_path / changed
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("before")
    before = code_of(["special/*"], tmp_path)
    path.write_text("after")
    assert (code_of(["special/*"], tmp_path) != before) == is_another


def test_the_workers_of_a_killed_program_end_in_the_middle_of_their_work(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    environ = {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, program], cwd=ROOT, env=environ, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"at work\n"
        parent.kill()
        parent.communicate(timeout=60)  # until the last process that can write there has ended
