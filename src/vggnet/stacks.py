"""Several small kernels against the one of equal field: the argument of Section 2.3, computed.

In: the sides of stride-1 kernels in the order they are applied, with channel counts; or their
weights. Out: field, weights, MACs and crossovers of both ways; or, from `compose`, the single
kernel that the stack equals where nothing non-linear stands between.
Source: Section 2.3 of arXiv 1409.1556.

With kernels k_1 ... k_n (n > 1), A channels in, M between, B out, and the single kernel's side
K = 1 + (k_1 - 1) + ... + (k_n - 1), the weights are
    stack    k_1^2 A M + (k_2^2 + ... + k_{n-1}^2) M^2 + k_n^2 M B
    single   K^2 A B
Biases are left out. MACs are these times the positions of the map, whose size the padding keeps,
so weights and MACs cross at the same channel counts.

Suffixes: O channels out, I channels in, Y rows and X columns of a kernel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from math import sqrt
from reprlib import repr as short_repr

import numpy as np
from numpy.typing import NDArray

from vggnet.layers import LARGEST

_RANGE = f"1 to {LARGEST:,}"


@dataclass(frozen=True)
class KernelStack:
    """Stride-1 kernels, a ReLU after each, beside the one kernel that sees as much.

    `out_channels` is `in_channels` where it is None; `mid_channels`, the channels between the
    kernels, is `out_channels` where it is None, as the first convolution of a stage widens it.
    `size` is the (height, width) of the map in pixels.
    Raises ValueError, in one line, where a number is below 1 or above a million, or there is no
    kernel.
    """

    kernels: tuple[int, ...]
    in_channels: int
    out_channels: int | None = None
    mid_channels: int | None = None
    size: tuple[int, int] = (14, 14)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kernels", tuple(self.kernels))
        if not self.kernels:
            raise ValueError("a stack needs at least one kernel, such as 3")
        for kernel in self.kernels:
            if not 1 <= kernel <= LARGEST:
                raise ValueError(f"kernel {short_repr(kernel)}: the side must be {_RANGE}")
        for what, count in (
            ("channels in", self.in_channels),
            ("channels out", self.out_channels),
            ("channels between the kernels", self.mid_channels),
        ):
            if count is not None and not 1 <= count <= LARGEST:
                raise ValueError(f"{short_repr(count)} {what}: there must be {_RANGE}")
        if not 1 <= min(self.size) <= max(self.size) <= LARGEST:
            height, width = map(short_repr, self.size)
            raise ValueError(f"map of {height} x {width}: both sides must be {_RANGE}")

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels before, between and after the kernels: one number more than kernels."""
        out = self.in_channels if self.out_channels is None else self.out_channels
        mid = out if self.mid_channels is None else self.mid_channels
        return (self.in_channels, *[mid] * (len(self.kernels) - 1), out)

    @property
    def receptive_field(self) -> int:
        """Side of the square that one output unit sees, which is the single kernel's side."""
        return 1 + sum(kernel - 1 for kernel in self.kernels)

    @property
    def nonlinearities(self) -> int:
        return len(self.kernels)

    @property
    def weights(self) -> int:
        sides = zip(self.kernels, pairwise(self.channels), strict=True)
        return sum(kernel**2 * before * after for kernel, (before, after) in sides)

    @property
    def single_weights(self) -> int:
        return self.receptive_field**2 * self.channels[0] * self.channels[-1]

    @property
    def macs(self) -> int:
        return self.weights * self.size[0] * self.size[1]

    @property
    def single_macs(self) -> int:
        return self.single_weights * self.size[0] * self.size[1]

    @property
    def ratio(self) -> float:
        """Weights of the stack for each weight of the single kernel; below 1 the stack is less."""
        return self.weights / self.single_weights

    @property
    def crossover_mid_channels(self) -> float | None:
        """The channels between the kernels, M, at which the stack costs what the single one does.

        The positive root of s M^2 + (k_1^2 A + k_n^2 B) M = K^2 A B, where s = k_2^2 + ... +
        k_{n-1}^2; for fewer channels the stack costs less. None for a single kernel.
        """
        if len(self.kernels) == 1:
            return None
        before, after = self.channels[0], self.channels[-1]
        square = sum(kernel**2 for kernel in self.kernels[1:-1])
        linear = self.kernels[0] ** 2 * before + self.kernels[-1] ** 2 * after
        # This form of the root divides by nothing that can be zero (two kernels have s = 0).
        return 2 * self.single_weights / (
            linear + sqrt(linear**2 + 4 * square * self.single_weights)
        )  # fmt: skip

    @property
    def crossover_out_channels(self) -> float | None:
        """The channels out, B, at which both cost the same when the first kernel widens (M = B).

        A (K^2 - k_1^2) / (k_2^2 + ... + k_n^2); for fewer the stack costs less, and at 0 it
        never does. A stack of 3x3 is thus the dearer way where a map widens much, such as from
        the 3 channels of a picture to 64. None for a single kernel. (Where the last kernel
        widens, read the stack backwards: A and B, and the order of the kernels, change places.)
        """
        rest = sum(kernel**2 for kernel in self.kernels[1:])
        if not rest:
            return None
        return self.in_channels * (self.receptive_field**2 - self.kernels[0] ** 2) / rest

    def symbolic(self) -> tuple[str, str]:
        """Weights of the stack and of the single kernel as formulas, "27 C^2" and "49 C^2".

        C where channels in and out agree, else C_in and C_out; C_mid where it is a third number.
        """
        before, after = self.channels[0], self.channels[-1]
        symbols = {self.channels[1]: "C_mid"}
        symbols |= {before: "C"} if before == after else {before: "C_in", after: "C_out"}
        terms: Counter[tuple[str, ...]] = Counter()
        for kernel, pair in zip(self.kernels, pairwise(self.channels), strict=True):
            terms[tuple(sorted(symbols[count] for count in pair))] += kernel**2
        single = tuple(sorted((symbols[before], symbols[after])))
        return (
            " + ".join(_term(factor, product) for product, factor in terms.items()),
            _term(self.receptive_field**2, single),
        )

    def to_json(self) -> dict[str, object]:
        """Plain values; weights without biases, ratio = stack / single."""
        formula, single_formula = self.symbolic()
        return {
            "kernels": list(self.kernels),
            "channels": list(self.channels),
            "size": list(self.size),
            "receptive_field": self.receptive_field,
            "weights": self.weights,
            "formula": formula,
            "macs": self.macs,
            "nonlinearities": self.nonlinearities,
            "single": {
                "kernel": self.receptive_field,
                "weights": self.single_weights,
                "formula": single_formula,
                "macs": self.single_macs,
                "nonlinearities": 1,
            },
            "ratio": self.ratio,
            "single_excess": 1 / self.ratio - 1,
            "crossover": {
                "mid_channels": self.crossover_mid_channels,
                "out_channels": self.crossover_out_channels,
            },
        }


