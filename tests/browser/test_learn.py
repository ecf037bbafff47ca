"""The Learn tab in a browser: guess first, then the answer as it is computed, all by keyboard."""

from __future__ import annotations

import re

import pytest
from accessibility import faults
from in_browser import Explorer
from learn_tab import STEPS, answered, step
from places import EXAMPLES
from playwright.sync_api import Browser, Route, expect

import vggnet
from vggnet.analysis import analyze
from vggnet.configurations import configuration

NUMBERS = (1, 2, 3, 6, 11)  # steps whose guess is a number
SPOTS = (7, 8, 10)  # steps whose guess is made in the figure


@pytest.mark.parametrize(("width", "height"), [(1300, 900), (390, 844)])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_first_guess_is_on_the_first_screen(
    browser: Browser, address: str, width: int, height: int, language: str
) -> None:
    explorer = Explorer(browser, address, viewport={"width": width, "height": height})
    page = explorer.open(language=language)
    guess = step(page, 1).locator("form")
    expect(guess.locator("input")).to_be_in_viewport(ratio=1)
    expect(guess.locator("button[type=submit]")).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    explorer.close()


@pytest.mark.parametrize("number", range(1, STEPS + 1))
def test_each_answer_is_revealed_by_keyboard(explorer: Explorer, number: int) -> None:
    page = explorer.open(tab="learn")
    here = step(page, number)
    expect(here.locator("[aria-busy=true]")).to_have_count(0)
    if number in NUMBERS:
        here.locator("input[type=number]").focus()
        page.keyboard.type("9")
    elif number in SPOTS:
        here.locator(".step-figure button").first.focus()
    else:
        here.locator(".guess button").first.focus()
    page.keyboard.press("Enter")
    here = answered(page, number)
    expect(here.locator(".verdict")).to_be_focused()
    expect(here.locator(".verdict strong")).to_be_visible()
    expect(page).to_have_url(re.compile(rf"learn\.{number}="))
    here.get_by_role("button", name="Guess again").press("Enter")
    expect(here.locator(".guess").first).to_be_visible()
    expect(page).not_to_have_url(re.compile(rf"learn\.{number}="))


def test_the_answers_are_the_package_s(explorer: Explorer) -> None:
    page = explorer.open(tab="learn", **{f"learn__{number}": "-" for number in range(1, STEPS + 1)})
    whole = analyze(configuration("D"))
    average = analyze(configuration("D").scaled(head="average"))
    first = vggnet.load("tiny-imagenet").predict(EXAMPLES / "uniform.jpg", top=1)[0]
    said = {
        1: "It is 5.",
        2: "It is 72%.",
        3: "It is 81%.",
        4: "exactly one 5×5",
        5: "the same",
        6: "It is 27.3%.",
        7: "fc6, with 74.3%",
        8: "1.85\u202fG",
        9: "196×196",
        10: f"{first.label}, with {first.probability:.1%}",
        11: f"It is {average.parameters / 1e6:.1f}.",
        12: "It is Y",
    }
    for number, text in said.items():
        expect(answered(page, number).locator(".verdict")).to_contain_text(text)
    numbers = f"{whole.parameters:,}".replace(",", "\u202f")
    expect(step(page, 7).locator(".formula")).to_contain_text(numbers)
    expect(step(page, 9).locator(".formula")).to_contain_text("404")
    # What is measured here is of the served model, and stands beside that model's own MACs.
    model = vggnet.load("tiny-imagenet")
    served = {
        each.name: each.macs for each in analyze(model.weights.spec, (104, 104)).layers if each.macs
    }
    rows = step(page, 8).locator(".layer-list").last.locator("li")
    expect(rows).to_have_count(len(served))
    expect(rows.nth(1)).to_contain_text(re.compile(r"^conv1_2( \+ pool1)?188.M\d+\.\d\d ms$"))
    assert f"{served['conv1_2'] / 1e6:.0f}" == "188"
    expect(step(page, 8).locator(".legend").last).to_contain_text("at 104×104")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_answers_have_no_serious_fault(explorer: Explorer, theme: str) -> None:
    every = {f"learn__{number}": "-" for number in range(1, STEPS + 1)}
    page = explorer.open(tab="learn", theme=theme, **every)
    for number in range(1, STEPS + 1):
        answered(page, number)
    assert faults(explorer) == []


def test_a_link_shows_what_was_seen(explorer: Explorer) -> None:
    page = explorer.open(tab="learn", learn__1="9", learn__7="fc6")
    expect(answered(page, 1).locator(".verdict")).to_have_text("Not quite. You said 9; it is 5.")
    expect(answered(page, 7).locator(".verdict")).to_contain_text("Right.")
    expect(step(page, 2).locator("form")).to_be_visible()
    page.get_by_role("button", name="中文").click()
    expect(step(page, 1).locator("h3")).to_contain_text("一个单元能看到多少")
    expect(answered(page, 1).locator(".verdict")).to_contain_text("你猜 9，答案是 5。")


