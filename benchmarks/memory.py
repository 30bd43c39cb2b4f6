"""What the kernel says of this process's memory."""

import re
from pathlib import Path
from typing import Literal


def memory(what: Literal["VmRSS", "VmHWM"]) -> int:
    """Return the bytes that are resident now (`VmRSS`), or were at most (`VmHWM`). Linux only."""
    found = re.search(rf"{what}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found[1]) * 1024
