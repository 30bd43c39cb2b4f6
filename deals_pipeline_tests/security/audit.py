"""`make audit`: whether a version that is locked is known to be vulnerable, asked of whoever can be asked from here.

Arguments: the program pip-audit, and the lock file. It fails on a known vulnerability, and on a package that a service
knows nothing of while it knows the others, and where pip-audit itself fails. That no service can be reached is said in
a line, and is no failure: it is not the change's fault.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import msgspec

SERVICES: Final = ("pypi", "osv")
SECONDS_MAX: Final = 600
NOBODY: Final = (
    f"AUDIT INCOMPLETE: no vulnerability service answers from here ({', '.join(SERVICES)}): whether a locked version "
    "is known to be vulnerable was NOT checked. Run `make audit` where the network is open."
)


@dataclass(frozen=True)
class Vulnerability:
    """What is known of a version; `fix_versions` are those that do not have it."""

    id: str
    fix_versions: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Dependency:
    """What a service says of a locked package; `skip_reason` is why it says nothing."""

    name: str
    version: str = ""
    vulns: list[Vulnerability] = field(default_factory=list)
    skip_reason: str | None = None


class Report(msgspec.Struct):
    """What pip-audit prints."""

    dependencies: list[Dependency]


UNREACHED: Final = frozenset(
    {"ConnectionError", "ConnectTimeout", "ReadTimeout", "ProxyError", "SSLError", "HTTPError"}
)
"""What of requests the last line of pip-audit names where no service answers, or one that nobody vouches for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What pip-audit printed, and what it said on stderr."""

    printed: str
    said: str = ""


Ask: TypeAlias = Callable[[str], Answer]
"""Lets pip-audit ask a service by its name."""


def audit(ask: Ask) -> tuple[int, list[str]]:
    """Return the exit status and what to say."""
    for service in SERVICES:
        answer = ask(service)
        found = _report(answer.printed)
        *_, last = ["it said nothing", *answer.said.strip().splitlines()]
        if found is None and last.partition(":")[0].rpartition(".")[2] not in UNREACHED:
            return 1, [f"pip-audit failed: {last}"]
        known = [each for each in found or () if each.skip_reason is None]
        if found and known:
            return _judge(service, known, [each for each in found if each.skip_reason is not None])
    return 0, [NOBODY]


def _report(printed: str) -> list[Dependency] | None:
    try:
        return msgspec.json.decode(printed, type=Report).dependencies
    except msgspec.DecodeError:
        return None


def _judge(service: str, known: Sequence[Dependency], unknown: Sequence[Dependency]) -> tuple[int, list[str]]:
    said = [
        f"{each.name} {each.version}: {found.id}, mended in {', '.join(found.fix_versions) or 'no version yet'}"
        for each in known
        for found in each.vulns
    ]
    said += [f"{each.name}: not audited: {each.skip_reason}" for each in unknown]
    verdict = "refused" if said else "nothing is known against them"
    return (1 if said else 0), [*said, f"{len(known)} locked packages audited by {service}: {verdict}"]


def main(program: str, lock: str) -> int:
    """Ask, say, and return the exit status."""

    def ask(service: str) -> Answer:
        options = ["--requirement", lock, "--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off"]
        command = [program, "--vulnerability-service", service, *options]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS_MAX)
        return Answer(ran.stdout, ran.stderr)

    status, said = audit(ask)
    print("\n".join(said))  # noqa: T201 - a command line prints
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
