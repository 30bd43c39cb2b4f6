"""The report as a reseller has it: one file, opened from disk in a real browser, without a network."""

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from deals_pipeline.report import publish_report, read_deals
from deals_pipeline.report.data import SHOWN_MAX
from deals_pipeline.warehouse.connection import connect
from deals_pipeline.warehouse.schema import migrate
from deals_pipeline_tests.dagster_world import ROOT, DagsterWorld
from deals_pipeline_tests.e2e.browser import Page, chromium
from deals_pipeline_tests.report.rows import asin, fill
from deals_pipeline_tests.state.states import NOW, a_state, state_of

DEALS: Final = SHOWN_MAX + 400
HOSTILE: Final = {
    0: "<script>alert(1)</script> zebra",
    2: "&<img src=x onerror=alert(2)> zebra",
    4: "</script><img src=x onerror=alert(3)><!-- zebra",
    5: "\"><svg onload=alert(4)> 'zebra' &amp; javascript:alert(5)",
    6: "\u202e\u05e9\u05dc\u05d5\u05dd \U0001f4da zebra",
}
MINUS: Final = "\N{MINUS SIGN}"
UNKNOWN: Final = "\N{EN DASH}"
ASSETS: Final = ("recent_deals", "price_history", "live_offers", "deal_metrics", "deals_report")
BYTES_MAX: Final = 10_000_000
READY_MS_MAX: Final = 10_000
"""Generous, for a machine that does other things too; alone it takes about a second."""
PHONE: Final = (390, 844)
DESKTOP: Final = (1600, 1000)
TALL: Final = (1600, 1300)


@contextmanager
def browser(at: float) -> Iterator[Page]:
    """Run a browser whose clock stands still, and which counts alerts instead of showing them."""
    script = f"Date.now = () => {at * 1000}; window.alerts = 0; window.alert = () => window.alerts++;"
    with chromium() as page:
        page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
        yield page


def look(page: Page, size: tuple[int, int], scheme: str) -> None:
    """Use a screen of a size, in a colour scheme."""
    page.resize(*size, scale=2 if size == PHONE else 1)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def requested(page: Page) -> list[str]:
    """Return the addresses that were asked for since the browser began."""
    events = [json.loads(entry["message"])["message"] for entry in page.driver.get_log("performance")]  # type: ignore[no-untyped-call]
    return [each["params"]["request"]["url"] for each in events if each["method"] == "Network.requestWillBeSent"]


def run(page: Page, script: str, *arguments: object) -> Any:  # noqa: ANN401 - what the script returns
    return page.driver.execute_script(script, *arguments)


def all_of(page: Page, selector: str) -> list[WebElement]:
    return page.driver.find_elements(By.CSS_SELECTOR, selector)


def texts(page: Page, selector: str) -> list[str]:
    return [str(text) for text in run(page, "return $$(arguments[0]).map(each => each.innerText)", selector)]


def column(page: Page, title: str) -> list[float]:
    """Return the numbers that the table shows in a column, which it names by its heading."""
    headings = [re.sub(r"[^\w ]", "", each).strip() for each in texts(page, "#deals thead th")]
    cells = texts(page, f"#deals tbody td:nth-child({headings.index(title) + 1})")
    return [float(re.sub(r"[^\d.-]", "", cell.replace(MINUS, "-"))) for cell in cells if cell != UNKNOWN]


def count(page: Page) -> int:
    """Return how many deals pass the filters, by what the page says."""
    found = re.search(r"of ([\d,]+) deals", page.driver.find_element(By.CSS_SELECTOR, ".dt-info").text)
    return int(found[1].replace(",", "")) if found else 0


def put(page: Page, name: str, value: str) -> None:
    """Fill in a filter, as somebody does who types or chooses."""
    run(
        page,
        "const field = document.querySelector(`#filters [name=${arguments[0]}]`); field.value = arguments[1];"
        "field.dispatchEvent(new Event('input', { bubbles: true }))",
        name,
        value,
    )


def opened(page: Page, path: Path) -> None:
    page.driver.get(path.as_uri())
    until(page, lambda: run(page, "return document.documentElement.dataset.ready"), "the page is ready")
    run(page, "window.$$ = (selector) => [...document.querySelectorAll(selector)]")


def until(page: Page, holds: Callable[[], object], what: str) -> None:
    page._until(lambda: bool(holds()), what)  # noqa: SLF001 - as its own methods wait


def published(folder: Path) -> Path:
    with connect(folder / "warehouse.duckdb") as connection:
        migrate(connection)
        fill(connection, DEALS, points=60, titles=HOSTILE)
        deals = read_deals(connection)
    return publish_report(deals, a_state(), folder / "published", folder / "cache")


