"""The nets of the paper's Table 3, each from the one that Section 3.1 starts it from.

In: a Dataset, what is changed of the paper's recipe, TrainingOptions. Out: a run's folder each
rung, with its weights. Nets A and A-LRN at S = 256 come first; B, C, D, E start from layers of
A; C, D, E go on from themselves at S = 384, then at S drawn from [256; 512]. A rung that is done is
passed over and one that was begun is resumed, so that the ladder can be stopped anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from vggnet.data import Dataset
from vggnet.differences import differences
from vggnet.training.loop import TrainingOptions
from vggnet.training.recipe import Recipe
from vggnet.training.recipes import PAPER, SET_BY_LADDER, fine_tuning, pre_training, vary
from vggnet.training.record import checkpoint
from vggnet.training.train import resume, train
from vggnet.weights import own_file
from vggnet.weights.named import WEIGHTS_OF_A_RUN

Record = Mapping[str, Any]  # how weights were trained and how they did, as their file says
DRAWN, DEEPER, RESCALED = ("A", "A-LRN"), ("B", "C", "D", "E"), ("C", "D", "E")


@dataclass(frozen=True)
class Rung:
    """One run of the ladder: its name is that of its folder, `source` that of the rung before."""

    name: str
    config: str
    source: str | None
    recipe: Recipe


def rungs(folder: Path, changes: Mapping[str, Any]) -> list[Rung]:
    """The ladder in `folder`, from net A on, with these fields of the paper's recipe changed.

    S moves in proportion with a changed input size. Weights are drawn by Glorot's rule where
    nothing else is asked for, since the paper's variance, as printed, trains narrow nets only. A
    changed rate is that of the first scale; the others take a tenth of it, as the paper does.
    Raises ValueError for fields that the ladder sets itself.
    """
    for field in SET_BY_LADDER:
        if field in changes:
            option = field.replace("_", "-")
            raise ValueError(
                f"{option} {changes[field]} is set, or not used, by the ladder: leave it out"
            )
    changes = {"initialization": PAPER.initialization, **changes}
    first = vary(PAPER, changes)

    def weights(name: str) -> str:
        return str(folder / name / WEIGHTS_OF_A_RUN)

    def side(pixels: int) -> int:
        return max(first.input_size, round(pixels * first.input_size / PAPER.input_size))

    found = [Rung(f"{config}-256", config, None, replace(first, config=config)) for config in DRAWN]
    for config in DEEPER:
        own = {**changes, "config": config, "init_from": weights("A-256")}
        found.append(Rung(f"{config}-256", config, "A-256", pre_training(PAPER, own)))
    brought = {
        "learning_rate": first.learning_rate / 10,
        **{name: value for name, value in changes.items()
           if name not in ("initialization", "width", "batch_norm", "learning_rate")},
    }  # fmt: skip
    for config in RESCALED:
        for scale, before, short_side in (
            ("384", "256", f"{side(384)}"),
            ("256-512", "384", f"{side(256)}-{side(512)}"),
        ):
            source = f"{config}-{before}"
            own = {**brought, "init": weights(source), "short_side": short_side}
            recipe = fine_tuning(PAPER, own, first.input_size)
            found.append(Rung(f"{config}-{scale}", config, source, recipe))
    return found


def climb(
    dataset: Dataset,
    ladder: list[Rung],
    options: TrainingOptions,
    note: Callable[[str], None],
) -> dict[str, Record]:
    """Train every rung that is not done, in the folders beneath that of `options`; their records.

    The weights themselves are in the files alone: all of them together would fill the memory.
    Raises what `train` and `resume` do, and ValueError for a rung that was trained otherwise.
    """
    done = {}
    for number, rung in enumerate(ladder, 1):
        folder = options.folder / rung.name
        record = finished(folder, rung, options)
        if record is None:
            note(f"rung {number} of {len(ladder)}: {rung.name}")
            own = replace(options, folder=folder)
            if (folder / checkpoint.FILE_NAME).exists():
                record = resume(dataset, own, _asked(rung)).training
            else:
                record = train(dataset, rung.recipe, own).training
        else:
            note(f"rung {number} of {len(ladder)}: {rung.name} is done")
        done[rung.name] = record
    return done


def finished(folder: Path, rung: Rung, options: TrainingOptions) -> Record | None:
    """The record of a rung that is through, tested where there are pictures to test on.

    Raises ValueError where they were trained otherwise than the rung says, naming the fields, and
    where they were not tested and no checkpoint is there to go on from.
    """
    path = folder / WEIGHTS_OF_A_RUN
    if not path.exists():
        return None
    training: Record = own_file.load(path).training
    differing = differences(asdict(Recipe.from_json(training["recipe"])), _asked(rung))
    if differing:
        raise ValueError(f"{path}: of another ladder: {differing}; choose another folder")
    if options.validation is None or options.validation.split in training["metrics"]:
        return training
    if not (folder / checkpoint.FILE_NAME).exists():
        raise ValueError(
            f"{path}: not tested on the {options.validation.split} pictures, and the checkpoint to "
            "go on from is gone; move it, and the rung is trained again"
        )
    return None


def _asked(rung: Rung) -> dict[str, Any]:
    """The fields that must not have changed: not the paths, as the folder may have been moved."""
    values = asdict(rung.recipe)
    return {name: value for name, value in values.items() if name not in ("init", "init_from")}
