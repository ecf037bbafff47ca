"""The photographs of the Look tab in a browser: given, refused, removed, and asked about."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import pytest
from in_browser import Explorer
from look_tab import part, settled, upload
from PIL import Image
from places import EXAMPLES
from playwright.sync_api import expect

import vggnet

CAT = EXAMPLES / "cat.jpg"


def test_an_uploaded_photograph_is_named(explorer: Explorer, model: vggnet.Model) -> None:
    page = explorer.open(tab="look", look__photo="espresso")
    expect(page.locator(".answer-name").first).to_have_text("espresso")
    upload(page, "whiskers.jpg", CAT.read_bytes())
    expected = model.predict(CAT, top=5)
    expect(page.locator(".answer-name")).to_have_text([each.label for each in expected])
    expect(page.locator(".answer-share").first).to_have_text(f"{expected[0].probability:.1%}")
    said = page.locator(".answer-said .note")
    expect(said).to_contain_text(f"engine {model.engine.name}, fp32")
    expect(said).to_contain_text(re.compile(r"\d ms$"))
    expect(page.locator(".photograph .crop")).to_be_attached()
    expect(page.locator(".answer-picture")).to_contain_text(
        re.compile(r"\d+×\d+ of \d+×\d+ pixels")
    )
    settled(page)
    assert "whiskers" not in page.url  # it stays in memory
    page.get_by_role("button", name="中文").click()
    expect(page.locator(".answer-name").first).to_have_text("虎斑猫")
    page.get_by_role("button", name=re.compile("移除")).click()
    expect(page.locator(".answer-name").first).not_to_have_text("虎斑猫")


def test_photographs_are_chosen_and_removed_by_keyboard(explorer: Explorer) -> None:
    page = explorer.open(tab="look")
    settled(page)
    page.get_by_role("tab", selected=True).focus()
    for _ in range(3 + 2):  # the two switches, then the photographs one by one
        page.keyboard.press("Tab")
    second = page.get_by_role("button", name="a cup of espresso")
    expect(second).not_to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(second).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".answer-name").first).to_have_text("espresso")
    expect(second).to_be_focused()
    page.keyboard.press("Tab")
    with page.expect_file_chooser() as chosen:  # after the portrait come the ways to add one
        page.keyboard.press("Tab")
        # A key overtakes what was asked of the page before: only after an answer does it surely
        # know that it is to hand the chooser over.
        expect(page.get_by_label("Choose a file…")).to_be_focused()
        page.keyboard.press("Enter")
    file: Any = {"name": "mine.jpg", "mimeType": "image/jpeg", "buffer": CAT.read_bytes()}
    chosen.value.set_files(file)
    expect(page.locator(".answer-name").first).to_have_text("tabby")
    page.keyboard.press("Shift+Tab")
    away = page.get_by_role("button", name="Remove mine.jpg")
    expect(away).to_be_focused()
    page.keyboard.press("Enter")
    expect(away).to_have_count(0)
    expect(page.locator(".thumbnail[aria-pressed=true]")).to_be_focused()
    settled(page)


# Chromium does not tell the bytes of such bodies: what the page sends is weighed within it.


WEIGHING = """
    window.sent = [];
    const own = fetch;
    window.fetch = (url, options) => {
        const body = options?.body;
        const bytes = body instanceof FormData ? [...body.values()] : body ? [body] : [];
        sent.push([new URL(url).pathname.split("/").at(-1), new URL(url).search,
            bytes.reduce((sum, each) => sum + each.size, 0)]);
        return own(url, options);
    };
