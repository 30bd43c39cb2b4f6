"""What the benchmark of token yield keeps is of one code: of the pipeline for ours, of what they use for the others."""

import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks.contestants.contest import OURS, POLICIES
from benchmarks.token_yield import CODE, CONTESTANTS, RIVALS
from benchmarks.verdicts import ROOT

USED: Final = """
import sys
from benchmarks.contestants import august, bound, january, keepa_library, policy, referee, service, truth
from deals_pipeline.config import load_settings
print(*(module.__file__ for name, module in sys.modules.items() if name.split(".")[0] == "deals_pipeline"), sep="\\n")
"""


def test_all_but_ours_use_nothing_else_of_the_pipeline() -> None:
    assert set(CONTESTANTS) == {OURS, *POLICIES}
    told = subprocess.run([sys.executable, "-c", USED], cwd=ROOT, capture_output=True, text=True, check=True)
    used = {Path(line) for line in told.stdout.splitlines()}
    assert ROOT / "deals_pipeline" / "simulator" / "server.py" in used
    assert not used - {path for place in (*RIVALS, *CODE) for path in ROOT.glob(place)}
