"""Names of classes: the lists that nets are trained on, and one's own.

In: a list's name, class names, or plain JSON. Out: Labels in the order of their indices. The lists
are the wnids of WordNet 3.0 with their words, as ILSVRC 2012 and Tiny-ImageNet order them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

_LISTS = ("imagenet-1k", "tiny-imagenet")


@dataclass(frozen=True)
class Label:
    """A class: its index in the network's output, its WordNet id ("" for one's own), its words."""

    index: int
    wnid: str
    words: str

    @property
    def name(self) -> str:
        """The first of the words: "goldfish" of "goldfish, Carassius auratus"."""
        return self.words.partition(",")[0]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Label:
        """Raises ValueError where `values` is not what `to_json` gives."""
        try:
            index, wnid, words = values["index"], values["wnid"], values["words"]
        except (KeyError, TypeError):
            raise ValueError(f"a label has index, wnid and words, not {values!r}") from None
        if type(index) is not int or not isinstance(wnid, str) or not isinstance(words, str):
            raise ValueError(f"a label has a whole number and two texts, not {values!r}")
        return Label(index, wnid, words)


def names() -> tuple[str, ...]:
    """The lists that `labels` knows."""
    return _LISTS


@lru_cache
def labels(name: str) -> tuple[Label, ...]:
    """The classes of a list, "imagenet-1k" or "tiny-imagenet", in the order of their indices."""
    if name not in _LISTS:
        raise ValueError(f"no label list {name!r}: there are {', '.join(_LISTS)}")
    path = resources.files("vggnet") / "label_lists" / f"{name}.tsv"
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    return tuple(Label(index, wnid, words) for index, (wnid, words) in enumerate(rows))


def labels_from_names(class_names: Iterable[str]) -> tuple[Label, ...]:
    """Labels of a data set's class names: wnids get their words, other names stand for themselves.

    Raises ValueError for a name that comes twice.
    """
    known = {label.wnid: label.words for label in labels("imagenet-1k")}
    given = list(class_names)
    repeated = sorted({name for name in given if given.count(name) > 1})
    if repeated:
        raise ValueError(f"the class {', '.join(map(repr, repeated[:3]))} comes twice")
    return tuple(
        Label(index, name if name in known else "", known.get(name, name))
        for index, name in enumerate(given)
    )
