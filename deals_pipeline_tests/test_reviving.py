"""What brings a dead code server back, and what it leaves alone."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import msgspec
import pytest
import requests

from deals_pipeline.home import HOST
from deals_pipeline.reviving import revive, unreachable
from deals_pipeline_tests.e2e.processes import free_port

LOADED = {"name": "ours", "code": {"kind": "RepositoryLocation"}}
LOADING = {"name": "ours", "code": None}
DEAD = {
    "name": "ours",
    "code": {"kind": "PythonError", "message": "Could not reach user code server.\n\x1b[31mUNKNOWN\n"},
}


def told(*entries: object) -> bytes:
    return json.dumps({"data": {"workspaceOrError": {"locationEntries": entries}}}).encode()


@contextmanager
def web_page(answer: bytes, status: int = 200) -> Iterator[tuple[str, list[dict[str, object]]]]:
    """Answer every request so; yield the address, and the requests that come."""
    asked: list[dict[str, object]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{HOST}:{server.server_port}/graphql", asked
        server.shutdown()


@pytest.mark.parametrize("entries", [[LOADED], [LOADING], []])
def test_code_that_is_loaded_or_just_being_loaded_is_let_alone(entries: list[object]) -> None:
    with web_page(told(*entries)) as (url, asked):
        assert not revive(url)
    assert len(asked) == 1


def test_code_that_cannot_be_reached_is_loaded_again_and_why_is_said_in_a_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """F17."""
    with web_page(told(DEAD, LOADED | {"name": "other"})) as (url, asked):
        assert revive(url)
    _, reload = asked
    assert "reloadRepositoryLocation" in str(reload["query"])
    assert reload["variables"] == {"name": "ours"}
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("ours cannot be reached and is loaded again: Could not reach user code server.")
    assert line.isprintable()


def test_no_proxy_is_asked_for_what_is_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://{HOST}:{free_port()}")
    with web_page(told(DEAD)) as (url, _):
        assert revive(url)


def test_a_web_page_that_is_not_there_or_refuses_is_told_apart_from_dead_code() -> None:
    with pytest.raises(requests.RequestException):
        revive(f"http://{HOST}:{free_port()}/graphql")
    with web_page(told(DEAD), status=500) as (url, _), pytest.raises(requests.RequestException):
        revive(url)
    for strange in (b"", b'{"data": null}', b'{"data": {"workspaceOrError": {"kind": "PythonError"}}}'):
        with pytest.raises(msgspec.DecodeError):
            unreachable(strange)


def test_it_looks_on_while_nobody_answers_and_ends_with_who_started_it() -> None:
    reviving = [sys.executable, "-m", "deals_pipeline.reviving", str(free_port())]
    command = f"import os, subprocess, sys; subprocess.Popen({reviving} + [str(os.getpid())]); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", command], stdin=subprocess.PIPE, stderr=subprocess.PIPE) as parent:
        time.sleep(2)
        _, said = parent.communicate(timeout=60)  # until both have ended
    assert (parent.returncode, said) == (0, b"")
