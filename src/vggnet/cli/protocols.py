"""`vggnet evaluate --protocol ...`: the paper's ways of testing, saved, resumed and compared.

In: a data set, models, and what is asked for. Out: the accuracies with their intervals, as lines or
JSON, and with --save each picture's scores in a file that `vggnet report` reads.
"""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vggnet.cli.durations import in_words
from vggnet.cli.model_options import ModelChoice
from vggnet.cli.output import Format, note, print_json
from vggnet.cli.protocol_options import Asked

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vggnet.data import Dataset
    from vggnet.evaluation.protocols import Protocol, TrainingScale
    from vggnet.evaluation.reports import Report
    from vggnet.evaluation.scores_file import Row, ScoresTable
    from vggnet.model import Model


@dataclass(frozen=True)
class Job:
    """What is tested, on what: `indices` of `dataset`, whose classes are `class_index` of the first
    model's."""

    data: str
    dataset: Dataset
    indices: NDArray[np.int64]
    limit: int | None
    class_index: NDArray[np.int64]
    batch_size: int
    models: Sequence[Model]
    choices: Sequence[ModelChoice]


def run(job: Job, asked: Asked, strict: bool, format: Format) -> int:
    """Test, save and report; the exit status."""
    from vggnet.evaluation.protocols import parse_training_scale, protocol_for, training_scale
    from vggnet.evaluation.published_results import Conditions, expected
    from vggnet.evaluation.reports import report

    if asked.resume and not asked.save:
        raise ValueError("--resume goes on with a file of scores: give --save FILE.parquet too")
    given = parse_training_scale(asked.train_scale, "--train-scale") if asked.train_scale else None
    scales = [given or training_scale(model.weights) for model in job.models]
    protocols = [
        protocol_for(
            asked.protocol or "centre",
            model.weights,
            scales=asked.scales,
            scale=given,
            flip=asked.flip,
            score_average=asked.score_average,
        )
        for model in job.models
    ]
    for choice, protocol, scale in zip(job.choices, protocols, scales, strict=True):
        source = "" if asked.scales or protocol.name == "centre" else f" ({scale})"
        note(f"{choice.weights}: {protocol}{source}")
    published = None
    if asked.expect:  # before hours of work
        crop = job.models[0].preprocessing.crop
        tested = Conditions(crop, len(job.dataset.classes), job.dataset.split)
        names = [_known_as(each) for each in job.choices]
        published = expected(names, protocols[0], tested, scales[0])
    start = time.perf_counter()
    table, computed = _table(job, protocols, scales, asked)
    seconds = time.perf_counter() - start
    for fault in table.faults.values():
        note(f"left out: {fault}")
    found = report(table)
    equal = _print(job, protocols, scales, asked, found, computed / seconds, published, format)
    return int((strict and bool(table.faults)) or not equal)


def _known_as(choice: ModelChoice) -> str:
    """The published name of the weights, of a file by its path too where its bytes are known."""
    from vggnet.cli.weights_files import bytes_of
    from vggnet.weights.named import weights_file
    from vggnet.weights.published.catalog import is_name

    if is_name(choice.weights) and not Path(choice.weights).exists():
        return choice.weights
    with weights_file(choice.weights) as path:
        return str(bytes_of(path)["published"] or choice.weights)


def _table(
    job: Job, protocols: Sequence[Protocol], scales: Sequence[TrainingScale], asked: Asked
) -> tuple[ScoresTable, int]:
    """Every picture's scores, and how many were computed now; the others were there already."""
    from vggnet.evaluation.scores_file import ScoresWriter, check_same_job, in_memory, read_scores

    if asked.save is None:
        rows: list[Row] = []
        for chunk in _computed(job, protocols, 0):
            rows += chunk
        return in_memory(rows, _record(job, protocols, scales)), len(rows)
    record = _record(job, protocols, scales)
    if asked.resume and asked.save.exists() and not ScoresWriter.parts_of(asked.save).exists():
        check_same_job(asked.save, record)
        note(f"{asked.save}: complete already, so nothing is computed")
        return read_scores(asked.save), 0
    with ScoresWriter(asked.save, record, asked.resume) as writer:
        done = before = writer.done
        if done:
            note(f"goes on after {done:,} pictures")
        elif asked.resume:
            note(f"{asked.save}: no scores to go on with are there; begins with the first picture")
        try:
            for chunk in _computed(job, protocols, done):
                writer.add(chunk)
                done += len(chunk)
        except KeyboardInterrupt:
            note(f"stopped after {done:,} pictures; the same command with --resume goes on")
            raise
        writer.finish()
    return read_scores(asked.save), done - before


