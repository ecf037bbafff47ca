import numpy as np
import pytest
import torch
from comparison import relative_error
from small_nets import EVERYTHING, FULLY_CONNECTED, random_images, random_state

from vggnet.engines.reference import ReferenceEngine
from vggnet.engines.torch_engine import TorchEngine


def engine_for(spec, state, precision="fp32", threads=None, device="cpu") -> TorchEngine:
    return TorchEngine(spec, state, precision, threads, device)


def test_weights_are_views_of_the_state_also_where_it_is_read_only() -> None:
    state = random_state(FULLY_CONNECTED)
    for array in state.values():
        array.flags.writeable = False
    network = engine_for(FULLY_CONNECTED, state).network
    for name in ("conv1_1.bias", "fc3.weight", "fc4.weight"):
        assert network.get_parameter(name).data_ptr() == state[name].ctypes.data


def test_a_reversed_view_as_weights() -> None:
    state = random_state(FULLY_CONNECTED)
    images = random_images(2, 16, 16)
    expected = engine_for(FULLY_CONNECTED, state)(images)
    backwards = np.ascontiguousarray(state["conv1_1.weight"][:, ::-1])
    state["conv1_1.weight"] = backwards[:, ::-1]
    assert np.array_equal(engine_for(FULLY_CONNECTED, state)(images), expected)


def test_runs_in_inference_mode_channels_last_and_evaluates() -> None:
    engine = engine_for(EVERYTHING, random_state(EVERYTHING))
    seen = []
    first = engine.network.conv1_1
    first.register_forward_hook(lambda module, given, made: seen.append((given[0], made)))
    images = random_images(2, 24, 24)
    assert np.array_equal(engine(images), engine(images))  # dropout draws nothing
    assert seen[0][1].is_inference()
    for tensor in (*seen[0], first.weight):
        assert tensor.is_contiguous(memory_format=torch.channels_last)
    assert not engine.network.training
    assert not any(each.requires_grad for each in engine.network.parameters())


def test_features_stop_at_the_deepest_layer() -> None:
    engine = engine_for(EVERYTHING, random_state(EVERYTHING))
    run = []
    for name, module in engine.network.named_children():
        module.register_forward_hook(lambda *_, name=name: run.append(name))
    engine.features(random_images(1, 24, 24), ["pool1", "conv1_1"])
    assert tuple(run) == EVERYTHING.layer_names[: EVERYTHING.layer_names.index("pool1") + 1]


def test_features_come_in_rows_of_channels() -> None:
    engine = engine_for(EVERYTHING, random_state(EVERYTHING))
    found = engine.features(random_images(2, 24, 24), ["conv1_1"])["conv1_1"]
    assert found.flags.c_contiguous
    assert found.flags.writeable


def test_threads_are_set_for_the_call_alone() -> None:
    engine = engine_for(EVERYTHING, random_state(EVERYTHING), threads=2)
    seen = []
    engine.network.conv1_1.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    before = torch.get_num_threads()
    engine(random_images(1, 24, 24))
    assert seen == [2]
    assert before == torch.get_num_threads() == 1
    with pytest.raises(ValueError, match="24 x 24"):
        engine(random_images(1, 25, 24))
    assert torch.get_num_threads() == 1


def test_bf16_is_near_but_not_equal() -> None:
    state, images = random_state(FULLY_CONNECTED), random_images(4, 16, 16)
    expected = engine_for(FULLY_CONNECTED, state)(images)
    found = engine_for(FULLY_CONNECTED, state, precision="bf16")(images)
    assert found.dtype == np.float32
    assert 1e-5 < relative_error(found, expected) < 3e-2


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("tpu", r"device 'tpu' must be cpu, cuda or cuda:N"),
        ("cuda:99", r"device 'cuda:99': torch finds \d+ CUDA devices"),
        ("cuda:x", r"device 'cuda:x': torch finds \d+ CUDA devices"),
    ],
)
def test_a_device_that_is_not_there(device: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        engine_for(FULLY_CONNECTED, random_state(FULLY_CONNECTED), device=device)


def test_cuda_without_a_cuda_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ValueError, match=r"device 'cuda': torch finds 0 CUDA devices"):
        engine_for(FULLY_CONNECTED, random_state(FULLY_CONNECTED), device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
@pytest.mark.parametrize(("precision", "bound"), [("fp32", 1e-5), ("bf16", 3e-2)])
def test_cuda_agrees_with_the_oracle(precision: str, bound: float) -> None:
    images = random_images(4, 24, 24)
    oracle = ReferenceEngine(EVERYTHING, random_state(EVERYTHING, dtype=np.float64))
    engine = engine_for(EVERYTHING, random_state(EVERYTHING), precision, device="cuda")
    assert relative_error(engine(images), oracle(images)) < bound
