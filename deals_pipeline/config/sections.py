"""The sections of `deals.toml` other than selections, and the file as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, StrictBool, ValidationInfo, field_validator, model_validator
from typing_extensions import Self

from deals_pipeline.config.selections import BackfillSelection, RecentSelection
from deals_pipeline.config.values import MONEY_MAX, Percent, Section, Whole, hundredths, member_named
from deals_pipeline.keepa.selection import Domain
from deals_pipeline.token_bucket.model import CAPACITY_TICKS, Amount, Lane, Policy

US_COSTS: Final = {"prep_fee": "2.75", "inbound_shipping": "3.99", "fba_fallback": "5.50"}
"""What selling costs in the United States where the file does not say; elsewhere the file has to."""
TOKENS_MAX: Final = 240_000
"""The capacity of the largest plan (T4, T9)."""

Cents = Annotated[Whole, Field(ge=0)]


class Marketplace(Section):
    """A marketplace and what selling there costs: money in cents of its currency (yen in Japan), percents exact."""

    name: Annotated[Domain, BeforeValidator(lambda name: member_named(Domain, name))]
    prep_fee: Cents
    inbound_shipping: Cents
    purchase_tax_percent: Percent = Field(default=5, validate_default=True)
    tax_exempt: StrictBool = False
    referral_fallback_percent: Percent = Field(default=15, validate_default=True)
    fba_fallback: Cents
    markup_percent: Percent = Field(default=10, validate_default=True)

    @classmethod
    def arranged(cls, table: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the table, in the United States with the usual costs where it names none."""
        return {**US_COSTS, **table} if table.get("name") == Domain.US.name else table

    @field_validator("prep_fee", "inbound_shipping", "fba_fallback", mode="before")
    @classmethod
    def _in_cents(cls, value: object, info: ValidationInfo) -> int:
        name = info.data.get("name")
        decimals = name.money_decimals if isinstance(name, Domain) else 2
        return int(hundredths(value, most=MONEY_MAX * 10 ** (2 - decimals), decimals=decimals) * 10**decimals)


class Intervals(Section):
    """How often things are bought again, in minutes, and the most of the refill that head scans may take.

    What no page has shown for a week is bought no more, so that a full scan is due twice in a week at least.
    """

    head_scan_minutes: Annotated[Whole, Field(ge=1, le=1440)] = 15
    head_scan_percent_max: Annotated[Whole, Field(ge=1, le=100)] = 20
    full_scan_minutes: Annotated[Whole, Field(ge=10, le=5040)] = 240
    history_minutes: Annotated[Whole, Field(ge=60, le=43_200)] = 1440
    offers_minutes: Annotated[Whole, Field(ge=60, le=43_200)] = 1440

    @property
    def head_scan(self) -> timedelta:
        """The time from one head scan of a selection to the next."""
        return timedelta(minutes=self.head_scan_minutes)

    @property
    def full_scan(self) -> timedelta:
        """The least time from one full scan of a selection to the next."""
        return timedelta(minutes=self.full_scan_minutes)

    @property
    def history(self) -> timedelta:
        """The least time from one history of a product to the next, if its prices have moved since."""
        return timedelta(minutes=self.history_minutes)

    @property
    def offers(self) -> timedelta:
        """How long the live offers of a product are fresh, if its used price does not move."""
        return timedelta(minutes=self.offers_minutes)


class Shares(Section):
    """Who gets the refill that head scans leave, in percent, while all have work; 0 is never planned."""

    full_scan: Annotated[Whole, Field(ge=0, le=100)] = 30
    history: Annotated[Whole, Field(ge=0, le=100)] = 40
    offers: Annotated[Whole, Field(ge=0, le=100)] = 10
    backfill: Annotated[Whole, Field(ge=0, le=100)] = 20
    window_hours: Annotated[Whole, Field(ge=1, le=168)] = 6

    @property
    def window(self) -> timedelta:
        """The time over which what was spent is compared with the shares."""
        return timedelta(hours=self.window_hours)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (total := self.full_scan + self.history + self.offers + self.backfill) != 100:  # noqa: PLR2004 - percent
            raise ValueError(f"full_scan + history + offers + backfill = {total}: allowed is 100")
        return self


class Tokens(Section):
    """An amount of tokens: minutes of refill at the plan's rate, or an absolute number."""

    minutes: Annotated[Whole, Field(ge=0, lt=CAPACITY_TICKS)] | None = None
    tokens: Annotated[Whole, Field(ge=0, le=TOKENS_MAX)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.minutes is None) == (self.tokens is None):
            raise ValueError("minutes and tokens: allowed is one of the two")
        return self

    @property
    def amount(self) -> Amount:
        """The amount as the token bucket takes it."""
        return Amount(self.minutes or 0, self.tokens)


class Floors(Section):
    """What each lane leaves in the bucket to the lanes before it."""

    recent: Tokens = Tokens(minutes=0)
    history: Tokens = Tokens(minutes=2)
    offers: Tokens = Tokens(minutes=4)
    backfill: Tokens = Tokens(minutes=6)
    ad_hoc: Tokens = Tokens(minutes=0)


class Retention(Section):
    """How long things are kept, in days."""

    landing_days: Annotated[Whole, Field(ge=1, le=3650)] = 30
    runs_days: Annotated[Whole, Field(ge=1, le=3650)] = 30


@dataclass(frozen=True, slots=True)
class Budget:
    """All that decides what tokens are spent on."""

    intervals: Intervals
    shares: Shares
    policy: Policy


class DealsFile(Section):
    """The whole file."""

    marketplaces: tuple[Marketplace, ...]
    recent: tuple[RecentSelection, ...]
    backfill: tuple[BackfillSelection, ...] = ()
    intervals: Intervals = Intervals()
    shares: Shares = Shares()
    max_deficit: Tokens = Tokens(minutes=10)
    floors: Floors = Floors()
    retention: Retention = Retention()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.marketplaces or not self.recent:
            raise ValueError(f"{'recent' if self.marketplaces else 'marketplaces'} = []: allowed is at least one")
        names = [marketplace.name.name for marketplace in self.marketplaces]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"marketplaces.name = {repeated[0]}: allowed is each once")
        used = [selection.name for selection in (*self.recent, *self.backfill)]
        if repeated := sorted({name for name in used if used.count(name) > 1}):
            raise ValueError(f"name = {repeated[0]}: allowed is each once among recent and backfill")
        for selection in (*self.recent, *self.backfill):
            if (place := selection.marketplace.name) not in names:
                raise ValueError(f"{selection.name}.marketplace = {place}: allowed are {', '.join(names)}")
        return self

    @property
    def budget(self) -> Budget:
        """What decides what tokens are spent on, floors and deficit as the token bucket takes them."""
        floors = {lane: getattr(self.floors, lane.value).amount for lane in Lane}
        return Budget(self.intervals, self.shares, Policy(self.max_deficit.amount, floors))
