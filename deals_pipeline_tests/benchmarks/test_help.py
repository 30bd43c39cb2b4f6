"""Each program that proves something says what it does and takes no argument that it does not know."""

import runpy
from pathlib import Path

import pytest

from benchmarks.verdicts import ROOT

PROGRAMS = [
    path
    for path in sorted((*ROOT.glob("benchmarks/*.py"), *ROOT.glob("deals_pipeline_tests/*/__main__.py")))
    if "conclude(__file__" in path.read_text(encoding="utf-8").replace("\n        ", "")
]


def test_there_are_programs() -> None:
    assert len(PROGRAMS) >= 11


@pytest.mark.parametrize("argument", ["--help", "--unknown"])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_program_says_what_it_does_and_what_it_takes(
    program: Path, argument: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", [str(program), argument])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(program), run_name="__main__")
    told = capsys.readouterr()
    if argument == "--help":
        assert ended.value.code == 0
        assert len(told.out.splitlines()) > 5
    else:
        assert ended.value.code == 2
        assert f"unrecognized arguments: {argument}" in told.err or "required" in told.err
