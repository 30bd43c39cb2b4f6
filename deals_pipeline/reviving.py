"""Has Dagster load the code anew where it is not reached: beside a dead code server `dagster dev` stands still (F17).

`dev` starts this program beside itself: `python -m deals_pipeline.reviving PORT PID`. It asks the web page how the code
stands, has it loaded again where it is not, and ends with the process that it was started by.
"""

import os
import signal
import sys
import time
from datetime import timedelta
from typing import Final

import msgspec
import requests

from deals_pipeline.home import HOST
from deals_pipeline.showing import shown

LOOK: Final = timedelta(seconds=10)
PAUSE: Final = timedelta(minutes=1)
"""Between two loads: code that cannot be loaded, as with wrong settings, takes seconds of the processor each time."""
SECONDS_MAX: Final = 90
"""For one answer of the web page; to load the code takes some seconds, on a busy machine more."""
FAILED: Final = "PythonError"
ENTRIES: Final = """
{
  workspaceOrError {
    ... on Workspace {
      locationEntries { name code: locationOrLoadError { kind: __typename ... on PythonError { message } } }
    }
  }
}
"""
RELOAD: Final = "mutation ($name: String!) { reloadRepositoryLocation(repositoryLocationName: $name) { __typename } }"


class _Code(msgspec.Struct):
    kind: str
    message: str = ""


class _Entry(msgspec.Struct):
    name: str
    code: _Code | None
    """`None` while it is loaded."""


class _Workspace(msgspec.Struct, rename="camel"):
    location_entries: list[_Entry]


class _Data(msgspec.Struct, rename="camel"):
    workspace_or_error: _Workspace


class _Answer(msgspec.Struct):
    data: _Data


_answer = msgspec.json.Decoder(_Answer)


def unreachable(answer: bytes) -> dict[str, str]:
    """Return the names of what is not loaded, and why, by the web page's answer. Raises `msgspec.DecodeError`."""
    entries = _answer.decode(answer).data.workspace_or_error.location_entries
    return {entry.name: entry.code.message for entry in entries if entry.code and entry.code.kind == FAILED}


def revive(url: str) -> bool:
    """Have loaded anew what is not loaded, and return whether anything was. Raises `requests.RequestException`."""
    found = unreachable(_ask(url, query=ENTRIES))
    for name, reason in found.items():
        print(f"{name} cannot be reached and is loaded again: {shown(reason.strip())}", flush=True)
        _ask(url, query=RELOAD, variables={"name": name})
    return bool(found)


def main(port: int, parent: int) -> None:
    """Look again and again, while the parent lives."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a word
    url, pause = f"http://{HOST}:{port}/graphql", LOOK
    while os.getppid() == parent:
        time.sleep(pause / timedelta(seconds=1))
        pause = LOOK
        try:
            if revive(url):
                pause = PAUSE
        except (requests.RequestException, msgspec.DecodeError):
            continue  # the web page starts, or ends; whoever opens it sees why


def _ask(url: str, **document: object) -> bytes:
    with requests.Session() as session:
        session.trust_env = False  # a proxy for the world knows nothing of this machine
        answer = session.post(url, json=document, timeout=SECONDS_MAX)
    answer.raise_for_status()
    return answer.content


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
