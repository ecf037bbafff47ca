"""Drawings and tables in Chinese: every word is known, and the page's legend says the same."""

import re
from importlib import resources

import pytest

from vggnet.analysis import analyze
from vggnet.configurations import configuration
from vggnet.drawing.costs import costs_table
from vggnet.drawing.language import _CHINESE, said
from vggnet.drawing.network import network_scene
from vggnet.drawing.page import page
from vggnet.drawing.scene import Box, Words
from vggnet.drawing.svg import svg
from vggnet.variants import title_of

# Names of networks and layers, and what is written the same in both languages.
NAMES = (
    r"[A-E](-LRN|-BN)?|AlexNet|vgg16_bn|[a-z]+\d[\d_–a-z]*|soft-max|prob|avgpool|ReLU|dropout|MACs?"
    "|[GMK]"
)


def english_in(text: str) -> list[str]:
    """Words of Latin letters that are no names."""
    return [each for each in re.findall(r"[A-Za-z][\w–-]*", text) if not re.fullmatch(NAMES, each)]


@pytest.mark.parametrize("name", ["A", "A-LRN", "C", "vgg16_bn", "AlexNet"])
def test_every_word_is_known(name: str) -> None:
    small = analyze(configuration(name).scaled(width=0.5, head="average", num_classes=10))
    both = [small, analyze(configuration("E"))]
    drawn = [each.drawn(title_of(each.spec, each.spec.name)) for each in both]
    scene = network_scene(drawn, "zh")
    said_there = [shape.text for shape in scene.shapes if isinstance(shape, Words)]
    said_there += [shape.title for shape in scene.shapes if isinstance(shape, Box)]
    assert {text: english_in(text) for text in [scene.title, *said_there] if english_in(text)} == {}
    for each in both:
        table = costs_table(each.to_json(), 0, "zh")
        seen = re.sub(r"<[^>]*>", " ", table)
        seen += " ".join(re.findall(r'(?:data-details|aria-label)="([^"]*)"', table))
        assert english_in(seen) == []
    assert english_in("a kernel of conv3_1") == ["a", "kernel", "of"]


def test_the_legend_closes_up() -> None:
    """Chinese letters are wide, and few."""
    drawn = [analyze(name).drawn() for name in ("A", "E")]
    by_language = {
        language: [
            shape for shape in network_scene(drawn, language).shapes
            if isinstance(shape, Words) and shape.text == said("not the same in all", language)
        ]
        for language in ("en", "zh")
    }  # fmt: skip
    (english,), (chinese,) = by_language["en"], by_language["zh"]
    assert chinese.x < english.x


def test_a_page_in_chinese_says_so() -> None:
    analyses = [analyze("A"), analyze("E")]
    scene = network_scene([each.drawn() for each in analyses], "zh")
    text = page(svg(scene), [each.to_json() for each in analyses], "zh")
    assert '<html lang="zh-Hans">' in text
    assert "<title>A 与 E：逐层</title>" in text


def test_the_page_says_the_same_of_colours() -> None:
    source = (resources.files("vggnet") / "web/page/network/legend.js").read_text("utf-8")
    pairs = re.findall(r'words\(\s*"([^"]*)",\s*"([^"]*)",?\s*\)', source)
    assert len(pairs) == 7
    assert {english: _CHINESE[english] for english, _ in pairs} == dict(pairs)


def test_without_its_legend_a_drawing_is_as_high_as_its_columns() -> None:
    drawn = [analyze("D").drawn()]
    whole, bare = network_scene(drawn), network_scene(drawn, legend=False)
    assert whole.shapes[: len(bare.shapes)] == bare.shapes
    assert (
        max(each.y for each in bare.shapes if isinstance(each, Words)) < bare.height < whole.height
    )
