"""The settings that come from the environment, or from a `.env` file in the working folder for those that are unset."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from io import StringIO
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import SecretStr

from deals_pipeline.config.values import ConfigError
from deals_pipeline.keepa.client import KEEPA_URL
from deals_pipeline.showing import escaped

VARIABLES: Final = (
    "KEEPA_API_KEY",
    "KEEPA_API_URL",
    "DEALS_HOME",
    "DEALS_CONFIG",
    "DEALS_LEDGER_URL",
    "DEALS_WEBHOOK_URL",
)
RESEMBLANCE: Final = 0.8
"""From which likeness on an unknown variable is taken for a misspelt one."""


class Mode(Enum):
    """Whom the pipeline talks to."""

    SIMULATED = "simulated"
    """The simulator, because there is no key."""
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are kept: one home for each mode, never mixed; all paths absolute."""

    home: Path
    ledger_url: SecretStr | None = None
    """The ledger of several machines; it may hold a password."""

    @property
    def landing(self) -> Path:
        """The folder of raw answers."""
        return self.home / "landing"

    @property
    def ledger(self) -> str:
        """What `open_ledger` takes: a path, or the URL."""
        return self.ledger_url.get_secret_value() if self.ledger_url else str(self.home / "ledger.sqlite")

    @property
    def warehouse(self) -> Path:
        """The DuckDB file."""
        return self.home / "warehouse.duckdb"

    @property
    def published(self) -> Path:
        """The folder of what others may read."""
        return self.home / "published"

    @property
    def cache(self) -> Path:
        """The folder of what takes long to make, and is made again where it is missing."""
        return self.home / "cache"

    @property
    def dagster_home(self) -> Path:
        """The folder of Dagster's instance."""
        return self.home / "dagster"


@dataclass(frozen=True, slots=True)
class Environment:
    """The environment's settings: `api_url` is `None` where the simulator serves within the process.

    `webhook_url` is who is told of failed runs; whoever knows such an address may post there, so it is a secret.
    """

    mode: Mode
    api_key: SecretStr | None
    api_url: str | None
    webhook_url: SecretStr | None
    places: Places
    config: Path


def read_environment(environ: Mapping[str, str], folder: Path) -> Environment:
    """Return the environment's settings; relative paths start at `folder`. Raises `ConfigError`."""
    values, source = _with_env_file(environ, folder)
    for name in sorted(values):
        close = get_close_matches(name, VARIABLES, n=1, cutoff=RESEMBLANCE) if name not in VARIABLES else []
        if close and not values.get(close[0]):
            raise ConfigError(f"{source(name)}: {escaped(name)}: unknown; did you mean {close[0]}?")

    given = {name: values.get(name, "").strip() for name in VARIABLES}
    for name, is_right, shown, allowed in _rules(given):
        if given[name] and not is_right:
            value = f" = {escaped(given[name])}" if shown else ""
            raise ConfigError(f"{source(name)}: {name}{value}: {allowed}")
    key, url, ledger, webhook = (
        given[name] for name in ("KEEPA_API_KEY", "KEEPA_API_URL", "DEALS_LEDGER_URL", "DEALS_WEBHOOK_URL")
    )
    mode = Mode.LIVE if key else Mode.SIMULATED
    return Environment(
        mode=mode,
        api_key=SecretStr(key) if key else None,
        api_url=url or (KEEPA_URL if key else None),
        webhook_url=SecretStr(webhook) if webhook else None,
        places=Places(
            _path(folder, given["DEALS_HOME"] or ".deals") / mode.value, SecretStr(ledger) if ledger else None
        ),
        config=_path(folder, given["DEALS_CONFIG"] or "deals.toml"),
    )


def _rules(given: Mapping[str, str]) -> Iterator[tuple[str, bool, bool, str]]:
    """Yield each rule: the variable, whether its value keeps it, whether that may be repeated, and what is allowed."""
    key, url = given["KEEPA_API_KEY"], given["KEEPA_API_URL"]
    is_key = re.fullmatch(r"[A-Za-z0-9._~-]*", key) is not None  # as the client has it
    yield "KEEPA_API_KEY", is_key, False, "allowed are the 64 letters and digits that Keepa shows in your account"
    yield "KEEPA_API_URL", _is_plain(url), False, "allowed is http(s)://host[:port][/path], without a user or a query"
    is_keepa = (urlsplit(url).hostname or "").endswith("keepa.com") if _is_plain(url) else False
    yield "KEEPA_API_URL", bool(key) or not is_keepa, True, "allowed only together with KEEPA_API_KEY"
    is_here = re.fullmatch(r"localhost|127\..*|::1", urlsplit(url).hostname or "") if _is_plain(url) else None
    yield (
        "KEEPA_API_URL",
        not (key and is_here),
        True,
        "allowed only without KEEPA_API_KEY: a service on this machine is a simulator, not to mix with what is real",
    )
    is_ledger = re.match(r"postgres(ql)?://.", given["DEALS_LEDGER_URL"]) is not None  # it may hold a password
    yield (
        "DEALS_LEDGER_URL",
        is_ledger,
        False,
        "allowed is postgresql://user@host/database, or nothing for a SQLite file",
    )
    is_webhook = _is_address(given["DEALS_WEBHOOK_URL"])  # its path or query may hold a secret
    yield "DEALS_WEBHOOK_URL", is_webhook, False, "allowed is http(s)://host[:port][/path][?query], without a user"
    for name in ("DEALS_HOME", "DEALS_CONFIG"):
        yield name, _is_path(given[name]), True, "allowed is a path, and ~ for the home of a user that there is"


def _with_env_file(environ: Mapping[str, str], folder: Path) -> tuple[Mapping[str, str], Callable[[str], str]]:
    """Return the variables, and a function that says where one comes from."""
    path = folder / ".env"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeDecodeError) as why:
        raise ConfigError(f"{path}: cannot be read: {type(why).__name__}: allowed is a UTF-8 text file") from None
    written = {name: value or "" for name, value in dotenv_values(stream=StringIO(text), interpolate=False).items()}
    return {**written, **environ}, lambda name: "environment" if name in environ else str(path)


def _path(folder: Path, value: str) -> Path:
    return (folder / Path(value).expanduser()).absolute()


def _is_path(value: str) -> bool:
    try:
        return value.isprintable() and bool(Path(value).expanduser())
    except RuntimeError:
        return False


def _is_plain(url: str) -> bool:
    return _is_address(url) and not urlsplit(url).query


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
    return is_web and "@" not in parts.netloc and url.isprintable() and not re.search(r"[ #]", url)
