"""Drawings as files: SVG that is XML and stands alone, and pixels that show the same."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from vggnet.analysis import analyze
from vggnet.configurations import configuration
from vggnet.drawing.network import network_scene
from vggnet.drawing.raster import raster
from vggnet.drawing.scene import Box, Scene
from vggnet.drawing.svg import svg
from vggnet.drawing.theme import DARK, LIGHT
from vggnet.spec import Spec

SVG = "{http://www.w3.org/2000/svg}"
SCENE = network_scene([analyze(name).drawn() for name in ("A", "D-BN")])


def test_it_is_xml_with_a_box_for_each_layer() -> None:
    root = ElementTree.fromstring(svg(SCENE))
    assert root.findtext(f"{SVG}title") == "A and D-BN"
    names = {
        (rect.get("data-network"), name)
        for rect in root.iter(f"{SVG}rect")
        for name in (rect.get("data-layers") or "").split()
    }
    for number, name in enumerate(("A", "D-BN")):
        drawn = {each.name for each in configuration(name).layers
                 if each.kind not in ("relu", "dropout")}  # fmt: skip
        assert {(str(number), name) for name in drawn | {"input"}} <= names


def test_it_needs_no_other_file_and_says_both_themes() -> None:
    text = svg(SCENE)
    without_its_name = text.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert re.findall(r"href|src|url|@import|https?:", without_its_name) == []
    assert "prefers-color-scheme:dark" in text
    assert LIGHT["ground"] in text
    assert DARK["ground"] in text


def test_names_from_a_file_are_escaped() -> None:
    spec = Spec('<b>&"', ("conv3-4",), 8)
    root = ElementTree.fromstring(svg(network_scene([analyze(spec).drawn()])))
    assert root.findtext(f"{SVG}title") == '<b>&"'
    assert root.find(f".//{SVG}b") is None


def test_names_that_xml_cannot_hold_are_written_out() -> None:
    spec = Spec("a\x00b\n\x1b[31m", ("conv3-4",), 8)
    for text in (svg(network_scene([analyze(spec).drawn()])), spec._repr_html_()):
        assert ElementTree.fromstring(text).findtext(f"{SVG}title") == r"a\x00b\n\x1b[31m"


def luminance(colour: str) -> float:
    channels = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


@pytest.mark.parametrize("theme", [LIGHT, DARK])
@pytest.mark.parametrize(("role", "least"), [("text", 4.5), ("faint", 4.5), ("conv", 3)])
def test_contrast(theme: dict[str, str], role: str, least: float) -> None:
    low, high = sorted((luminance(theme[role]), luminance(theme["ground"])))
    assert (high + 0.05) / (low + 0.05) >= least


def test_pixels_show_the_boxes() -> None:
    picture = np.asarray(raster(SCENE, scale=1))
    assert picture.shape == (round(SCENE.height), round(SCENE.width), 3)
    for box in SCENE.shapes:
        if isinstance(box, Box) and box.role == "pool":
            middle = picture[int(box.y + box.height / 2), int(box.x + box.width / 2)]
            assert tuple(middle) == (0xE6, 0x9F, 0x00)
    assert tuple(picture[0, 0]) == (255, 255, 255)


def test_too_many_pixels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"large: 100,000 x 2,000 pixels are too many; write"):
        raster(Scene(50_000, 1000, "large", ()))
