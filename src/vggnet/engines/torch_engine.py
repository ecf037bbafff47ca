"""The network as torch runs it, on the CPU or a CUDA device.

In: a Spec, its canonical state, images_NCHW. Out: logits_NK or named activations, as NumPy arrays.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray

from vggnet.engines.checks import check_head, check_images
from vggnet.spec import Spec
from vggnet.torch_network import Network
from vggnet.weights.weights import State


class TorchEngine:
    """A Network in inference mode, channels last; "bf16" rounds the operands of products."""

    name = "torch"

    def __init__(
        self, spec: Spec, state: State, precision: str, threads: int | None, device: str
    ) -> None:
        if device not in ("cpu", "cuda") and not device.startswith("cuda:"):
            raise ValueError(f"device {device!r} must be cpu, cuda or cuda:N")
        index = device.partition(":")[2] or "0"
        if device != "cpu" and not (index.isdecimal() and int(index) < torch.cuda.device_count()):
            raise ValueError(
                f"device {device!r}: torch finds {torch.cuda.device_count()} CUDA devices on this "
                "machine; use cpu or cuda:N with N below that"
            )
        self.spec, self.precision, self.threads = spec, precision, threads
        self.device = torch.device(device)
        network = Network(spec, initialization=None, convolutions="torch")
        network.load_state_dict(
            {name: _tensor(state[name]) for name in spec.state_shapes}, assign=True
        )
        self.network: Network = network.eval().requires_grad_(False)
        self.network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def __call__(self, images_NCHW: NDArray[np.floating]) -> NDArray[np.float32]:
        """logits_NK; see `Engine`."""
        check_head(self.spec)
        layer = self.spec.logits_layer
        return self.features(images_NCHW, (layer,))[layer]

    def features(
        self, images_NCHW: NDArray[np.floating], names: Iterable[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Named activations; see `Engine`."""
        wanted = self.spec.check_names(names)
        images = _tensor(check_images(self.spec, images_NCHW))
        before = torch.get_num_threads()
        if self.threads:
            torch.set_num_threads(self.threads)
        try:
            with (
                torch.inference_mode(),
                torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"),
                # By default cuDNN rounds the operands of fp32 convolutions to TF32's 10 bits.
                torch.backends.cudnn.flags(enabled=True, allow_tf32=False),
            ):
                images = images.to(self.device).contiguous(memory_format=torch.channels_last)
                found = self.network.features(images, wanted)
                return {
                    name: np.ascontiguousarray(values.float().cpu().numpy())
                    for name, values in found.items()
                }
        finally:
            if self.threads:
                torch.set_num_threads(before)


def _tensor(array: NDArray[np.floating]) -> torch.Tensor:
    """A tensor over the same memory; nothing here writes to it, and it may be a mapped file.

    Copied where torch has no such tensor: other types, and reversed axes.
    """
    array = np.asarray(array, np.float32)
    if min(array.strides, default=0) < 0:
        array = np.ascontiguousarray(array)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)
