"""What the scores of a data set say: accuracy, by class too, confusions, calibration, mistakes.

In: one or several tables of scores (scores_file.py). Out: a Report, whose `to_json` names command,
commit, digests and protocol. Several tables of the same pictures are averaged first: nets (Section
4.4 of the paper), or protocols, such as dense and multicrop.
Shapes: N pictures, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vggnet.evaluation.calibration import Calibration, calibration
from vggnet.evaluation.intervals import Interval, accuracy_interval
from vggnet.evaluation.protocols import ScoreAverage
from vggnet.evaluation.score import class_indices, rank_of_target
from vggnet.evaluation.scores_file import ScoresTable


@dataclass(frozen=True)
class ClassAccuracy:
    """Of the pictures of one class: how many there are, and the shares that were right."""

    index: int
    name: str
    pictures: int
    top1: float
    top5: float
    taken_for: str  # the class that most of its other pictures are taken for, "" for none


@dataclass(frozen=True)
class Mistake:
    """A picture that is taken for another class, and how surely."""

    index: int  # in the data set
    picture: str
    target: int
    answer: int
    confidence: float
    of_target: float  # the probability of the right class


@dataclass(frozen=True)
class Report:
    """Accuracies are fractions of 1 over `images` pictures; intervals hold 95%."""

    top1: float
    top5: float
    images: int
    broken: int
    intervals: dict[str, Interval]
    classes: tuple[ClassAccuracy, ...]
    confusion_KK: NDArray[np.int64]  # rows: the right class; columns: the answer
    calibration: Calibration | None  # None for fewer than two pictures
    records: tuple[dict[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values; the confusion matrix has a file of its own."""
        classes = self.records[0]["classes"]
        return {
            "top1": self.top1,
            "top5": self.top5,
            "images": self.images,
            "broken": self.broken,
            "intervals": {name: list(each) for name, each in self.intervals.items()},
            "calibration": asdict(self.calibration) if self.calibration else None,
            "classes": [
                asdict(each) | {"wnid": classes[each.index]["wnid"]} for each in self.classes
            ],
            "scores": [
                {name: value for name, value in record.items() if name != "classes"}
                for record in self.records
            ],
        }


def report(table: ScoresTable, records: Sequence[dict[str, Any]] = ()) -> Report:
    """`records` are those of the tables that were averaged. Raises ValueError for no pictures."""
    if not len(table.target):
        first = next(iter(table.faults.values()), "there are none")
        raise ValueError(f"no picture could be read; the first fault: {first}")
    ranks_N = rank_of_target(table.scores_NK, table.target)
    hits = {"top1": ranks_N < 1, "top5": ranks_N < 5}
    answer_N = table.scores_NK.argmax(axis=1)
    num_classes = table.scores_NK.shape[1]
    confusion_KK = np.zeros((num_classes, num_classes), np.int64)
    np.add.at(confusion_KK, (table.target, answer_N), 1)
    several = len(table.target) > 1
    return Report(
        float(hits["top1"].mean()),
        float(hits["top5"].mean()),
        len(table.target),
        len(table.faults),
        {name: accuracy_interval(each) for name, each in hits.items()},
        _classes(table, hits["top1"], hits["top5"], confusion_KK),
        confusion_KK,
        calibration(table.scores_NK, table.target) if several else None,
        tuple(records) or (dict(table.record),),
    )


def _classes(
    table: ScoresTable,
    top1_N: NDArray[np.bool_],
    top5_N: NDArray[np.bool_],
    confusion_KK: NDArray[np.int64],
) -> tuple[ClassAccuracy, ...]:
    """The classes that have pictures, in their order."""
    names = [label.name or f"class {label.index}" for label in table.classes]
    num_classes = len(names)
    counts = np.bincount(table.target, minlength=num_classes)
    shares = [
        np.bincount(table.target, hits_N, num_classes) / np.maximum(counts, 1)
        for hits_N in (top1_N, top5_N)
    ]
    others_KK = confusion_KK.copy()
    np.fill_diagonal(others_KK, 0)
    most = others_KK.argmax(axis=1)
    return tuple(
        ClassAccuracy(
            i, names[i], int(counts[i]), float(shares[0][i]), float(shares[1][i]),
            names[most[i]] if others_KK[i, most[i]] else "",
        )
        for i in np.flatnonzero(counts).tolist()
    )  # fmt: skip


def mistakes(table: ScoresTable, number: int) -> list[Mistake]:
    """The most confident wrong answers, the surest first."""
    answer_N = table.scores_NK.argmax(axis=1)
    confidence_N = table.scores_NK.max(axis=1)
    wrong = np.flatnonzero(answer_N != table.target)
    order = wrong[np.argsort(-confidence_N[wrong], kind="stable")][:number]
    return [
        Mistake(
            int(table.index[i]), table.picture[i], int(table.target[i]), int(answer_N[i]),
            float(confidence_N[i]), float(table.scores_NK[i, table.target[i]]),
        )
        for i in order.tolist()
    ]  # fmt: skip


def fused(tables: Sequence[ScoresTable], average: ScoreAverage = "softmax") -> ScoresTable:
    """The mean of the posteriors of several tables, as the paper fuses nets.

    "logits" takes the mean of their logarithms instead, which are the logits but for a constant a
    picture. A picture that is broken in one table is left out of all. Raises ValueError for tables
    of other pictures or classes.
    """
    first, *others = tables
    for other in others:
        if _data(other) != _data(first):
            raise ValueError(f"scores of {_data(first)} and of {_data(other)} cannot be averaged")
    faults = {index: text for table in tables for index, text in table.faults.items()}
    kept = [_prepared(table, first, faults) for table in tables]
    for table in kept[1:]:
        same = np.array_equal(table.index, kept[0].index)
        if not same or not np.array_equal(table.target, kept[0].target):
            raise ValueError(
                f"scores of {len(kept[0].index)} and {len(table.index)} pictures, which are not "
                "the same ones, cannot be averaged; test both with the same --limit"
            )
    stack = [table.scores_NK.astype(np.float64) for table in kept]
    if average == "softmax":
        mean_NK = np.mean(stack, axis=0)
    else:
        smallest = np.finfo(np.float32).tiny
        mean_NK = np.exp(np.mean([np.log(np.maximum(each, smallest)) for each in stack], axis=0))
        mean_NK /= mean_NK.sum(axis=1, keepdims=True)
    return replace(kept[0], scores_NK=mean_NK.astype(np.float32), faults=faults)


def _data(table: ScoresTable) -> str:
    data = table.record.get("data", {})
    return f"{data.get('name')} ({data.get('pictures')} pictures, {table.record.get('split')})"


def _prepared(table: ScoresTable, first: ScoresTable, faults: dict[int, str]) -> ScoresTable:
    """Without these pictures, in the order of the data set, the classes in the order of `first`."""
    order = np.argsort(table.index)
    order = order[~np.isin(table.index[order], list(faults))]
    scores_NK, target_N = table.scores_NK[order], table.target[order]
    if table.record["classes"] != first.record["classes"]:
        if len(table.classes) != len(first.classes):
            raise ValueError(
                f"scores of {len(first.classes)} and {len(table.classes)} classes cannot be "
                "averaged"
            )
        place_K = class_indices(table.classes, first.classes)
        scores_NK = scores_NK[:, place_K]
        target_N = np.argsort(place_K)[target_N]
    return replace(
        table,
        record=first.record,
        index=table.index[order],
        picture=tuple(table.picture[i] for i in order),
        target=target_N,
        scores_NK=scores_NK,
    )
