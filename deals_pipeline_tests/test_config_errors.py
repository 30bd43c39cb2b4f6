"""What is refused, and in which words: file, key path, value, what is allowed. Every setting is in these tables."""

import re
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from pydantic import BaseModel

from deals_pipeline.config import ConfigError, load_settings
from deals_pipeline.config.environment import VARIABLES
from deals_pipeline.config.sections import DealsFile, Floors, Intervals, Marketplace, Retention, Shares, Tokens
from deals_pipeline.config.selections import FILTERS, BackfillSelection, RecentSelection
from deals_pipeline.keepa.selection import DealSelection

SHIPPED: Final = Path(__file__).parents[1] / "deals.toml"
US: Final = '[[marketplaces]]\nname = "US"\n'
RECENT: Final = '[[recent]]\nname = "books"\nmarketplace = "US"\n'
BACKFILL: Final = '[[backfill]]\nname = "all"\nmarketplace = "US"\nshard_prices = [100, 200]\n'
KEY: Final = "secret-0123456789"


def refusal(folder: Path, toml: str = US + RECENT, **environ: str) -> str:
    (folder / "deals.toml").write_text(toml, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_settings({"KEEPA_API_KEY": KEY, **environ}, folder)
    shown = "".join(traceback.format_exception(caught.value))
    assert KEY not in shown
    assert "During handling" not in shown
    assert "direct cause" not in shown
    return str(caught.value).replace(f"{folder}/", "")


def amount(table: str, key: str, value: str) -> str:
    return US + RECENT + f"[{table}]\n{key} = {value}\n"


MONEY: Final = "allowed is a number from 0 to 10000 with at most 2 decimals"
PERCENT: Final = "allowed is a number from 0 to 100 with at most 2 decimals"
MARKETPLACES: Final = "allowed are US, GB, DE, FR, JP, CA, IT, ES, IN, MX, BR"

WRONG: Final = (
    # marketplaces
    (US.replace("US", "UK") + RECENT, f'marketplaces[UK].name = "UK": {MARKETPLACES}'),
    (US.replace('"US"', "1") + RECENT, f"marketplaces[0].name = 1: {MARKETPLACES}"),
    (US + US + RECENT, "marketplaces.name = US: allowed is each once"),
    ("marketplaces = []\n" + RECENT, "marketplaces = []: allowed is at least one"),
    (RECENT, "marketplaces: missing: allowed is a value of your own, there is no default"),
    ("recent = []\n" + US, "recent = []: allowed is at least one"),
    ("marketplaces = 5\n" + RECENT, "marketplaces = 5: allowed is a list"),
    (
        US.replace("US", "GB") + RECENT.replace("US", "GB"),
        "marketplaces[GB].prep_fee: missing: allowed is a value of your own",
    ),
    (US + 'prep_fee = "2,75"\n' + RECENT, f'marketplaces[US].prep_fee = "2,75": {MONEY}'),
    (US + "prep_fee = -1\n" + RECENT, f"marketplaces[US].prep_fee = -1: {MONEY}"),
    (US + "prep_fee = 2.755\n" + RECENT, f'marketplaces[US].prep_fee = "2.755": {MONEY}'),
    (US + "prep_fee = 10000.01\n" + RECENT, f'marketplaces[US].prep_fee = "10000.01": {MONEY}'),
    (US + "inbound_shipping = true\n" + RECENT, f"marketplaces[US].inbound_shipping = true: {MONEY}"),
    (US + "fba_fallback = nan\n" + RECENT, f'marketplaces[US].fba_fallback = "NaN": {MONEY}'),
    (US + "fba_fallback = inf\n" + RECENT, f'marketplaces[US].fba_fallback = "Infinity": {MONEY}'),
    (US + "purchase_tax_percent = 101\n" + RECENT, f"marketplaces[US].purchase_tax_percent = 101: {PERCENT}"),
    (
        US + 'referral_fallback_percent = "15 %"\n' + RECENT,
        f'marketplaces[US].referral_fallback_percent = "15 %": {PERCENT}',
    ),
    (US + "markup_percent = []\n" + RECENT, f"marketplaces[US].markup_percent = []: {PERCENT}"),
    (US + "tax_exempt = 0\n" + RECENT, "marketplaces[US].tax_exempt = 0: allowed is true or false"),
    (
        US + "tax = 5\n" + RECENT,
        "marketplaces[US].tax = 5: unknown; allowed are fba_fallback, ",
    ),
    (
        US.replace("US", "JP")
        + "prep_fee = 2.75\ninbound_shipping = 1\nfba_fallback = 1\n"
        + RECENT.replace("US", "JP"),
        'marketplaces[JP].prep_fee = "2.75": allowed is a number from 0 to 1000000 without decimals',
    ),
    # selections
    (US, "recent: missing: allowed is a value of your own, there is no default"),
    (US + RECENT + RECENT, "name = books: allowed is each once among recent and backfill"),
    (
        US + RECENT + BACKFILL.replace('"all"', '"books"'),
        "name = books: allowed is each once among recent and backfill",
    ),
    (
        US + RECENT.replace("books", "My Books"),
        'recent[My Books].name = "My Books": allowed are lower case, digits and hyphens',
    ),
    (US + RECENT.replace('"books"', "3"), "recent[0].name = 3: allowed is a string"),
    (US + RECENT.replace('name = "books"', ""), "recent[0].name: missing: allowed is a value of your own"),
    (
        US + RECENT.replace('marketplace = "US"', ""),
        "recent[books].marketplace: missing: allowed is a value of your own",
    ),
    (US + RECENT.replace("US", "DE"), "books.marketplace = DE: allowed are US"),
    (US + RECENT.replace("US", "us"), f'recent[books].marketplace = "us": {MARKETPLACES}'),
    (
        US + RECENT + 'price_type = "Used"',
        'recent[books].price_type = "Used": allowed are AMAZON, NEW, USED, SALES, COLLECT',
    ),
    (
        US + RECENT + 'price_type = "TRADE_IN"',
        'recent[books].price_type = "TRADE_IN": allowed are AMAZON, NEW, USED, SALES',
    ),
    (US + RECENT + "price_type = 2", "recent[books].price_type = 2: allowed are AMAZON, NEW, USED, SALES, COLLECTIBLE"),
    (US + RECENT + 'date_range = "YEAR"', 'recent[books].date_range = "YEAR": allowed are DAY, WEEK, MONTH, QUARTER'),
    (US + RECENT + "sort_type = 0", "recent[books].sort_type = 0: allowed are AGE, DELTA, SALES_RANK, PERCENT_DELTA, "),
    (US + RECENT + "current_range = [300, 200]", "recent[books].current_range = [300, 200]: allowed is low <= high"),
    (US + RECENT + "current_range = [3.5, 9]", 'recent[books].current_range[0] = "3.5": allowed is a whole number'),
    (US + RECENT + "current_range = [3]", "recent[books].current_range[1]: missing: allowed is a value of your own"),
    (
        US + RECENT + "delta_percent_range = [5, 50]",
        "recent[books]: delta_percent_range [5, 50]: allowed is a lower bound of",
    ),
    (US + RECENT + "min_rating = 51", "recent[books].min_rating = 51: allowed is less than or equal to 50"),
    (US + RECENT + "is_lowest = 1", "recent[books].is_lowest = 1: allowed is true or false"),
    (US + RECENT + "domain = 1", "recent[books].domain = 1: unknown; allowed are current_range, "),
    (
        US + RECENT + 'date_rang = "DAY"',
        'recent[books].date_rang = "DAY": unknown; did you mean date_range? allowed are',
    ),
    (US + RECENT + "query = 1", "recent[books].query = 1: unknown; allowed are current_range, date_range,"),
    (US + RECENT + "shard_prices = [1, 2]", "recent[books].shard_prices = [1, 2]: unknown; "),
    (
        US + RECENT + BACKFILL.replace("[100, 200]", "[100]"),
        "backfill[all]: shard_prices = [100]: allowed are two or more, rising",
    ),
    (
        US + RECENT + BACKFILL.replace("[100, 200]", "[200, 100]"),
        "backfill[all]: shard_prices = [200, 100]: allowed",
    ),
    (
        US + RECENT + BACKFILL.replace("[100, 200]", "[-1, 100]"),
        "backfill[all].shard_prices[0] = -1: allowed is greater than or equal to 0",
    ),
    (US + RECENT + BACKFILL.replace("shard_prices", "# "), "backfill[all].shard_prices: missing: allowed is"),
    (
        US + RECENT + BACKFILL + "shard_categories = [0]",
        "backfill[all].shard_categories[0] = 0: allowed is greater than or equal to 1",
    ),
    (
        US + RECENT + BACKFILL + "shard_categories = [7, 7]",
        "backfill[all]: shard_categories = [7, 7]: allowed is each once",
    ),
    (
        US + RECENT + BACKFILL + "current_range = [1, 2]",
        "backfill[all]: current_range = [1, 2]: allowed is shard_prices alone",
    ),
    (
        US + RECENT + BACKFILL + "shard_categories = [7]\ninclude_categories = [7]",
        "backfill[all]: include_categories = [7]: allowed is shard_categories alone",
    ),
    # the rest
    (
        amount("intervals", "head_scan_minutes", "0"),
        "intervals.head_scan_minutes = 0: allowed is greater than or equal to 1",
    ),
    (amount("intervals", "head_scan_minutes", '"15"'), 'intervals.head_scan_minutes = "15": allowed is a whole number'),
    (
        amount("intervals", "head_scan_percent_max", "101"),
        "intervals.head_scan_percent_max = 101: allowed is less than or",
    ),
    (
        amount("intervals", "full_scan_minutes", "9"),
        "intervals.full_scan_minutes = 9: allowed is greater than or equal to 10",
    ),
    (
        amount("intervals", "full_scan_minutes", "5041"),
        "intervals.full_scan_minutes = 5041: allowed is less than or equal to 5040",
    ),
    (
        amount("intervals", "history_minutes", "59"),
        "intervals.history_minutes = 59: allowed is greater than or equal to 60",
    ),
    (
        amount("intervals", "offers_minutes", "43201"),
        "intervals.offers_minutes = 43201: allowed is less than or equal to 43200",
    ),
    (
        amount("intervals", "head_scan", "9"),
        "intervals.head_scan = 9: unknown; did you mean head_scan_minutes? allowed are",
    ),
    (amount("shares", "full_scan", "-1"), "shares.full_scan = -1: allowed is greater than or equal to 0"),
    (amount("shares", "history", "true"), "shares.history = true: allowed is a whole number"),
    (amount("shares", "offers", "101"), "shares.offers = 101: allowed is less than or equal to 100"),
    (amount("shares", "backfill", "30"), "shares: full_scan + history + offers + backfill = 110: allowed is 100"),
    (amount("shares", "backfill", "1.5"), 'shares.backfill = "1.5": allowed is a whole number'),
    (amount("shares", "window_hours", "0"), "shares.window_hours = 0: allowed is greater than or equal to 1"),
    (
        amount("shares", "head_scan", "10"),
        "shares.head_scan = 10: unknown; allowed are backfill,",
    ),
    (amount("max_deficit", "minutes", "60"), "max_deficit.minutes = 60: allowed is less than 60"),
    (amount("max_deficit", "tokens", "-1"), "max_deficit.tokens = -1: allowed is greater than or equal to 0"),
    (amount("max_deficit", "minutes", "1\ntokens = 5"), "max_deficit: minutes and tokens: allowed is one of the two"),
    (amount("floors", "recent", "{}"), "floors.recent: minutes and tokens: allowed is one of the two"),
    (amount("floors", "history", "2"), "floors.history = 2: allowed is a table"),
    (amount("floors", "offers", "{ minutes = 1.5 }"), 'floors.offers.minutes = "1.5": allowed is a whole number'),
    (
        amount("floors", "backfill", "{ token = 1 }"),
        "floors.backfill.token = 1: unknown; did you mean tokens? allowed are minutes, t",
    ),
    (
        amount("floors", "ad_hoc", "{ tokens = 240001 }"),
        "floors.ad_hoc.tokens = 240001: allowed is less than or equal to 240000",
    ),
    (amount("floors", "live", "{ tokens = 1 }"), "floors.live"),
    (amount("retention", "landing_days", "0"), "retention.landing_days = 0: allowed is greater than or equal to 1"),
    (amount("retention", "runs_days", "3651"), "retention.runs_days = 3651: allowed is less than or equal to 3650"),
    (
        amount("retentions", "landing_days", "0"),
        'retentions = {"landing_days": 0}: unknown; did you mean retention? allowed are',
    ),
    # no TOML at all
    ("recent = [", "not TOML: "),
    ("a = 1\na = 2", "not TOML: "),
)


@pytest.mark.parametrize(("toml", "said"), WRONG, ids=[said[:60] for _, said in WRONG])
def test_a_wrong_value_is_refused_with_its_path_and_what_is_allowed(toml: str, said: str, tmp_path: Path) -> None:
    message = refusal(tmp_path, toml)
    assert message.startswith(f"deals.toml: {said}"), message


@pytest.mark.parametrize("name", FILTERS)
def test_every_filter_refuses_what_it_cannot_be(name: str, tmp_path: Path) -> None:
    message = refusal(tmp_path, US + RECENT + f"{name} = {{ x = 1 }}")
    assert message.startswith(f'deals.toml: recent[books].{name} = {{"x": 1}}: allowed'), message


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    toml = US + RECENT + "[retention]\nlanding_days = 0\n[intervals]\nfull_scan_minutes = 1\n"
    assert len(refusal(tmp_path, toml).splitlines()) == 2


def test_a_long_value_is_cut(tmp_path: Path) -> None:
    assert len(refusal(tmp_path, US + RECENT + f'date_range = "{"x" * 10_000}"')) < 300


def test_a_file_that_is_missing_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"deals\.toml: missing; DEALS_CONFIG names the settings file"):
        load_settings({}, tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name in ("binary", "."):
        with pytest.raises(ConfigError, match=r"cannot be read: .*: allowed is a UTF-8 text file"):
            load_settings({"DEALS_CONFIG": name}, tmp_path)


WRONG_VARIABLES: Final = (
    ({"KEEPA_API_KEY": "has a blank secret"}, "environment: KEEPA_API_KEY: allowed are the 64 letters and digits"),
    ({"KEEPA_API_URL": "api.keepa.com"}, "environment: KEEPA_API_URL: allowed is http(s)://host[:port][/path], "),
    (
        {"KEEPA_API_URL": "http://me:secret@host"},
        "environment: KEEPA_API_URL: allowed is http(s)://host[:port][/path], ",
    ),
    ({"KEEPA_API_URL": "http://host:x"}, "environment: KEEPA_API_URL: allowed is http(s)://host[:port][/path], "),
    (
        {"KEEPA_API_URL": "http://host?key=secret"},
        "environment: KEEPA_API_URL: allowed is http(s)://host[:port][/path], ",
    ),
    (
        {"KEEPA_API_KEY": "", "KEEPA_API_URL": "https://api.keepa.com"},
        "environment: KEEPA_API_URL = https://api.keepa.com: allowed only together with KEEPA_API_KEY",
    ),
    *(
        (
            {"KEEPA_API_URL": url},
            f"environment: KEEPA_API_URL = {url}: allowed only without KEEPA_API_KEY: a service on this machine is a",
        )
        for url in ("http://127.0.0.1:8900", "http://localhost:8900/", "http://[::1]:8900")
    ),
    (
        {"DEALS_LEDGER_URL": "mysql://me:secret@db/x"},
        "environment: DEALS_LEDGER_URL: allowed is postgresql://user@host/",
    ),
    ({"DEALS_WEBHOOK_URL": "hooks.example/secret"}, "environment: DEALS_WEBHOOK_URL: allowed is http(s)://host[:port]"),
    ({"DEALS_WEBHOOK_URL": "ftp://host/secret"}, "environment: DEALS_WEBHOOK_URL: allowed is http(s)://host[:port]"),
    (
        {"DEALS_WEBHOOK_URL": "https://me:secret@host/x"},
        "environment: DEALS_WEBHOOK_URL: allowed is http(s)://host[:port]",
    ),
    ({"DEALS_WEBHOK_URL": "secret"}, "environment: DEALS_WEBHOK_URL: unknown; did you mean DEALS_WEBHOOK_URL?"),
    ({"DEALS_HOMES": "x"}, "environment: DEALS_HOMES: unknown; did you mean DEALS_HOME?"),
    ({"DEALS_CONFG": "x"}, "environment: DEALS_CONFG: unknown; did you mean DEALS_CONFIG?"),
    (
        {"KEEPA_API_KEY": "", "KEEPA_APIKEY": "secret"},
        "environment: KEEPA_APIKEY: unknown; did you mean KEEPA_API_KEY?",
    ),
)


@pytest.mark.parametrize(("environ", "said"), WRONG_VARIABLES, ids=[said[:60] for _, said in WRONG_VARIABLES])
def test_a_wrong_variable_is_refused_without_its_secret(environ: dict[str, str], said: str, tmp_path: Path) -> None:
    message = refusal(tmp_path, **environ)
    assert message.startswith(said), message
    assert "secret" not in message


def test_a_wrong_value_of_an_env_file_is_named_by_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("KEEPA_API_URL=nowhere\n", encoding="utf-8")
    assert refusal(tmp_path).startswith(".env: KEEPA_API_URL: allowed is http")
    (tmp_path / ".env").write_bytes(b"\xff")
    assert refusal(tmp_path) == ".env: cannot be read: UnicodeDecodeError: allowed is a UTF-8 text file"


def test_the_key_is_in_no_representation_and_no_traceback(tmp_path: Path) -> None:
    """F66."""
    (tmp_path / "deals.toml").write_text(US + RECENT + "min_rating = 99", encoding="utf-8")
    code = "from deals_pipeline.config import load_settings; load_settings()"
    environ = {"KEEPA_API_KEY": KEY, "DEALS_CONFIG": str(tmp_path / "deals.toml")}
    ran = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False)
    assert "deals.toml: recent[books].min_rating = 99: allowed" in ran.stderr
    assert KEY not in ran.stderr + ran.stdout
    (tmp_path / "deals.toml").write_text(US + RECENT, encoding="utf-8")
    assert KEY not in repr(load_settings({"KEEPA_API_KEY": KEY}, tmp_path))


