"""The class lists against independent ones, and labels of one's own classes."""

import json
import time
from importlib import metadata

import pytest

from vggnet.class_lists import LISTS, Label, labels, labels_from_names


def timm_list(name: str) -> list[list[str]]:
    """The rows of a list in timm's wheel, read as a file: importing timm would need torchvision."""
    try:
        files = metadata.files("timm") or []
    except metadata.PackageNotFoundError:
        files = []
    file = next((file for file in files if file.as_posix() == f"timm/data/_info/{name}"), None)
    if file is None:
        pytest.fail(f"timm's {name} is not installed: install the development requirements")
    return [row.split("\t") for row in file.read_text(encoding="utf-8").splitlines()]


def test_imagenet_is_the_list_of_timm() -> None:
    ours = labels("imagenet-1k")
    assert [label.index for label in ours] == list(range(1000))
    assert [[label.wnid] for label in ours] == timm_list("imagenet_synsets.txt")


def test_the_words_are_those_of_timm() -> None:
    words = dict(timm_list("imagenet_synset_to_lemma.txt"))
    assert len(words) > 20_000
    different = [label for label in labels("imagenet-1k") if words[label.wnid] != label.words]
    assert different == []


def test_tiny_imagenet_is_part_of_imagenet() -> None:
    words = {label.wnid: label.words for label in labels("imagenet-1k")}
    tiny = labels("tiny-imagenet")
    assert len(tiny) == len({label.wnid for label in tiny}) == 200
    different = [label for label in tiny if words.get(label.wnid) != label.words]
    assert different == []


@pytest.mark.parametrize("name", LISTS)
def test_the_order_is_that_of_the_wnids(name: str) -> None:
    wnids = [label.wnid for label in labels(name)]
    assert wnids == sorted(set(wnids))
    assert [label.index for label in labels(name)] == list(range(len(wnids)))


def test_classes_that_everybody_knows() -> None:
    by_index = {label.index: label for label in labels("imagenet-1k")}
    assert by_index[281] == Label(281, "n02123045", "tabby, tabby cat")
    assert by_index[285].name == "Egyptian cat"
    assert (by_index[0].name, by_index[999].name) == ("tench", "toilet tissue")
    assert labels("tiny-imagenet")[0] == Label(0, "n01443537", "goldfish, Carassius auratus")


def test_a_list_that_does_not_exist() -> None:
    with pytest.raises(
        ValueError, match="no label list 'cifar': there are imagenet-1k, tiny-imagenet"
    ):
        labels("cifar")


def test_labels_of_wnids_are_those_of_the_list() -> None:
    tiny = labels("tiny-imagenet")
    assert labels_from_names(label.wnid for label in tiny) == tiny


def test_labels_of_other_names_stand_for_themselves() -> None:
    got = labels_from_names(["tabby, mine", "n02123045", "n99999999"])
    assert got == (
        Label(0, "", "tabby, mine"),
        Label(1, "n02123045", "tabby, tabby cat"),
        Label(2, "", "n99999999"),
    )
    assert labels_from_names([]) == ()


def test_a_class_name_comes_once() -> None:
    with pytest.raises(ValueError, match="the class 'dog' comes more than once"):
        labels_from_names(["dog", "cat", "dog"])


def test_many_names_take_no_square_of_time() -> None:
    """A hundred thousand names, each looked for among all, would take minutes."""
    start = time.process_time()
    assert len(labels_from_names(map(str, range(100_000)))) == 100_000
    assert time.process_time() - start < 10


def test_json_round_trip() -> None:
    for label in (*labels("tiny-imagenet"), Label(3, "", "my dog")):
        assert Label.from_json(json.loads(json.dumps(label.to_json()))) == label


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (
            {"index": 1, "wnid": ""},
            "a label has index, wnid and words, not {'index': 1, 'wnid': ''}",
        ),
        ("text", "a label has index, wnid and words, not 'text'"),
        ({"index": "1", "wnid": "", "words": ""}, "index is '1'; give a whole number from 0 on"),
        ({"index": -1, "wnid": "", "words": ""}, "index is -1; give a whole number from 0 on"),
        ({"index": 1, "wnid": None, "words": ""}, "wnid is None; give a text"),
        ({"index": 1, "wnid": "", "words": ["a"]}, r"words is \['a'\]; give a text"),
    ],
    ids=str,
)
def test_json_that_is_no_label(values: object, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Label.from_json(values)
