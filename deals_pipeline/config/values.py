"""What every section shares: a table that knows its keys, money, percents, names of enumerations, and the error."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from enum import Enum
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, StrictInt, model_validator
from pydantic_core import PydanticCustomError

REFUSED: Final = "refused"
"""The type of an error whose context is the key in the table, its value, and why it is refused."""
MISSING: Final = "missing: allowed is a value of your own, there is no default"
MONEY_MAX: Final = 10_000

Member = TypeVar("Member", bound=Enum)


class ConfigError(Exception):
    """Settings cannot be used; each line names a file, a key, its value and what is allowed. It never holds the key."""


def refused(key: str, value: object, why: str) -> PydanticCustomError:
    """Return the error for one key of a table, to be raised while the table is validated; `None` is no value."""
    return PydanticCustomError(REFUSED, "{why}", {"key": key, "value": value, "why": why})


def unknown(key: str, allowed: Iterable[str]) -> str:
    """Return why an unknown key is refused, with the known one that it resembles most."""
    names = sorted(allowed)
    close = get_close_matches(key, names, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"unknown; {hint}allowed are {', '.join(names)}"


def member_named(kind: type[Member], name: object, *, allowed: Iterable[Member] | None = None) -> Member:
    """Return the member of an enumeration that a setting names; raises `ValueError` with the allowed names."""
    names = [member.name for member in (allowed or kind)]
    if not isinstance(name, str) or name not in names:
        raise ValueError(f"allowed are {', '.join(names)}")
    return kind[name]


def hundredths(value: object, *, most: int, decimals: int = 2) -> Decimal:
    """Return a number of the file, or a string of one, exactly; raises `ValueError` with what is allowed."""
    text = str(value) if isinstance(value, (str, Decimal, int)) and not isinstance(value, bool) else ""
    places = f"with at most {decimals} decimals" if decimals else "without decimals"
    pattern = rf"[0-9]{{1,9}}(\.[0-9]{{1,{decimals}}})?" if decimals else "[0-9]{1,9}"
    if not re.fullmatch(pattern, text) or Decimal(text) > most:
        raise ValueError(f"allowed is a number from 0 to {most} {places}")
    return Decimal(text)


Percent = Annotated[Decimal, BeforeValidator(lambda value: hundredths(value, most=100))]
"""Percent as written, exact: 5 is five percent."""
Whole = StrictInt


class Section(BaseModel):
    """A table of the file: frozen, every key known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def known_keys(cls) -> tuple[str, ...]:
        """Return the keys that the table may have."""
        return tuple(cls.model_fields)

    @classmethod
    def arranged(cls, table: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a table of known keys as the fields take it."""
        return table

    @model_validator(mode="before")
    @classmethod
    def _known(cls, table: Any) -> Any:  # noqa: ANN401 - whatever the file holds
        if not isinstance(table, Mapping):
            return table
        for key, value in table.items():
            if key not in cls.known_keys():
                raise refused(key, value, unknown(key, cls.known_keys()))
        return cls.arranged(table)
