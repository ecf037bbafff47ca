"""The class lists against independent ones, and labels of one's own classes."""

import json
import re
import time
from importlib import metadata

import pytest

from vggnet.class_lists import (
    LANGUAGES,
    LISTS,
    Label,
    find_class,
    in_language,
    labels,
    labels_from_names,
    translations,
)


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


def test_a_language_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="no class names in 'fr': there are en, zh"):
        labels("tiny-imagenet", language="fr")


def test_every_class_has_one_chinese_name_and_no_two_the_same() -> None:
    chinese = labels("imagenet-1k", language="zh")
    assert [each.wnid for each in chinese] == [each.wnid for each in labels("imagenet-1k")]
    assert list(translations("zh")) == [each.wnid for each in chinese]
    assert len({each.words for each in chinese}) == 1000
    assert all(each.words == each.name for each in chinese)  # one name, no list of them


def test_chinese_names_are_simplified_chinese() -> None:
    rare = set(
        "䴕獴鸮羱鹀鱥鳽狆鹟蠵魟"
    )  # animals that GB 2312, which has no traditional forms, lacks
    latin = {"iPod", "CD播放机", "T恤衫", "福特T型车"}
    for each in labels("imagenet-1k", language="zh"):
        if each.words not in latin:
            assert re.fullmatch(r"[\u3400-\u9fff]+", each.words), each
            "".join(set(each.words) - rare).encode("gb2312")


@pytest.mark.parametrize(
    ("index", "english", "chinese"),
    [
        (134, "crane", "鹤"),
        (517, "crane", "起重机"),
        (264, "Cardigan", "卡迪根柯基犬"),
        (474, "cardigan", "开襟毛衣"),
        (21, "kite", "鸢"),
        (17, "jay", "松鸦"),
        (97, "drake", "公鸭"),
        (242, "boxer", "拳师犬"),
        (254, "pug", "巴哥犬"),
        (312, "cricket", "蟋蟀"),
        (321, "admiral", "红蛱蝶"),
        (339, "sorrel", "栗色马"),
        (417, "balloon", "气球"),
        (456, "bow", "弓"),
        (458, "brass", "纪念铜牌"),
        (542, "drumstick", "鼓槌"),
        (666, "mortar", "研钵"),
        (673, "mouse", "鼠标"),
        (677, "nail", "钉子"),
        (680, "nipple", "奶嘴"),
        (687, "organ", "管风琴"),
        (714, "pick", "拨片"),
        (726, "plane", "木工刨"),
        (746, "puck", "冰球"),
        (769, "rule", "尺子"),
        (824, "stole", "长披肩"),
        (908, "wing", "机翼"),
        (989, "hip", "蔷薇果"),
        (998, "ear", "谷穗"),
    ],
)
def test_words_of_two_senses_have_that_of_the_class(index: int, english: str, chinese: str) -> None:
    assert labels("imagenet-1k")[index].name == english
    assert labels("imagenet-1k", language="zh")[index].name == chinese


def test_labels_of_any_net_in_a_language() -> None:
    given = (Label(0, "n02123045", "tabby, tabby cat"), Label(1, "", "tabby"))
    chinese = in_language(given, "zh")
    assert chinese == (Label(0, "n02123045", "虎斑猫"), Label(1, "", "tabby"))
    assert in_language(chinese, "en") == given
    tiny = labels("tiny-imagenet")
    assert in_language(tiny, "zh") == labels("tiny-imagenet", language="zh")
    for language in LANGUAGES:
        assert in_language(labels("tiny-imagenet", language), "en") == tiny


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


def test_a_comma_cuts_no_name_of_ones_own_short() -> None:
    """Of PlantVillage's folders both would be called Pepper, and nobody could tell which is ill."""
    ill, well, tabby = found = labels_from_names(
        ["Pepper,_bell___Bacterial_spot", "Pepper,_bell___healthy", "n02123045"]
    )
    assert (ill.name, well.name) == ("Pepper,_bell___Bacterial_spot", "Pepper,_bell___healthy")
    assert tabby.name == "tabby"
    assert find_class(found, well.name) == 1


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


@pytest.mark.parametrize("text", ["espresso", "Espresso", "n07920052", "193"])
def test_a_class_is_found_by_name_wnid_or_index(text: str) -> None:
    known = labels("tiny-imagenet")
    assert known[find_class(known, text)].wnid == "n07920052"


def test_a_class_that_is_not_found() -> None:
    known = labels("imagenet-1k")
    with pytest.raises(ValueError, match=r"no class 'espreso': did you mean 'espresso'\? vggnet"):
        find_class(known, "espreso")
    with pytest.raises(ValueError, match="several classes are called 'crane': give the index, 134"):
        find_class(known, "crane")
