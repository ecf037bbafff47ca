"""What tells one data set from another.

In: a Dataset. Out: plain values, which checkpoints and files of scores hold, and their differences
in words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from vggnet.data.dataset import Dataset
from vggnet.differences import differences


def fingerprint(dataset: Dataset) -> dict[str, Any]:
    """What tells one data set from another, without reading its pictures."""
    return {
        "name": Path(dataset.name).name,
        "pictures": len(dataset.labels),
        "classes": len(dataset.classes),
        "class_names": [label.wnid or label.words for label in dataset.classes],
        "labels_sha256": hashlib.sha256(dataset.labels.tobytes()).hexdigest(),
        "contents_sha256": _digest(dataset.contents()),
    }


def identity(fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    """What of a fingerprint must be the same: not the name of the folder, which may be renamed.

    It counts in those of the first version alone, which do not know the names of files.
    """
    known = "contents_sha256" in fingerprint
    return {name: value for name, value in fingerprint.items() if not (known and name == "name")}


def data_differences(saved: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """How the fingerprint `found` is that of other data than `saved`; "" where it is not.

    Fingerprints of the first version, which hold less, are compared in what they hold.
    """
    known = identity(saved).keys() & {"name", "pictures", "classes"}
    parts = [differences(saved, {name: found[name] for name in saved if name in known})]
    names = zip_longest(saved.get("class_names", found["class_names"]), found["class_names"])
    renamed = ((number, *pair) for number, pair in enumerate(names) if pair[0] != pair[1])
    parts += [f"class {number} {a!r} there and {b!r} here" for number, a, b in renamed][:1]
    for name, what in (
        ("labels_sha256", "the classes of pictures"),
        ("contents_sha256", "names or rows of files"),
    ):
        if saved.get(name, found[name]) != found[name]:
            parts.append(f"{what} differ")
    return ", ".join(filter(None, parts))


def _digest(texts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode("utf-8", "surrogateescape") + b"\0")
    return digest.hexdigest()
