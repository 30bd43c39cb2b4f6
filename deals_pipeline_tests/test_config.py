"""The settings: what a good file gives, where things are kept, and what Dagster and the planner get."""

import sys
import time
from dataclasses import FrozenInstanceError
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from deals_pipeline.config import Mode, Settings, load_settings
from deals_pipeline.keepa.client import KEEPA_URL
from deals_pipeline.keepa.price_types import PriceType
from deals_pipeline.keepa.selection import DateRange, DealSelection, Domain, SortType
from deals_pipeline.token_bucket.model import Lane, Policy

SHIPPED = Path(__file__).parents[1] / "deals.toml"
KEY = "k3y" * 21 + "x"
SMALL = """
[[marketplaces]]
name = "US"
[[recent]]
name = "used-books"
marketplace = "US"
"""


def load(folder: Path, toml: str = SMALL, **environ: str) -> Settings:
    (folder / "deals.toml").write_text(toml, encoding="utf-8")
    return load_settings(environ, folder)


def test_the_shipped_file_is_used_books_in_the_united_states() -> None:
    settings = load_settings({}, SHIPPED.parent)
    (recent,), (backfill,) = settings.recent, settings.backfill
    assert recent.query == DealSelection(
        domain=Domain.US,
        price_type=PriceType.USED,
        date_range=DateRange.QUARTER,
        sort_type=SortType.AGE,
        include_categories=(283155,),
        current_range=(300, 8000),
        delta_percent_range=(40, 95),
        sales_rank_range=(1, 300_000),
        single_variation=True,
        filter_erotic=True,
    )
    assert len(backfill.shards()) == 6
    assert settings.config == SHIPPED


def test_what_a_file_leaves_out_is_what_the_shipped_one_says(tmp_path: Path) -> None:
    small, shipped = load(tmp_path), load_settings({}, SHIPPED.parent)
    assert small.marketplaces == shipped.marketplaces
    assert small.budget == shipped.budget
    assert small.retention == shipped.retention


def test_the_costs_of_selling_are_cents_and_exact_percents(tmp_path: Path) -> None:
    (costs,) = load(tmp_path).marketplaces
    assert (costs.prep_fee, costs.inbound_shipping, costs.fba_fallback) == (275, 399, 550)
    percents = (costs.purchase_tax_percent, costs.referral_fallback_percent, costs.markup_percent)
    assert percents == (Decimal(5), Decimal(15), Decimal(10))
    assert costs.tax_exempt is False


@pytest.mark.parametrize(
    ("written", "cents"),
    [
        ('"2.75"', 275),
        ("2.75", 275),
        ("3", 300),
        ('"3"', 300),
        ("0", 0),
        ("0.1", 10),
        ('"19.99"', 1999),
        ("10000", 10**6),
    ],
)
def test_money_may_be_written_as_a_number_or_a_string(written: str, cents: int, tmp_path: Path) -> None:
    toml = SMALL.replace('name = "US"', f'name = "US"\nprep_fee = {written}')
    assert load(tmp_path, toml).marketplaces[0].prep_fee == cents


def test_money_in_japan_has_no_hundredths(tmp_path: Path) -> None:
    costs = 'name = "JP"\nprep_fee = 300\ninbound_shipping = "450"\nfba_fallback = 600\npurchase_tax_percent = "10.25"'
    (japan,) = load(tmp_path, SMALL.replace('name = "US"', costs).replace('"US"', '"JP"')).marketplaces
    assert (japan.prep_fee, japan.inbound_shipping, japan.fba_fallback) == (300, 450, 600)
    assert japan.purchase_tax_percent == Decimal("10.25")


def test_floors_and_deficit_are_the_token_buckets_policy(tmp_path: Path) -> None:
    assert load(tmp_path).budget.policy == Policy()
    toml = SMALL + "[max_deficit]\ntokens = 33\n[floors]\nhistory = { minutes = 3 }\nbackfill = { tokens = 44 }\n"
    policy = load(tmp_path, toml).budget.policy
    assert policy.max_deficit.at_rate(20) == 33
    assert [policy.floors[lane].at_rate(20) for lane in (Lane.RECENT, Lane.HISTORY, Lane.OFFERS, Lane.BACKFILL)] == [
        0,
        60,
        80,
        44,
    ]


