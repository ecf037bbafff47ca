"""What changes while a network is trained, and the change that one batch makes.

In: a Recipe, a Spec, a Preprocess, then batches. Out: a trained Network, and all of it as nested
plain values for a checkpoint. Source: Section 3.1 of the paper.
Shapes: N pictures, K classes, C channels, H and W rows and columns.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vggnet.evaluation import Function
from vggnet.preprocess import Preprocess
from vggnet.spec import Spec
from vggnet.torch_network import Convolutions, Network
from vggnet.training.batches import mix
from vggnet.training.batches.transfer import Transfer
from vggnet.training.distributed import ALONE, GradientSums, Process, noticing_ends
from vggnet.training.hardware import Precision
from vggnet.training.recipe import Recipe
from vggnet.training.schedule import Plateau, rate_at
from vggnet.training.sync_batch_norm import synchronize_batch_norm
from vggnet.training.teacher import Teacher
from vggnet.weights.weights import State


class Diverged(ValueError):
    """The loss or its gradient is not finite any more; the message names the step."""


class Outcome(NamedTuple):
    """What step number `step`, counted from 1, gave. The tensors are numbers on the device."""

    step: int
    learning_rate: float
    images: int
    loss: Tensor  # mean over the batch
    correct: Tensor  # pictures that were classed rightly
    finite: Tensor  # whether the gradient is


def figures(outcomes: Sequence[Outcome]) -> list[tuple[float, int]]:
    """Loss and right answers of each step, once the device is done with all of them.

    Raises Diverged for the first step whose loss or gradient is not finite.
    """
    rows = [
        torch.stack([each.loss, each.correct.double(), each.finite.double()]) for each in outcomes
    ]
    found = torch.stack(rows).tolist() if rows else []
    for outcome, (loss, _, finite) in zip(outcomes, found, strict=True):
        if not (finite and math.isfinite(loss)):
            what = "gradient is not finite" if math.isfinite(loss) else f"loss is {loss}"
            raise Diverged(
                f"the {what} at step {outcome.step} (learning rate {outcome.learning_rate:.4g}); "
                "try a lower learning rate"
            )
    return [(loss, int(correct)) for loss, correct, _ in found]


class Run:
    """A network in training: its weights, their running average, the optimizer and the step.

    `step` counts the batches learnt from. The average, where the recipe asks for one, is what is
    tested and saved.
    """

    def __init__(
        self,
        recipe: Recipe,
        spec: Spec,
        preprocessing: Preprocess,
        num_steps: int,
        device: str = "cpu",
        initial: State | None = None,
        precision: Precision = "fp32",
        shift_axes_CC: NDArray[np.float64] | None = None,
        convolutions: Convolutions = "torch",
        teacher: Teacher | None = None,
    ) -> None:
        """`initial` arrays replace those drawn at random, name by name. `teacher` is the recipe's.

        `precision` is what products are computed in, whatever of the recipe it was made from;
        `shift_axes_CC` are the axes of an RGB shift (`colours.shift_axes`), kept for its pictures.
        `convolutions` are computed as `Network` says.
        """
        torch.manual_seed(recipe.seed)
        self.recipe, self.preprocessing, self.num_steps = recipe, preprocessing, num_steps
        self.device, self.precision = torch.device(device), precision
        self.transfer = Transfer(preprocessing, self.device)
        self.teacher = teacher
        self.step = 0
        self.shift_axes_CC = shift_axes_CC
        self.plateau = Plateau()
        network = Network(spec, recipe.initialization, recipe.dropout, recipe.seed, convolutions)
        arrays = {name: torch.tensor(values) for name, values in (initial or {}).items()}
        network.load_state_dict(arrays, strict=False)
        self.network: Network = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged: Network | None = None
        if recipe.weight_average:
            self.averaged = copy.deepcopy(self.network).eval().requires_grad_(False)
            # Listed once: on CUDA this takes longer than to average them.
            self._arrays = (
                list(self.averaged.state_dict().values()),
                list(self.network.state_dict().values()),
            )
        self.optimizer = torch.optim.SGD(
            _parameter_groups(self.network, recipe),
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            nesterov=recipe.nesterov and recipe.momentum > 0,
            fused=True,  # one pass over all arrays; on the CPU the same bits
        )
        self.process = ALONE
        self._sums = GradientSums()
        self._parallel: nn.parallel.DistributedDataParallel | None = None

    def join(self, process: Process) -> None:
        """Learn from parts of batches from now on, together with the other processes, if any.

        All go on from what rank 0 has.
        """
        self.process = process
        if not process.several:
            return
        if self.recipe.sync_batch_norm:
            synchronize_batch_norm(self.network)
        with noticing_ends(process), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # broadcast_buffers gets another name
            self._parallel = nn.parallel.DistributedDataParallel(
                self.network,
                broadcast_buffers=False,  # their mean is taken after each step
                gradient_as_bucket_view=True,
            )
        self._parallel.register_comm_hook(None, lambda _, bucket: self._sums.begin(bucket))
        for values in self.averaged.state_dict().values() if self.averaged else ():
            process.take_from_first(values)

    @property
    def network_to_keep(self) -> Network:
        """What is tested and saved: the average, or else the network itself."""
        return self.averaged or self.network

    def learning_rate(self) -> float:
        """The rate of the next step."""
        return rate_at(self.recipe, self.step, self.num_steps, self.plateau.drops)

    @property
    def ended_by_plateau(self) -> bool:
        """Whether schedule plateau has divided the rate three times and accuracy stalls again."""
        return self.recipe.schedule == "plateau" and self.plateau.finished

    @property
    def checks_each_step(self) -> bool:
        """Whether `train_step` itself sees that a step diverged; on CUDA it would have to wait."""
        return not self._on_cuda

    def train_step(self, pixels_NHWC: Tensor, labels_N: Tensor) -> Outcome:
        """Learn from one batch, which the recipe may mix, and from the teacher's answers to it.

        The loss is that of both. `correct` counts the dominant classes of mixed pictures. Of
        several processes each gives its part of the batch (`pictures.batches`), and all learn the
        same and return the figures of the whole batch. Raises ProcessEnded where one is gone.

        On the CPU raises Diverged, with all weights and statistics as they were before the batch.
        On CUDA it does not wait for the device, and `figures` raises it later.
        """
        process = self.process
        self.network.train()
        buffers = [each.clone() for each in self.network.buffers() if self.checks_each_step]
        rate = self.learning_rate()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        loss = torch.zeros((), dtype=torch.float64, device=self.device)
        correct = torch.zeros((), dtype=torch.int64, device=self.device)
        pixels_NHWC = pixels_NHWC.to(self.device, non_blocking=True)
        targets_N = labels_N.to(self.device, non_blocking=True)
        how = mix.draw(self.recipe, self.step, pixels_NHWC.shape[1])
        # Of the whole batch, so that parts of it are mixed as the whole would be.
        led = mix.is_led(self.recipe, process)
        pixels_NHWC, others_NHWC = mix.with_partners(pixels_NHWC, led)
        targets_N, others_N = mix.with_partners(targets_N, led)
        [images] = process.sums(len(targets_N))
        if process.several:  # so that no mask of dropout depends on what was drawn before
            torch.manual_seed(_seed(self.recipe.seed, self.step, process.rank))
        chunks = [
            each.chunk(self.recipe.accumulate)
            for each in (pixels_NHWC, others_NHWC, targets_N, others_N)
        ]
        for number, chunk in enumerate(zip(*chunks, strict=True), start=1):
            is_last = number == len(chunks[0])  # with it the processes add up their gradients
            with self._parallel.no_sync() if self._parallel and not is_last else nullcontext():
                share, hits = self._learn(chunk, how, images)
            loss += share
            correct += hits
        loss, correct = self._over_all_processes(loss, correct)
        outcome = Outcome(self.step + 1, rate, images, loss, correct, self._is_finite())
        if self.checks_each_step:
            try:
                figures([outcome])
            except Diverged:
                for buffer, before in zip(self.network.buffers(), buffers, strict=True):
                    buffer.copy_(before)
                raise
        self.optimizer.step()
        self.step += 1
        if self.averaged is not None:
            _average(*self._arrays, self.recipe.weight_average, self.step)
        return outcome

    def _learn(self, chunk: tuple[Tensor, ...], how: mix.Mix, images: int) -> tuple[Tensor, Tensor]:
        """Add the gradient of some pictures of a batch of `images`: theirs, those that they are
        mixed with, and the targets of either.

        Gives their share of the loss and how many of them were classed rightly.
        """
        pixels_NHWC, others_NHWC, targets_N, others_N = chunk
        view = partial(how.view, pixels_NHWC, others_NHWC)
        with self._autocast():
            logits_NK = (self._parallel or self.network)(view(self.transfer))
        summed = mix.cross_entropy(
            logits_NK.float(), targets_N, others_N, how, self.recipe.label_smoothing
        )
        if self.teacher is not None:
            with self._autocast():
                soft_NK = self.teacher.soft_targets(view)
            taught = self.teacher.loss(logits_NK.float(), soft_NK)
            summed = summed.lerp(taught, self.recipe.distillation)
        share = summed / images
        with noticing_ends(self.process):
            share.backward()  # type: ignore[no-untyped-call]
            self._sums.wait()
        hits = (logits_NK.argmax(dim=1) == how.dominant(targets_N, others_N)).sum()
        return share.detach(), hits

    @torch.no_grad()
    def _over_all_processes(self, loss: Tensor, correct: Tensor) -> tuple[Tensor, Tensor]:
        """The sums of both; all get the same running statistics, the mean of those of each."""
        process = self.process
        if not process.several:
            return loss, correct
        sums = torch.stack([loss, correct.double()])
        process.add_up(sums)
        statistics = [each for each in self.network.buffers() if each.is_floating_point()]
        if statistics:
            together = torch.cat(statistics)
            process.add_up(together)
            together /= process.world_size
            for values in statistics:
                values.copy_(together[: len(values)])
                together = together[len(values) :]
        return sums[0], sums[1]

    def function(self) -> Function:
        """pixels_NHWC -> logits_NK of the network to keep, for evaluation."""
        network = self.network_to_keep.eval()

        def logits(pixels_NHWC: NDArray[np.uint8]) -> NDArray[np.float32]:
            with torch.inference_mode(), self._autocast():
                found: Tensor = network(self.transfer(torch.from_numpy(pixels_NHWC)))
                return found.float().cpu().numpy()

        return logits

    def to_values(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "averaged": None if self.averaged is None else self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "plateau": dict(vars(self.plateau)),
            "shift_axes": None if self.shift_axes_CC is None else self.shift_axes_CC.tolist(),
            "teacher": self.teacher and self.teacher.digest,
            "random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state(self.device) if self._on_cuda else None,
        }

    def from_values(self, values: Mapping[str, Any]) -> None:
        """Go on from what `to_values` gave. Raises ValueError for another teacher's."""
        if self.teacher and values.get("teacher") != self.teacher.digest:
            raise ValueError(
                f"teacher {self.recipe.teacher}: these are other weights than those that the run "
                "was begun with; put the old ones back"
            )
        self.step = values["step"]
        self.network.load_state_dict(values["network"])
        if self.averaged is not None:
            self.averaged.load_state_dict(values["averaged"])
        self.optimizer.load_state_dict(values["optimizer"])
        self.plateau = Plateau(**values["plateau"])
        axes = values.get("shift_axes")  # of older versions: there was none
        self.shift_axes_CC = None if axes is None else np.array(axes)
        torch.set_rng_state(values["random"])
        if self._on_cuda:
            torch.cuda.set_rng_state(values["cuda_random"], self.device)

    @property
    def _on_cuda(self) -> bool:
        return self.device.type == "cuda"

    def _is_finite(self) -> Tensor:
        """Whether the gradient is, on the device."""
        gradients = [each.grad for each in self.network.parameters() if each.grad is not None]
        largest = torch._foreach_norm(gradients, math.inf)
        return torch.stack(largest).isfinite().all()

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16")


def _seed(seed: int, step: int, rank: int) -> int:
    """Of what a process draws at a step; other than that of any other process and step."""
    sequence = np.random.SeedSequence(seed, spawn_key=(step, rank))
    return int(sequence.generate_state(1, np.uint64)[0])


def _parameter_groups(network: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """Weights with the L2 penalty, biases and batch norms without, unless the recipe says all."""
    parameters = list(network.parameters())
    decayed = [each for each in parameters if recipe.decay_all or each.ndim > 1]
    free = [each for each in parameters if not recipe.decay_all and each.ndim == 1]
    return [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ][: 2 if free else 1]


@torch.no_grad()
def _average(averaged: list[Tensor], current: list[Tensor], decay: float, step: int) -> None:
    """Move the average towards the network; quickly at first, when the average is of noise.

    The statistics of batch norms are averaged like the weights that they belong to.
    """
    share = 1 - min(decay, step / (step + 10))
    torch._foreach_lerp_(averaged, current, share)
