"""The range test: which learning rates a network can be trained at.

In: a Dataset, a Recipe, TrainingOptions. Out: a RangeTest with the loss at each rate and, where the
curve gives them, an interval and a suggestion. Source: Smith 2015, arXiv 1506.01186, Section 3.3:
train for a while as the rate rises, and see where the loss begins to fall and where it stops.

Nothing of a run is touched: each seed trains a network of its own, drawn or copied from the weights
of the recipe, on batches of the recipe's size, parts and views, and throws it away.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vggnet.data import Dataset
from vggnet.data.parquet import ParquetDataset
from vggnet.evaluation.figures import can_draw
from vggnet.image import PictureError
from vggnet.training.batches.pictures import DecodedPictures, batches
from vggnet.training.beginning import Beginning, begin
from vggnet.training.loop import TrainingOptions
from vggnet.training.recipe import OF_A_SCHEDULE, Recipe
from vggnet.training.run import Diverged, Run, figures

LOWEST, HIGHEST = 1e-4, 10.0
STEPS, SEEDS = 100, 3
_PASSED_OVER = 10  # first steps, at the lowest rate: their loss falls whatever the rate is
_DIVERGED = 2.0  # times the first loss that counts
_SMOOTH = 0.12  # decades: the deviation of the Gaussian that a curve is smoothed with
_FALL = 0.1  # of the way from the start to the least loss: from there on it falls
_LEAST_FALL = 3.0  # standard errors of the smoothed curve, which the fall must exceed
_BELOW_LEAST = 2.0  # by what the rate of the least loss is divided


@dataclass(frozen=True)
class RangeTest:
    """`losses[i]` is the smoothed mean loss after a step at `rates[i]`, over all seeds.

    The curve ends where a seed diverged. `suggestion` and `interval` are None where the curve gives
    none; `reason` says in a sentence why it is as it is.
    """

    suggestion: float | None
    interval: tuple[float, float] | None
    reason: str
    rates: tuple[float, ...]
    losses: tuple[float, ...]
    by_seed: tuple[tuple[float, ...], ...]  # not smoothed
    diverged: bool

    def to_json(self) -> dict[str, Any]:
        return {
            "suggestion": self.suggestion,
            "interval": None if self.interval is None else list(self.interval),
            "reason": self.reason,
            "rates": list(self.rates),
            "losses": list(self.losses),
        }


def find_rate(
    dataset: Dataset,
    recipe: Recipe,
    options: TrainingOptions,
    *,
    lowest: float = LOWEST,
    highest: float = HIGHEST,
    num_steps: int = STEPS,
    num_seeds: int = SEEDS,
    progress: Callable[[int], None] = lambda done: None,
) -> RangeTest:
    """Try `num_steps` rates from `lowest` to `highest`, evenly spaced in their logarithms.

    Each of `num_seeds` networks takes a step at each rate, on pictures of the size that the recipe
    trains with for most of its epochs. Of `options` the workers, device, threads, convolutions,
    memory limit, strictness and reporter count, `should_stop`, and the folder as room for pictures
    of Parquet, in a file without a name. `progress` is called with the number of steps done. Raises
    ValueError for a range that is none, what `train` would raise, and KeyboardInterrupt where asked
    to stop.
    """
    if not 0 < lowest < highest:
        raise ValueError(f"the lowest rate {lowest:g} must be above 0 and below {highest:g}")
    if num_steps < 20:
        raise ValueError(f"{num_steps} rates are too few to see a curve: give 20 or more")
    sizes = recipe.epoch_sizes
    size = max(sizes, key=sizes.count)
    needed = steps_in_all(num_steps, 1)
    recipe = replace(recipe, weight_average=0.0)  # it takes no part in the losses
    start = begin(dataset, recipe, options)
    pictures = DecodedPictures(dataset)
    if isinstance(dataset, ParquetDataset):
        held = pictures.keep(options.memory_for_pictures(), options.folder, _stopping(options))
        options.reporter.note(f"{len(start.training)} training pictures, {pictures.in_words(held)}")
    epochs = math.ceil(needed / start.steps_per_epoch)
    # Milestones and warm-up are of the run's own epochs, and no rate comes from them here.
    only = replace(recipe, schedule="constant", sizes=f"{size}x{epochs}", **OF_A_SCHEDULE)
    rates = np.geomspace(lowest, highest, num_steps)
    curves: list[list[float]] = []
    devices = [start.hardware.device] if start.hardware.kind == "cuda" else []
    with torch.random.fork_rng(devices):
        for number in range(num_seeds):
            seeded = replace(start, recipe=replace(only, seed=recipe.seed + number))
            done = number * needed
            curves.append(_curve(seeded, pictures, rates, options, done, progress))
    for fault in sorted(pictures.broken):
        options.reporter.note(f"left out: {fault}")
    return read_curves(rates, curves)


def steps_in_all(num_steps: int, num_seeds: int) -> int:
    """How many steps `find_rate` takes at most."""
    return num_seeds * (num_steps + _PASSED_OVER + 1)


def need_matplotlib() -> None:
    """Raises ValueError where matplotlib, which `draw` needs, is missing."""
    if not can_draw():
        raise ValueError("a picture needs matplotlib: pip install 'vggnet[train]'")


def draw(found: RangeTest, path: Path) -> None:
    """The curve of each seed, the smoothed one, and what it gave: a PNG.

    Raises ValueError where matplotlib is missing, and OSError.
    """
    need_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for curve in found.by_seed:
        axes.plot(found.rates, curve[: len(found.rates)], color="0.8")
    axes.plot(found.rates, found.losses, color="C0", label="mean of the seeds, smoothed")
    if found.interval is not None and found.suggestion is not None:
        axes.axvspan(*found.interval, color="C0", alpha=0.1, label="interval")
        axes.axvline(found.suggestion, color="C3", label=f"suggestion {found.suggestion:g}")
        axes.legend()
    title = "" if found.suggestion is not None else "no suggestion"
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss after a step", title=title)
    figure.savefig(path, dpi=100)


def _curve(
    start: Beginning,
    pictures: DecodedPictures,
    rates: NDArray[np.float64],
    options: TrainingOptions,
    done: int,
    progress: Callable[[int], None],
) -> list[float]:
    """The loss after the step at each rate, as the next batch has it; shorter where it diverged.

    A step's own loss is that before its change, so it tells of the rate before.
    """
    run = start.run(_at([rates[0]] * _PASSED_OVER + rates.tolist()))
    losses: list[float] = []
    stream = batches(
        pictures, start.recipe, start.training, 0, options.workers,
        start.hardware.kind == "cuda", start.shift_axes_CC,
    )  # fmt: skip
    for number, (pixels, labels) in enumerate(stream):
        if options.should_stop():
            raise KeyboardInterrupt
        if options.strict and pictures.broken:
            raise PictureError(f"{min(pictures.broken)}; mend it, or leave --strict out")
        try:
            ((loss, _),) = figures([run.train_step(pixels, labels)])
        except Diverged:
            break
        progress(done + number + 1)
        if number > _PASSED_OVER:
            losses.append(loss)
            if loss > _DIVERGED * losses[0] or len(losses) == len(rates):
                break
    return losses


def _stopping(options: TrainingOptions) -> Callable[[int], None]:
    """Called with the number of pictures read, raises KeyboardInterrupt where asked to stop."""

    def progress(_: int) -> None:
        if options.should_stop():
            raise KeyboardInterrupt

    return progress


def _at(rates: Sequence[float]) -> type[Run]:
    """Runs at these rates, one a step, whatever their schedule says; the last one stays."""

    class RisingRate(Run):
        def learning_rate(self) -> float:
            return rates[min(self.step, len(rates) - 1)]

    return RisingRate


def read_curves(rates: NDArray[np.float64], curves: Sequence[Sequence[float]]) -> RangeTest:
    """What these losses, a curve a seed and each as long as its seed went, say of the rates.

    The interval goes from where the loss has fallen by a tenth of its whole fall to where it is
    least. The suggestion is half the rate of the least loss, but no rate below the interval: a rate
    that one step survives, many do not (docs/learning-rate.md has the runs that this rests on).
    """
    length = min(map(len, curves))
    diverged = length < len(rates)
    enough = 10
    given = tuple(map(tuple, curves))
    if length < enough:
        why = (
            f"the loss diverged within {length} steps from the lowest rate, {rates[0]:.3g}, on: "
            "give a lower --lowest"
        )
        return RangeTest(None, None, why, (), (), given, True)
    tried, raw = rates[:length], np.array([curve[:length] for curve in curves])
    smooth, error = _smoothed(np.log10(tried), raw)

    def found(
        suggestion: float | None, interval: tuple[float, float] | None, why: str
    ) -> RangeTest:
        return RangeTest(
            suggestion, interval, why, tuple(map(float, tried)), tuple(map(float, smooth)), given,
            diverged,
        )  # fmt: skip

    least = int(smooth.argmin())
    first = float(smooth[: max(1, length // 10)].mean())
    fall = first - float(smooth[least])
    if fall < _LEAST_FALL * error:
        return found(
            None, None,
            f"the loss falls by {fall:.2g} at most, no more than noise may ({error:.2g}): give "
            "more --steps or --seeds, or look at the data and the network",
        )  # fmt: skip
    if least >= length - 2 and not diverged:
        return found(
            None, None,
            f"the loss still falls at the highest rate, {tried[-1]:.3g}: give a higher --highest",
        )  # fmt: skip
    low = int(np.flatnonzero(smooth[: least + 1] <= first - _FALL * fall)[0])
    interval = (_rounded(tried[low]), _rounded(tried[least]))
    below = tried[least] / _BELOW_LEAST
    if below >= tried[low]:
        why = f"the latter divided by {_BELOW_LEAST:g}"
    else:
        why = f"the former, since the latter divided by {_BELOW_LEAST:g} is below it"
    return found(
        _rounded(max(tried[low], below)), interval,
        f"the loss falls from {interval[0]:g} on and is least at {interval[1]:g}; the suggestion "
        f"is {why}",
    )  # fmt: skip


def _smoothed(
    positions: NDArray[np.float64], losses: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """The mean curve, smoothed along the logarithm of the rate, and its standard error.

    Weights are the same to both sides, so that the curve does not lag behind the rates; and losses
    that are a fifth above the first count as that, lest what diverges is felt at lower rates. The
    error is that of what the smoothing takes away.
    """
    start = float(losses[:, : max(1, losses.shape[1] // 10)].mean())
    mean = np.minimum(losses, 1.2 * start).mean(axis=0)
    distances = (positions[:, None] - positions[None, :]) / _SMOOTH
    weights = np.exp(-(distances**2) / 2)
    weights /= weights.sum(axis=1, keepdims=True)
    smooth = weights @ mean
    half = len(mean) // 2  # where rates are low noise is all there is beside the curve
    noise = float(np.std((mean - smooth)[: max(2, half)]))
    error = noise * float(np.sqrt((weights**2).sum(axis=1)).max())
    return smooth, error


def _rounded(rate: float) -> float:
    """To two digits: a curve tells no more."""
    return float(f"{rate:.2g}")