def test_intervals_shares_and_retention_are_read(tmp_path: Path) -> None:
    toml = SMALL + (
        "[intervals]\nhead_scan_minutes = 7\nhead_scan_percent_max = 30\nfull_scan_minutes = 60\n"
        "history_minutes = 90\noffers_minutes = 120\n"
        "[shares]\nfull_scan = 1\nhistory = 2\noffers = 3\nbackfill = 94\nwindow_hours = 2\n"
        "[retention]\nlanding_days = 9\nruns_days = 8\n"
    )
    settings = load(tmp_path, toml)
    intervals, shares = settings.budget.intervals, settings.budget.shares
    assert (intervals.head_scan, intervals.full_scan) == (timedelta(minutes=7), timedelta(hours=1))
    assert (intervals.history, intervals.offers) == (timedelta(minutes=90), timedelta(hours=2))
    assert intervals.head_scan_percent_max == 30
    assert (shares.full_scan, shares.history, shares.offers, shares.backfill) == (1, 2, 3, 94)
    assert shares.window == timedelta(hours=2)
    assert (settings.retention.landing_days, settings.retention.runs_days) == (9, 8)


BACKFILL = """
[[backfill]]
name = "all"
marketplace = "US"
sales_rank_range = [1, -1]
shard_prices = [300, 600, 1000]
"""


def test_price_bands_meet_and_do_not_overlap(tmp_path: Path) -> None:
    (backfill,) = load(tmp_path, SMALL + BACKFILL).backfill
    assert [(shard.key, shard.query.current_range) for shard in backfill.shards()] == [
        ("all_all_300-599", (300, 599)),
        ("all_all_600-1000", (600, 1000)),
    ]
    assert all(shard.query.sales_rank_range == (1, -1) for shard in backfill.shards())


def test_each_category_is_cut_by_price(tmp_path: Path) -> None:
    (backfill,) = load(tmp_path, SMALL + BACKFILL + "shard_categories = [7, 8]\n").backfill
    assert [shard.key for shard in backfill.shards()] == [
        "all_7_300-599",
        "all_7_600-1000",
        "all_8_300-599",
        "all_8_600-1000",
    ]
    assert [shard.query.include_categories for shard in backfill.shards()] == [(7,), (7,), (8,), (8,)]
    half = backfill.shard(7, 300, 449)
    assert (half.key, half.query.current_range) == ("all_7_300-449", (300, 449))


def test_a_selection_has_a_version_that_changes_with_its_query_alone(tmp_path: Path) -> None:
    """F34."""
    (same,), (renamed,) = load(tmp_path).recent, load(tmp_path, SMALL.replace("used-books", "books")).recent
    (narrower,) = load(tmp_path, SMALL + "is_lowest = true").recent
    (spelt_out,) = load(tmp_path, SMALL + 'is_lowest = false\nsort_type = "AGE"').recent
    assert same.version == renamed.version == spelt_out.version != narrower.version
    assert DealSelection().version == "c8f122909704"
    assert same.marketplace is Domain.US


@pytest.mark.parametrize(
    ("environ", "mode", "url"),
    [
        ({}, Mode.SIMULATED, None),
        ({"KEEPA_API_KEY": ""}, Mode.SIMULATED, None),
        ({"KEEPA_API_URL": "http://127.0.0.1:8900"}, Mode.SIMULATED, "http://127.0.0.1:8900"),
        ({"KEEPA_API_KEY": KEY}, Mode.LIVE, KEEPA_URL),
        ({"KEEPA_API_KEY": f" {KEY}\n"}, Mode.LIVE, KEEPA_URL),
        (
            {"KEEPA_API_KEY": KEY, "KEEPA_API_URL": "https://proxy.example/keepa"},
            Mode.LIVE,
            "https://proxy.example/keepa",
        ),
    ],
)
def test_without_a_key_the_simulator_serves(
    environ: dict[str, str], mode: Mode, url: str | None, tmp_path: Path
) -> None:
    settings = load(tmp_path, **environ)
    assert (settings.mode, settings.api_url) == (mode, url)
    assert (settings.api_key.get_secret_value() if settings.api_key else None) == (KEY if mode is Mode.LIVE else None)


