"""What is copied and saved from the Network tab in a browser."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from in_browser import Explorer
from playwright.sync_api import Browser, Download, Page, expect

from vggnet.analysis import analyze
from vggnet.configurations import configuration


def saved(page: Page, name: str, tmp_path: Path) -> bytes:
    with page.expect_download() as waiting:
        page.locator(".files").get_by_text(name, exact=True).click()
    download: Download = waiting.value
    path = tmp_path / download.suggested_filename
    download.save_as(path)
    assert path.suffix == f".{name.lower()}"
    return path.read_bytes()


def copied(page: Page, of: str) -> tuple[str, str]:
    """What lies in the clipboard, as text and as HTML, when all of that element was copied."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(of).first.evaluate("(found) => getSelection().selectAllChildren(found)")
    page.keyboard.press("ControlOrMeta+c")
    text, html = page.evaluate(
        """async () => {
            const [item] = await navigator.clipboard.read();
            const of = async (kind) => (await item.getType(kind)).text();
            return [await of("text/plain"), await of("text/html")];
        }"""
    )
    return text, html


def test_copied_numbers_are_plain(explorer: Explorer) -> None:
    explorer.expected.append("status of 422")  # of 1 000 pixels, with a blank
    page = explorer.open(tab="network", network__layer="conv1_1")
    assert copied(page, ".total-parameters")[0] == "138357544"
    text, html = copied(page, ".costs tbody")  # rows without their table
    assert re.search(r"^\s*fc6\s+7×7\s+4096×1×1\s+102764544\s+74\.3%\s+103 M\s", text, re.MULTILINE)
    assert re.search(r"<table><tbody>.*<td[^>]*>102764544</td>.*</tbody></table>", html, re.DOTALL)
    assert "\u202f" not in text + html
    assert "<svg" not in html
    # A field gives what was written into it.
    tokens = page.get_by_label("Input, pixels")
    tokens.fill("1\u202f000")
    tokens.press("ControlOrMeta+a")
    page.keyboard.press("ControlOrMeta+c")
    assert page.evaluate("navigator.clipboard.readText()") == "1\u202f000"


def test_all_ranges_of_a_selection_are_copied(explorer: Explorer) -> None:
    """Chromium selects one range only: two are given to the module itself, as Firefox does."""
    page = explorer.open(tab="network")
    expect(page.locator(".costs tbody tr").first).to_be_visible()
    found = page.evaluate(
        """async () => {
            const { copyPlainly } = await import("./page/drawing/copying.js");
            const ranges = ["fc6", "fc7"].map((name) => {
                const range = new Range();
                const row = document.querySelector(`tr[data-layers=${name}]`);
                range.selectNode(row.querySelector("td:nth-of-type(4)"));
                return range;
            });
            const selection = { rangeCount: 2, getRangeAt: (at) => ranges[at],
                toString: () => ranges.join("\\n") };
            const found = {};
            const event = { target: document.body, preventDefault() {},
                clipboardData: { setData: (kind, data) => (found[kind] = data) } };
            copyPlainly({ addEventListener: (_, copy) => copy(event), getSelection: () => selection,
                createElement: (name) => document.createElement(name) });
            return found;
        }"""
    )
    assert found["text/plain"] == "102764544\n16781312"
    assert re.findall(r"<td[^>]*>(\d+)</td>", found["text/html"]) == ["102764544", "16781312"]
    assert found["text/html"].count("<table") == 2


def test_the_table_is_copied_as_markdown(explorer: Explorer) -> None:
    page = explorer.open(tab="network", network__config="A", network__sort="3-descending")
    button = page.get_by_role("button", name="Copy as Markdown")
    expect(button).to_be_visible()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button.click()
    expect(page.locator(".files [role=status]")).to_have_text("copied")
    lines = page.evaluate("navigator.clipboard.readText()").splitlines()
    counted = analyze(configuration("A"))
    fc6 = next(each for each in counted.layers if each.name == "fc6")
    assert lines[0].startswith("| layer | kernel | output | parameters | share | MACs |")
    assert lines[1].startswith("| :-- | :-- | :-- | --: |")
    assert lines[2].startswith(f"| fc6 | 7×7 | 4096×1×1 | {fc6.parameters} | 77.3% | {fc6.macs} |")
    assert lines[-1].startswith(f"| total |  |  | {counted.parameters} |  | {counted.macs} |")
    assert len({line.count("|") for line in lines}) == 1
    # Two networks are two tables; where there is no clipboard, as over plain HTTP, a file.
    page.get_by_label("Compare with").select_option("B")
    expect(page.locator(".tables h3")).to_have_text(["A", "B"])
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    with page.expect_download() as waiting:
        button.click()
    written = waiting.value.path().read_text()
    assert waiting.value.suggested_filename == "A-B.md"
    assert [line for line in written.splitlines() if line.startswith("#")] == ["### A", "### B"]
    assert "| conv1_2 ◆ |" in written


@pytest.fixture
def shown(explorer: Explorer) -> Page:
    page = explorer.open(tab="network", network__config="B", network__width="0.5")
    expect(page.locator(".total-parameters")).to_be_visible()
    return page


def test_the_drawing_is_saved(shown: Page, tmp_path: Path) -> None:
    drawn = ElementTree.fromstring(saved(shown, "SVG", tmp_path))
    assert drawn.get("aria-label", "").startswith("B (")
    assert saved(shown, "PNG", tmp_path).startswith(b"\x89PNG\r\n")


def test_in_chinese_the_drawing_that_is_saved_is_so_too(explorer: Explorer, tmp_path: Path) -> None:
    page = explorer.open(tab="network")
    expect(page.locator(".total-parameters")).to_be_visible()
    page.get_by_role("button", name="中文").click()
    expect(page.locator("thead")).to_contain_text("感受野")
    drawn = saved(page, "SVG", tmp_path).decode()
    assert "个参数" in drawn
    assert "全连接" in drawn  # its legend, which stands beside it on the page
    assert saved(page, "CSV", tmp_path).decode().startswith("network,layer,input,")


def test_the_legend_fits_a_narrow_phone(browser: Browser, address: str) -> None:
    explorer = Explorer(browser, address, viewport={"width": 360, "height": 800})
    page = explorer.open(tab="network", network__config="A-LRN", network__beside="E")
    entries = page.locator(".legend li")
    expect(entries).to_have_text(
        ["input, output", "convolution", "normalisation", "pool", "fully connected",
         "not the same in all"]
    )  # fmt: skip
    for each in [*entries.all(), page.locator(".legend p")]:
        box = each.bounding_box()
        assert box
        assert box["x"] + box["width"] <= 360
    explorer.close()


def test_the_costs_are_saved_to_the_unit(shown: Page, tmp_path: Path) -> None:
    counted = analyze(configuration("B").scaled(width=0.5))
    rows = list(csv.DictReader(io.StringIO(saved(shown, "CSV", tmp_path).decode())))
    assert [row["layer"] for row in rows] == [each.name for each in counted.layers]
    assert sum(int(row["macs"]) for row in rows) == counted.macs
    assert sum(int(row["parameters"]) for row in rows) == counted.parameters
    assert json.loads(saved(shown, "JSON", tmp_path)) == json.loads(json.dumps(counted.to_json()))
