"""One training run: by vggnet's own training, then measured on the pictures that it did not see.

In: a Recipe, the pictures, where to work. Out: plain values, or None where it was asked to stop;
its checkpoint is kept then, and the next call goes on from it. The weights of a whole run are kept
for those that start from them, learn from them or test them.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from harness.jobs import stored_side
from harness.measures import measures
from harness.pictures import PictureArray, part
from harness.results import CHOOSING, key, weights_name
from vggnet import engines
from vggnet.analysis import analyze
from vggnet.evaluation import evaluate
from vggnet.machine import processor_name
from vggnet.spec import Spec
from vggnet.training.loop import Interrupted, TrainingOptions
from vggnet.training.recipe import Recipe
from vggnet.training.record.checkpoint import FILE_NAME
from vggnet.training.record.history import read
from vggnet.training.run import Diverged
from vggnet.training.train import resume, train
from vggnet.weights.named import WEIGHTS_OF_A_RUN
from vggnet.weights.weights import Weights


@dataclass(frozen=True)
class Place:
    """Where runs are carried out: `folder` holds pictures and runs, `threads` are for a process."""

    folder: Path
    scale: str
    device: str
    threads: int
    workers: int

    def pictures(self, side: int) -> Path:
        """The file that `pictures.prepare` writes for that side."""
        return self.folder / f"{self.scale}-{side}.npy"

    def weights(self, recipe: Recipe) -> Path:
        """Where the weights of the recipe's run are kept."""
        return self.folder / "weights" / weights_name(recipe)

    def with_weights(self, recipe: Recipe) -> Recipe:
        """The recipe with the paths of the weights that it names."""
        names = {field: getattr(recipe, field) for field in ("init_from", "teacher")}
        paths = {
            field: str(self.folder / "weights" / name) for field, name in names.items() if name
        }
        return replace(recipe, **paths)


def net_text(spec: Spec) -> str:
    """The net's rows in one line, as a recipe's `config` takes them."""
    return " / ".join(spec.rows)


def about(recipe: Recipe, training: PictureArray, place: Place) -> dict[str, Any]:
    """What every result says of its net, pictures and machine."""
    spec = recipe.spec(len(training.classes))
    cost = analyze(spec)
    return {
        "recipe": recipe.to_json(),
        "net": net_text(spec),
        "parameters": cost.parameters,
        "macs": cost.macs,
        "pictures": {"digest": training.digest, "training": len(training.labels)},
        "device": device_name(place.device),
        "torch": str(torch.__version__),
    }


def one_run(
    recipe: Recipe,
    parts: tuple[str, ...],
    place: Place,
    should_stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any] | None:
    """The run's result, measured on `parts` of the pictures; None where it was asked to stop.

    A run whose loss is not finite any more is a result too: it has "diverged" and no measures.
    """
    begun, folder = time.perf_counter(), place.folder / "runs" / key(recipe)
    pictures = place.pictures(stored_side(recipe))
    training = part(pictures, "training")
    result = about(recipe, training, place)
    options = TrainingOptions(
        folder,
        workers=place.workers,
        device=place.device,
        threads=place.threads,
        curves=False,
        should_stop=should_stop,
    )
    try:
        if (folder / FILE_NAME).exists():
            weights = resume(training, options)
        else:
            shutil.rmtree(folder, ignore_errors=True)  # what a removal that was cut off has left
            weights = train(training, place.with_weights(recipe), options)
    except Interrupted:
        return None
    except Diverged as error:
        result["diverged"] = str(error)
    else:
        result["seconds"] = weights.training["wall_seconds"]
        for name in parts:
            result[name] = _measured(weights, pictures, name, place)
        if parts != CHOOSING:
            place.weights(recipe).parent.mkdir(exist_ok=True)
            (folder / WEIGHTS_OF_A_RUN).replace(place.weights(recipe))
    lines = read(folder / "metrics.jsonl")
    result["epochs"] = [
        {name: round(line[name], 4) for name in ("train_loss", "train_top1")}
        for line in lines
        if "epoch" in line
    ]
    result.setdefault("seconds", round(time.perf_counter() - begun))
    (folder / FILE_NAME).unlink()  # first: without its other files it could not be resumed
    shutil.rmtree(folder)
    return result


def device_name(device: str) -> str:
    """The device, as a machine's record names it."""
    on_cuda = device.startswith("cuda")
    return torch.cuda.get_device_name(device) if on_cuda else processor_name()


def _measured(weights: Weights, pictures: Path, name: str, place: Place) -> dict[str, float]:
    """The net's measures on the centre crops of one part, and of how many pictures."""
    engine = engines.create("torch", weights.spec, weights.state, device=place.device)
    dataset, logits = part(pictures, name), []

    def function(images_NCHW: NDArray[np.float32]) -> NDArray[np.float32]:
        logits.append(engine(images_NCHW))
        return logits[-1]

    evaluate(function, dataset, weights.preprocessing, batch_size=500)
    found = measures(np.concatenate(logits), dataset.labels)
    return {"images": len(dataset.labels), **{each: round(x, 5) for each, x in found.items()}}