def test_a_stack_without_relu_answers_as_its_kernel_does(explorer: Explorer) -> None:
    page = explorer.open(tab="learn", learn__4="-")
    table = answered(page, 4).locator("table")
    before = table.inner_text()
    patch, negative = ([c.inner_text() for c in row.locator("td").all()]
                       for row in table.locator("tbody tr").all())  # fmt: skip
    assert patch[0] == patch[1] != patch[2]
    assert [float(x.replace("−", "-")) for x in negative[:2]] == [
        -float(x.replace("−", "-")) for x in patch[:2]
    ]
    step(page, 4).get_by_role("button", name="Two other kernels").click()
    expect(table).not_to_have_text(before, use_inner_text=True)


def test_what_learn_and_look_share_has_its_style(explorer: Explorer) -> None:
    page = explorer.open(tab="learn", learn__4="-", learn__9="-")
    expect(answered(page, 9).locator(".frame-dark")).to_have_css("fill", "none")
    expect(answered(page, 4).locator(".array text").first).to_have_css("text-anchor", "middle")
    page.get_by_role("tab", name="Look").click()
    expect(page.locator(".frames .frame-dark")).to_have_css("fill", "none")
    expect(page.locator(".unit .array text").first).to_have_css("text-anchor", "middle")


def test_the_field_grows_by_keyboard(explorer: Explorer) -> None:
    page = explorer.open(tab="learn", learn__1="-")
    here = answered(page, 1)
    slider = here.get_by_label("Number of 3×3 convolutions")
    expect(here.locator(".cell-pixel.seen")).to_have_count(5)  # the two that were asked about
    slider.press("ArrowLeft")
    expect(here.locator(".cell-pixel.seen")).to_have_count(3)
    slider.press("ArrowRight")
    here.get_by_role("button", name="One step on").press("Enter")
    expect(here.locator(".cell-pixel.seen")).to_have_count(7)


def test_what_depth_and_groups_cost_is_counted(explorer: Explorer) -> None:
    page = explorer.open(tab="learn", learn__6="-")
    here = answered(page, 6)
    for name in ("A", "D", "E"):
        macs = analyze(configuration(name)).macs / 1e9
        expect(here).to_contain_text(f"{macs:.{1 if macs > 10 else 2}f}\u202fG in {name}")
    # Krizhevsky's own, with groups: 60 965 224 parameters.
    expect(here).to_contain_text("62.4\u202fM parameters, 1.14\u202fG MACs")
    expect(here).to_contain_text("halves their weights: 61.0\u202fM and 724\u202fM")


def test_frames_are_called_as_no_network_is(explorer: Explorer) -> None:
    page = explorer.open(tab="learn")
    expect(page.locator(".learn-lead")).to_contain_text("D, with 16, is also called VGG16")
    here = step(page, 9)
    expect(here.locator(".frames text")).to_have_text(["1", "2", "3", "4"])
    here.get_by_role("button", name="3", exact=True).click()
    expect(answered(page, 9).locator(".verdict")).to_contain_text("Right. It is frame 3")
    here.get_by_label("fc6").check()
    expect(here.locator(".figure-label")).to_have_text(
        "fc6: the field would be 404×404 pixels; the part outside the photograph is cut off"
    )


def test_new_words_lead_to_their_meaning_and_back(explorer: Explorer) -> None:
    page = explorer.open(tab="learn")
    link = step(page, 1).get_by_role("link", name="receptive field")
    meaning = page.locator("#word-receptive-field")
    expect(meaning).to_be_hidden()
    link.press("Enter")
    expect(meaning).to_be_in_viewport(ratio=1)
    expect(meaning).to_contain_text("The pixels of the picture that a unit depends on.")
    page.get_by_role("button", name="中文").click()
    expect(meaning).to_contain_text("感受野")  # and stays unfolded
    page.go_back()
    expect(step(page, 1).locator("form")).to_be_in_viewport()
    for each in page.locator(".new-words a").all():
        expect(page.locator(each.get_attribute("href") or "")).to_have_count(1)


def test_chinese_counts_parameters_by_ten_thousands(explorer: Explorer) -> None:
    page = explorer.open(tab="learn", language="zh")
    form = step(page, 11).locator("form")
    expect(form).to_contain_text("万")
    form.locator("input").fill("1500")
    form.locator("input").press("Enter")
    expect(answered(page, 11).locator(".verdict")).to_have_text(
        "猜对了。你猜 1500 万，答案是 1520 万。"
    )
    page.get_by_role("button", name="English").click()
    expect(answered(page, 11).locator(".verdict")).to_have_text("Right. You said 15; it is 15.2.")