SECTIONS: Final[tuple[tuple[str, type[BaseModel]], ...]] = (
    ("marketplaces[]", Marketplace),
    ("recent[]", RecentSelection),
    ("backfill[]", BackfillSelection),
    ("intervals", Intervals),
    ("shares", Shares),
    ("max_deficit", Tokens),
    ("floors", Floors),
    ("retention", Retention),
)


def each_setting() -> Iterator[tuple[str, str]]:
    """Yield each section and key that a file can have."""
    for section, model in SECTIONS:
        own = [name for name in model.model_fields if name != "query"]
        shared = ("marketplace", *FILTERS) if section == "recent[]" else ()
        yield from ((section, name) for name in (*own, *shared))


STRANGE: Final = (
    *(
        "-1",
        "0",
        "7",
        "9223372036854775807",
        "1e400",
        "-0.0",
        "1.5",
        "nan",
        "-inf",
        "true",
        "''",
        "'x'",
        "'١٢'",
        "'1e3'",
    ),
    *(
        "[]",
        "[[]]",
        "[1, 2]",
        "[2, 1]",
        "[1, 2, 3]",
        "['a']",
        "[{}]",
        "{}",
        "{ x = 1 }",
        "{ minutes = 3 }",
        "1979-05-27",
    ),
)
SETTINGS: Final = tuple(each_setting())


