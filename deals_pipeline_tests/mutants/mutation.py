"""The mutation pass: copies of the tree, in each one mutant at a time, and the one test that has to go red."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import Final

from deals_pipeline_tests.mutants.catalogue import Mutant

SECONDS_MAX: Final = 180
"""How long the test of a mutant may take."""
GREEN_SECONDS_MAX: Final = 1200
"""How long all tests may take on the unbroken copies."""
FAILED: Final = re.compile(r"^(?:FAILED|ERROR) (\S+::\w+)", re.MULTILINE)
LEFT_OUT: Final = shutil.ignore_patterns(".*", "__pycache__", "*.png", "dist")
"""A tree is copied without what is hidden, built, or a picture."""


class NotGreen(Exception):
    """The tests fail on the unbroken copy, so that they can say nothing of a broken one; the message is pytest's."""


class Verdict(Enum):
    """What became of a mutant; all but the first are defects, of the tests or of the list."""

    CAUGHT = "caught"
    SURVIVED = "SURVIVED"
    NOT_FOUND = "OLD TEXT NOT FOUND ONCE"
    NO_VERDICT = "NO VERDICT"
    """The test could not be run, or did not end."""


VERDICTS: Final[Mapping[int | None, Verdict]] = {0: Verdict.SURVIVED, 1: Verdict.CAUGHT}
"""By pytest's exit status: all passed, some failed; every other says that it was not so far."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A mutant, its verdict, the test that failed, how long it took and what pytest said."""

    mutant: Mutant
    verdict: Verdict
    caught_by: str | None
    seconds: float
    said: str


def judge(
    root: Path,
    mutants: Sequence[Mutant],
    *,
    processes: int = 2,
    told: Callable[[Outcome], object] = lambda _: None,
) -> tuple[Outcome, ...]:
    """Break the tree in each way and return what came of it, in order; `told` hears each as soon as it is known.

    The tree itself is only read. Raises `NotGreen`.
    """
    with _copies(root, processes) as copies:
        _require_green(copies, tuple(dict.fromkeys(mutant.test for mutant in mutants)))
        free: SimpleQueue[Path] = SimpleQueue()
        for copy in copies:
            free.put(copy)

        def judged(mutant: Mutant) -> Outcome:
            copy = free.get()
            try:
                outcome = _judge(copy, mutant)
            finally:
                free.put(copy)
            told(outcome)
            return outcome

        with ThreadPoolExecutor(processes) as threads:
            return tuple(threads.map(judged, mutants))


@contextmanager
def _copies(root: Path, number: int) -> Iterator[list[Path]]:
    with ExitStack() as stack:
        folders = [Path(stack.enter_context(TemporaryDirectory(prefix="mutants-"))) for _ in range(number)]
        yield [Path(shutil.copytree(root, folder / "tree", ignore=LEFT_OUT)) for folder in folders]


def _require_green(copies: Sequence[Path], tests: Sequence[str]) -> None:
    def run(number: int) -> tuple[int | None, str]:
        return _pytest(copies[number], tests[number :: len(copies)], GREEN_SECONDS_MAX)

    with ThreadPoolExecutor(len(copies)) as threads:
        for status, said in threads.map(run, range(min(len(copies), len(tests)))):
            if VERDICTS.get(status) is not Verdict.SURVIVED:
                raise NotGreen(said)


def _judge(copy: Path, mutant: Mutant) -> Outcome:
    if mutant.occurrences(copy) != 1:
        return Outcome(mutant, Verdict.NOT_FOUND, None, 0.0, "")
    began = time.monotonic()
    with _broken(copy, mutant):
        status, said = _pytest(copy, ("-x", mutant.test), SECONDS_MAX)
    verdict = VERDICTS.get(status, Verdict.NO_VERDICT)
    failed = FAILED.search(said)
    return Outcome(mutant, verdict, failed[1] if failed else None, round(time.monotonic() - began, 1), said)


@contextmanager
def _broken(copy: Path, mutant: Mutant) -> Iterator[None]:
    path = copy / mutant.file
    whole, broken = path.read_bytes(), mutant.broken(copy)
    path.write_text(broken, encoding="utf-8")
    try:
        yield
    finally:
        path.write_bytes(whole)


def _pytest(copy: Path, arguments: Sequence[str], seconds_max: int) -> tuple[int | None, str]:
    """Run tests of a copy, on the code of that copy; return pytest's exit status, `None` where it did not end."""
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", *arguments]
    # A mutant as long as the text it replaces, written in the same second, is not told from it by its bytecode.
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, text=True, timeout=seconds_max, check=False
        )
    except subprocess.TimeoutExpired:
        return None, f"it did not end within {seconds_max} s"
    return done.returncode, done.stdout + done.stderr
