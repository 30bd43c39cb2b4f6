"""Loads the settings: reads one or two small files, validates everything, and names what is wrong."""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from json import dumps
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails

from deals_pipeline.config.environment import Mode, Places, read_environment
from deals_pipeline.config.sections import Budget, DealsFile, Marketplace, Retention
from deals_pipeline.config.selections import BackfillSelection, RecentSelection
from deals_pipeline.config.values import MISSING, REFUSED, ConfigError
from deals_pipeline.showing import escaped

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SIMULATED_KEY: Final = SecretStr("no-key-for-the-simulator")
SHOWN_MAX: Final = 80
"""How much of a value or of a name an error repeats."""
SAID_MAX: Final = 400
"""How much of what the reader of TOML says."""
SECRET: Final = re.compile("key|secret|passw", re.IGNORECASE)
"""Names of keys whose value is not repeated, should somebody write one into the file (F66)."""
WORDS: Final[Mapping[str, str]] = {
    "missing": MISSING,
    "int_type": "allowed is a whole number",
    "bool_type": "allowed is true or false",
    "string_type": "allowed is a string",
    "tuple_type": "allowed is a list",
    "model_type": "allowed is a table",
}
"""What is allowed, by the type of the error, where pydantic speaks of Python rather than of TOML."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set. `api_key` is `None` and `mode` simulated where the simulator serves."""

    mode: Mode
    api_key: SecretStr | None
    api_url: str | None
    """Keepa, or whoever speaks for it; `None`: the simulator, within the process."""
    webhook_url: SecretStr | None
    """Who is told of failed runs."""
    places: Places
    config: Path
    marketplaces: tuple[Marketplace, ...]
    recent: tuple[RecentSelection, ...]
    backfill: tuple[BackfillSelection, ...]
    budget: Budget
    retention: Retention

    @property
    def key(self) -> SecretStr:
        """The API key; where the simulator serves, which takes any, one that is none."""
        return self.api_key or SIMULATED_KEY


def load_settings(environ: Mapping[str, str] = os.environ, folder: Path | None = None) -> Settings:
    """Return the settings of `environ`, `.env` and `deals.toml`; `folder` is the working folder unless given.

    Raises `ConfigError`. Writes nothing, opens no connection.
    """
    found = read_environment(environ, folder or Path.cwd())
    file = read_file(found.config)
    return Settings(
        mode=found.mode,
        api_key=found.api_key,
        api_url=found.api_url,
        webhook_url=found.webhook_url,
        places=found.places,
        config=found.config,
        marketplaces=file.marketplaces,
        recent=file.recent,
        backfill=file.backfill,
        budget=file.budget,
        retention=file.retention,
    )


def read_file(path: Path) -> DealsFile:
    """Return what a settings file says. Raises `ConfigError`, which names everything that is wrong with it."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"), parse_float=Decimal)
    except FileNotFoundError:
        raise ConfigError(f"{path}: missing; DEALS_CONFIG names the settings file if it is elsewhere") from None
    except (OSError, UnicodeDecodeError) as why:
        raise ConfigError(f"{path}: cannot be read: {type(why).__name__}: allowed is a UTF-8 text file") from None
    except (ValueError, ArithmeticError, RecursionError) as why:  # a whole number of 5 000 digits is a `ValueError`
        raise ConfigError(f"{path}: not TOML: {_cut(escaped(str(why)), SAID_MAX)}") from None
    try:
        return DealsFile.model_validate(tables)
    except ValidationError as invalid:
        lines = [f"{path}: {escaped(_line(error, tables))}" for error in invalid.errors(include_url=False)]
        raise ConfigError("\n".join(lines)) from None


def _line(error: ErrorDetails, tables: Mapping[str, Any]) -> str:
    """Return one error as `key path = value: what is allowed`."""
    place, value, kind, context = _key_path(error["loc"], tables), error["input"], error["type"], error.get("ctx", {})
    text = WORDS.get(kind, error["msg"].removeprefix("Value error, "))
    if kind == REFUSED:
        place, value = f"{place}.{_cut(context['key'])}".lstrip("."), context["value"]
        if SECRET.search(context["key"]):
            value = None
    if kind == "value_error":
        if isinstance(value, Mapping):  # about several keys of a table, which it names
            return f"{place}: {text}".removeprefix(": ")
        text = text[max(0, text.find("allowed")) :]  # without the value, which is repeated here
    text = re.sub(r"^\w+ should (be|have)", lambda should: "allowed is" + " to have" * (should[1] == "have"), text)
    shown = "" if kind == "missing" or value is None else f" = {_shown(value)}"
    return f"{place}{shown}: {text}"


def _key_path(loc: Sequence[str | int], tables: Mapping[str, Any]) -> str:
    """Return where in the file an error is; a table of a list goes by its name."""
    here: Any = tables
    path = ""
    for part in loc:
        if part == "query":  # the filters stand beside the name
            continue
        try:
            here = here[part]
        except (KeyError, IndexError, TypeError):
            here = {}
        if isinstance(part, int):
            path += (
                f"[{_cut(here['name']) if isinstance(here, Mapping) and isinstance(here.get('name'), str) else part}]"
            )
        else:
            path += f".{_cut(part)}"
    return path.lstrip(".")


def _shown(value: object) -> str:
    return _cut(dumps(value, default=str, ensure_ascii=False))


def _cut(text: str, most: int = SHOWN_MAX) -> str:
    return text if len(text) <= most else f"{text[:most]}…"
