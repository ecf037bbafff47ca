"""The Principle tab in a browser: the steps, the counts, and the kernel without ReLU."""

from __future__ import annotations

import re

import pytest
from in_browser import Explorer
from playwright.sync_api import expect

from vggnet.stacks import KernelStack


def grouped(count: int) -> str:
    return f"{count:,}".replace(",", "\u202f")


def test_the_counts_follow_the_sliders(explorer: Explorer) -> None:
    page = explorer.open(tab="principle")
    expect(page.get_by_role("status").first).to_contain_text("81% more weights")
    weights = page.locator(".counts section").first
    expect(weights).to_contain_text(grouped(7_077_888))
    channels = page.get_by_label(re.compile("^channels"))
    channels.focus()
    page.keyboard.press("Home")
    expect(weights.locator(".number")).to_have_text(["27", "49"])
    page.get_by_label("side of the map").press("End")
    expect(page).to_have_url(re.compile("principle.channels=1&principle.size=224"))
    macs = page.locator(".counts section").last.locator(".number")
    for at, count in enumerate((27, 49)):
        expect(macs.nth(at)).to_have_attribute("title", grouped(count * 224 * 224))


def test_any_stack_is_compared(explorer: Explorer) -> None:
    page = explorer.open(tab="principle")
    page.get_by_role("button", name="two 3×3 for one 5×5").click()
    expect(page.get_by_role("status").first).to_contain_text("39% more weights")
    page.get_by_label("Kernel 1").select_option("5")
    page.get_by_role("button", name="One kernel more").click()
    stack = KernelStack((5, 3, 3), 512)
    numbers = page.locator(".counts section").first.locator(".number")
    expect(numbers).to_have_text([grouped(stack.weights), grouped(stack.single_weights)])
    expect(page.locator(".composition [role=img]").last).to_have_attribute(
        "aria-label", re.compile("^A 9×9 kernel")
    )


def test_step_by_step_a_field_grows(explorer: Explorer) -> None:
    page = explorer.open(tab="principle", principle__kernels="3,3")
    drawing = page.locator(".pyramid")
    caption = page.locator(".field figcaption")
    expect(caption).to_contain_text("sees all 5×5 pixels")
    expect(drawing.locator(".weighted")).to_have_count(25)
    slider = page.get_by_label("Step", exact=True)
    slider.press("Home")
    expect(caption).to_contain_text("row 1, column 1: it reaches 3×3 pixels")
    expect(drawing.locator(".patch")).to_have_count(9)
    page.get_by_role("button", name="One step on").click()
    expect(caption).to_contain_text("row 1, column 2")
    expect(page).to_have_url(re.compile("principle.step=2"))
    page.reload()
    expect(caption).to_contain_text("row 1, column 2")
    page.get_by_role("button", name="Play").click()
    expect(caption).to_contain_text("sees all 5×5 pixels")  # and there it stops
    expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_a_step_that_is_none_is_the_last(explorer: Explorer) -> None:
    page = explorer.open(tab="principle", principle__step="1.5", principle__seed="-3")
    expect(page.locator(".field figcaption")).to_contain_text("sees all 7×7 pixels")
    expect(page.locator(".composition [role=img]")).to_have_count(4)


@pytest.mark.parametrize(
    ("kernels", "numbers"), [("3,3,3", 49), ("3,3,3,3,3", 0), ("5,5,5", 0), ("7,7", 0), ("5,3", 49)]
)
def test_no_number_of_the_drawing_lies_on_another(
    explorer: Explorer, kernels: str, numbers: int
) -> None:
    page = explorer.open(tab="principle", principle__kernels=kernels)
    expect(page.locator(".ways text")).to_have_count(numbers)
    touching = page.evaluate(
        """() => {
            const texts = [...document.querySelectorAll(".pyramid text")];
            const boxes = texts.map((each) => each.getBoundingClientRect());
            // 3 pixels of a line's height are above and below its letters.
            const touch = (one, other) =>
                one.left < other.right && other.left < one.right &&
                one.top + 3 < other.bottom && other.top + 3 < one.bottom;
            const lies = (at) => boxes.slice(0, at).some((each) => touch(each, boxes[at]));
            return texts.filter((_, at) => lies(at)).map((each) => each.textContent);
        }"""
    )
    assert touching == []
    scale = page.locator(".pyramid").evaluate("(drawing) => drawing.getScreenCTM().a")
    assert scale > 0.9  # of its letters


def test_it_pauses(explorer: Explorer) -> None:
    page = explorer.open(tab="principle", principle__kernels="3,3,3")
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_what_a_unit_looks_at_is_measured(explorer: Explorer) -> None:
    page = explorer.open(tab="principle", principle__layer="conv2_1")
    page.locator(".effective").scroll_into_view_if_needed()
    said = page.locator(".effective [role=status]")
    expect(said).to_contain_text("conv2_1 can see 10×10 pixels")
    page.get_by_label(re.compile("^Layer of")).select_option("conv2_2")
    expect(said).to_contain_text("conv2_2 can see 14×14 pixels")
