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


NOT_SANITIZED = pytest.mark.skipif(
    "libasan" in os.environ.get("LD_PRELOAD", ""), reason="another memory.cc, gaps between blocks"
)


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


@NOT_SANITIZED
def test_smaller_ones_are_cut_from_what_is_free_and_become_one_again() -> None:
    """In a process of its own, for another free block might fit better."""
    program = """
from itertools import permutations

from vggnet.torch_native.tensors import empty_maps

def maps(quarters):
    return empty_maps(1, 16, 64 * quarters, 256)

def places():
    return [each.data_ptr() - start for each in held]

MIB = 1 << 20
start = maps(4).data_ptr()
for order in permutations(range(3)):
    held = [maps(1), maps(2), maps(1)]
    assert places() == [0, MIB, 3 * MIB], places()
    for i in order:
        held[i] = None
    assert maps(4).data_ptr() == start, order
held = [maps(1), maps(2), maps(1)]
held[0] = None
assert not start <= maps(2).data_ptr() < start + 4 * MIB  # the free one is too small
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_step_after_the_first_takes_nothing_from_the_system() -> None:
    """What it gives is zeros, while a block that was kept is as it was left.

    The system may take back what is free at any time, but not in each of twenty steps.
    """
    program = """
from vggnet import _native

def maps(mebibytes):
    global found
    block = _native.empty(mebibytes << 18)
    found += int((block[::1024] == 0).sum())
    block[:] = 1
    return block

def step():  # maps that halve from stage to stage, and stay until their gradients are there
    kept = []
    for mebibytes in (8, 8, 4, 4, 2, 2, 2, 1, 1, 1):
        kept += [maps(mebibytes), maps(mebibytes)]
    gradient = maps(1)
    while kept:
        of_z = maps(len(kept[-1]) >> 18)
        del kept[-1]
        gradient = of_z
        del of_z

zeros = []
for _ in range(20):
    found = 0
    step()
    zeros.append(found)
assert zeros[0] > 0 and min(zeros[1:]) == 0, zeros
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
@NOT_SANITIZED
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
    maps(2)
assert most - size() > 200  # forgotten
"""
    subprocess.run([sys.executable, "-c", program], check=True)


SIZE = """
import resource

from vggnet import _native

def size():
    return int(open("/proc/self/statm").read().split()[0]) * 4096 >> 20

def maps(mebibytes):
    return _native.empty(mebibytes << 18)

maps(1)  # NumPy is loaded
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
@NOT_SANITIZED
@pytest.mark.parametrize(
    "program",
    [
        # What was refused was not in use.
        """
try:
    _native.empty(1 << 46)
    raise AssertionError("so much memory is nowhere")
except MemoryError:
    pass
held = [maps(64) for _ in range(4)]
held.clear()
before = size()
for mebibytes in (100, 140, 200, 240):
    maps(mebibytes)
assert size() <= before + 8, (before, size())
""",
        # Little use of a large region does not keep it.
        """
before = size()
maps(400)
kept = maps(1)
for _ in range(10):
    maps(1)
assert size() < before + 16, (before, size())
""",
        # What is free makes room where the system has no more.
        """
held = [maps(100) for _ in range(4)]
held.clear()
most = size() + 200 << 20
resource.setrlimit(resource.RLIMIT_AS, (most, most))
assert len(maps(500)) == 500 << 18
""",
        # Maps of any size in any order leave gaps; how large they are is bounded in practice.
        """
import random

draw, held, used, most = random.Random(0), [], 0, 0
before = size()
for _ in range(3000):
    if held and (used > 400 or draw.random() < 0.5):
        used -= held.pop(draw.randrange(len(held))).nbytes >> 20
    else:
        held.append(maps(draw.randint(1, 32)))
        used += held[-1].nbytes >> 20
    most = max(most, used)
assert size() - before < 1.5 * most, (size() - before, most)
""",
    ],
    ids=["refused", "small", "short", "any"],
)
def test_what_is_kept_is_bounded(program: str) -> None:
    subprocess.run([sys.executable, "-c", SIZE + program], check=True)


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
