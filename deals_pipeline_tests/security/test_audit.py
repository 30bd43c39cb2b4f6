"""What the audit of locked versions makes of each answer: above all, that no answer is not a good one."""

import json

import pytest

from deals_pipeline_tests.security.audit import SERVICES, Answer, audit

CLEAN = {"name": "duckdb", "version": "1.4.0", "vulns": []}
VULNERABLE = {"name": "jinja2", "version": "2.10", "vulns": [{"id": "PYSEC-2019-217", "fix_versions": ["2.10.1"]}]}
SKIPPED = {"name": "requests", "skip_reason": "Dependency not found on PyPI and could not be audited: requests"}


UNREACHED = [
    Answer(
        "", f"Traceback (most recent call last):\n  raise ConnectionError\nrequests.exceptions.{name}: Max retries\n"
    )
    for name in ("ConnectionError", "ConnectTimeout", "ReadTimeout", "ProxyError", "SSLError", "HTTPError")
]


def printed(*dependencies: object) -> Answer:
    return Answer(json.dumps({"dependencies": dependencies, "fixes": []}))


def test_a_known_vulnerability_fails_and_is_named_with_what_mends_it() -> None:
    status, said = audit(lambda _: printed(CLEAN, VULNERABLE))
    assert status == 1
    assert "jinja2 2.10: PYSEC-2019-217, mended in 2.10.1" in said


def test_packages_of_which_nothing_is_known_pass_and_are_counted() -> None:
    assert audit(lambda _: printed(CLEAN, CLEAN)) == (
        0,
        ["2 locked packages audited by pypi: nothing is known against them"],
    )


@pytest.mark.parametrize("answer", [*UNREACHED, printed(), printed(SKIPPED, SKIPPED)])
def test_that_nobody_could_be_asked_is_said_aloud(answer: Answer) -> None:
    """What pip-audit prints where the services are out of reach: a traceback, or that all are clean."""
    asked = []
    status, (line,) = audit(lambda service: asked.append(service) or answer)  # type: ignore[func-returns-value]
    assert asked == list(SERVICES)
    assert status == 0
    assert line.startswith("AUDIT INCOMPLETE: ")
    assert "NOT checked" in line


@pytest.mark.parametrize(
    ("said", "last"),
    [
        ("", "it said nothing"),
        ("usage: pip-audit [-h]\npip-audit: error: no such option\n", "pip-audit: error: no such option"),
        (
            "ConnectionError\nValueError: the lock file ends here: ConnectionError",
            "ValueError: the lock file ends here: C",
        ),
    ],
)
def test_what_pip_audit_fails_of_itself_is_no_matter_of_the_network(said: str, last: str) -> None:
    status, (line,) = audit(lambda _: Answer("", said))
    assert status == 1
    assert line.startswith(f"pip-audit failed: {last}")


def test_another_service_is_asked_where_the_first_does_not_answer() -> None:
    status, said = audit(lambda service: printed(VULNERABLE) if service == "osv" else printed(SKIPPED))
    assert status == 1
    assert said[-1] == "1 locked packages audited by osv: refused"


def test_a_package_that_alone_could_not_be_audited_fails() -> None:
    status, said = audit(lambda _: printed(CLEAN, SKIPPED))
    assert status == 1
    assert said[0].startswith("requests: not audited: Dependency not found")
