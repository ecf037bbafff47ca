"""What tells one run from another: recipe, network, pictures.

In: a Recipe, a Spec, a Dataset. Out: plain values that a checkpoint holds, and their differences in
words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vggnet.data import Dataset


def fingerprint(dataset: Dataset) -> dict[str, Any]:
    """What tells one data set from another, without reading its pictures."""
    return {
        "name": Path(dataset.name).name,
        "pictures": len(dataset.labels),
        "classes": len(dataset.classes),
        "labels_sha256": hashlib.sha256(dataset.labels.tobytes()).hexdigest(),
    }


def differences(saved: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """The entries of `asked` that are not those of `saved`, both values of each; "" for none."""
    return ", ".join(
        f"{name} {saved.get(name)!r} there and {value!r} here"
        for name, value in asked.items()
        if saved.get(name) != value
    )
