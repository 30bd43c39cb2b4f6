"""The servers of the project are for this machine alone; e2e/test_listening.py looks at a running `dev`."""

import os
import re
import socket
from contextlib import closing, suppress
from pathlib import Path

import pytest
import requests

from deals_pipeline import __main__ as command_line
from deals_pipeline.home import HOST
from deals_pipeline.simulator import __main__ as simulator
from deals_pipeline_tests.e2e.processes import ROOT, free_port, started, wait_until, workplace
from deals_pipeline_tests.security.listening import listening


def answers(url: str) -> bool:
    with suppress(requests.ConnectionError):
        return requests.get(url, timeout=10).ok
    return False


def test_the_simulator_listens_on_the_loopback_alone(tmp_path: Path) -> None:
    port = free_port()
    at = workplace(tmp_path, PYTHONPATH=str(ROOT), NO_PROXY="*")
    with started(at, "-m", "deals_pipeline.simulator", "--port", str(port), "--products", "10") as server:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/token?key=any"), "the simulator answers", 60, log=server)
        assert listening([server.pid]) == {("127.0.0.1", port)}


@pytest.mark.parametrize("option", ["--host", "--bind", "--listen", "--address"])
def test_no_option_makes_a_server_listen_elsewhere(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    for line, arguments in ((simulator.parser(), []), (command_line.parser(), ["dev"])):
        with pytest.raises(SystemExit) as ended:
            line.parse_args([*arguments, option, "0.0.0.0"])
        assert ended.value.code == 2
        assert "unrecognized arguments" in capsys.readouterr().err


def test_both_name_the_loopback_and_nothing_else() -> None:
    assert HOST == simulator.HOST == "127.0.0.1"
    named = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "deals_pipeline").rglob("*.py")
        if re.search(r"0\.0\.0\.0|\"::\"|'::'|INADDR_ANY", path.read_text(encoding="utf-8"))
    }
    assert named == set()


def test_what_listens_on_every_address_is_seen() -> None:
    """The look itself: one that sees nothing proves nothing."""
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET, "127.0.0.1")):
        with closing(socket.create_server((address, 0), family=family, backlog=1)) as server:
            assert (address, server.getsockname()[1]) in listening([os.getpid()])
