"""vggnet.training.hardware: a run keeps the device and the threads that it was begun with."""

from pathlib import Path
from typing import Any

import pytest
import torch

from vggnet.training.distributed import Process
from vggnet.training.hardware import Hardware, choose, multiplies_bf16, remark, set_torch

BEGUN = Hardware("cpu", 5, "fp32")
NATIVE = Hardware("cpu", 5, "fp32", "native")


def cpuinfo(root: Path, flags: str) -> Path:
    """A tree like the one Linux shows, of a processor with these flags."""
    (root / "proc").mkdir()
    (root / "proc" / "cpuinfo").write_text(f"model name : a processor\nflags\t\t: {flags}\n")
    return root


def test_a_run_that_is_resumed_keeps_its_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vggnet.training.hardware.multiplies_bf16", lambda _: True)
    assert choose("auto", None, "auto", BEGUN) == BEGUN
    assert choose("cpu", 5, "auto", BEGUN) == BEGUN
    assert choose("auto", None, "auto", NATIVE) == NATIVE
    assert choose("auto", None, "auto", NATIVE, "native") == NATIVE


def test_a_new_run_takes_what_is_asked_or_what_torch_has() -> None:
    assert choose("cpu", 3, "fp32", None, "torch") == Hardware("cpu", 3, "fp32", "torch")
    assert choose("cpu", None, "bf16").threads == torch.get_num_threads()
    assert choose("auto", 1, "fp32").kind == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize(("fast", "precision"), [(True, "bf16"), (False, "fp32")])
