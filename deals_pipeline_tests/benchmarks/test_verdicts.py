"""What a benchmark says when it is over, and its exit status."""

import msgspec
import pytest

from benchmarks.verdicts import ROOT, Row, Target, Told, command_of, conclude

ROWS: list[Row] = [{"what": "ours", "seconds": 0.25}, {"what": "theirs", "seconds": None}]
MET, MISSED = Target("ratio", 3.2, "at least", 3), Target("memory", 7, "at most", 6)


@pytest.mark.parametrize(("targets", "status"), [([MET], 0), ([MET, MISSED], 1)])
def test_a_missed_target_is_the_exit_status(
    targets: list[Target], status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = ROOT / "benchmarks" / "of_a_test.py"
    monkeypatch.setattr("sys.argv", [str(program), "--rounds", "3"])
    try:
        assert conclude(str(program), ROWS, targets) == status
        told = msgspec.json.decode(program.with_suffix(".json").read_bytes(), type=Told)
    finally:
        program.with_suffix(".json").unlink()
    printed = capsys.readouterr().out
    assert printed.startswith("python benchmarks/of_a_test.py --rounds 3; ")
    assert "ratio: 3.2, at least 3: met\n" in printed
    assert ("memory: 7, at most 6: MISSED\n" in printed) is (status == 1)
    assert printed == "\n".join(told.lines()) + "\n", "the file holds what was printed"


def test_a_value_that_misses_by_little_is_told_so_that_it_shows() -> None:
    assert str(Target("found, %", 99.4913, "at least", 99.5)) == "found, %: 99.4913, at least 99.5: MISSED"
    assert str(Target("lost, %", 1.0, "at most", 1.0)) == "lost, %: 1, at most 1: met"


@pytest.mark.parametrize(
    ("program", "command"),
    [
        ("benchmarks/token_yield.py", "python benchmarks/token_yield.py --hours 6"),
        ("deals_pipeline_tests/soak/__main__.py", "python -m deals_pipeline_tests.soak --hours 6"),
    ],
)
def test_the_command_that_is_told_can_be_called(program: str, command: str) -> None:
    assert (ROOT / program).exists()
    assert command_of(str(ROOT / program), ["--hours", "6"]) == command
