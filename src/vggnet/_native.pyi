"""3x3 convolutions by Winograd's algorithm, and what else a VGG is made of: native/binding.cc."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_Array = NDArray[np.float32]

def instruction_sets() -> list[str]:
    """Those that are compiled in and that this machine has, best first."""

def kernels(name: str) -> Kernels:
    """Raises ValueError for an instruction set that is not among them."""

def affine(scale: _Array, shift: _Array) -> Weights: ...

class Weights:
    """Weights in the order in which a kernel reads them."""

    @property
    def bytes(self) -> int:
        """Memory of its own; 0 where an array is used in place."""

def empty(numbers: int) -> NDArray[np.float32]:
    """An array, whatever is in it, of memory that is used again when it goes."""

class Workspaces:
    """Threads and buffers, one set a concurrent caller."""

    def __init__(self, threads: int, openmp_of: str = ...) -> None:
        """With `openmp_of`, the path of a loaded library, threads of its OpenMP runtime."""

    @property
    def threads(self) -> int: ...

class Kernels:
    """What is compiled for one instruction set."""

    @property
    def name(self) -> str: ...
    @property
    def has_bf16(self) -> bool: ...
    def winograd(
        self, weight: _Array, bias: _Array, tile: int, bf16: bool, workspaces: Workspaces
    ) -> Weights: ...
    def direct(
        self, weight: _Array, bias: _Array, pixel: int, bf16: bool, workspaces: Workspaces
    ) -> Weights: ...
    def linear(
        self, weight: _Array, bias: _Array, bf16: bool, workspaces: Workspaces
    ) -> Weights: ...
    def convolve(
        self,
        inputs: _Array,
        weight: _Array,
        turned: bool,
        bias: _Array | None,
        tile: int,
        relu: bool,
        outputs: _Array,
        workspaces: Workspaces,
    ) -> None:
        """3x3 convolution, stride 1 and padding 1, of maps_NHWC with weight_KCYX in any order.

        `turned`: from outputs to inputs with the kernels turned by 180 degrees, which takes the
        gradient of the outputs to that of the inputs.
        """

    def convolve_gradient(
        self,
        inputs: _Array,
        output_gradients: _Array,
        tile: int,
        weight: _Array,
        bias: _Array | None,
        workspaces: Workspaces,
    ) -> None:
        """Writes the gradients with respect to weight_KCYX, in any order, and bias_K."""

    def normalisation(
        self,
        z: _Array,
        weight: _Array,
        bias: _Array,
        epsilon: float,
        mean: _Array,
        variance: _Array,
        scale: _Array,
        shift: _Array,
        workspaces: Workspaces,
    ) -> None:
        """Writes z_NHWC's mean_C and biased variance_C, and the scale_C and shift_C of its norm."""

    def activate(
        self,
        z: _Array,
        scale: _Array,
        shift: _Array,
        pool: bool,
        y: _Array,
        workspaces: Workspaces,
    ) -> None:
        """y = relu(z * scale + shift), with `pool` its 2x2 max-pool."""

    def activate_gradient(
        self,
        gradient: _Array,
        z: _Array,
        scale: _Array,
        shift: _Array,
        pool: bool,
        mean: _Array | None,
        variance: _Array | None,
        epsilon: float,
        of_weight: _Array | None,
        of_bias: _Array | None,
        of_z: _Array,
        workspaces: Workspaces,
    ) -> None:
        """Writes what the gradient of y makes of z and of the norm's weight and bias.

        Without a norm `mean` and what follows it are None, `scale` 1 and `shift` 0.
        """

    def peak(self, bf16: bool, workspaces: Workspaces) -> float:
        """Products a second with all numbers in the nearest cache, the most of several runs."""

class Plan:
    """Steps for pictures of one size, each on the output of the one before.

    Each method raises ValueError for weights that were made for another step or instruction set,
    and for maps that are too large.
    """

    def __init__(self, kernels: Kernels, height: int, width: int, pixel: int) -> None: ...
    def winograd(self, weights: Weights, relu: bool, pool: bool, half: bool) -> Plan:
        """`half` outputs are kept in bf16; only `winograd` reads such."""

    def direct(
        self, weights: Weights, stride: int, padding: int, relu: bool, half: bool
    ) -> Plan: ...
    def linear(self, weights: Weights, kernel: int, relu: bool) -> Plan:
        """Over every window of kernel x kernel pixels; the weights' inputs in C, H, W order."""

    def max_pool(self, kernel: int, stride: int) -> Plan: ...
    def average(self) -> Plan: ...
    def normalise(self) -> Plan: ...
    def affine(self, weights: Weights, relu: bool) -> Plan: ...
    def rectify(self) -> Plan: ...
    def output(self) -> Plan:
        """Copies the activations so far to the next array that `run` is given."""

    def run(self, images: _Array, outputs: Sequence[_Array], workspaces: Workspaces) -> None:
        """images_NCHW, contiguous, to one array an `output`; other threads go on meanwhile."""

    def time_steps(self, images: _Array, repeats: int, workspaces: Workspaces) -> list[float]:
        """Least seconds of each step, the import of the images and the outputs among them.

        Each step takes all images at once, where `run` takes the early ones over few at a time.
        """
