"""A running `dev` is for this machine alone: the web page, the code servers, everything it starts."""

from pathlib import Path

from deals_pipeline.home import holders
from deals_pipeline_tests.e2e.processes import dev, workplace
from deals_pipeline_tests.security.listening import listening


def test_everything_that_dev_starts_listens_on_the_loopback_alone(tmp_path: Path) -> None:
    at = workplace(tmp_path)
    with dev(at) as running:
        found = listening(holders(at.home))
        assert ("127.0.0.1", int(running.url.rpartition(":")[2])) in found
        assert {address for address, _ in found} <= {"127.0.0.1", "::1"}, found
