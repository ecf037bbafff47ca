"""Pictures of a batch mixed with each other, and their targets with them.

In: a Recipe, a step, batches on the device. Out: batches of the same shape, and the loss against
mixed targets. Each picture is mixed with the one before it in its batch; batches come in a random
order, so that any two may meet. Source: Zhang et al. 2018 (arXiv 1710.09412) for mixup, Yun et al.
2019 (arXiv 1905.04899) for CutMix. Usual are Beta(0.2, 0.2) for mixup and Beta(1, 1) for CutMix.
Shapes: N pictures, K classes, C channels, H and W rows and columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor
from torch.nn import functional

from vggnet.training.distributed import Process
from vggnet.training.recipe import Recipe


@dataclass(frozen=True)
class Mix:
    """How the pictures of a step are mixed with their partners.

    `share` is how much of its target each picture keeps, from 0 to 1. `box` (left, top, right,
    bottom) is what is pasted from the partner; without one all of it is blended.
    """

    share: float
    box: tuple[int, int, int, int] | None = None

    def images(self, images_NCHW: Tensor, partners_NCHW: Tensor) -> Tensor:
        """The mixed pictures; those given stay as they are."""
        if self.box is None:
            return partners_NCHW.lerp(images_NCHW, self.share)
        left, top, right, bottom = self.box
        mixed_NCHW = images_NCHW.clone()
        mixed_NCHW[:, :, top:bottom, left:right] = partners_NCHW[:, :, top:bottom, left:right]
        return mixed_NCHW

    def view(
        self, pixels_NHWC: Tensor, partners_NHWC: Tensor, prepare: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """images_NCHW, mixed, of pictures that `prepare` turns from pixels into images."""
        images_NCHW = prepare(pixels_NHWC)
        if self.share == 1:
            return images_NCHW
        return self.images(images_NCHW, prepare(partners_NHWC))

    def dominant(self, targets_N: Tensor, partners_N: Tensor) -> Tensor:
        """The class that has the greater share of each picture."""
        return targets_N if self.share >= 0.5 else partners_N


UNMIXED = Mix(1.0)


def draw(recipe: Recipe, step: int, size: int) -> Mix:
    """How step number `step`, counted from 0, mixes pictures of size x size pixels.

    It depends on the recipe, the step and the size alone, and so on nothing that was done before.
    """
    random = np.random.default_rng(np.random.SeedSequence(recipe.seed, spawn_key=(step,)))
    if not (recipe.mixup or recipe.cutmix) or random.random() >= recipe.mix_share:
        return UNMIXED
    if not recipe.cutmix or (recipe.mixup and random.random() < 0.5):
        return Mix(float(random.beta(recipe.mixup, recipe.mixup)))
    share = float(random.beta(recipe.cutmix, recipe.cutmix))
    return _cut(share, size, int(random.integers(size)), int(random.integers(size)))


def is_led(recipe: Recipe, process: Process) -> bool:
    """Whether a process's part of a batch begins with a picture that is only there as a partner.

    It is the one before the part, with which its first would be mixed in the whole batch.
    """
    return process.several and bool(recipe.mixup or recipe.cutmix)


def with_partners(batch_N: Tensor, led: bool = False) -> tuple[Tensor, Tensor]:
    """The pictures, or targets, and those that they are mixed with: the ones before them.

    The first of a whole batch is mixed with the last.
    """
    return (batch_N[1:], batch_N[:-1]) if led else (batch_N, batch_N.roll(1, 0))


def cross_entropy(
    logits_NK: Tensor, targets_N: Tensor, partners_N: Tensor, mix: Mix, label_smoothing: float
) -> Tensor:
    """The loss against the mixed and then smoothed targets, summed over the pictures."""

    def against(classes_N: Tensor) -> Tensor:
        return functional.cross_entropy(
            logits_NK, classes_N, label_smoothing=label_smoothing, reduction="sum"
        )

    if mix.share == 1:
        return against(targets_N)
    return mix.share * against(targets_N) + (1 - mix.share) * against(partners_N)


def _cut(share: float, size: int, column: int, row: int) -> Mix:
    """A square around a pixel, of the area that is not kept; what lies outside is cut off.

    The targets keep the share of the area that the pictures do.
    """
    half = size * math.sqrt(1 - share) / 2
    left, right = max(0, round(column - half)), min(size, round(column + half))
    top, bottom = max(0, round(row - half)), min(size, round(row + half))
    return Mix(1 - (right - left) * (bottom - top) / size**2, (left, top, right, bottom))