def test_the_report_opens_from_disk_and_can_be_sorted_filtered_and_read(tmp_path: Path) -> None:
    path = published(tmp_path)
    assert path.stat().st_size < BYTES_MAX
    with browser(NOW.timestamp()) as page:
        look(page, DESKTOP, "light")
        opened(page, path)
        assert float(run(page, "return document.documentElement.dataset.ready")) < READY_MS_MAX
        require_head(page)
        require_order(page)
        require_filters(page)
        require_harmless_titles(page)
        require_detail(page)
        require_themes(page)
        require_phone(page, path)
        assert run(page, "return window.alerts") == 0
        assert set(requested(page)) == {path.as_uri()}
        assert run(page, "return performance.getEntriesByType('resource').length") == 0
        assert page.complaints() == []


def require_head(page: Page) -> None:
    """Require the state of the pipeline above the table, with its chart drawn and ages told."""
    seen = page.see("State of the pipeline", "Tokens, last 48 hours", "head scan due", "does not sell", "6 min ago")
    assert "Simulated" in seen
    until(page, lambda: all_of(page, "#tokens-chart svg .mark-rect path"), "the chart of tokens is drawn")


def require_order(page: Page) -> None:
    """Require the best expected profit first, and another order after a press on a heading."""
    expected = column(page, "Expected")
    assert len(expected) == 50
    put(page, "marketplace", "US")
    assert column(page, "Expected") == sorted(column(page, "Expected"), reverse=True)
    for heading, reverse in (("ROI", True), ("Rank", False)):
        press_heading(page, heading)
        assert column(page, heading) == sorted(column(page, heading), reverse=reverse), heading
    put(page, "show", "all")
    for _ in range(2):
        press_heading(page, "ROI")
        assert len(column(page, "ROI")) == 50, "what is unknown comes last, whatever the direction"
    assert column(page, "ROI") == sorted(column(page, "ROI"))
    page.driver.find_element(By.CSS_SELECTOR, "#filters .more summary").click()
    page.press("Clear")
    until(page, lambda: column(page, "Rank"), "the filters are cleared")


def press_heading(page: Page, heading: str) -> None:
    (found,) = [each for each in all_of(page, "#deals thead th") if each.text.startswith(heading)]
    found.click()


def require_filters(page: Page) -> None:
    """Require that each filter lets through what it says, and nothing of which that is not known."""
    worth = count(page)
    put(page, "show", "all")
    everything = count(page)
    assert worth < everything == SHOWN_MAX
    for name, value, heading, holds in (
        ("profit", "20", "Profit", lambda shown: shown >= 20),
        ("roi", "60", "ROI", lambda shown: shown >= 60),
        ("below", "50", "Below avg", lambda shown: shown >= 50),
        ("rank", "9000", "Rank", lambda shown: shown <= 9000),
        ("confidence", "80", "Confidence", lambda shown: shown >= 80),
    ):
        put(page, name, value)
        assert 0 < count(page) < everything, name
        found = column(page, heading)
        assert len(found) == min(50, count(page)), "no unknown number passes"
        assert all(map(holds, found)), (name, found)
        put(page, name, "")
    put(page, "marketplace", "JP")
    assert 0 < count(page) < everything
    assert all("¥" in each and "." not in each for each in texts(page, "#deals tbody td:nth-child(5)"))
    put(page, "marketplace", "")
    put(page, "restriction", "unknown")
    assert count(page) == everything
    assert set(texts(page, "#deals tbody td:nth-child(12)")) == {"unknown"}
    put(page, "restriction", "")


def require_harmless_titles(page: Page) -> None:
    """Require that titles are found by their words and shown as they are, whatever they contain."""
    put(page, "search", "zebra")
    assert count(page) == len(HOSTILE)
    assert sorted(texts(page, "#deals tbody .title a")) == sorted(HOSTILE.values())
    assert sorted(run(page, "return $$('#deals tbody .title a').map(each => each.title)")) == sorted(HOSTILE.values())
    assert all_of(page, "#deals tbody :is(script, img, svg, b b)") == []
    put(page, "search", asin(4))
    assert texts(page, "#deals tbody .title a") == [HOSTILE[4]]
    put(page, "search", "")