def _computed(job: Job, protocols: Sequence[Protocol], done: int) -> Iterator[list[Row]]:
    """The rows of the pictures after the first `done`, chunk by chunk, with progress for people."""
    from vggnet.evaluation.scores_file import Row
    from vggnet.evaluation.scoring import net_of, picture_scores
    from vggnet.image import PictureError, picture_name
    from vggnet.progress import counting_bar

    first = job.models[0]
    nets = [net_of(model, each, first) for model, each in zip(job.models, protocols, strict=True)]
    left = job.indices[done:]

    def row(index: int, scores: Any) -> Row:
        target = int(job.class_index[job.dataset.labels[index]])
        name = picture_name(job.dataset.where(index))
        if isinstance(scores, PictureError):
            return Row(index, name, target, None, str(scores))
        return Row(index, name, target, scores)

    told = _Estimate(len(left))
    with counting_bar("pictures", len(job.indices)) as advance:
        for chunk in picture_scores(nets, job.dataset, left, batch_size=job.batch_size):
            done += len(chunk)
            told.chunk(len(chunk))
            advance(done)
            yield [row(index, scores) for index, scores in chunk]


class _Estimate:
    """Says once how long the rest will take: by the second chunk, since the first one is slower."""

    def __init__(self, pictures: int) -> None:
        self.left, self.chunks, self.since = pictures, 0, time.perf_counter()

    def chunk(self, pictures: int) -> None:
        now = time.perf_counter()
        self.left -= pictures
        self.chunks += 1
        if self.chunks == 2 and self.left:
            seconds = (now - self.since) / pictures * self.left
            note(f"the other {self.left:,} pictures will take about {in_words(seconds)}")
        self.since = now


def _record(
    job: Job, protocols: Sequence[Protocol], scales: Sequence[TrainingScale]
) -> dict[str, Any]:
    """What the scores are of, and where they come from: the JSON in their file."""
    from vggnet import __version__
    from vggnet.class_lists import Label
    from vggnet.cli.weights_files import bytes_of
    from vggnet.commit import commit_of
    from vggnet.data.fingerprint import fingerprint
    from vggnet.weights.named import weights_file

    nets = []
    for choice, model, protocol, scale in zip(
        job.choices, job.models, protocols, scales, strict=True
    ):
        with weights_file(choice.weights) as path:
            known = bytes_of(path)
        nets.append(
            {
                "weights": choice.weights,
                "sha256": known["sha256"],
                "read_as": choice.read_as.given(),
                "preprocessing": model.preprocessing.to_json(),
                "protocol": protocol.to_json(),
                "training_scale": str(scale),
            }
        )
    first = job.models[0]
    num_classes = first.spec.num_classes or 0
    labels = first.labels or [Label(i, "", f"class {i}") for i in range(num_classes)]
    data = fingerprint(job.dataset)
    del data["class_names"]
    return {
        "command": shlex.join(["vggnet", *sys.argv[1:]]),
        "commit": commit_of(Path(__file__)),
        "vggnet": __version__,
        "nets": nets,
        "engine": first.engine.name,
        "precision": first.engine.precision,
        "batch_size": job.batch_size,
        "data": data,
        "data_path": str(Path(job.data).absolute()),
        "split": job.dataset.split,
        "limit": job.limit,
        "classes": [label.to_json() for label in labels],
    }


def _print(
    job: Job,
    protocols: Sequence[Protocol],
    scales: Sequence[TrainingScale],
    asked: Asked,
    found: Report,
    pictures_per_second: float,
    published: Any,
    format: Format,
) -> bool:
    """The result; whether it is what was published, where that was asked."""
    from vggnet.evaluation.published_results import sentence, verdict
    from vggnet.evaluation.score import CENTRE_CROP, Score

    measured = {"top1": found.top1, "top5": found.top5}
    equal = verdict(published, measured, found.intervals) if published else {}
    names = [choice.weights for choice in job.choices]
    if format == "json":
        values: dict[str, Any] = {
            **measured,
            "images": found.images,
            "split": job.dataset.split,
            "protocol": CENTRE_CROP if protocols[0].name == "centre" else protocols[0].name,
            "scales": [list(each.scales) for each in protocols] if len(names) > 1
            else list(protocols[0].scales),
            "training_scale": [str(each) for each in scales],
            "flip": protocols[0].flip,
            "score_average": protocols[0].score_average,
            "intervals": {name: list(each) for name, each in found.intervals.items()},
            "images_per_second": pictures_per_second,
            "broken": found.broken,
            "engine": job.models[0].engine.name,
            "precision": job.models[0].engine.precision,
            "weights": names if len(names) > 1 else names[0],
        }  # fmt: skip
        if asked.save:
            values["saved"] = str(asked.save)
        if published:
            values["published"] = {
                "top1": published.top1, "top5": published.top5, "source": published.source,
                "equal": equal,
            }  # fmt: skip
        print_json(values)
    else:
        print(Score(found.top1, found.top5, found.images, "", 0))
        print(interval_line(found))
        for name, same in equal.items():
            text = sentence(published, name, measured[name], found.intervals[name], same)
            print(f"   {text}")
    return all(equal.values())


def interval_line(found: Report) -> str:
    """Both intervals, in percent."""
    (low1, high1), (low5, high5) = (
        tuple(100 * each for each in found.intervals[name]) for name in ("top1", "top5")
    )
    return (
        f"   95% of samples of {found.images:,} pictures: Acc@1 {low1:.2f} to {high1:.2f}, "
        f"Acc@5 {low5:.2f} to {high5:.2f}"
    )
