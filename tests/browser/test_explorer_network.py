"""The Network tab in a browser: what is edited is counted anew, and what is wrong is pointed at."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from in_browser import Explorer, layers_editor
from playwright.sync_api import Browser, Download, Page, Route, expect

from vggnet.analysis import analyze
from vggnet.configurations import configuration


def grouped(count: int) -> str:
    return f"{count:,}".replace(",", "\u202f")


def test_the_totals_follow_what_is_edited(explorer: Explorer) -> None:
    page = explorer.open(tab="network", network__config="D")
    total = page.locator(".total-parameters")
    expect(total).to_have_text(grouped(138_357_544))
    page.get_by_role("combobox", name="Network", exact=True).select_option("A")
    expect(total).to_have_text(grouped(132_863_336))
    page.get_by_label("Width ×").fill("0.5")
    half = configuration("A").scaled(width=0.5)
    expect(total).to_have_text(grouped(analyze(half).parameters))
    page.get_by_label("Head").select_option("average")
    page.get_by_label("Classes").fill("10")
    page.get_by_label("batch norm").check()
    page.get_by_label("Input, pixels").fill("64")
    small = configuration("A").scaled(width=0.5, head="average", num_classes=10, batch_norm=True)
    counted = analyze(small, (64, 64))
    expect(total).to_have_text(grouped(counted.parameters))
    expect(page.locator(".total-macs")).to_have_attribute("title", grouped(counted.macs))
    expect(page.locator("tfoot")).to_contain_text(grouped(counted.parameters))
    expect(page).to_have_url(re.compile("network.input_size=64"))
    page.reload()  # all of it is in the address
    expect(total).to_have_text(grouped(counted.parameters))
    expect(page.get_by_label("Width ×")).to_have_value("0.5")


def test_a_broken_token_is_pointed_at(explorer: Explorer) -> None:
    explorer.expected.append("status of 422")
    page = explorer.open(tab="network", network__config="own")
    total = page.locator(".total-parameters")
    expect(total).to_have_text(grouped(138_357_544))
    editor = layers_editor(page)
    editor.fill("conv3-8 conv3-8\nmaxpool conw3-16\nFC-10 soft-max")
    place = page.get_by_role("button", name="Line 2, column 9")
    expect(place).to_be_visible()
    expect(page.locator(".editor mark")).to_have_text("conw3-16")
    expect(editor).to_have_attribute("aria-invalid", "true")
    expect(total).to_have_text(grouped(138_357_544))  # until there is something to count
    # What is shown of the network before is not to be taken for this one.
    expect(page.locator(".totals")).to_have_class(re.compile(r"\bstale\b"))
    expect(page.locator(".files .button")).to_have_count(0)
    buttons = page.locator(".files button")
    expect(buttons).to_have_count(5)
    for button in buttons.all():
        expect(button).to_be_disabled()
        expect(button).to_have_accessible_description("once what is wrong above is mended")
        button.focus()  # the keyboard leads to it, so that why is heard
        expect(button).to_be_focused()
    place.click()
    assert page.evaluate("getSelection().toString()") == "conw3-16"
    page.keyboard.type("conv3-16")
    expect(place).to_be_hidden()
    mended = configuration("conv3-8 conv3-8 / maxpool / conv3-16 / FC-10 / soft-max")
    expect(total).to_have_text(grouped(analyze(mended).parameters))
    expect(page.locator(".stale")).to_have_count(0)
    expect(page.locator(".files .button").first).to_have_attribute("href", re.compile("conv3-16"))


def test_what_is_wrong_is_told_in_the_page_s_language(explorer: Explorer) -> None:
    explorer.expected.append("status of 422")
    page = explorer.open(
        tab="network", language="zh", network__config="own", network__tokens="conv3-8 conw3-8"
    )
    wrong = page.locator(".editor .wrong")
    expect(wrong).to_contain_text("第 1 行第 9 列 无法识别 conw3-8：是否想写 conv3-8？")
    page.get_by_role("button", name="English").click()
    expect(wrong).to_contain_text("Line 1, column 9 bad token 'conw3-8'")
    page.get_by_role("button", name="中文").click()
    page.get_by_role("combobox", name="网络", exact=True).select_option("D")
    page.get_by_label("输入边长").fill("9")
    expect(page.locator(".status.wrong")).to_contain_text("输入太小")


def test_d_stands_beside_alexnet(explorer: Explorer) -> None:
    page = explorer.open(tab="network", network__config="D", network__beside="AlexNet")
    both = [analyze(configuration(name)) for name in ("D", "AlexNet")]
    expect(page.locator(".total-parameters")).to_have_text(
        [grouped(each.parameters) for each in both]
    )
    ratio = both[1].parameters / both[0].parameters
    expect(page.locator(".ratio")).to_contain_text(f"× {ratio:.3g}")
    for number, counted in enumerate(both):
        rows = page.locator(f"tr[data-network='{number}'][data-layers]")
        for name in ("conv1_1", "fc6") if number == 0 else ("conv1", "fc6"):
            expect(rows.and_(page.locator(f"[data-layers={name}]"))).to_have_count(1)
        assert counted.layers[-1].name
    page.locator("tr[data-network='1'][data-layers=fc6]").hover()
    expect(page.get_by_role("complementary")).to_contain_text("6 × 6 × 256 × 4096 + 4096")
    expect(page).to_have_url(re.compile(r"network\.layer=1%3Afc6"))


def test_a_row_and_its_box_light_up_together(explorer: Explorer) -> None:
    page = explorer.open(tab="network")
    panel = page.get_by_role("complementary")
    expect(panel).to_contain_text("fc6")  # what holds most is shown first
    row = page.locator("tr[data-layers=conv4_1]")
    box = page.locator("rect[data-layers=conv4_1]")
    row.hover()
    expect(box).to_have_class(re.compile(r"\blit\b"))
    expect(panel).to_contain_text("3 × 3 × 256 × 512 + 512")
    expect(panel).to_contain_text(grouped(1_180_160))
    page.locator("rect[data-layers=pool3]").hover()
    expect(page.locator("tr[data-layers=pool3]")).to_have_class(re.compile(r"\blit\b"))
    expect(row).not_to_have_class(re.compile(r"\blit\b"))
    expect(page).to_have_url(re.compile("network.layer=pool3"))


def test_the_keyboard_alone_selects_and_sorts(explorer: Explorer) -> None:
    page = explorer.open(tab="network", network__layer="conv1_1")
    drawing = page.locator("[data-drawing]")
    expect(drawing).to_be_visible()
    drawing.focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("complementary")).to_contain_text("conv1_2")
    page.get_by_role("columnheader", name="parameters").get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr[data-layers]").first).to_have_attribute("data-layers", "fc6")
    expect(page).to_have_url(re.compile("network.sort=3-descending"))
    page.reload()
    expect(page.locator("tbody tr[data-layers]").first).to_have_attribute("data-layers", "fc6")
    row = page.locator("tr[data-layers=conv1_2]")
    row.focus()
    page.keyboard.press("ArrowUp")
    expect(row).not_to_be_focused()


def test_large_numbers_have_large_units(explorer: Explorer) -> None:
    page = explorer.open(tab="network", network__input_size="9999", network__head="average")
    expect(page.locator(".total-macs")).to_have_text("30.6\u202fT")
    expect(page.locator("tfoot")).to_contain_text("30.6 T")
    expect(page.locator(".summary")).to_contain_text("47.7\u202fGiB")


def test_the_drawing_is_one_stop_of_the_tab_key(explorer: Explorer) -> None:
    page = explorer.open(tab="network")
    drawing = page.locator("[data-drawing]")
    expect(drawing).to_be_visible()
    drawing.focus()
    page.keyboard.press("Tab")
    expect(page.locator("thead button").first).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(drawing).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("complementary")).to_contain_text("pool5")  # before fc6
    page.locator("tr[data-layers=pool5]").focus()  # and so is the table
    page.keyboard.press("ArrowUp")
    expect(page.locator("tr[data-layers=conv5_3]")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator(".files .button").first).to_be_focused()


def test_the_keyboard_alone_edits(explorer: Explorer) -> None:
    page = explorer.open(tab="network")
    expect(page.locator(".total-parameters")).to_have_text(grouped(138_357_544))
    page.get_by_role("tab", selected=True).focus()
    config = page.get_by_role("combobox", name="Network", exact=True)
    for _ in range(3):  # the two switches lie between
        page.keyboard.press("Tab")
    expect(config).to_be_focused()
    page.keyboard.press("B")
    expect(page.locator(".total-parameters")).to_have_text(grouped(133_047_848))
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")  # of the width
    width = page.get_by_label("Width ×")
    expect(width).to_be_focused()
    expect(width).not_to_have_value("1")
    narrower = configuration("B").scaled(width=float(width.input_value()))
    expect(page.locator(".total-parameters")).to_have_text(grouped(analyze(narrower).parameters))


def test_two_networks_stand_beside_each_other(explorer: Explorer) -> None:
    page = explorer.open(tab="network", network__config="A", network__beside="E")
    expect(page.locator(".total-parameters")).to_have_text(
        [grouped(132_863_336), grouped(143_667_240)]
    )
    expect(page.locator(".ratio")).to_contain_text("× 2.58")
    expect(page.locator("tr[data-network='1'][data-layers=conv5_4]")).to_be_attached()
    # What differs is marked by a shape, in the drawing and in the table.
    assert page.locator("polygon.mark").count() > 1
    rows = page.locator("tr:has(.differs)")
    assert rows.evaluate_all("found => found.map(each => each.dataset.layers)") == [
        "conv1_2", "conv2_2", "conv3_3", "conv3_4", "conv4_3", "conv4_4", "conv5_3", "conv5_4",
    ]  # fmt: skip
    page.locator("tr[data-network='1'][data-layers=conv5_4]").hover()
    expect(page.get_by_role("complementary")).to_contain_text("conv5_4")


def test_of_two_answers_the_newer_question_counts(explorer: Explorer) -> None:
    """The first one is held back until the second has been answered."""
    page = explorer.open(tab="network")
    total = page.locator(".total-parameters")
    expect(total).to_have_text(grouped(138_357_544))
    page.evaluate(
        """() => {
            window.shown = [];
            const look = () => shown.push(document.querySelector(".total-parameters").textContent);
            new MutationObserver(look).observe(document.querySelector("main"),
                {subtree: true, childList: true});
        }"""
    )
    held: list[Route] = []
    page.route(re.compile(r"/api/describe.*width=0\.5"), lambda route: held.append(route))
    with page.expect_request(re.compile(r"/api/describe.*width=0\.5")):
        page.get_by_label("Width ×").fill("0.5")
    page.get_by_label("Width ×").fill("0.25")
    expect(total).to_have_text(grouped(analyze(configuration("D").scaled(width=0.25)).parameters))
    half = analyze(configuration("D").scaled(width=0.5))
    for each in held:
        each.fulfill(json=half.to_json())
    page.get_by_label("Width ×").fill("0.125")
    eighth = analyze(configuration("D").scaled(width=0.125))
    expect(total).to_have_text(grouped(eighth.parameters))
    assert grouped(half.parameters) not in page.evaluate("shown")


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
