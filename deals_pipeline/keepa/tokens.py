"""What a request costs and what an answer says of the balance, in tokens."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Cost:
    """The least and the most tokens that one request can cost, known from the request alone.

    Raises `ValueError` unless 0 <= low <= high.
    """

    low: int
    high: int

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high:
            raise ValueError(f"Cost(low={self.low}, high={self.high}): allowed is 0 <= low <= high")

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.low + other.low, self.high + other.high)

    def __mul__(self, count: int) -> "Cost":
        return Cost(self.low * count, self.high * count)

    def __contains__(self, tokens: int) -> bool:
        return self.low <= tokens <= self.high


@dataclass(frozen=True, slots=True)
class TokenObservation:
    """The server's own word on the balance, carried by every JSON answer, errors included (T5).

    `timestamp` is the server's clock; `tokens_left` may be negative; `refill_rate` is tokens per tick of about a
    minute; `refill_in` the time to the next tick; `tokens_consumed` what this answer cost.
    """

    timestamp: datetime
    tokens_left: int
    refill_in: timedelta
    refill_rate: int
    token_flow_reduction: float
    tokens_consumed: int