"""


def test_large_photographs_are_looked_into_by_their_views(explorer: Explorer) -> None:
    """However large they are and however many: the server takes 32 MiB, and 32, at a time."""
    explorer.page.add_init_script(WEIGHING)
    page = explorer.open(tab="look", look__layer="conv2_1")
    settled(page)
    pixels_HWC = np.random.default_rng(0).integers(0, 256, (660, 660, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels_HWC).save(file, "PNG")
    large = {"mimeType": "image/png", "buffer": file.getvalue()}
    files: Any = [{"name": f"{number}.png", **large} for number in range(31)]
    assert 31 * len(file.getvalue()) > 32 << 20
    page.locator("input[type=file]").first.set_input_files(files)
    settled(page)
    found = part(page, "What excites this channel most")
    expect(found).to_contain_text("Of the 32 photographs")  # the newest of 34
    page.get_by_role("application").press("ArrowRight")
    settled(page)
    sent = page.evaluate("sent")
    whole = {path for path, _, size in sent if size == len(file.getvalue())}
    assert whole == {"explain", "predict", "view"}
    assert max(size for path, _, size in sent if path in ("features", "unit")) < 300_000
    assert max(size for path, _, size in sent if path == "excite") < 32 * 300_000


def test_what_nobody_waits_for_is_stopped(explorer: Explorer) -> None:
    explorer.page.add_init_script(WEIGHING)
    explorer.page.route("**/api/features*layer=relu2_2*", lambda _: None)  # it is never answered
    page = explorer.open(tab="look", look__layer="conv2_1")
    settled(page)
    with page.expect_request("**/api/features*layer=relu2_2*"):
        page.locator(".strip").get_by_role("button", name="conv2_2").click()
    with page.expect_event("requestfailed") as failed:
        page.locator(".strip").get_by_role("button", name="conv2_1").click()
    assert "relu2_2" in failed.value.url
    settled(page)
    expect(page.locator(".map-beside")).to_contain_text("relu2_1")
    # Three parts of the page wanted it, and it was asked for once.
    asked = [path for path, query, _ in page.evaluate("sent") if "relu2_2" in query]
    assert asked.count("features") == 1


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_photograph_can_be_dropped_and_pasted(explorer: Explorer, way: str) -> None:
    page = explorer.open(tab="look")
    expect(page.locator(".answer-name").first).to_have_text("tabby")
    page.evaluate(
        """async (way) => {
          const found = await (await fetch("page/examples/espresso.jpg")).blob();
          const given = new DataTransfer();
          given.items.add(new File([found], "mine.jpg", {type: "image/jpeg"}));
          const told = {bubbles: true, cancelable: true};
          const event = way === "drop" ? new DragEvent("drop", {...told, dataTransfer: given})
            : new ClipboardEvent("paste", {...told, clipboardData: given});
          document.querySelector("#panel-look .content").dispatchEvent(event);
        }""",
        way,
    )
    expect(page.get_by_role("button", name="mine.jpg", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    expect(page.locator(".answer-name").first).to_have_text("espresso")


def test_what_is_no_picture_is_taken_away_and_named(explorer: Explorer) -> None:
    explorer.expected += ["status of 415", "status of 422"]
    explorer.page.add_init_script(WEIGHING)
    page = explorer.open(tab="look", look__photo="espresso")
    settled(page)
    broken, notes = CAT.read_bytes()[:700], b"no picture at all"
    files: Any = [
        {"name": "mine.jpg", "mimeType": "image/jpeg", "buffer": CAT.read_bytes()},
        {"name": "broken.jpg", "mimeType": "image/jpeg", "buffer": broken},
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": notes},
        {"name": "nothing.png", "mimeType": "image/png", "buffer": b""},
    ]
    page.locator("input[type=file]").first.set_input_files(files)
    told = page.locator(".chooser .problem")
    expect(told).to_have_count(3)
    for name in ("broken.jpg", "notes.txt", "nothing.png"):
        expect(told.filter(has_text=f"{name} was not taken: ")).to_have_count(1)
    expect(page.locator(".thumbnail")).to_have_count(4)
    expect(page.get_by_role("button", name="mine.jpg", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    expect(page.locator(".answer-name").first).to_have_text("tabby")
    settled(page)
    page.get_by_role("button", name="a cup of espresso").click()  # all is asked once more
    settled(page)
    sizes = [size for _, _, size in page.evaluate("sent")]
    assert sizes.count(len(broken)) == sizes.count(len(notes)) == 1
    page.get_by_role("button", name="中文").click()
    expect(told.filter(has_text="没有采用 broken.jpg：图片无法读取")).to_have_count(1)
    for left in (2, 1, 0):
        told.get_by_role("button").first.press("Enter")
        expect(told).to_have_count(left)
    expect(page.locator("input[type=file]").first).to_be_focused()


def test_a_fault_of_the_server_takes_no_photograph_away(explorer: Explorer) -> None:
    explorer.expected.append("status of 503")
    page = explorer.open(tab="look")
    settled(page)
    problem = {"detail": "too busy now; try again in a moment", "status": 503, "code": "busy"}
    page.route("**/api/predict*", lambda route: route.fulfill(status=503, json=problem))
    upload(page, "mine.jpg", CAT.read_bytes())
    expect(page.locator(".answer-said").get_by_role("alert")).to_contain_text("too busy now")
    expect(part(page, "What a layer makes of it")).to_be_visible()  # it is a picture all the same
    expect(page.get_by_role("button", name="mine.jpg", exact=True)).to_be_visible()
    expect(page.locator(".chooser .problem")).to_have_count(0)
    page.unroute("**/api/predict*")
    page.locator(".answer-said").get_by_role("button", name="Try again").press("Enter")
    expect(page.locator(".answer-said")).to_contain_text("tabby")
    page.locator(".controls").get_by_role("button", name="Try again").press("Enter")
    expect(page.get_by_label("Class to explain")).to_be_visible()
    settled(page)


def test_several_photographs_at_once_are_one_step(explorer: Explorer) -> None:
    page = explorer.open(tab="look")
    settled(page)
    names = ("espresso", "uniform", "cat")
    page.locator("input[type=file]").first.set_input_files(
        [EXAMPLES / f"{name}.jpg" for name in names]
    )
    last = page.get_by_role("button", name="cat.jpg", exact=True)
    expect(last).to_have_attribute("aria-pressed", "true")
    page.go_back()
    example = page.get_by_role("button", name="a cat", exact=True)
    expect(example).to_have_attribute("aria-pressed", "true")
    page.go_forward()
    page.get_by_role("button", name="Remove cat.jpg").click()
    before = page.get_by_role("button", name="uniform.jpg", exact=True)
    expect(before).to_have_attribute("aria-pressed", "true")
    settled(page)


def test_what_is_of_another_photograph_is_hidden_at_once(explorer: Explorer) -> None:
    page = explorer.open(tab="look")
    settled(page)
    cats = [".answer-bars", ".explanation canvas", ".board canvas", ".map-tile", ".unit h3"]
    places = [".explanations", ".beside", ".map-grid"]
    boxes = [page.locator(place).bounding_box() for place in places]
    page.route("**/api/predict*", lambda _: None)  # it is never answered
    upload(page, "mine.jpg", (EXAMPLES / "uniform.jpg").read_bytes())
    for shown in cats:
        expect(page.locator(shown).first).to_be_hidden()
    expect(page.locator(".answer-said")).to_contain_text("The network is looking at the photograph")
    for place, before in zip(places, boxes, strict=True):  # nothing but the photograph moves it
        now = page.locator(place).bounding_box()
        assert now is not None
        assert before is not None
        assert (now["width"], now["height"]) == (before["width"], before["height"])
    page.get_by_role("button", name="a cat").click()
    for shown in cats:
        expect(page.locator(shown).first).to_be_visible()


def test_what_is_computed_moves_nothing(explorer: Explorer) -> None:
    page = explorer.open(tab="look")
    settled(page)
    top = "unit => unit.querySelector('h3').offsetTop - unit.offsetTop"
    before = page.locator(".unit").evaluate(top)
    page.route("**/api/unit*", lambda _: None)
    page.get_by_role("application").press("ArrowDown")
    expect(page.locator(".unit .working")).to_be_visible()
    # The busy place is what offsets are counted from now.
    assert page.locator(".unit h3").evaluate("each => each.offsetTop") == before


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_transparent_picture_is_shown_as_the_network_sees_it(
    explorer: Explorer, theme: str
) -> None:
    file = io.BytesIO()
    Image.new("RGBA", (300, 300), (0, 0, 0, 0)).save(file, "PNG")
    page = explorer.open(tab="look", theme=theme)
    upload(page, "nothing.png", file.getvalue())
    # All of it is seen, so nothing of it is called a bright part.
    expect(page.locator(".answer-picture")).to_contain_text(
        "The network was given the whole photograph, 300×300 pixels, scaled to 104×104."
    )
    settled(page)
    shown = Image.open(io.BytesIO(page.locator(".photograph").screenshot())).convert("RGB")
    assert shown.getpixel((150, 150)) == (255, 255, 255)


def test_a_photograph_lost_by_loading_anew_is_said_to_be(explorer: Explorer) -> None:
    page = explorer.open(tab="look")
    upload(page, "mine.jpg", (EXAMPLES / "espresso.jpg").read_bytes())
    expect(page.locator(".answer-name").first).to_have_text("espresso")
    lost = page.locator(".told").get_by_text("please choose it again")
    expect(lost).to_have_count(0)
    expect(page).to_have_url(re.compile("look.photo=own"))
    page.reload()
    expect(lost).to_be_visible()
    expect(page.locator(".answer-name").first).to_have_text("tabby")
    page.get_by_role("button", name="a cat").click()
    expect(lost).to_have_count(0)
    settled(page)


def test_back_leads_from_one_photograph_to_the_one_before(explorer: Explorer) -> None:
    explorer.expected.append("status of 415")
    page = explorer.open(tab="look")
    first = page.locator(".answer-name").first
    espresso, uniform = (
        (EXAMPLES / f"{each}.jpg").read_bytes() for each in ("espresso", "uniform")
    )
    upload(page, "mine.jpg", espresso)
    expect(first).to_have_text("espresso")
    upload(page, "other.jpg", uniform)
    expect(first).not_to_have_text("espresso")
    upload(page, "text.jpg", b"no picture")
    line = page.locator(".told").get_by_text("text.jpg was not taken")
    expect(line).to_be_visible()
    upload(page, "again.jpg", espresso)
    expect(line).to_have_count(0)
    expect(first).to_have_text("espresso")
    pressed = page.locator('.photographs [aria-pressed="true"] img')
    page.go_back()
    expect(pressed).to_have_attribute("alt", "other.jpg")
    page.go_back()
    page.go_back()
    expect(pressed).to_have_attribute("alt", "mine.jpg")
    page.go_back()
    expect(pressed).to_have_attribute("alt", "a cat")
    expect(first).to_have_text("tabby")
    settled(page)
