import re
import subprocess
import sys
from base64 import b64encode
from dataclasses import replace
from functools import cache
from hashlib import sha256
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest
from duckdb import DuckDBPyConnection

from deals_pipeline.keepa.selection import Domain
from deals_pipeline.report import publish_report, read_deals
from deals_pipeline.report.data import Deals
from deals_pipeline.report.drawing import drawing, make_drawing
from deals_pipeline.report.libraries import embeddable
from deals_pipeline.report.markets import MARKETS
from deals_pipeline.report.page import PARTS
from deals_pipeline.report.page import render as page_of
from deals_pipeline.state import Next, PipelineState, Rejection, Screening, Stuck
from deals_pipeline.warehouse.connection import WarehouseError
from deals_pipeline.warehouse.quality import Finding
from deals_pipeline_tests.report.rows import fill
from deals_pipeline_tests.state.states import NOW, a_state

HOSTILE = "<script>alert(1)</script></script><img src=x onerror=alert(2)>\"'&amp;<!-- \u202e"
NOTHING = Deals({"domain_id": [], "asin": []}, frozenset(), [], 0, 0, 0)


class Parsed(HTMLParser):
    """The tags of a page, and the texts of its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._open = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        self._open = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, _: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open == "script":
            self.scripts[-1] += data
        elif self._open != "style":
            self.text += data


def hostile_state() -> PipelineState:
    state = a_state()
    return a_state(
        next=Next(NOW, None, HOSTILE),
        coverage=Finding(passed=False, detail=HOSTILE, numbers={}),
        selections=tuple(replace(selection, name=HOSTILE) for selection in state.selections),
        screening=Screening({HOSTILE: 1}, (Rejection(HOSTILE, HOSTILE, 1),), 0, 0),
        stuck=Stuck({HOSTILE: 1}, 0, (HOSTILE,), 0, 0),
        hours=tuple(replace(hour, spent={HOSTILE: 3}) for hour in state.hours),
        bucket=replace(state.bucket, spent_by_purpose={HOSTILE: 3}),
    )


drawn = cache(make_drawing)


def render(deals: Deals, state: PipelineState) -> str:
    return page_of(deals, state, drawn())


@cache
def empty_page() -> str:
    return render(NOTHING, a_state())


def test_what_came_from_outside_is_text_in_the_head_too() -> None:
    page, plain = Parsed(render(NOTHING, hostile_state())), Parsed(empty_page())
    assert page.text.count(HOSTILE) >= 9
    assert len(page.scripts) == len(plain.scripts)
    assert {tag for tag, _ in page.tags} == {tag for tag, _ in plain.tags}
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)


def test_titles_are_nowhere_in_the_page_but_packed(warehouse: DuckDBPyConnection) -> None:
    fill(warehouse, 3, titles={0: HOSTILE, 1: HOSTILE, 2: HOSTILE})
    page = render(read_deals(warehouse), a_state())
    assert "alert(1)" not in page
    assert "Sons" not in page


def test_the_page_fetches_nothing_and_links_nowhere_by_itself() -> None:
    page = Parsed(empty_page())
    fetching = {"src", "href", "data", "poster", "action", "srcset", "background"}
    assert [tag for tag in page.tags if fetching & tag[1].keys()] == []
    assert {tag for tag, _ in page.tags} & {"link", "img", "iframe", "object", "embed", "base"} == set()
    style = re.findall(r"<style>(.*?)</style>", empty_page(), re.DOTALL)
    assert len(style) == 1
    assert "url(" not in style[0]
    assert "@import" not in style[0]


def test_the_policy_admits_the_page_s_own_scripts_and_nothing_else() -> None:
    page = Parsed(empty_page())
    (policy,) = (
        attributes["content"] or "" for _, attributes in page.tags if "Content-Security-Policy" in attributes.values()
    )
    run = [
        text
        for text, attributes in zip(page.scripts, (each for tag, each in page.tags if tag == "script"), strict=True)
        if attributes["type"] != "application/json"
    ]
    hashes = " ".join(f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in run)
    assert len(run) == 3
    assert policy.startswith("default-src 'none'; ")
    assert f"script-src {hashes}" in policy
    assert "http" not in policy
    assert "unsafe-eval" not in policy


@pytest.mark.parametrize("script", ["'<!--'", "/<script/i", '"</script>"', "`<SCRIPT>`", "a<b"])
def test_a_library_cannot_end_its_own_script(script: str) -> None:
    (kept,) = Parsed(f"<script>{embeddable(script)}</script>").scripts
    assert kept == embeddable(script)
    assert kept.replace(r"\x3c", "<") == script


def test_the_page_reads_no_column_that_the_warehouse_does_not_have(warehouse: DuckDBPyConnection) -> None:
    """F45: one name from the wire to the report."""
    columns = read_deals(warehouse).columns.keys() | {"position"}
    script = "".join((files("deals_pipeline.report") / "templates" / f"{part}.js").read_text() for part in PARTS)
    read = set(re.findall(r"\bdeal\.(\w+)", script)) | set(re.findall(r'(?:numbers|words)\("(\w+)"', script))
    assert len(read) > 50
    assert read <= columns, read - columns


def test_the_page_s_own_script_parses_nothing_as_html() -> None:
    for part in PARTS:
        script = (files("deals_pipeline.report") / "templates" / f"{part}.js").read_text()
        for parser in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "setAttribute(`on"):
            assert parser not in script, (part, parser)


def test_how_many_deals_are_left_out_is_said_in_words() -> None:
    page = Parsed(render(replace(NOTHING, listed=12_345, shown=5_000, worth_buying=321), a_state())).text
    words = " ".join(page.split()).replace("\u202f", " ")
    assert "Shown are 5 000 of 12 345 listed deals" in words
    assert "7 345 are left out" in words
    assert "321 of 12 345 listed deals" in words.replace("321of", "321 of")
    assert "none is left out" in " ".join(Parsed(empty_page()).text.split())


def test_several_currencies_are_said_not_to_compare() -> None:
    said = "not converted"
    assert said not in Parsed(render(replace(NOTHING, domains=frozenset({Domain.DE, Domain.FR})), a_state())).text
    assert said in Parsed(render(replace(NOTHING, domains=frozenset({Domain.US, Domain.JP})), a_state())).text


def test_a_pipeline_that_knows_nothing_yet_has_a_page_too() -> None:
    state = a_state()
    page = render(
        NOTHING,
        a_state(
            newest_deal_at=None,
            seen_at=None,
            full_scan_at=None,
            bucket=replace(
                state.bucket, spent_by_purpose={}, affordable_at=dict.fromkeys(state.bucket.affordable_at), foreign=0
            ),
            hours=tuple(replace(hour, balance=None, lowest=None, spent={}) for hour in state.hours),
            screening=Screening({}, (), 0, 0),
            selections=(),
        ),
    )
    assert "no refill foreseen" in page
    assert "never" in page


def test_every_marketplace_of_keepa_has_a_currency_and_a_host() -> None:
    assert MARKETS.keys() == set(Domain)
    assert len({market.host for market in MARKETS.values()}) == len(Domain)


def test_the_libraries_of_the_page_are_loaded_only_when_one_is_made() -> None:
    """F19: definitions load in a moment."""
    program = "import sys, deals_pipeline.report; print({'altair', 'jinja2', 'vl_convert', 'itables'} & {*sys.modules})"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "set()\n"


def test_the_charts_are_made_once_and_again_where_what_is_kept_is_damaged_or_of_another_release(tmp_path: Path) -> None:
    made = drawing(tmp_path / "cache")
    (kept,) = (tmp_path / "cache").iterdir()
    program = (
        "import sys; from pathlib import Path; from deals_pipeline.report.drawing import drawing;"
        f"drawing(Path({str(kept.parent)!r})); print({{'altair', 'vl_convert'}} & {{*sys.modules}})"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "set()\n"
    kept.write_text(kept.read_text(encoding="utf-8")[:1000], encoding="utf-8")
    assert drawing(kept.parent) == made
    kept.write_text(kept.read_text(encoding="utf-8").replace(made.version, "0" * 16), encoding="utf-8")
    assert drawing(kept.parent) == made
    assert made.version in kept.read_text(encoding="utf-8")
    assert [each.name for each in kept.parent.iterdir()] == [kept.name]


def test_the_report_before_stays_where_one_cannot_be_written(tmp_path: Path) -> None:
    """F50."""
    path = publish_report(NOTHING, a_state(), tmp_path / "published", tmp_path / "cache")
    assert path.read_text(encoding="utf-8") == empty_page()
    (tmp_path / "file").write_text("")
    with pytest.raises(WarehouseError, match="file"):
        publish_report(NOTHING, a_state(), tmp_path / "file", tmp_path / "cache")
    assert [each.name for each in path.parent.iterdir()] == ["deals_report.html"]
