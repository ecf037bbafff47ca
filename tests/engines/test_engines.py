import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_nets import AVERAGE, EVERYTHING, FULLY_CONNECTED, HEADLESS, random_images, random_state

from vggnet import engines, native_kernels
from vggnet.cli import main
from vggnet.spec import Spec
from vggnet.weights.rewrite import fully_convolutional

NAMES = ("native", "torch", "numpy")


def hide(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    """As where these modules are not installed."""
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in modules else find_spec(name)
    )


def test_auto_takes_native_where_it_was_built() -> None:
    engine = engines.create("auto", AVERAGE, random_state(AVERAGE))
    assert engine.name == "native"
    assert list(engines.available().items()) == [("native", None), ("torch", None), ("numpy", None)]


def test_auto_takes_torch_without_native(monkeypatch: pytest.MonkeyPatch) -> None:
    hide(monkeypatch, "vggnet._native")
    assert engines.create("auto", AVERAGE, random_state(AVERAGE)).name == "torch"
    with pytest.raises(ValueError, match=r"engine 'native': it was not built") as fault:
        engines.create("native", AVERAGE, random_state(AVERAGE))
    assert "\n" not in str(fault.value)


def test_auto_takes_numpy_without_both(monkeypatch: pytest.MonkeyPatch) -> None:
    hide(monkeypatch, "vggnet._native", "torch")
    assert engines.create("auto", AVERAGE, random_state(AVERAGE)).name == "numpy"
    assert engines.available()["numpy"] is None
    with pytest.raises(ValueError, match=r"'torch'.*pip install 'vggnet\[train\]'") as fault:
        engines.create("torch", AVERAGE, random_state(AVERAGE))
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize("reason", ["no C++ compiler was found when vggnet was installed\n", ""])
def test_the_build_s_reason_for_no_native_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reason: str
) -> None:
    hide(monkeypatch, "vggnet._native")
    (tmp_path / "native_absence.txt").write_text(reason)
    monkeypatch.setattr(native_kernels.resources, "files", lambda package: tmp_path)
    told = engines.available()["native"]
    assert told == (reason.strip() or "it was not built; install vggnet with pip, which builds it")


def test_the_version_names_every_engine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hide(monkeypatch, "vggnet._native")
    with pytest.raises(SystemExit):
        main(["--version"])
    lines = capsys.readouterr().out.splitlines()[1:]
    assert lines == [
        f"engine native: {engines.available()['native']}",
        "engine torch: available",
        "engine numpy: available",
    ]


def test_auto_takes_torch_for_a_device_that_only_torch_has() -> None:
    with pytest.raises(ValueError, match=r"device 'cuda:99': torch finds"):
        engines.create("auto", AVERAGE, random_state(AVERAGE), device="cuda:99")
    assert engines.create("auto", AVERAGE, random_state(AVERAGE), device="cpu").name == "native"


def test_asking_what_is_available_does_not_import_torch() -> None:
    program = (
        "import sys; from vggnet import engines; engines.available(); print(sorted(sys.modules))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert "'vggnet.engines'" in ran.stdout
    assert "'torch'" not in ran.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "steam"}, r"engine 'steam' must be one of auto, native, torch, numpy"),
        ({"precision": "fp8"}, r"precision 'fp8' must be one of fp32, bf16"),
        ({"threads": 0}, r"threads 0 must be from 1 to 1024"),
        ({"threads": -1}, r"threads -1 must be from 1 to 1024"),
        ({"name": "numpy", "precision": "bf16"}, r"'numpy' computes in fp32 .*, not in bf16"),
        ({"name": "numpy", "threads": 2}, r"'numpy' computes .*, not with 2 threads"),
        ({"name": "numpy", "device": "cuda"}, r"'numpy' computes on the cpu, not on cuda"),
        ({"name": "native", "device": "cuda"}, r"'native' computes on the cpu, not on cuda"),
    ],
)
def test_what_no_engine_has(options: dict[str, Any], message: str) -> None:
    arguments = {"name": "torch", "spec": AVERAGE, "state": random_state(AVERAGE)} | options
    with pytest.raises(ValueError, match=message):
        engines.create(**arguments)


@pytest.mark.parametrize("name", NAMES)
def test_a_state_that_does_not_fit(name: str) -> None:
    state = random_state(AVERAGE)
    del state["fc3.bias"]
    state["conv1_1.weight"] = state["conv1_1.weight"][:, :2]
    with pytest.raises(ValueError, match=r"missing: fc3\.bias; misshapen: conv1_1\.weight"):
        engines.create(name, AVERAGE, state)


