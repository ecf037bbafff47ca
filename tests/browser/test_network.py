"""The Network tab in a browser: what is edited is counted anew, and what is wrong is pointed at."""

from __future__ import annotations

import re

from in_browser import Explorer, layers_editor
from playwright.sync_api import Route, expect

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
    editor.fill("conv3-8 conv3-8\nmaxpool conw3-16\nFC-10 soft-max softmax")
    place = page.get_by_role("button", name="Line 2, column 9")
    expect(place).to_be_visible()
    expect(page.locator(".editor mark")).to_have_text(["conw3-16", "softmax"])
    editor.fill("conv3-8 conv3-8\nmaxpool conw3-16\nFC-10 soft-max")
    expect(page.locator(".editor mark")).to_have_text(["conw3-16"])
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
    expect(wrong).to_contain_text("第 1 行第 9 列 无法识别 conw3-8（是否想写 conv3-8？）：写法如")
    page.get_by_role("button", name="English").click()
    expect(wrong).to_contain_text("Line 1, column 9 bad token 'conw3-8'")
    page.get_by_role("button", name="中文").click()
    page.get_by_role("combobox", name="网络", exact=True).select_option("D")
    page.get_by_label("输入边长").fill("9")
    expect(page.locator(".status.wrong")).to_contain_text("输入太小")
    page.get_by_label("输入边长").fill("64x96")
    expect(page.locator(".status.wrong")).to_contain_text("只接受正方形图片")
    page.get_by_label("宽度").fill("101")
    expect(page.locator(".status.wrong")).to_contain_text(
        "“宽度”的值不能用，请换一个：从 0.01 到 100。"
    )


def test_a_single_token_is_no_name(explorer: Explorer) -> None:
    explorer.expected.append("status of 422")
    page = explorer.open(tab="network", network__config="own", network__tokens="maxpol")
    wrong = page.locator(".editor .wrong")
    expect(wrong).to_contain_text("Line 1, column 1 bad token 'maxpol': did you mean maxpool?")


def test_what_a_keyboard_for_chinese_types_is_read(explorer: Explorer) -> None:
    page = explorer.open(tab="network", language="zh", network__config="own")
    # The head first: FC layers refuse what is not square.
    page.get_by_label("分类头").select_option("average")
    layers_editor(page).fill("ｃｏｎｖ３－８　ＦＣ－１０")
    page.get_by_label("输入边长").fill("３２×４８")
    spec = configuration("conv3-8 / FC-10").scaled(head="average")
    expected = grouped(analyze(spec, (32, 48)).parameters)
    expect(page.locator(".total-parameters")).to_have_text(expected)


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
