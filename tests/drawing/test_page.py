"""The page of HTML: complete, alone, and its table's figures are those of the analysis."""

import re
from html.parser import HTMLParser

import pytest

from vggnet.analysis import Analysis, analyze
from vggnet.configurations import configuration
from vggnet.drawing.costs import costs_table
from vggnet.drawing.network import network_scene
from vggnet.drawing.page import MODULES, asset, page
from vggnet.drawing.svg import svg
from vggnet.spec import Spec


class Tables(HTMLParser):
    """The rows of all tables: texts and `data-value`s of the cells; the tags that are open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.attributes: list[dict[str, str | None]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "rect", "line", "polygon") or tag == "rect":
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
            self.attributes.append(dict(attrs))
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def page_of(*specs: str | Spec) -> str:
    analyses = [analyze(spec) for spec in specs]
    return page(
        svg(network_scene([each.drawn() for each in analyses])),
        [each.to_json() for each in analyses],
    )


def test_the_table_has_the_figures_of_the_analysis() -> None:
    rows = {row[0]: row for row in Tables(costs_table(analyze("D").to_json())).rows}
    fc6 = [cell.strip().replace("\u202f", ",") for cell in rows["fc6"]]
    assert fc6 == ["fc6", "7×7", "4096×1×1", "102,764,544", "74.3%", "103 M", "0.7%", "4.10 K",
                   "404", "32"]  # fmt: skip
    assert rows["total"][3].replace("\u202f", ",") == "138,357,544"
    assert "relu1_1" not in rows
    assert rows["input"][2] == "3×224×224"


def test_the_products_are_written_out() -> None:
    parsed = Tables(costs_table(analyze("D").to_json()))
    details = {each["data-layers"]: each["data-details"] for each in parsed.attributes if each}
    shown = (details["conv4_1"] or "").replace("\u202f", ",")
    assert "3 × 3 × 256 × 512 + 512 = 1,180,160 parameters (0.9%)" in shown
    assert "3 × 3 × 256 × 512 × 28 × 28 = 924,844,032 MACs (6.0%)" in shown
    shown = (details["fc6"] or "").replace("\u202f", ",")
    assert "7 × 7 × 512 × 4096 + 4096 = 102,764,544 parameters (74.3%)" in shown


@pytest.mark.parametrize("specs", [("D",), ("A", "E-BN"), ("A-LRN",)])
def test_each_row_has_a_box_and_each_box_a_row(specs: tuple[str, ...]) -> None:
    text = page_of(*specs)
    rows, found = set(), set()
    for tag, into in (("tr", rows), ("rect", found)):
        for attributes in re.findall(rf"<{tag} [^>]*data-layers[^>]*>", text):
            (names,) = re.findall('data-layers="([^"]*)"', attributes)
            (network,) = re.findall('data-network="([^"]*)"', attributes)
            into |= {(network, name) for name in names.split()}
    assert rows == found
    assert rows


def test_the_page_is_whole_and_asks_for_nothing() -> None:
    parsed = Tables(page_of("A", "E"))
    assert parsed.open == []
    text = page_of("A", "E").replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"https?:|//[a-z]+\.|src=|href=|@import|\bimport\b|\bexport\b", text) == []
    assert len(text) < 150_000


@pytest.mark.parametrize("name", MODULES)
def test_a_module_can_be_put_into_a_page(name: str) -> None:
    """It imports nothing, and what it exports are functions or constants at the line's start."""
    lines = asset(name).splitlines()
    assert not any(line.startswith("import") for line in lines)
    exports = [line for line in lines if "export" in line]
    assert exports
    assert all(re.match(r"export (function|const) \w+", line) for line in exports)


def test_a_name_from_a_file_is_escaped() -> None:
    assert "<script>alert" not in page_of(Spec("<script>alert(1)", ("conv3-4",), 8))


def test_notebooks_show_specs_and_analyses() -> None:
    assert configuration("D")._repr_html_().startswith("<svg")
    shown = analyze("D")._repr_html_()
    assert isinstance(analyze("D"), Analysis)
    assert shown.startswith("<svg")
    assert "</table>" in shown
