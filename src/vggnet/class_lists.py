"""Names of classes: the lists that nets are trained on, and one's own, in English and Chinese.

In: a list's name, class names, or plain JSON. Out: Labels in the order of their indices. The lists
are the wnids of WordNet 3.0 with their words, as ILSVRC 2012 and Tiny-ImageNet order them. The
Chinese names are this package's own translation of the sense that a wnid has: one to a class, no
name twice ("crane" is 鹤, the bird, and 起重机, the machine). Where two classes show one thing,
they got two words for it: "sunglass" is 墨镜 and "sunglasses" 太阳镜.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import Any

LISTS = ("imagenet-1k", "tiny-imagenet")
LANGUAGES = {"en": "imagenet-1k", "zh": "imagenet-1k.zh"}  # file of the words by wnid


@dataclass(frozen=True)
class Label:
    """A class: its index in the network's output, its WordNet id ("" for one's own), its words."""

    index: int
    wnid: str
    words: str

    @property
    def name(self) -> str:
        """Of WordNet's classes the first of the words: "goldfish" of "goldfish, Carassius auratus".

        Of one's own class all of them: what is after a comma may be all that tells it from another.
        """
        return self.first_words if self.wnid else self.words

    @property
    def first_words(self) -> str:
        """What stands before the first comma."""
        return self.words.partition(",")[0]

    def __post_init__(self) -> None:
        if type(self.index) is not int or self.index < 0:
            raise ValueError(f"a label's index is {self.index!r}; give a whole number from 0 on")
        for field in ("wnid", "words"):
            if not isinstance(value := getattr(self, field), str):
                raise ValueError(f"a label's {field} is {value!r}; give a text")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Label:
        """Raises ValueError where `values` is not what `to_json` gives."""
        try:
            return Label(values["index"], values["wnid"], values["words"])
        except (KeyError, TypeError):
            raise ValueError(f"a label has index, wnid and words, not {values!r}") from None


def labels(name: str, language: str = "en") -> tuple[Label, ...]:
    """The classes of a list, "imagenet-1k" or "tiny-imagenet", in the order of their indices.

    `language` is "en" or "zh" (simplified Chinese). Raises ValueError, which says what there is,
    for another list or language.
    """
    return in_language(_english(name), language)


def in_language(given: Iterable[Label], language: str) -> tuple[Label, ...]:
    """Labels with their words in `language`, "en" or "zh", found by WordNet id.

    Those of other classes stay as they are. Raises ValueError for a language that there is not.
    """
    known = translations(language)
    return tuple(replace(label, words=known.get(label.wnid, label.words)) for label in given)


@lru_cache
def translations(language: str) -> Mapping[str, str]:
    """The words in `language` of each class of ImageNet: {"n02123045": "虎斑猫", ...}."""
    if language not in LANGUAGES:
        raise ValueError(f"no class names in {language!r}: there are {', '.join(LANGUAGES)}")
    return MappingProxyType(dict(_rows(LANGUAGES[language])))


@lru_cache
def _english(name: str) -> tuple[Label, ...]:
    if name not in LISTS:
        raise ValueError(f"no label list {name!r}: there are {', '.join(LISTS)}")
    return tuple(Label(index, wnid, words) for index, (wnid, words) in enumerate(_rows(name)))


def _rows(file: str) -> list[list[str]]:
    """The wnids and words of a file of the package."""
    path = resources.files("vggnet") / "label_lists" / f"{file}.tsv"
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]


def find_class(labels: Sequence[Label], text: str) -> int:
    """The index of the class with this name (in whatever case), WordNet id or index.

    Raises ValueError where there is none, which names a near one, or several have the name.
    """
    if text.isascii() and text.isdigit():
        return int(text)
    wanted = text.strip().lower()
    found = [
        label.index for label in labels if wanted in (label.wnid, label.first_words.lower())
    ] or [label.index for label in labels if label.words.lower() == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        listed = " and ".join(f"{index} ({labels[index].words})" for index in found)
        raise ValueError(f"several classes are called {text!r}: give the index, {listed}")
    near = get_close_matches(wanted, [label.name.lower() for label in labels], 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(f"no class {text!r}: {hint}vggnet labels lists the classes of a model")


def labels_from_names(class_names: Iterable[str]) -> tuple[Label, ...]:
    """Labels of a data set's class names: wnids get their words, other names stand for themselves.

    Raises ValueError for a name that comes more than once.
    """
    known = translations("en")
    given = list(class_names)
    repeated = [name for name, count in Counter(given).items() if count > 1]
    if repeated:
        raise ValueError(f"the class {repeated[0]!r} comes more than once; rename one of them")
    return tuple(
        Label(index, name if name in known else "", known.get(name, name))
        for index, name in enumerate(given)
    )
