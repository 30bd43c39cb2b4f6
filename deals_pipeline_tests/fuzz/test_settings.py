"""Damaged settings: what comes of them is settings, or a refusal that one can read and act on."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import pytest
from hypothesis import event, given, note

from deals_pipeline.config import ConfigError, Settings, load_settings
from deals_pipeline_tests.dagster_world import ROOT
from deals_pipeline_tests.fuzz.cases import fuzzed, no_hang
from deals_pipeline_tests.fuzz.settings_damage import damaged_env_files, damaged_files, damaged_variables

LINE_CHARACTERS_MAX: Final = 1_500
"""An unknown filter is answered with the names of all."""
LINES_MAX: Final = 60
"""How much can be wrong at once in a file of one line for each setting."""


def check_refusal(message: str, folder: Path) -> None:
    """F32: each line names the file or the environment, what stands there, and what is allowed."""
    lines = message.split("\n")
    assert 0 < len(lines) <= LINES_MAX
    for line in lines:
        assert line.isprintable(), ascii(line)
        assert len(line) <= LINE_CHARACTERS_MAX + len(str(folder)), line
        place, colon, rest = line.partition(": ")
        assert colon
        assert place == "environment" or Path(place).is_absolute(), line
        assert any(word in rest for word in ("allowed", "missing", "unknown", "not TOML", "cannot be read")), line


@fuzzed(0.5)
@given(damaged_files(), damaged_variables(), damaged_env_files())
def test_damaged_settings_are_settings_or_a_refusal_that_can_be_read(
    toml: bytes, variables: dict[str, str], env_file: bytes | None
) -> None:
    with tempfile.TemporaryDirectory() as name, no_hang():
        folder = Path(name)
        (folder / "deals.toml").write_bytes(toml)
        if env_file is not None:
            (folder / ".env").write_bytes(env_file)
        try:
            settings = load_settings(variables, folder)
        except ConfigError as refused:
            event("refused")
            note(str(refused)[:2_000])
            check_refusal(str(refused), folder)
        else:
            event("settings")
            assert isinstance(settings, Settings)
            assert all(selection.shards() for selection in settings.backfill)


HANDFUL: Final = {
    "no text": b"\xff\xfe\x00",
    "an escape in a name": b'[[recent]]\nname = "\\u001b[2J"\n',
    "deep": b"x = " + b"[" * 3_000,
}


@pytest.mark.parametrize(
    ("command", "wrong"), [("status", "no text"), ("status", "an escape in a name"), ("demo", "deep")]
)
def test_the_command_line_refuses_them_in_a_few_lines_without_a_traceback(
    command: str, wrong: str, tmp_path: Path
) -> None:
    (tmp_path / "deals.toml").write_bytes(HANDFUL[wrong])
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-m", "deals_pipeline", command],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2, ran.stderr
    assert ran.stdout == ""
    assert ran.stderr.startswith(f"deals_pipeline: {tmp_path}/deals.toml: ")
    check_refusal(ran.stderr.removeprefix("deals_pipeline: ").rstrip("\n"), tmp_path)
    assert "Traceback" not in ran.stderr
