import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy
import torch
from small_nets import AVERAGE, EVERYTHING, HEADLESS, random_state

from vggnet.class_lists import Label
from vggnet.preprocess import Preprocess
from vggnet.weights.own_file import load, save
from vggnet.weights.weights import Weights, check_state

LABELS = tuple(Label(index, "", f"thing {index}, a thing") for index in range(7))
PREPROCESS = Preprocess.torchvision(resize=18, crop=16)
TRAINING = {"command": "vggnet train", "metrics": {"top1": 0.5}, "epochs": 3}


def weights(**changes: object) -> Weights:
    made = Weights(AVERAGE, random_state(AVERAGE), PREPROCESS, LABELS, TRAINING)
    return replace(made, **changes)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    saved = weights()
    save(tmp_path / "net.safetensors", saved)
    loaded = load(tmp_path / "net.safetensors")
    assert (loaded.spec, loaded.preprocessing) == (saved.spec, saved.preprocessing)
    assert (loaded.labels, loaded.training) == (saved.labels, saved.training)
    assert list(loaded.state) == list(AVERAGE.state_shapes)
    for name, array in saved.state.items():
        assert loaded.state[name].dtype == np.float32
        assert np.array_equal(loaded.state[name], array)


@pytest.mark.parametrize("spec", [EVERYTHING, HEADLESS], ids=lambda spec: spec.name)
def test_nets_with_batch_norm_and_without_a_head(tmp_path: Path, spec) -> None:
    save(tmp_path / "net.safetensors", Weights(spec, random_state(spec), PREPROCESS))
    loaded = load(str(tmp_path / "net.safetensors"))
    assert loaded.spec == spec
    assert loaded.labels == ()
    assert loaded.training == {}


def test_the_safetensors_library_reads_the_file(tmp_path: Path) -> None:
    saved = weights()
    save(tmp_path / "net.safetensors", saved)
    arrays = safetensors.numpy.load_file(tmp_path / "net.safetensors")
    assert set(arrays) == set(saved.state)
    assert all(np.array_equal(arrays[name], saved.state[name]) for name in arrays)
    with safetensors.safe_open(tmp_path / "net.safetensors", framework="numpy") as file:
        assert json.loads(file.metadata()["spec"]) == AVERAGE.to_json()


def test_fp32_arrays_are_read_only_views_of_the_file(tmp_path: Path) -> None:
    save(tmp_path / "net.safetensors", weights())
    for array in load(tmp_path / "net.safetensors").state.values():
        assert not array.flags.owndata
        assert not array.flags.writeable
        assert array.flags.aligned


@pytest.mark.parametrize(("dtype", "torch_type"), [("bf16", "bfloat16"), ("fp16", "float16")])
def test_16_bits_are_rounded_as_torch_rounds_them(
    tmp_path: Path, dtype: str, torch_type: str
) -> None:
    state = random_state(AVERAGE)
    ties = np.array([1 + 2**-8, 1 + 3 * 2**-8, -1 - 2**-8, 1 + 2**-11, 1 + 3 * 2**-11, 0, 2**-140])
    state["fc3.bias"] = ties.astype(np.float32)
    save(tmp_path / "net.safetensors", weights(state=state), dtype)
    loaded = load(tmp_path / "net.safetensors").state
    for name, array in state.items():
        rounded = torch.from_numpy(array).to(getattr(torch, torch_type)).float().numpy()
        assert loaded[name].dtype == np.float32
        assert np.array_equal(loaded[name], rounded)
    size = sum(array.size for array in state.values())
    assert (tmp_path / "net.safetensors").stat().st_size < 2 * size + 4000


def test_all_that_does_not_fit_is_in_one_line() -> None:
    state = random_state(AVERAGE)
    del state["conv1_1.bias"], state["fc3.weight"]
    state["conv2_1.weight"] = state["conv2_1.weight"][:, :5]
    state["fc3.bias"] = np.zeros(7, np.int64)
    state["classifier.6.bias"] = np.zeros(7, np.float32)
    with pytest.raises(
        ValueError, match=r"^net\.safetensors: does not fit spec 'average'"
    ) as fault:
        check_state(AVERAGE, state, "net.safetensors")
    text = str(fault.value)
    assert "missing: conv1_1.bias, fc3.weight;" in text
    assert "extra: classifier.6.bias;" in text
    assert "misshapen: conv2_1.weight (8, 5, 3, 3) instead of (8, 6, 3, 3);" in text
    assert "not floats: fc3.bias (int64)" in text
    assert "\n" not in text


def test_names_that_a_file_gives_are_shown_on_one_line_and_not_without_end() -> None:
    one = np.zeros(1, np.float32)
    state = random_state(AVERAGE) | {f"{i}\n\x1b[31m{'a' * 1000}": one for i in range(5000)}
    with pytest.raises(ValueError, match=r"extra: 0\\n\\x1b\[31maaa.*, and 4,800 more$") as fault:
        check_state(AVERAGE, state, "net")
    assert str(fault.value).isprintable()
    assert len(str(fault.value)) < 100_000


def test_an_array_without_elements_is_misshapen() -> None:
    state = random_state(AVERAGE) | {"fc3.bias": np.zeros(0, np.float32)}
    with pytest.raises(ValueError, match=r"misshapen: fc3\.bias \(0,\) instead of \(7,\)$"):
        check_state(AVERAGE, state, "net")


