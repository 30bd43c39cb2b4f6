"""What goes wrong between Keepa and a client, switched on per seed: pure functions of (seed, request number).

A momentary fault strikes a share of the requests, at most one a request; a standing one is always there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from itertools import accumulate, count, takewhile
from random import Random
from typing import Final

from deals_pipeline.keepa.requests import ProductRequest
from deals_pipeline.keepa.selection import DealSelection, SortType
from deals_pipeline.keepa.time import to_unix_ms
from deals_pipeline.simulator.account import Spend, TokenFields


class Fault(Enum):
    """A kind of fault."""

    CONNECTION_REFUSED = "connection-refused"
    """Nothing reaches the service."""
    CONNECTION_RESET = "connection-reset"
    """Executed and charged; the connection breaks in the middle of the answer."""
    LOST_ANSWER = "lost-answer"
    """Executed and charged; nothing comes back."""
    TRUNCATED_BODY = "truncated-body"
    EMPTY_BODY = "empty-body"
    HTML_BODY = "html-body"
    PROXY_THROTTLED = "proxy-throttled"
    """A 429 without token fields, from something in between."""
    SERVER_ERROR = "server-error"
    """A 500 with token fields, before or after the charge."""
    BAD_GATEWAY = "bad-gateway"
    """A 502 in HTML, before or after the charge."""
    DUPLICATES = "duplicates"
    DIRTY_ITEMS = "dirty-items"
    RATE_GLITCH = "rate-glitch"
    CLOCK_SKEW = "clock-skew"
    LATENCY = "latency"
    FOREIGN_SPEND = "foreign-spend"
    SORTS_BY_ANOTHER_KEY = "sorts-by-another-key"
    IGNORES_A_PARAMETER = "ignores-a-parameter"


STANDING: Final = frozenset(
    {
        Fault.CLOCK_SKEW,
        Fault.LATENCY,
        Fault.FOREIGN_SPEND,
        Fault.SORTS_BY_ANOTHER_KEY,
        Fault.IGNORES_A_PARAMETER,
    }
)
SELECTION_PARAMETERS: Final = (
    "current_range",
    "delta_percent_range",
    "sales_rank_range",
    "include_categories",
    "exclude_categories",
    "must_not_have_amazon_offer",
)
PRODUCT_PARAMETERS: Final[Mapping[str, bool | None]] = {
    "stats": None,
    "only_live_offers": False,
    "days": None,
    "rating": False,
}
LATENCY_MS: Final[Mapping[str, tuple[int, int]]] = {
    "deal": (300, 1_400),
    "product": (300, 2_500),
    "offers": (12_000, 63_000),
    "seller": (200, 1_000),
    "token": (50, 200),
}
"""How long an answer takes, by kind (P8)."""
SKEW_MS_MAX: Final = 90_000
FOREIGN_SPEND_EVERY: Final = timedelta(hours=4)

Item = dict[str, object]


@dataclass(frozen=True)
class Faults:
    """The faults of one seed. `share` is the part of requests, 0 to 1, that a momentary fault strikes."""

    seed: int = 0
    kinds: frozenset[Fault] = field(default_factory=frozenset)
    share: float = 0.05

    @classmethod
    def of_seed(cls, seed: int, share: float = 0.05) -> "Faults":
        """Return the faults that a seed switches on, half of all kinds."""
        return cls(seed, frozenset(Random(f"kinds {seed}").sample(list(Fault), k=len(Fault) // 2)), share)

    def strike(self, number: int) -> Fault | None:
        """Return the momentary fault that strikes request `number`."""
        momentary = [kind for kind in Fault if kind in self.kinds and kind not in STANDING]
        draw = self._draw("strike", number)
        return draw.choice(momentary) if momentary and draw.random() < self.share else None

    def coin(self, number: int) -> bool:
        """Return heads or tails for a request."""
        return self._draw("coin", number).getrandbits(1) == 1

    def delay_ms(self, number: int, kind: str) -> int:
        """Return how long the answer to a request takes, 0 unless latency is on."""
        return self._draw("delay", number).randint(*LATENCY_MS[kind]) if Fault.LATENCY in self.kinds else 0

    def skew_ms(self, now: datetime) -> int:
        """Return how far the service's clock is off: a constant and a part that jumps each hour, backward too."""
        if Fault.CLOCK_SKEW not in self.kinds:
            return 0
        constant = self._draw("skew", 0).randint(-SKEW_MS_MAX, SKEW_MS_MAX)
        return constant + self._draw("skew", to_unix_ms(now) // 3_600_000).randint(-30_000, 30_000)

    def foreign_spend(self, start: datetime, end: datetime, refill_rate: int) -> tuple[Spend, ...]:
        """Return what another program spends on the same key between `start` and `end` (T10)."""
        if Fault.FOREIGN_SPEND not in self.kinds:
            return ()
        draw = self._draw("foreign", 0)
        gaps = (draw.expovariate(1 / FOREIGN_SPEND_EVERY.total_seconds()) * 1000 for _ in count())
        instants = takewhile(lambda at: at < to_unix_ms(end), accumulate(gaps, initial=float(to_unix_ms(start))))
        return tuple(Spend(int(at), draw.randint(1, max(1, 60 * refill_rate))) for at in instants)

    def believed(self, selection: DealSelection) -> DealSelection:
        """Return the selection that the service really applies, when our beliefs about it are wrong."""
        if Fault.SORTS_BY_ANOTHER_KEY in self.kinds:
            others = [key for key in SortType if key != selection.sort_type]
            selection = selection.model_copy(update={"sort_type": self._draw("sort", 0).choice(others)})
        if Fault.IGNORES_A_PARAMETER in self.kinds:
            name = self._draw("parameter", 0).choice(SELECTION_PARAMETERS)
            selection = selection.model_copy(update={name: DealSelection.model_fields[name].default})
        return selection

    def honoured(self, request: ProductRequest) -> ProductRequest:
        """Return the product request that the service really serves, when it ignores a parameter."""
        if Fault.IGNORES_A_PARAMETER not in self.kinds:
            return request
        name = self._draw("parameter", 0).choice(sorted(PRODUCT_PARAMETERS))
        return request.model_copy(update={name: PRODUCT_PARAMETERS[name]})

    def glitch(self, number: int, fields: TokenFields) -> TokenFields:
        """Return token fields with an absurd rate."""
        rates = (0, -1, 1, fields.refill_rate * 100, 2**31 - 1)
        draw = self._draw("glitch", number)
        return replace(fields, refill_rate=draw.choice(rates), refill_in=draw.choice((0, -5_000, 60_000, 2**31 - 1)))

    def duplicate(self, number: int, items: list[Item]) -> list[Item]:
        """Return items of which one to three are a copy of a neighbour."""
        draw = self._draw("duplicates", number)
        copies = list(items)
        for _ in range(draw.randint(1, 3) if len(items) > 1 else 0):
            position = draw.randrange(1, len(copies))
            copies[position] = copies[position - 1]
        return copies

    def soil(self, number: int, items: list[Item]) -> list[object]:
        """Return items of which one to three are malformed, each in its own way."""
        draw = self._draw("dirt", number)
        soiled: list[object] = list(items)
        for _ in range(draw.randint(1, 3) if items else 0):
            position = draw.randrange(len(items))
            soiled[position] = draw.choice(DIRT)(dict(items[position]))
        return soiled

    def _draw(self, purpose: str, number: int) -> Random:
        return Random(f"{purpose} {self.seed} {number}")


DIRT: Final[tuple[Callable[[Item], object], ...]] = (
    lambda _item: None,
    lambda item: item | {"asin": None},
    lambda item: item | {"asin": "not-an-asin"},
    lambda item: item | {"lastUpdate": "yesterday"},
    lambda item: item | {"lastUpdate": 2**31 - 1},
    lambda item: item | {"title": ["a", "list"]},
    lambda item: item | {"current": None, "csv": "0,1,2"},
    lambda item: {key: value for key, value in item.items() if key != "lastUpdate"},
)
