"""Pictures on their way to the device.

In: pixels_NHWC, bytes in the CPU's memory. Out: float32 images_NCHW on the device, channels last.
Bytes are a quarter of what floating point takes, so a CUDA device gets these and looks the values
up itself: the same values, in less of the CPU's time than it has between two steps.
Shapes: N pictures, C = 3 channels, H and W rows and columns.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vggnet.preprocess import Preprocess


class Transfer:
    """Bytes of pictures, in pinned memory for CUDA, as what the network takes."""

    def __init__(self, preprocessing: Preprocess, device: torch.device) -> None:
        self.preprocessing, self.device = preprocessing, device
        self._channels = ["RGB".index(letter) for letter in preprocessing.colour_order]
        values_C256 = torch.from_numpy(preprocessing.input_values()[self._channels])
        self._values = values_C256.flatten().to(device)
        self._first_values = torch.arange(0, 3 * 256, 256, dtype=torch.int32, device=device)

    def __call__(self, pixels_NHWC: Tensor) -> Tensor:
        """images_NCHW; does not wait for a CUDA device."""
        if self.device.type == "cuda":
            return self.look_up(pixels_NHWC.to(self.device, non_blocking=True))
        images_NCHW = torch.from_numpy(self.preprocessing.pixels_to_input(pixels_NHWC.numpy()))
        return images_NCHW.contiguous(memory_format=torch.channels_last)

    def look_up(self, pixels_NHWC: Tensor) -> Tensor:
        """images_NCHW of pixels that are on the device."""
        if self._channels != [0, 1, 2]:
            pixels_NHWC = pixels_NHWC.flip(3)  # B, G, R is the only other order
        images_NHWC = self._values[pixels_NHWC.int() + self._first_values]
        return images_NHWC.permute(0, 3, 1, 2)
