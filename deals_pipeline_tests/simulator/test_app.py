"""The simulated service over HTTP, as real processes."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from deals_pipeline.keepa.client import KeepaClient
from deals_pipeline.keepa.replies import Page, Products, Retryable, RetryableCause, TokenStatus
from deals_pipeline.keepa.requests import DealPageRequest, ProductRequest
from deals_pipeline.keepa.selection import DealSelection
from deals_pipeline_tests.simulator.services import UncheckedHold

PAGE = DealPageRequest(selection=DealSelection())
Serve = Callable[..., str]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def simulator(*options: str) -> list[str]:
    return [sys.executable, "-m", "deals_pipeline.simulator", *options]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a service with the given options and return its address once it answers."""
    running: list[subprocess.Popen[str]] = []

    def start(*options: str) -> str:
        port = free_port()
        process = subprocess.Popen(
            simulator("--port", str(port), *options), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        running.append(process)
        url = f"http://127.0.0.1:{port}"
        for _ in range(1200):
            if process.poll() is not None:
                pytest.fail(f"the simulator ended: {process.communicate()[0]}")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
            except ConnectionRefusedError:
                time.sleep(0.1)
            else:
                return url
        pytest.fail("the simulator did not answer within two minutes")

    yield start
    for process in running:
        process.terminate()
        process.communicate(timeout=120)


@pytest.fixture
def client_of() -> Iterator[Callable[[str], KeepaClient]]:
    made: list[KeepaClient] = []

    def make(url: str) -> KeepaClient:
        made.append(KeepaClient(SecretStr("any"), url=url))
        return made[-1]

    yield make
    for client in made:
        client.close()


def test_our_client_speaks_to_it_over_http(serve: Serve, client_of: Callable[[str], KeepaClient]) -> None:
    client = client_of(serve("--refill-rate", "20", "--products", "1000", "--seed", "3"))
    status = client.token_status()
    assert isinstance(status, TokenStatus)
    assert (status.tokens.tokens_left, status.tokens.refill_rate) == (1200, 20)
    page = client.send(PAGE, UncheckedHold(PAGE))
    assert isinstance(page, Page)
    assert len(page.deals) == 150
    request = ProductRequest(asins=tuple(deal.asin for deal in page.deals[:20]), stats=365, offers=20)
    products = client.send(request, UncheckedHold(request))
    assert isinstance(products, Products)
    assert len(products.products) == 20
    assert not products.quarantined
    assert not products.breaches


def test_processes_with_one_state_file_see_one_account(
    serve: Serve, client_of: Callable[[str], KeepaClient], tmp_path: Path
) -> None:
    state = str(tmp_path / "account.sqlite")
    first, second = (client_of(serve("--state", state)) for _ in range(2))
    assert isinstance(first.send(PAGE, UncheckedHold(PAGE)), Page)
    status = second.token_status()
    assert isinstance(status, TokenStatus)
    assert status.tokens.tokens_left == 295


@pytest.mark.parametrize("fault", ["connection-reset", "lost-answer"])
def test_a_broken_connection_breaks_over_http_too(
    serve: Serve, client_of: Callable[[str], KeepaClient], fault: str
) -> None:
    client = client_of(serve("--faults", fault, "--faults-share", "1"))
    reply = client.send(PAGE, UncheckedHold(PAGE))
    assert isinstance(reply, Retryable)
    assert reply.cause is RetryableCause.CONNECTION_LOST
    assert reply.was_sent


def test_it_listens_on_the_loopback_only(serve: Serve) -> None:
    port = int(serve().rsplit(":", 1)[1])
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    assert next(address for address in listening if address.endswith(f":{port:04X}")) == f"0100007F:{port:04X}"
    assert not [line for line in Path("/proc/net/tcp6").read_text().splitlines() if f":{port:04X} " in line]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--port", "0"], "allowed is a whole number from 1 to 65535"),
        (["--products", "many"], "allowed is a whole number from 1 to 1000000"),
        (["--faults", "gremlins"], "allowed are connection-refused"),
        (["--tokens", "301"], "tokens is 301"),
        (["--faults-share", "2"], "allowed is 0 to 1"),
    ],
    ids=str,
)
def test_a_bad_option_is_answered_by_name_and_not_by_a_traceback(options: list[str], said: str) -> None:
    result = subprocess.run(simulator(*options), capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_a_state_file_of_another_account_is_refused(serve: Serve, tmp_path: Path) -> None:
    state = str(tmp_path / "account.sqlite")
    serve("--state", state)
    result = subprocess.run(
        simulator("--state", state, "--refill-rate", "20"), capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 2
    assert "refill_rate is 5, not 20" in result.stderr


def test_help_names_every_fault() -> None:
    result = subprocess.run(simulator("--help"), capture_output=True, text=True, timeout=120, check=True)
    assert "wrong" in result.stdout
    assert "sorts-by-another-key" in result.stdout
