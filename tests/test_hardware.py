"""vggnet.training.hardware: a run keeps the device and the threads that it was begun with."""

import pytest
import torch

from vggnet.training.hardware import Hardware, choose, set_torch

BEGUN = Hardware("cpu", 5)


def test_a_run_that_is_resumed_keeps_its_hardware() -> None:
    assert choose("auto", None, BEGUN) == BEGUN
    assert choose("cpu", 5, BEGUN) == BEGUN


def test_a_new_run_takes_what_is_asked_or_what_torch_has() -> None:
    assert choose("cpu", 3) == Hardware("cpu", 3)
    assert choose("cpu", None).threads == torch.get_num_threads()
    assert choose("auto", 1).kind == ("cuda" if torch.cuda.is_available() else "cpu")


def test_other_threads_are_refused_and_both_numbers_named() -> None:
    with pytest.raises(ValueError, match=r"begun on cpu with 5 threads .* on cpu with 4: leave"):
        choose("auto", 4, BEGUN)


def test_another_device_is_refused() -> None:
    with pytest.raises(ValueError, match=r"begun on cuda with 5 threads .* on cpu with 5: leave"):
        choose("cpu", None, Hardware("cuda", 5))


@pytest.mark.parametrize("device", ["banana", "meta", "cuda:99", "cpu:x", ""])
def test_a_device_that_is_not_here_is_one_line(device: str) -> None:
    with pytest.raises(ValueError, match=f"device '{device}'") as caught:
        choose(device, None)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_a_run_begun_on_cuda_does_not_go_on_without() -> None:
    with pytest.raises(ValueError, match=r"device 'cuda': torch .* sees 0 CUDA devices here"):
        choose("auto", None, Hardware("cuda", 1))


def test_torch_gets_the_threads() -> None:
    before = torch.get_num_threads()
    try:
        set_torch(Hardware("cpu", before + 1))
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_computes_in_one_way_and_in_fp32() -> None:
    set_torch(Hardware("cuda", torch.get_num_threads()))
    assert torch.backends.cudnn.deterministic
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32