def test_an_address_may_hold_anything(explorer: Explorer) -> None:
    every = {f"learn__{number}": "-" for number in (2, 4, 9)}
    odd = {"learn__field": "x", "learn__seed": "abc", "learn__channels": "99", "learn__1": "five"}
    page = explorer.open(tab="learn", **every, **odd, learn__5="some")
    expect(answered(page, 9).locator(".figure-label")).to_contain_text("conv5_3: 196×196")
    expect(answered(page, 4).locator(".array")).to_have_count(3)
    expect(answered(page, 2).locator(".slider output")).to_have_text("256")
    step(page, 5).get_by_role("button", name="the same").click()  # neither was a guess
    expect(answered(page, 5).locator(".verdict")).to_contain_text("Right.")
    step(page, 1).locator("input").fill("5")
    step(page, 1).locator("input").press("Enter")
    expect(answered(page, 1).locator(".verdict")).to_contain_text("Right.")


def test_a_link_leads_into_the_tab_to_play_on(explorer: Explorer) -> None:
    page = explorer.open(tab="learn", learn__6="-")
    answered(page, 6).get_by_role("link", name=re.compile("side by side")).press("Enter")
    expect(page.get_by_role("tab", name="Network")).to_have_attribute("aria-selected", "true")
    expect(page).to_have_url(re.compile("network.beside=E"))


def test_the_reader_s_own_photograph_is_asked_about(explorer: Explorer) -> None:
    page = explorer.open(tab="learn", learn__10="-")
    expect(answered(page, 10).locator(".verdict")).to_contain_text("bow tie")
    page.get_by_role("tab", name="Look").click()
    page.locator("input[type=file]").first.set_input_files(EXAMPLES / "espresso.jpg")
    expect(page.locator(".answer-name").first).to_have_text("espresso")
    page.get_by_role("tab", name="Learn").click()
    step(page, 10).get_by_role("button", name="espresso").click()
    expect(answered(page, 10).locator(".verdict")).to_have_text(
        re.compile("^Right. It says espresso")
    )


def test_a_fault_of_the_server_is_a_sentence(explorer: Explorer) -> None:
    explorer.expected.append("status of 503")
    problem = {"detail": "too busy now; try again in a moment", "status": 503}
    explorer.page.route("**/api/stack**", lambda route: route.fulfill(status=503, json=problem))
    page = explorer.open(tab="learn", learn__1="5")
    told = step(page, 1).get_by_role("alert")
    expect(told).to_contain_text("too busy now; try again in a moment")
    page.unroute("**/api/stack**")
    told.get_by_role("button", name="Try again").press("Enter")
    expect(answered(page, 1).locator(".verdict")).to_contain_text("Right.")


def test_what_comes_late_is_not_shown_over_another_question(explorer: Explorer) -> None:
    held: list[Route] = []
    explorer.page.route("**/api/times**", lambda route: held.append(route))
    page = explorer.open(tab="learn", learn__8="-")
    eighth = step(page, 8)
    again = eighth.get_by_role("button", name="Guess again")
    again.press("Enter")
    choices = eighth.locator(".step-figure button")
    expect(choices.first).to_be_visible()
    expect(eighth.locator(".step-text button").first).to_be_focused()  # the guess is asked for
    for each in held:
        each.continue_()
    page.unroute("**/api/times**")
    choices.first.press("Enter")  # it can still be answered
    expect(answered(page, 8).locator(".step-figure")).to_contain_text("measured just now")


def test_links_leave_nothing_of_other_links_behind(explorer: Explorer) -> None:
    page = explorer.open(tab="learn", learn__6="-", learn__7="-", network__head="average")
    answered(page, 6).get_by_role("link", name="Put A and E side by side").click()
    expect(page).to_have_url(re.compile("network.beside=E"))
    page.go_back()
    answered(page, 7).get_by_role("link", name="See every layer").click()
    expect(page.locator(".network text").first).to_have_text("D")
    expect(page).not_to_have_url(re.compile(r"network\.(beside|head)"))


def test_back_leads_to_the_kernels_before(explorer: Explorer) -> None:
    page = explorer.open(tab="learn", learn__4="-", learn__seed="5")
    first = answered(page, 4).locator(".array").first
    before = first.text_content()
    page.get_by_role("tab", name="Network").click()
    page.get_by_role("tab", name="Learn").click()
    another = step(page, 4).get_by_role("button", name="Two other kernels")
    another.press("Enter")
    expect(first).not_to_have_text(before or "")
    expect(another).to_be_focused()
    page.go_back()
    page.go_back()
    expect(first).to_have_text(before or "")
