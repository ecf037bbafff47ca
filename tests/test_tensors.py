"""Large maps lie in memory that is used again."""

import copy
import io
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch

from vggnet.torch_native.convolutions import convolve
from vggnet.torch_native.tensors import empty_maps

SHAPE = (1, 16, 300, 300)


def test_what_goes_makes_room_for_the_next() -> None:
    first = empty_maps(*SHAPE)
    address = first.data_ptr()
    second = empty_maps(*SHAPE)
    assert second.data_ptr() != address
    view = first[:, :4]
    del first
    assert empty_maps(*SHAPE).data_ptr() != address  # the view is still there
    del view
    assert empty_maps(*SHAPE).data_ptr() == address


def test_a_block_is_given_for_one_of_half_its_size() -> None:
    """In a process of its own, for another free block might fit better."""
    program = """
from vggnet.torch_native.tensors import empty_maps

address = empty_maps(1, 16, 300, 300).data_ptr()
assert empty_maps(1, 16, 300, 164).data_ptr() == address
assert empty_maps(1, 16, 300, 130).data_ptr() != address  # of less than half
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
@pytest.mark.skipif("libasan" in os.environ.get("LD_PRELOAD", ""), reason="another memory.cc")
def test_what_is_kept_is_not_more_than_was_in_use() -> None:
    """A size that does not fit what is free takes its place."""
    program = """
from vggnet.torch_native.tensors import empty_maps

def size():
    return int(open("/proc/self/statm").read().split()[0]) * 4096 >> 20

def maps(mebibytes):
    return empty_maps(1, 16, mebibytes, 1 << 14)

held = [maps(64) for _ in range(4)]
most = size()
held.clear()
assert most - size() < 8  # it is kept
other = maps(100)
assert 16 < most - size() < 48  # of the four two are left, beside the other
again = [maps(64) for _ in range(2)]
assert 16 < most - size() < 48  # which are these
del other, again
for _ in range(1001):
    maps(16)
assert most - size() > 200  # forgotten
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_they_are_tensors_like_any_other() -> None:
    y = empty_maps(*SHAPE)
    assert y.shape == SHAPE
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert not y._is_view()
    y.fill_(1)
    assert copy.deepcopy(y).sum() == y.numel()
    with io.BytesIO() as file:
        torch.save(y, file)
        file.seek(0)
        assert torch.equal(torch.load(file, weights_only=True), y)
    x = torch.ones(SHAPE, requires_grad=True)
    z = convolve(x, torch.ones(16, 16, 3, 3), None)
    z.relu_().sum().backward()  # in place
    assert x.grad is not None


def test_they_outlive_a_fork() -> None:
    y = empty_maps(*SHAPE).fill_(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            del y
            other = empty_maps(*SHAPE).fill_(4)
            os._exit(int(other.min() != 4))
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert y.min() == 3
