"""Class lists in files, as people have them.

In: a list's name or a text file: a class a line, perhaps with its WordNet id first
(synset_words.txt), a JSON list, or JSON with a class an index ({"0": "cat"}; Keras's class_index:
{"0": ["n01440764", "tench"]}), or what `vggnet labels --format json` prints. Out: Labels in the
order of their indices.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from reprlib import repr as short_repr

from vggnet.class_lists import LISTS, Label, labels, labels_from_names

_WNID = re.compile(r"n[0-9]{8}")
_MOST_BYTES = 16 << 20


def read_labels(source: str | Path) -> tuple[Label, ...]:
    """The classes of a list of this package by its name, or of a file.

    Raises ValueError, in one line, where there is neither, and for a file in another form.
    """
    if str(source) in LISTS:
        return labels(str(source))
    path = Path(source)
    if path.exists() and not path.is_file():
        raise ValueError(
            f"labels {str(source)!r}: a folder, a pipe or a device, not a regular file"
        )
    if not path.is_file():
        raise ValueError(
            f"labels {str(source)!r}: no such file, and no list of this package: {', '.join(LISTS)}"
        )
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"{path}: too large for a list of classes")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not UTF-8 text: give a class a line, or JSON") from None
    try:
        entries = _entries(text)
        if not entries:
            raise ValueError("it names no class")
        if any(wnid for wnid, _ in entries):
            return tuple(Label(i, wnid, words) for i, (wnid, words) in enumerate(entries))
        return labels_from_names(words for _, words in entries)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _entries(text: str) -> list[tuple[str, str]]:
    """(WordNet id or "", words) of every class."""
    if text.lstrip()[:1] not in ("[", "{"):
        return [_split(line.strip()) for line in text.splitlines() if line.strip()]
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("it begins like JSON and is none") from None
    if isinstance(values, dict):
        try:
            by_index = {int(key): value for key, value in values.items()}
        except ValueError:
            by_index = _turned(values)
        if sorted(by_index) != list(range(len(by_index))):
            raise ValueError(f"its {len(by_index)} indices are not 0 to {len(by_index) - 1}")
        values = [by_index[index] for index in range(len(by_index))]
    return [_entry(value) for value in values]


def _turned(values: dict[str, object]) -> dict[int, str]:
    """{"cat": 0}, as class_to_idx has it, the other way round."""
    turned = {index: name for name, index in values.items() if isinstance(index, int)}
    if len(turned) < len(values):
        raise ValueError('give an object with a class an index, as {"0": "cat"} or {"cat": 0}')
    return turned


def _entry(value: object) -> tuple[str, str]:
    if isinstance(value, str):
        return _split(value)
    if isinstance(value, dict):
        label = Label.from_json(value)
        return label.wnid, label.words
    if isinstance(value, list) and len(value) == 2 and all(isinstance(x, str) for x in value):
        return value[0], value[1]
    raise ValueError(f"a class is {short_repr(value)}; give a name, or a WordNet id and a name")


def _split(line: str) -> tuple[str, str]:
    wnid, _, words = line.replace("\t", " ").partition(" ")
    if _WNID.fullmatch(wnid) and words.strip():
        return wnid, words.strip()
    return "", line
