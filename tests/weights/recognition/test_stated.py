import json
from typing import Any

import pytest
from published_forms import contents
from small_nets import AVERAGE, random_state

from vggnet.class_lists import Label, labels
from vggnet.preprocess import Preprocess
from vggnet.weights.recognition.stated import (
    properties,
    stated_labels,
    stated_mean,
    stated_preprocessing,
)
from vggnet.weights.weights import Weights

MINE = labels("tiny-imagenet")[:7]
PREPROCESS = Preprocess.torchvision(20, 16)


def stated(**metadata: Any) -> Any:
    return contents({}, "memory", **metadata)


@pytest.mark.parametrize("deeper", [False, True])
def test_our_own_entries_come_back(deeper: bool) -> None:
    entries = properties(Weights(AVERAGE, random_state(AVERAGE), PREPROCESS, MINE))
    found = stated(properties=entries) if deeper else stated(**entries)
    assert stated_preprocessing(found, "net") == PREPROCESS
    assert stated_labels(found, "net", 7) == MINE
    assert stated_labels(found, "net", 6) == ()  # the head was changed


def test_where_nothing_is_stated() -> None:
    assert properties(Weights(AVERAGE, random_state(AVERAGE), PREPROCESS)).keys() == {
        "vggnet_preprocess"
    }
    for found in (stated(), stated(properties=[]), stated(vggnet_preprocess=3, classes=[],
                                                          normalization="none")):  # fmt: skip
        assert stated_preprocessing(found, "net") is None
        assert stated_mean(found) is None
        assert stated_labels(found, "net", 7) == ()
        assert stated_labels(found, "net", 1000) == labels("imagenet-1k")


@pytest.mark.parametrize("text", ["", "[" * 100_000, "[1]", '{"crop": 3}', "nan"])
def test_broken_entries_of_ours_are_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"^net: broken metadata: ") as caught:
        stated_preprocessing(stated(vggnet_preprocess=text), "net")
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=r"^net: broken metadata: "):
        stated_labels(stated(vggnet_labels=json.dumps([{}] * 7)), "net", 7)


def test_matconvnet_s_classes_and_mean() -> None:
    classes = {"name": ["n1", "n2"], "description": ["a cat, a pet", "a dog"]}
    assert stated_labels(stated(classes=classes), "net", 2) == (
        Label(0, "n1", "a cat, a pet"), Label(1, "n2", "a dog"),
    )  # fmt: skip
    for name in (["n1"], ["n1", 2], "n1"):
        assert stated_labels(stated(classes=classes | {"name": name}), "net", 2) == ()
    mean = [123.68, 116, 103.9]
    assert stated_mean(stated(normalization={"averageImage": mean})) == (123.68, 116, 103.9)
    for other in ([1, 2], [1, 2, float("nan")], [1, 2, "3"], 7):
        assert stated_mean(stated(normalization={"averageImage": other})) is None