def require_detail(page: Page) -> None:
    """Require the chart of a deal with its sales marked, the reasoning, safe links, and a way on and back."""
    put(page, "search", asin(6))
    all_of(page, "#deals tbody .title a")[0].click()
    until(page, lambda: all_of(page, "#deal .chart[data-drawn] svg"), "the chart is drawn")
    seen = run(page, "return document.getElementById('deal').innerText")
    for part in (
        HOSTILE[6],
        "Costs and profit",
        "Referral fee",
        "Purchase tax",
        "Trust in the seller",
        "May I sell it?",
    ):
        assert part in seen, part
    assert "Seller <i>6</i> & Sons" in seen
    assert "Minor <b>shelf wear</b> & a name inside." in seen
    marks = all_of(page, '#deal svg g[class*="sales_"] path')
    assert 3 < len(marks) < 40
    assert len(all_of(page, "#deal svg .mark-line path")) >= 4, "two prices, a rank, a count"
    links = {link.text: link.get_attribute("href") or "" for link in all_of(page, "#deal header a[rel]")}
    assert re.fullmatch(rf"https://www\.amazon\.[a-z.]+/dp/{asin(6)}", links["Amazon"])
    assert re.fullmatch(rf"https://keepa\.com/#!product/\d+-{asin(6)}", links["Keepa"])
    assert {link.get_attribute("rel") for link in all_of(page, "#deal header a[rel]")} == {"noopener noreferrer"}
    page.press("✕")
    assert all_of(page, "#deal[open]") == []
    put(page, "search", "")
    all_of(page, "#deals tbody tr:nth-child(2) td:nth-child(3)")[0].click()
    titles = texts(page, "#deals tbody .title a")
    until(page, lambda: texts(page, "#deal h1") == titles[1:2], "a press anywhere on a row opens it")
    all_of(page, "#deal nav a[title='The next deal']")[0].click()
    until(page, lambda: texts(page, "#deal h1") == titles[2:3], "the next deal")
    page.driver.back()
    until(page, lambda: texts(page, "#deal h1") == titles[1:2], "back is the deal before")
    page.driver.back()
    until(page, lambda: not all_of(page, "#deal[open]"), "back again is the table")


def require_themes(page: Page) -> None:
    """Require that the page follows the system, and its own button."""
    background = "return getComputedStyle(document.body).backgroundColor"
    light = run(page, background)
    look(page, DESKTOP, "dark")
    until(page, lambda: run(page, background) != light, "it is dark")
    all_of(page, "#theme")[0].click()
    assert run(page, background) == light


def require_phone(page: Page, path: Path) -> None:
    """Require that nothing is wider than a phone: the table, the filters, a deal."""
    run(page, "localStorage.clear()")
    look(page, PHONE, "light")
    opened(page, path)
    assert not all_of(page, "#state[open]")
    require_no_wider(page)
    assert len(texts(page, "#deals tbody tr:first-child td")) >= 3
    page.driver.find_element(By.CSS_SELECTOR, "#filters .more summary").click()
    page.driver.find_element(By.CSS_SELECTOR, "#state > summary").click()
    require_no_wider(page)
    open_first(page)
    require_no_wider(page)


def require_no_wider(page: Page) -> None:
    wider = run(
        page,
        "const width = document.documentElement.clientWidth; return [document.documentElement, ...$$('body *')].filter("
        "each => each.checkVisibility() && (each.getBoundingClientRect().right > width + 1 "
        "|| each === document.documentElement && each.scrollWidth > width)).map(each => each.outerHTML.slice(0, 200))",
    )
    assert wider == []


def test_the_report_tells_of_a_pipeline_what_its_state_does(make: Callable[..., DagsterWorld]) -> None:
    """F64. With UPDATE_SCREENSHOTS set, the pipeline lives longer, and is what the pictures in `docs` show."""
    is_lasting = bool(os.environ.get("UPDATE_SCREENSHOTS"))
    world = make(refill_rate=20, tokens=1200) if is_lasting else make(products=3_000, refill_rate=20, tokens=90)
    for _ in range(4 if is_lasting else 1):
        world.pass_time(minutes=55)
        result = world.execute("refresh_job", assets=ASSETS)
    told, state = world.metadata(result, "deals_report"), state_of(world)
    assert told["deals_worth_buying"] == state.screening.worth_buying > 0
    assert told["deals_shown"] + told["deals_left_out"] == state.counts.listed
    path = Path(told["html"])
    assert (path, path.stat().st_size) == (world.settings.places.published / "deals_report.html", told["html_bytes"])
    with browser(state.at.timestamp()) as page:
        opened(page, path)
        assert count(page) == state.screening.worth_buying
        open_first(page)
        if is_lasting:
            take_pictures(page, path, ROOT / "docs")
        assert page.complaints() == []


def open_first(page: Page) -> None:
    run(page, "$$('#deals tbody .title a')[0].click()")
    until(page, lambda: all_of(page, "#deal .chart[data-drawn] svg"), "the chart is drawn")


def take_pictures(page: Page, path: Path, folder: Path) -> None:
    """Save the table in both themes and on a phone, and a deal."""
    for name, size, scheme in (("light", TALL, "light"), ("dark", TALL, "dark"), ("phone", PHONE, "light")):
        look(page, size, scheme)
        opened(page, path)
        page.picture(folder / f"report_{name}.png")
    for name, size, scheme in (("deal", TALL, "light"), ("deal_phone", PHONE, "dark")):
        look(page, size, scheme)
        opened(page, path)
        open_first(page)
        page.picture(folder / f"report_{name}.png")