def test_every_section_is_known_to_these_tests() -> None:
    assert {section.removesuffix("[]") for section, _ in SECTIONS} == set(DealsFile.model_fields)
    assert set(FILTERS) == set(DealSelection.model_fields) - {"domain"}


@pytest.mark.parametrize(("section", "name"), [each for each in SETTINGS if each[1] not in FILTERS])
def test_every_setting_that_is_no_filter_has_a_refusal_of_its_own(section: str, name: str) -> None:
    paths = {re.sub(r"\[[^]]*\]", "[]", said.split(" = ")[0].split(":")[0], count=1) for _, said in WRONG}
    whole = {said.split(": ")[1].split(" = ")[0] for _, said in WRONG if said.startswith("backfill")}
    assert name in whole or any(path.startswith(f"{section}.{name}") for path in paths) or name == "name"


@pytest.mark.parametrize(("section", "name"), SETTINGS)
def test_every_setting_has_a_comment_of_its_own_in_the_shipped_file(section: str, name: str) -> None:
    header = f"[[{section[:-2]}]]" if section.endswith("[]") else f"[{section}]"
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    start = lines.index(header)
    ends = [n for n, line in enumerate(lines) if n > start and line.startswith("[") and line != header]
    inside = lines[start : ends[0] if ends else None]
    # a key that two sections share is explained where it comes first
    shared = section == "backfill[]" and name == "name"
    (at,) = [n for n, line in enumerate(inside) if re.match(rf"(# )?{name} = ", line)]
    assert shared or re.match(r"# (?!\w+ = ).{5,}", inside[at - 1]), inside[at - 1 : at + 1]