def _term(factor: int, product: tuple[str, ...]) -> str:
    first, second = product
    return f"{factor} {first}^2" if first == second else f"{factor} {first} {second}"


def compose(kernels_OIYX: Sequence[NDArray[np.floating]]) -> NDArray[np.float64]:
    """The one kernel that stride-1 convolutions, applied in order, equal: (out, in, K, K).

    Each is (channels out, channels in, rows, columns) and slides without being flipped, as in
    every convolution of a network. The result sums, over each pair of taps whose displacements
    add up to one tap of the result, the matrix product of their channels; in float64.

    It equals the stack wherever no padding is seen. With zero padding they part in the outermost
    rings of pixels, as many as the radii of all kernels but the first add up to (1 for two 3x3, 2
    for three): the stack takes each map between as zero off the picture, where the single kernel
    takes the first convolution's response to the picture's edge. Padding the picture once, by the
    radius of the result, and no map between, makes them equal everywhere.

    Raises ValueError where there is no kernel, one has not four axes, or channels disagree.
    """
    kernels = [np.array(kernel_OIYX, np.float64) for kernel_OIYX in kernels_OIYX]
    if not kernels:
        raise ValueError("compose needs at least one kernel")
    for position, kernel_OIYX in enumerate(kernels, 1):
        if kernel_OIYX.ndim != 4:
            raise ValueError(
                f"kernel {position} has shape {kernel_OIYX.shape}: give "
                "(channels out, channels in, rows, columns)"
            )
    for position, (first_OIYX, second_OIYX) in enumerate(pairwise(kernels), 1):
        if second_OIYX.shape[1] != first_OIYX.shape[0]:
            raise ValueError(
                f"kernel {position} gives {first_OIYX.shape[0]} channels, but kernel "
                f"{position + 1} takes {second_OIYX.shape[1]}: give them in the order applied"
            )
    return reduce(_compose_two, kernels)


def _compose_two(
    first_OIYX: NDArray[np.float64], second_OIYX: NDArray[np.float64]
) -> NDArray[np.float64]:
    rows, columns = first_OIYX.shape[2:]
    num_out, _, second_rows, second_columns = second_OIYX.shape
    total_OIYX = np.zeros(
        (num_out, first_OIYX.shape[1], rows + second_rows - 1, columns + second_columns - 1)
    )
    for y, x in np.ndindex(second_rows, second_columns):
        total_OIYX[:, :, y : y + rows, x : x + columns] += np.tensordot(
            second_OIYX[:, :, y, x], first_OIYX, axes=1
        )
    return total_OIYX