def test_weights_print_without_their_arrays() -> None:
    assert len(repr(weights())) < 1000


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_arrays_that_are_not_finite_are_named(tmp_path: Path, value: float) -> None:
    state = random_state(AVERAGE)
    state["conv2_1.weight"][3, 2, 1, 0] = value
    with pytest.raises(ValueError, match=r"net\.safetensors: .*not finite: conv2_1\.weight$"):
        save(tmp_path / "net.safetensors", weights(state=state))
    assert list(tmp_path.iterdir()) == []
    check_state(AVERAGE, state, "net", finite=False)


def test_values_too_large_for_fp16_are_named(tmp_path: Path) -> None:
    state = random_state(AVERAGE)
    state["fc3.bias"][0] = 70_000
    with pytest.raises(ValueError, match=r"too large for fp16: fc3\.bias; save as fp32"):
        save(tmp_path / "net.safetensors", weights(state=state), "fp16")
    save(tmp_path / "net.safetensors", weights(state=state), "bf16")


def test_a_precision_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'int8' must be one of fp32, bf16, fp16"):
        save(tmp_path / "net.safetensors", weights(), "int8")


def test_a_file_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "net.safetensors"
    save(path, weights())
    before = path.read_bytes()

    def full_disk(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="no space left"):
        save(path, weights(state=random_state(AVERAGE, seed=9)))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_labels_must_fit_the_classes() -> None:
    with pytest.raises(ValueError, match=r"'average': 6 labels for 7 classes"):
        weights(labels=LABELS[:-1])
    with pytest.raises(ValueError, match=r"label 0 says that its index is 1"):
        weights(labels=(LABELS[1], *LABELS[1:]))
    with pytest.raises(ValueError, match=r"missing: fc3\.bias"):
        weights(state={n: a for n, a in random_state(AVERAGE).items() if n != "fc3.bias"})


def test_damaged_files_are_one_line_with_their_name(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    save(path, weights())
    whole = path.read_bytes()
    header_length = int.from_bytes(whole[:8], "little")
    damaged = {
        "truncated": whole[:-1],
        "longer": whole + b"\0",
        "half a header": whole[: 8 + header_length // 2],
        "empty": b"",
        "a header that is no JSON": whole[:8] + b"x" * header_length + whole[8 + header_length :],
        "a picture": b"\x89PNG\r\n\x1a\n" + b"\0" * 100,
    }
    for content in damaged.values():
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"net\.safetensors: damaged or not") as fault:
            load(path)
        assert "\n" not in str(fault.value)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.safetensors: no such file"):
        load(tmp_path / "none.safetensors")
    with pytest.raises(ValueError, match=r"cannot be read|directory"):
        load(tmp_path)


def test_a_safetensors_file_of_somebody_else(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    safetensors.numpy.save_file(random_state(AVERAGE), path)
    with pytest.raises(ValueError, match="not one that vggnet wrote"):
        load(path)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("vggnet_format", '"two"', r"broken metadata: it is of version 'two'; give a whole number"),
        ("colours", "3", r"broken metadata: it has the unknown \['colours'\]; its fields are "),
        ("spec", "{", r"broken metadata: "),
        ("spec", "{}", r"broken metadata: a spec lacks \['batch_norm', "),
        ("preprocess", "[]", r"broken metadata: preprocessing"),
        ("labels", "3", r"broken metadata: labels must be a list"),
        ("labels", '[{"index": 0}]', r"broken metadata: a label has index, wnid and words"),
        ("training", "[]", r"training a dictionary"),
        ("labels", None, r"broken metadata: it lacks \['labels'\]; its fields are "),
        ("spec", json.dumps(HEADLESS.to_json()), r"does not fit spec 'headless'; extra: fc3"),
        ("labels", '[{"index": 0, "wnid": "", "words": "a"}]', r"1 labels for 7 classes"),
    ],
)
def test_broken_metadata(tmp_path: Path, field: str, value: str | None, message: str) -> None:
    path = tmp_path / "net.safetensors"
    save(path, weights())
    with safetensors.safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    arrays = {name: array.copy() for name, array in load(path).state.items()}
    if value is None:
        del metadata[field]
    else:
        metadata[field] = value
    safetensors.numpy.save_file(arrays, path, metadata)
    with pytest.raises(ValueError, match=message) as fault:
        load(path)
    assert str(fault.value).startswith(str(path))
    assert "\n" not in str(fault.value)


def _with_metadata(path: Path, **changes: str) -> None:
    save(path, weights())
    with safetensors.safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    arrays = {name: array.copy() for name, array in load(path).state.items()}
    safetensors.numpy.save_file(arrays, path, metadata | changes)


def test_a_newer_file_is_read_unless_it_says_what_nobody_here_knows(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    _with_metadata(path, vggnet_format="2")
    assert load(path).spec == AVERAGE
    _with_metadata(path, vggnet_format="2", colours="[]")
    with pytest.raises(
        ValueError, match=r"net.* version 2 and has the unknown \['colours'\].* newer"
    ):
        load(path)
    spec = AVERAGE.to_json() | {"version": 3, "attention": True}
    _with_metadata(path, spec=json.dumps(spec))
    with pytest.raises(
        ValueError, match=r"a spec is of version 3 and has the unknown \['attention"
    ):
        load(path)


def test_numbers_of_another_type_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    save(path, weights())
    with safetensors.safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    arrays = random_state(AVERAGE) | {"fc3.bias": np.zeros(7, np.int32)}
    safetensors.numpy.save_file(arrays, path, metadata)
    with pytest.raises(ValueError, match=r"fc3\.bias is I32, not F32, BF16, F16"):
        load(path)
