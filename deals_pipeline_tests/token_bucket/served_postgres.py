"""A throwaway PostgreSQL server for the tests, on a free port of 127.0.0.1."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

PASSWORD = "canary-password-7f3a"
MISSING = (
    "no PostgreSQL server on PATH or under /usr/lib/postgresql: install one (apt-get install postgresql) to run the "
    "tests of the Postgres ledger"
)
START_SECONDS_MAX = 30


def server_binaries() -> Path | None:
    """Return the directory of initdb and postgres, of the newest version there is."""
    if on_path := shutil.which("postgres"):
        return Path(on_path).resolve().parent
    installed = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    return max((path.parent for path in installed), key=lambda path: float(path.parent.name), default=None)


@contextmanager
def postgres_served(binaries: Path) -> Iterator[str]:
    """Serve while the block lasts; yields the URL of an empty database."""
    with TemporaryDirectory(prefix="ledger-tests-") as home:
        data, password, log = Path(home, "data"), Path(home, "password"), Path(home, "log")
        password.write_text(PASSWORD)
        options: dict[str, Any] = {"cwd": home, "text": False}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            account = pwd.getpwnam("postgres")
            options |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            for path in (home, password):
                os.chown(path, account.pw_uid, account.pw_gid)
        initdb: list[str | Path] = [binaries / "initdb", "-D", data, "-U", "ledger", "--pwfile", password]
        initdb += ["--auth=scram-sha-256", "--no-sync"]
        subprocess.run(initdb, check=True, capture_output=True, **options)
        port = _free_port()
        settings = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
        serve: list[str | Path] = [binaries / "postgres", "-D", data]
        serve += [f"--{name}={value}" for name, value in settings.items()]
        with log.open("wb") as output, subprocess.Popen(serve, stdout=output, stderr=output, **options) as server:
            try:
                _wait_until_ready(server, port, log)
                yield f"postgresql://ledger:{PASSWORD}@127.0.0.1:{port}/postgres"
            finally:
                server.send_signal(signal.SIGINT)  # end sessions, then shut down
                server.wait(START_SECONDS_MAX)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(server: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while b"ready to accept connections" not in log.read_bytes():
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < deadline, f"PostgreSQL on port {port} is not ready: {log.read_text()}"
        time.sleep(0.02)
