"""vggnet.training.batches.transfer: the device looks up the very values that the CPU computes."""

from dataclasses import replace

import pytest
import torch

from vggnet.preprocess import Preprocess
from vggnet.training.batches.transfer import Transfer

RGB = Preprocess(None, None, 1 / 255, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
PIXELS = torch.randint(
    0, 256, (5, 33, 47, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)


@pytest.mark.parametrize(
    "preprocessing", [RGB, replace(RGB, colour_order="BGR"), Preprocess.caffe()]
)
def test_looked_up_values_are_those_of_the_preprocessing(preprocessing: Preprocess) -> None:
    transfer = Transfer(preprocessing, torch.device("cpu"))
    expected = torch.from_numpy(preprocessing.pixels_to_input(PIXELS.numpy()))
    for images in (transfer(PIXELS), transfer.look_up(PIXELS)):
        assert images.dtype == torch.float32
        assert images.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(images, expected)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_cuda_they_are_the_same() -> None:
    transfer = Transfer(RGB, torch.device("cuda"))
    images = transfer(PIXELS.pin_memory())
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(images.cpu(), torch.from_numpy(RGB.pixels_to_input(PIXELS.numpy())))
