"""Take a home as `dev` does, start a child that inherits it, and wait: a program, run by test_home.py.

Arguments: the home, a port. It says the number of its child, or why it is refused.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

from deals_pipeline.home import HomeInUse, take


def main(home: str, port: str) -> None:
    try:
        lock = take(Path(home), int(port))
    except HomeInUse as refused:
        sys.exit(str(refused))
    os.dup2(lock, 0)
    child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    print(child.pid, flush=True)  # noqa: T201 - its output is what the test reads
    signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
