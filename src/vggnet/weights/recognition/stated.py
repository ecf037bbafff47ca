"""What a weight file says beside its arrays: preprocessing, mean, the names of its classes.

In: the metadata of a container: our own entries in a file of another convention, which `vggnet
weights convert` leaves there, and those of MatConvNet. Out: values, or None where nothing is said.
Every one raises ValueError, in one line that begins with the path, for an entry of ours that is
broken.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from vggnet.class_lists import Label, labels
from vggnet.preprocess import Preprocess
from vggnet.printable import printable
from vggnet.weights.containers import Contents
from vggnet.weights.weights import Weights

_PREPROCESS, _LABELS = "vggnet_preprocess", "vggnet_labels"


def properties(weights: Weights) -> dict[str, str]:
    """The entries that say what a convention leaves open."""
    classes = [label.to_json() for label in weights.labels]
    return {
        _PREPROCESS: json.dumps(weights.preprocessing.to_json()),
        **({_LABELS: json.dumps(classes)} if classes else {}),
    }


def stated_preprocessing(contents: Contents, path: str) -> Preprocess | None:
    """Our own entry."""
    stated = _entry(contents, path, _PREPROCESS)
    try:
        return None if stated is None else Preprocess.from_json(stated)
    except ValueError as error:
        raise ValueError(f"{path}: broken metadata: {printable(str(error))}") from None


def stated_mean(contents: Contents) -> tuple[float, float, float] | None:
    """R, G, B of MatConvNet's average picture."""
    normalization = contents.metadata.get("normalization")
    mean = normalization.get("averageImage") if isinstance(normalization, Mapping) else None
    if isinstance(mean, list) and len(mean) == 3 and all(type(x) in (int, float) for x in mean):
        red, green, blue = map(float, mean)
        return (red, green, blue) if math.isfinite(red + green + blue) else None
    return None


def stated_labels(contents: Contents, path: str, num_classes: int | None) -> tuple[Label, ...]:
    """The file's own classes, else ImageNet's where there are a thousand, else none."""
    stated = _entry(contents, path, _LABELS)
    if isinstance(stated, list) and len(stated) == num_classes:
        try:
            return tuple(Label.from_json(each) for each in stated)
        except ValueError as error:
            raise ValueError(f"{path}: broken metadata: {printable(str(error))}") from None
    if own := _matconvnet_classes(contents, num_classes):
        return own
    return labels("imagenet-1k") if num_classes == 1000 else ()


def _entry(contents: Contents, path: str, key: str) -> Any:
    entries = contents.metadata.get("properties", contents.metadata)  # ONNX has them one deeper
    text = entries.get(key) if isinstance(entries, Mapping) else None
    if not isinstance(text, str):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: broken metadata: {key}: {printable(str(error))}") from None


def _matconvnet_classes(contents: Contents, num_classes: int | None) -> tuple[Label, ...]:
    """WordNet ids and words in the order of the net's outputs."""
    classes = contents.metadata.get("classes")
    lists = [classes.get(key) for key in ("name", "description")] if isinstance(
        classes, Mapping) else []  # fmt: skip
    if not lists or not all(isinstance(each, list) and len(each) == num_classes for each in lists):
        return ()
    pairs = list(zip(*lists, strict=True))
    if not all(isinstance(text, str) for pair in pairs for text in pair):
        return ()
    return tuple(Label(index, wnid, words) for index, (wnid, words) in enumerate(pairs))
