"""What a simulated service delivers, changed on its way: hostile words, and errors that repeat the URL with the key."""

import gzip
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from itertools import cycle
from typing import Any, Final, TypeAlias

import msgspec

from deals_pipeline.simulator.server import Call, Delivery

Deliver: TypeAlias = Callable[[Call, datetime], Delivery]

CANARY: Final = "t1tle-that-is-shown"
HOSTILE: Final = (
    f"=cmd|' /C calc'!A0 {CANARY}",
    f"+1+{CANARY}",
    f"-2;=1+1 {CANARY}",
    f"@SUM({CANARY})",
    f"\t=1 {CANARY}",
    f"\r\n=1 {CANARY}",
    f"\x1b[2J\x1b]0;{CANARY}\x07\x9b31m",
    f"\u202e\u2066{CANARY}\u200b\ufeff",
    f"first\nWARNING {CANARY}\x85\u2028third",
    f"<script>alert('{CANARY}')</script><img src=x onerror=alert(1)>",
    f"[{CANARY}](javascript:alert(1)) ![x](http://evil.invalid/x) `a` # b",
    f"a\x00b {CANARY}",
    f"\"'\\{CANARY}%s{{0}}${{HOME}}",
)
WORDS: Final = frozenset({"title", "sellerName", "author", "brand", "manufacturer", "message"})
"""The fields whose text somebody else writes."""


def with_hostile_words(deliver: Deliver) -> Deliver:
    """Return a service in whose answers each such text is a hostile one, in turn."""
    texts = cycle(HOSTILE)

    def changed(value: Any) -> Any:  # noqa: ANN401 - whatever the document holds
        if isinstance(value, dict):
            return {key: next(texts) if key in WORDS else changed(inner) for key, inner in value.items()}
        return [changed(inner) for inner in value] if isinstance(value, list) else value

    def delivered(call: Call, now: datetime) -> Delivery:
        found = deliver(call, now)
        try:
            document = msgspec.json.decode(gzip.decompress(found.body))
        except (OSError, msgspec.DecodeError):
            return found
        return replace(found, body=gzip.compress(msgspec.json.encode(changed(document)), 1))

    return delivered


def refusing(deliver: Deliver) -> Deliver:
    """Return a service that refuses each purchase in the words that it was asked with, the key among them."""

    def delivered(call: Call, now: datetime) -> Delivery:
        found = deliver(call, now)
        if call.path == "/token":
            return found
        document = msgspec.json.decode(gzip.decompress(found.body))
        message = f"cannot serve {call.path}?{'&'.join(f'{name}={value}' for name, value in call.query.items())}"
        document["error"] = {"type": "invalidParameter", "message": message, "details": f"key {call.query['key']}"}
        return replace(found, status=400, body=gzip.compress(msgspec.json.encode(document), 1))

    return delivered
