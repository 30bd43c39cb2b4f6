"""Where the API key is added to a call, and how it is kept out of logs and landed answers (F66)."""

import logging
import re
import zlib
from contextlib import suppress
from typing import Final

import requests
from pydantic import SecretStr
from requests.auth import AuthBase

from deals_pipeline.keepa.replies import Corrupt, WireAnswer

REDACTED: Final = "[redacted]"
LOGGERS_OF_URLS: Final = tuple(
    f"urllib3.{name}" for name in ("connection", "connectionpool", "poolmanager", "response", "util.retry")
)


class KeyAuth(AuthBase):
    """Adds the key to the URL when a request is prepared, so that no `Request` object holds it."""

    def __init__(self, key: SecretStr) -> None:
        self._key = key

    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the key."""
        prepared.prepare_url(prepared.url, {"key": self._key.get_secret_value()})
        return prepared


def redact_logs() -> None:
    """Take keys out of the URLs that urllib3 logs from now on; doing so again changes nothing."""
    for name in LOGGERS_OF_URLS:
        logging.getLogger(name).addFilter(_redaction)


def without_key(answer: WireAnswer, key: SecretStr) -> WireAnswer:
    """Return an answer in which the key does not occur, as a server or proxy that echoes the URL makes it."""
    secret, redacted = key.get_secret_value().encode(), REDACTED.encode()
    if secret not in answer.body and secret not in _readable(answer):
        return answer
    try:
        return WireAnswer(answer.status, "", answer.content.replace(secret, redacted))
    except Corrupt:
        return WireAnswer(answer.status, answer.content_encoding, redacted)


def _readable(answer: WireAnswer) -> bytes:
    """Return the content of an answer, or as much of it as a corrupt body still gives away."""
    inflated = bytearray()
    try:
        return answer.content
    except Corrupt:
        stream = zlib.decompressobj(zlib.MAX_WBITS | 32)
    with suppress(zlib.error):
        for position in range(len(answer.body)):
            inflated += stream.decompress(answer.body[position : position + 1])
            if stream.eof:
                break
    return bytes(inflated)


class _Redaction(logging.Filter):
    """Replaces the value of each `key` parameter, and drops the traceback, which would repeat it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact a record and let it pass."""
        message = record.getMessage()
        record.msg, record.args = re.sub(r"([?&]key=)[^&\s\"']*", rf"\1{REDACTED}", message), None
        record.exc_info = None
        return True


_redaction: Final = _Redaction()