@pytest.mark.parametrize("name", NAMES)
class TestImages:
    @pytest.mark.parametrize(
        ("images", "message"),
        [
            (np.zeros((3, 24, 24)), r"shape \(N, 3, H, W\), not \(3, 24, 24\)"),
            (np.zeros((1, 1, 24, 24)), r"shape \(N, 3, H, W\), not \(1, 1, 24, 24\)"),
            (np.zeros((1, 24, 24, 3)), r"shape \(N, 3, H, W\), not \(1, 24, 24, 3\)"),
            (np.zeros((1, 3, 24, 24), np.uint8), r"floating point, not uint8"),
            (np.zeros((1, 3, 24, 25)), r"take 24 x 24 pictures, not 24 x 25"),
            (np.full((1, 3, 24, 24), np.nan), r"NaN, infinity"),
            (np.full((1, 3, 24, 24), 1e300), r"too large for float32"),
            ([[1.0]], r"shape \(N, 3, H, W\), not \(1, 1\)"),
        ],
        ids=["3 dimensions", "grey", "channels last", "pixels", "size", "NaN", "large", "list"],
    )
    def test_refused(self, name: str, images: Any, message: str) -> None:
        engine = engines.create(name, EVERYTHING, random_state(EVERYTHING))
        for call in (engine, lambda images: engine.features(images, ["conv1_1"])):
            with pytest.raises(ValueError, match=message) as fault:
                call(images)
            assert "\n" not in str(fault.value)

    def test_too_small_for_the_pools(self, name: str) -> None:
        engine = engines.create(name, AVERAGE, random_state(AVERAGE))
        with pytest.raises(ValueError, match=r"at least 4 x 4, not 3 x 16"):
            engine(random_images(1, 3, 16))

    def test_of_any_layout_and_type_are_taken(self, name: str) -> None:
        engine = engines.create(name, FULLY_CONNECTED, random_state(FULLY_CONNECTED))
        images = random_images(2, 16, 16)
        channels_last = np.ascontiguousarray(images.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        mirrored = np.ascontiguousarray(images[..., ::-1])[..., ::-1]
        read_only = images.copy()
        read_only.flags.writeable = False
        expected = engine(images)
        assert expected.dtype == np.float32
        for same in (channels_last, mirrored, read_only, images.astype(np.float64)):
            found = engine(same)
            assert found.dtype == np.float32
            assert np.array_equal(found, expected)

    @pytest.mark.parametrize("spec", [EVERYTHING, AVERAGE], ids=lambda spec: spec.name)
    def test_none_at_all_give_no_logits(self, name: str, spec: Spec) -> None:
        engine = engines.create(name, spec, random_state(spec))
        none = np.zeros((0, 3, spec.input_size, spec.input_size), np.float32)
        assert engine(none).shape == (0, 7)
        found = engine.features(none, ["pool1", "prob"])
        assert found["pool1"].shape == (0, *_layer(spec, "pool1").output)
        assert found["prob"].shape == (0, 7)

    def test_of_any_size_for_a_global_average(self, name: str) -> None:
        engine = engines.create(name, AVERAGE, random_state(AVERAGE))
        assert engine(random_images(2, 20, 33)).shape == (2, 7)


@pytest.mark.parametrize("name", NAMES)
def test_a_fully_convolutional_net_gives_a_map(name: str) -> None:
    spec, state = fully_convolutional(FULLY_CONNECTED, random_state(FULLY_CONNECTED))
    assert engines.create(name, spec, state)(random_images(2, 24, 32)).shape == (2, 7, 3, 5)


@pytest.mark.parametrize("name", NAMES)
def test_a_net_without_a_head_has_features_only(name: str) -> None:
    engine = engines.create(name, HEADLESS, random_state(HEADLESS))
    images = random_images(1, 16, 16)
    with pytest.raises(ValueError, match=r"'headless' has no classifier; use features"):
        engine(images)
    assert engine.features(images, ["conv2_1"])["conv2_1"].shape == (1, 8, 8, 8)


@pytest.mark.parametrize("name", NAMES)
def test_features_are_named_in_the_order_asked_for(name: str) -> None:
    engine = engines.create(name, FULLY_CONNECTED, random_state(FULLY_CONNECTED))
    images = random_images(2, 16, 16)
    found = engine.features(images, ["fc4", "relu1_1", "conv1_1", "relu1_1"])
    assert list(found) == ["fc4", "relu1_1", "conv1_1"]
    assert np.array_equal(found["relu1_1"], np.maximum(found["conv1_1"], 0))
    assert found["conv1_1"].min() < 0
    assert np.array_equal(found["fc4"], engine(images))
    with pytest.raises(ValueError, match=r"no layer 'conv9_9'"):
        engine.features(images, ["conv1_1", "conv9_9"])
    with pytest.raises(ValueError, match=r"name at least one layer"):
        engine.features(images, [])


def _layer(spec: Spec, name: str) -> Any:
    return next(layer for layer in spec.layers if layer.name == name)