def test_each_mode_has_a_home_of_its_own_and_all_paths_are_absolute(tmp_path: Path) -> None:
    simulated, live = load(tmp_path).places, load(tmp_path, KEEPA_API_KEY=KEY).places
    assert (simulated.home, live.home) == (tmp_path / ".deals" / "simulated", tmp_path / ".deals" / "live")
    for places in (simulated, live):
        assert (places.landing, places.ledger, places.warehouse, places.published, places.dagster_home) == (
            places.home / "landing",
            str(places.home / "ledger.sqlite"),
            places.home / "warehouse.duckdb",
            places.home / "published",
            places.home / "dagster",
        )
        assert places.home.is_absolute()


def test_paths_may_be_relative_absolute_or_in_the_users_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    for written, home in (
        ("data", tmp_path / "data"),
        (str(tmp_path / "x"), tmp_path / "x"),
        ("~/d", tmp_path / "user/d"),
    ):
        assert load(tmp_path, DEALS_HOME=written).places.home == home / "simulated"
    (tmp_path / "other.toml").write_text(SMALL, encoding="utf-8")
    (tmp_path / "deals.toml").unlink()
    assert load_settings({"DEALS_CONFIG": "other.toml"}, tmp_path).config == tmp_path / "other.toml"


def test_the_ledger_may_be_a_postgres_url_which_is_not_shown(tmp_path: Path) -> None:
    url = "postgresql://me:pa55@db/ledger"
    settings = load(tmp_path, DEALS_LEDGER_URL=url)
    assert settings.places.ledger == url
    assert "pa55" not in repr(settings)


def test_the_webhook_may_hold_a_secret_which_is_not_shown(tmp_path: Path) -> None:
    """F66."""
    assert load(tmp_path).webhook_url is None
    url = "https://hooks.example/T0/pa55?token=pa55"
    settings = load(tmp_path, DEALS_WEBHOOK_URL=url)
    assert settings.webhook_url is not None
    assert settings.webhook_url.get_secret_value() == url
    assert "pa55" not in repr(settings)


def test_an_env_file_speaks_for_variables_that_are_unset(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        f"# mine\nexport KEEPA_API_KEY='{KEY}'\nDEALS_HOME=there\nOTHER=$x\n", encoding="utf-8"
    )
    assert load(tmp_path).places.home == tmp_path / "there" / "live"
    assert load(tmp_path, DEALS_HOME="here").places.home == tmp_path / "here" / "live"
    assert load(tmp_path, KEEPA_API_KEY="").mode is Mode.SIMULATED


def test_the_process_environment_and_the_working_folder_are_the_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEEPA_API_KEY", KEY)
    monkeypatch.setenv("DEALS_HOME", "there")
    for name in ("DEALS_CONFIG", "DEALS_LEDGER_URL", "KEEPA_API_URL"):
        monkeypatch.delenv(name, raising=False)
    assert load_settings().places.home == tmp_path / "there" / "live"


def test_settings_are_frozen(tmp_path: Path) -> None:
    settings = load(tmp_path)
    with pytest.raises(FrozenInstanceError):
        settings.mode = Mode.LIVE  # type: ignore[misc]
    with pytest.raises(ValidationError):
        settings.retention.landing_days = 3  # type: ignore[misc]


def test_loading_writes_nothing_connects_nowhere_and_takes_less_than_50_ms(tmp_path: Path) -> None:
    load(tmp_path, SHIPPED.read_text(encoding="utf-8"))
    seen: list[str] = []
    watched = ("socket.", "os.mkdir", "os.rename", "os.remove", "subprocess.")
    is_on = [True]

    def hook(event: str, args: tuple[object, ...]) -> None:
        writes = event == "open" and any(letter in str(args[1]) for letter in "wax+")
        if is_on[0] and (writes or event.startswith(watched)):
            seen.append(f"{event} {args}")

    sys.addaudithook(hook)
    taken = []
    for _ in range(5):
        start = time.process_time()
        load_settings({"KEEPA_API_KEY": KEY}, tmp_path)
        taken.append(time.process_time() - start)
    is_on[0] = False
    assert seen == []
    assert min(taken) < 0.05
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deals.toml"]
