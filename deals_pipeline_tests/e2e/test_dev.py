"""`python -m deals_pipeline dev`: the whole tree of Dagster's processes, started, killed and ended."""

import signal
from contextlib import suppress
from pathlib import Path

from deals_pipeline.home import holders
from deals_pipeline_tests.e2e.processes import (
    dagster,
    dev,
    free_port,
    instance,
    pipeline,
    started,
    wait_until,
    workplace,
)

HOME_OF = "{ instance { info } }"
PATIENCE_SECONDS = 120
"""A run that has begun is waited for."""


def servers_of(home: Path) -> set[int]:
    """Return the processes that hold a home, without the runs, which come and go."""
    found = set()
    for pid in holders(home):
        with suppress(ProcessLookupError, FileNotFoundError):
            if b"-m\0dagster" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.add(pid)
    return found


def test_every_process_of_dev_holds_the_home_until_the_last_is_killed(tmp_path: Path) -> None:
    """F17, F20: no second daemon beside one that lives, and no waiting after the last has died."""
    (tmp_path / "dagster.yaml").touch()
    (tmp_path / ".env").write_text("DEALS_HOME=elsewhere\nOWN=wanted\n")
    at = workplace(tmp_path, DEALS_HOME=".deals")
    with dev(at) as first:
        said = first.started.text()
        assert f"Dagster: {first.url}" in said
        assert f"simulated, no KEEPA_API_KEY: the simulator serves. Files: {tmp_path}/.deals/simulated\n" in said
        assert "SupersessionWarning" not in said
        assert "will not be used" not in said, "Dagster finds the configuration in its home, and no other"
        servers = servers_of(at.home)
        assert len(servers) == 5, "dev, web server, daemon, code server and the proxy before it"
        for pid in servers:
            environ = Path(f"/proc/{pid}/environ").read_text().split("\0")
            assert f"DEALS_HOME={tmp_path}/.deals" in environ, "the environment goes before .env, as everywhere"
            assert "OWN=wanted" in environ

        refused = pipeline(at, "dev", "--port", str(free_port()))
        assert refused.returncode == 1
        assert f"in use by dev, process {first.pid}, at {first.url}" in refused.stderr

        first.started.process.kill()
        first.started.process.wait()
        assert servers_of(at.home) == servers - {first.pid}
        refused = pipeline(at, "dev", "--port", str(free_port()))
        assert refused.returncode == 1
        reason, living = refused.stderr.rsplit(": kill ", 1)
        assert reason.endswith(f"dev, process {first.pid}, was killed, and what it started lives on; end it")
        assert servers - {first.pid} <= {int(pid) for pid in living.split()}

        first.started.kill()
        with started(at, "-m", "deals_pipeline", "dev", "--port", str(free_port())) as second:
            wait_until(lambda: "Launching Dagster services" in second.text(), "a new dev starts", 60, log=second)


def test_one_home_serves_the_web_page_and_the_command_line_until_ctrl_c_ends_all(tmp_path: Path) -> None:
    """F17: what has ended by Ctrl-C can be started again at once."""
    at = workplace(tmp_path)
    with dev(at) as running:
        assert f"base_dir: {at.home}" in running.graphql(HOME_OF)["instance"]["info"]
        listed = dagster(at, "run", "list")
        assert listed.returncode == 0, listed.stderr
        running.started.signal(signal.SIGINT)
        process = running.started.process
        wait_until(lambda: process.poll() is not None, "dev ends", PATIENCE_SECONDS, running.started)
        assert process.returncode == 0
        assert holders(at.home) == ()
    with instance(at) as opened:
        assert opened.root_directory == str(at.home)
