"""Dagster's home: one for each mode, absolute, and in use by one `dev` at a time. No Dagster.

Two daemons in one home execute each run twice. The lock of a home is therefore held by every process of a `dev`, as its
standard input: the one file that Dagster's processes hand down to those that they start.
"""

import fcntl
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

from deals_pipeline.config import ConfigError, Mode, Settings

HOST: Final = "127.0.0.1"
CONFIG: Final = Path(__file__).with_name("dagster.yaml")
LOCK: Final = "dev.lock"


class HomeInUse(Exception):
    """Another `dev`, or what is left of one, uses a home; the message names the processes."""


@dataclass(frozen=True, slots=True)
class Dev:
    """A `dev` that took a home: its process, and the port that it serves on."""

    pid: int
    port: int

    @property
    def url(self) -> str:
        """The address of its web page."""
        return f"http://{HOST}:{self.port}"


def prepare(settings: Settings) -> Path:
    """Make Dagster's home, with the newest `dagster.yaml` in it, and return its path. Raises `ConfigError`."""
    home = settings.places.dagster_home
    wanted, copy = CONFIG.read_bytes(), home / CONFIG.name
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not copy.exists() or copy.read_bytes() != wanted:
            with NamedTemporaryFile(dir=home, prefix=f"{CONFIG.name}.", delete=False) as beside:
                beside.write(wanted)
            Path(beside.name).replace(copy)
    except OSError as why:
        raise ConfigError(f"DEALS_HOME: {home}: {why.strerror}: allowed is a folder that you may write") from None
    return home


def environment(settings: Settings) -> Mapping[str, str]:
    """Return the variables that keep Dagster's processes to these settings, whatever a `.env` says later."""
    places = settings.places
    secrets = {
        "DEALS_LEDGER_URL": places.ledger_url,
        "DEALS_WEBHOOK_URL": settings.webhook_url,
        "KEEPA_API_KEY": settings.api_key,
    }
    return {
        "DAGSTER_HOME": str(places.dagster_home),
        "DEALS_CONFIG": str(settings.config),
        "DEALS_HOME": str(places.home.parent),
        "KEEPA_API_URL": settings.api_url or "",
        **{name: secret.get_secret_value() if secret else "" for name, secret in secrets.items()},
    }


def require_own_home(settings: Settings, environ: Mapping[str, str] = os.environ) -> None:
    """Raise `ConfigError` where Dagster works in the home of the other mode."""
    own, given = settings.places.dagster_home, environ.get("DAGSTER_HOME")
    others = [own.parents[1] / mode.value / own.name for mode in Mode if mode is not settings.mode]
    if given and Path(given).resolve() in [other.resolve() for other in others]:
        raise ConfigError(f"environment: DAGSTER_HOME = {given}: {settings.mode.value} runs have their own: {own}")


def take(home: Path, port: int) -> int:
    """Lock a home and return the open lock: it lasts until the last process that has it as a descriptor ends.

    Raises `HomeInUse`. Nobody has to clean up after a process that was killed.
    """
    lock = os.open(home / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        first = re.fullmatch(rb"(\d+) (\d+)\n", os.pread(lock, 40, 0))
        os.close(lock)
        raise HomeInUse(in_use(home, first and Dev(int(first[1]), int(first[2])), holders(home))) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()} {port}\n".encode(), 0)
    return lock


def holders(home: Path) -> tuple[int, ...]:
    """Return the processes that have the lock of a home as standard input; none are known without `/proc`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended, or is somebody else's
            if (process / "fd/0").samefile(home / LOCK):
                found.append(int(process.name))
    return tuple(sorted(found))


def in_use(home: Path, first: Dev | None, living: tuple[int, ...]) -> str:
    """Return why a home cannot be taken, from who took it and who has its lock now."""
    if first is None:
        return f"{home}: in use by a dev that starts at this moment"
    if not living or first.pid in living:
        return f"{home}: in use by dev, process {first.pid}, at {first.url}"
    pids = " ".join(map(str, living))
    return f"{home}: dev, process {first.pid}, was killed, and what it started lives on; end it: kill {pids}"