def test_auto_is_the_faster_precision(
    fast: bool, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vggnet.training.hardware.multiplies_bf16", lambda _: fast)
    assert choose("cpu", 1, "auto", None, "torch").precision == precision
    for asked in ("fp32", "bf16"):
        assert choose("cpu", 1, asked).precision == asked


def test_auto_is_the_engine_for_fp32_on_the_cpu_where_it_was_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert choose("cpu", 1, "fp32").convolutions == "native"
    assert choose("cpu", 1, "bf16").convolutions == "torch"
    assert choose("cpu", 1, "fp32", None, "torch").convolutions == "torch"
    monkeypatch.setattr("vggnet.native_kernels.absence", lambda: "it was not built")
    monkeypatch.setattr("vggnet.training.hardware.multiplies_bf16", lambda _: True)
    assert choose("cpu", 1, "auto") == Hardware("cpu", 1, "bf16", "torch")
    assert choose("cpu", 1, "fp32").convolutions == "torch"
    with pytest.raises(ValueError, match=r"^convolutions 'native': it was not built; take 'torch'"):
        choose("cpu", 1, "fp32", None, "native")


@pytest.mark.parametrize("asked", ["auto", "native", "torch"])
def test_a_run_of_the_engine_needs_it_to_go_on(asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither is 'torch' to be taken then, nor is 'torch' to be left out."""
    monkeypatch.setattr("vggnet.native_kernels.absence", lambda: "it was not built")
    text = r"^the run was begun with the native engine, which is not here \(it was not built\): b"
    with pytest.raises(ValueError, match=text):
        choose("auto", None, "auto", NATIVE, asked)


def test_the_engine_computes_in_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vggnet.training.hardware.multiplies_bf16", lambda _: True)
    for asked in ("auto", "native"):
        found = choose("cpu", 1, "auto", None, asked)  # type: ignore[arg-type]
        assert found == Hardware("cpu", 1, "fp32", "native")
    with pytest.raises(ValueError, match=r"'native': .* not in bf16 on cpu; take 'torch'"):
        choose("cpu", 1, "bf16", None, "native")


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ("fpu avx2 avx512f avx512bw avx512_bf16 gfni", True),
        ("fpu avx512_bf16 amx_bf16 amx_tile", True),
        ("fpu avx2 avx512f avx512_vnni", False),
        ("fpu avx2 not_avx512_bf16s", False),
    ],
)
def test_a_processor_that_multiplies_in_bf16(tmp_path: Path, flags: str, found: bool) -> None:
    assert multiplies_bf16("cpu", cpuinfo(tmp_path, flags)) == found


def test_a_processor_of_which_nothing_is_known_computes_in_fp32(tmp_path: Path) -> None:
    assert not multiplies_bf16("cpu", tmp_path)


@pytest.mark.parametrize(
    ("fast", "precision", "text"),
    [
        (True, "bf16", "convolutions by torch; computes in bf16"),
        (False, "fp32", "convolutions by torch; computes in fp32: this processor does not multi"),
        (False, "bf16", "convolutions by torch; computes in bf16, which takes several times as "),
    ],
)
def test_the_remark_says_what_is_computed_and_why(
    fast: bool, precision: Any, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vggnet.training.hardware.multiplies_bf16", lambda _: fast)
    found = remark(Hardware("cpu", 1, precision))
    assert found.startswith(text)
    assert (found == text) == fast
    native = remark(Hardware("cpu", 1, precision, "native"))
    assert native == found.replace("torch", "the native engine")


def test_other_threads_are_refused_and_both_numbers_named() -> None:
    with pytest.raises(
        ValueError, match=r"on cpu with 5 threads, .* on cpu with 4 threads, .* leave"
    ):
        choose("auto", 4, "auto", BEGUN)


@pytest.mark.parametrize(("begun", "asked"), [(BEGUN, "native"), (NATIVE, "torch")])
def test_convolutions_by_another_are_refused_and_both_named(begun: Hardware, asked: Any) -> None:
    text = f"convolutions by .*{begun.convolutions}.*, and would .* by .*{asked}.*, so leave"
    with pytest.raises(ValueError, match=text):
        choose("auto", None, "auto", begun, asked)


def test_another_device_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"begun on cuda with 5 threads, .* on cpu with 5 threads, "
    ):
        choose("cpu", None, "auto", Hardware("cuda", 5, "bf16"))


@pytest.mark.parametrize("device", ["banana", "meta", "cuda:99", "cpu:x", ""])
def test_a_device_that_is_not_here_is_one_line(device: str) -> None:
    with pytest.raises(ValueError, match=f"device '{device}'") as caught:
        choose(device, None, "auto")
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_a_run_begun_on_cuda_does_not_go_on_without() -> None:
    with pytest.raises(ValueError, match=r"device 'cuda': torch .* sees 0 CUDA devices here"):
        choose("auto", None, "auto", Hardware("cuda", 1, "bf16"))


def test_torch_gets_the_threads() -> None:
    before = torch.get_num_threads()
    try:
        set_torch(Hardware("cpu", before + 1, "fp32"))
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_computes_in_one_way_and_in_fp32() -> None:
    set_torch(Hardware("cuda", torch.get_num_threads(), "bf16"))
    assert torch.backends.cudnn.deterministic
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_multiplies_in_bf16_from_8_0_on() -> None:
    assert multiplies_bf16("cuda") == (torch.cuda.get_device_capability() >= (8, 0))


TWO = Process(rank=1, world_size=4, local_rank=1, local_world_size=2)  # of four on two machines


def test_processes_share_the_cores_of_their_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vggnet.training.hardware.usable_cores", lambda: 7)
    assert choose("cpu", None, "fp32", process=TWO).threads == 3
    assert choose("cpu", 5, "fp32", process=TWO).threads == 5
    crowded = Process(rank=1, world_size=8, local_rank=1, local_world_size=8)
    assert choose("cpu", None, "fp32", process=crowded).threads == 1
    text = remark(choose("cpu", None, "fp32", process=TWO))
    assert text.startswith("4 processes with 3 threads each; ")


def test_another_number_of_processes_may_take_other_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vggnet.training.hardware.usable_cores", lambda: 6)
    found = choose("auto", None, "auto", BEGUN, "torch", TWO)
    assert found == Hardware("cpu", 3, "fp32", "torch", 4)
    assert choose("auto", None, "auto", found, "auto", TWO) == found
    assert choose("auto", 2, "auto", found, "auto").threads == 2  # alone again
    with pytest.raises(ValueError, match=r"^the run was begun on cpu with 3 threads"):
        choose("auto", 2, "auto", found, "auto", TWO)


def test_each_process_has_a_device_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("vggnet.training.hardware.multiplies_bf16", lambda _: True)
    assert choose("cuda", 1, "auto", process=TWO).device == "cuda:1"
    begun = Hardware("cuda:0", 1, "bf16", processes=4)  # what rank 0 wrote
    assert choose("auto", None, "auto", begun, "auto", TWO).device == "cuda:1"
    with pytest.raises(ValueError, match=r"^device 'cuda:0': each of several processes takes one"):
        choose("cuda:0", 1, "auto", process=TWO)
    many = Process(rank=2, world_size=3, local_rank=2, local_world_size=3)
    with pytest.raises(ValueError, match=r"^3 processes on a machine with 2 CUDA devices: start"):
        choose("cuda", 1, "auto", process=many)
