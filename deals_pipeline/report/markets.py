"""What a page has to know of Amazon's marketplaces: the currency of their prices, and where a product is found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from deals_pipeline.keepa.selection import Domain


@dataclass(frozen=True, slots=True)
class Market:
    """A marketplace: its name, ISO 4217 currency, and host."""

    name: str
    currency: str
    host: str


MARKETS: Final[Mapping[Domain, Market]] = {
    domain: Market(domain.name, currency, f"www.amazon.{suffix}")
    for domain, currency, suffix in (
        (Domain.US, "USD", "com"),
        (Domain.GB, "GBP", "co.uk"),
        (Domain.DE, "EUR", "de"),
        (Domain.FR, "EUR", "fr"),
        (Domain.JP, "JPY", "co.jp"),
        (Domain.CA, "CAD", "ca"),
        (Domain.IT, "EUR", "it"),
        (Domain.ES, "EUR", "es"),
        (Domain.IN, "INR", "in"),
        (Domain.MX, "MXN", "com.mx"),
        (Domain.BR, "BRL", "com.br"),
    )
}
