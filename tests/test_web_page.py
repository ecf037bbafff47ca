"""The explorer's page: small, of the package's own colours, and in both languages throughout."""

import re
from importlib import resources

import pytest

from vggnet.analysis import analyze
from vggnet.drawing.costs import _HEADERS
from vggnet.drawing.network import network_scene
from vggnet.drawing.scales import _STEPS
from vggnet.drawing.scene import Words
from vggnet.spec import configuration

PAGE = resources.files("vggnet") / "web" / "page"
DRAWING = resources.files("vggnet") / "drawing" / "page"


def read(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")


def files(folder: resources.abc.Traversable) -> list[resources.abc.Traversable]:
    inside = [each for each in folder.iterdir() if not each.name.startswith("__")]
    found = [each for each in inside if each.is_file()]
    return found + [file for each in inside if each.is_dir() for file in files(each)]


def test_the_page_is_small() -> None:
    served = [each for each in files(PAGE) + files(DRAWING) if not each.name.endswith(".jpg")]
    assert sum(len(each.read_bytes()) for each in served) < 300_000


def test_each_file_holds_one_idea() -> None:
    long = {each.name: len(each.read_text().splitlines()) for each in files(PAGE)
            if each.name.endswith((".js", ".css"))}  # fmt: skip
    assert {name: lines for name, lines in long.items() if lines > 300} == {}


def test_nothing_is_written_that_the_page_may_not_do() -> None:
    """Its rules (CSP) allow no style, script or handler within the HTML."""
    html = read("index.html")
    assert re.findall(r"style=|<style|\son\w+=|<script(?![^>]*src=)", html) == []
    assert re.findall(r"https?://", html) == []


def test_colours_are_those_of_the_files() -> None:
    steps = read("colours.js")
    for name, hexadecimals in _STEPS.items():
        shown = re.search(rf'{name}:\s+((?:"[0-9a-f ]+"[\s+]*)+)', steps)
        assert shown is not None
        assert re.findall("[0-9a-f]{6}", shown[1]) == hexadecimals.split()


def chinese() -> set[str]:
    """What network/chinese.js has a word for."""
    listed = re.search(r"const WORDS = \{(.*?)\n\};", read("network/chinese.js"), re.DOTALL)
    assert listed is not None
    return {quoted or plain for quoted, plain in re.findall(r'(?:"([^"]+)"|(\w+)):', listed[1])}


def test_every_heading_of_the_table_is_known_in_chinese() -> None:
    assert {heading for heading, _ in _HEADERS} | {"total"} <= chinese()


@pytest.mark.parametrize("name", ["A", "A-LRN", "C", "vgg16_bn", "AlexNet"])
def test_every_word_of_a_drawing_is_known_in_chinese(name: str) -> None:
    known = chinese()
    small = configuration(name).scaled(head="average", num_classes=10)
    drawn = [analyze(small).drawn(), analyze(configuration("E")).drawn()]
    # Names of layers, shapes and numbers are the same in both languages.
    plain = r"[a-z]+[\d_–]+|[\d×/ .\u202fGMK]+|soft-max|prob|avgpool"
    for shape in network_scene(drawn).shapes:
        if isinstance(shape, Words) and not re.fullmatch(plain, shape.text):
            put_together = "parameters," in shape.text or shape.text in [
                each.name for each in drawn
            ]
            assert put_together or shape.text in known, shape.text