def test_an_example_that_is_commented_out_would_be_accepted(tmp_path: Path) -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    examples = re.findall(r"^# (\w+ = .*)$", text, flags=re.MULTILINE)
    assert len(examples) > 10
    for example in examples:
        changed = text.replace(f"# {example}\n", f"{example}\n")
        if example.startswith("tokens"):
            changed = changed.replace("\nminutes = 10\n", "\n")
        (tmp_path / "deals.toml").write_text(changed, encoding="utf-8")
        load_settings({}, tmp_path)


@pytest.mark.parametrize(("section", "name"), SETTINGS)
def test_no_value_whatever_makes_anything_but_a_refusal(section: str, name: str, tmp_path: Path) -> None:
    tables = {"marketplaces[]": US, "recent[]": RECENT, "backfill[]": BACKFILL}
    for value in STRANGE:
        own = tables.get(section, f"[{section}]\n")
        own = re.sub(rf"^{name} = .*\n", "", own, flags=re.MULTILINE) + f"{name} = {value}\n"
        rest = [table for other, table in tables.items() if other != section]
        (tmp_path / "deals.toml").write_text("".join([*rest, own]), encoding="utf-8")
        try:
            load_settings({}, tmp_path)
        except ConfigError as refused:
            assert name in str(refused)  # noqa: PT017 - some of them are allowed somewhere


def test_a_key_written_into_the_file_is_not_repeated(tmp_path: Path) -> None:
    """F66."""
    assert refusal(tmp_path, f'KEEPA_API_KEY = "{KEY}"\n' + US + RECENT).startswith(
        "deals.toml: KEEPA_API_KEY: unknown; "
    )


@pytest.mark.parametrize("variable", VARIABLES)
def test_every_variable_is_described_in_the_shipped_file_and_tested(variable: str) -> None:
    assert re.search(rf"^#   {variable}  +\w", SHIPPED.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert any(variable in said for _, said in WRONG_VARIABLES)
