"""Keras's files: written and read by Keras itself, in the layouts of old, and damaged."""

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import written_by_keras
from damage import NUM_VERSIONS, check_damaged

from vggnet.weights.containers import Contents, keras_files

VALUES = written_by_keras.random_weights()
LAYERS = list(written_by_keras.SHAPES)
PROPERTIES = {"labels": "[" + "0, " * 40_000 + "0]"}  # longer than an attribute of fixed length


def load_all(path: Path) -> Contents:
    contents = keras_files.read(path)
    for array in contents.arrays.values():
        loaded = array.load()
        assert loaded.shape == array.shape
        assert loaded.dtype == array.dtype
    return contents


def by_layer(template: str) -> dict[str, dict[str, np.ndarray]]:
    """What `keras.write` takes, with weights named after the template."""
    return {
        layer: {template.format(layer=layer, weight=name): VALUES[f"{layer}/{name}"] for name in of}
        for layer, of in written_by_keras.SHAPES.items()
    }


def vgg16_convolutions() -> dict[str, dict[str, np.ndarray]]:
    """Random weights for keras.applications.VGG16 without its top, layer by layer."""
    chance = np.random.default_rng(16)
    layers, channels = {}, 3
    for stage, (depth, width) in enumerate([(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)], 1):
        for index in range(1, depth + 1):
            name = f"block{stage}_conv{index}"
            layers[name] = {
                f"{name}/kernel:0": chance.random((3, 3, channels, width), np.float32),
                f"{name}/bias:0": chance.random(width, np.float32),
            }
            channels = width
        layers[f"block{stage}_pool"] = {}
    return layers


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of ours, of Keras, and in said.json what Keras found wrong with ours."""
    folder = tmp_path_factory.mktemp("keras")
    np.savez(folder / "weights.npz", **VALUES)
    keras_files.write(folder / "ours-2.h5", by_layer("{layer}/{weight}:0"), properties=PROPERTIES)
    keras_files.write(folder / "ours-1.h5", by_layer("{layer}_{weight}_1:0"), keras_version="1.2.0")
    keras_files.write(folder / "ours.weights.h5", by_layer("{weight}"), properties=PROPERTIES)
    keras_files.write(folder / "vgg16.h5", vgg16_convolutions())
    said = subprocess.run(
        [sys.executable, written_by_keras.__file__, str(folder)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "KERAS_HOME": str(folder / "home")},
    )
    assert said.returncode == 0, said.stderr
    (folder / "said.json").write_text(said.stdout.splitlines()[-1])
    return folder


NAMES = {  # file of Keras -> the names of its arrays
    "tree.weights.h5": "layers/{layer}/vars/{index}",
    "whole.keras": "layers/{layer}/vars/{index}",
    "whole.h5": "model_weights/{layer}/{model}{layer}/{weight}",
}


@pytest.mark.parametrize("name", NAMES)
def test_files_that_keras_writes(folder: Path, name: str) -> None:
    contents = load_all(folder / name)
    assert contents.container == ("Keras" if name.endswith(".keras") else "HDF5")
    prefix = next(iter(contents.arrays)).split("/")[2] + "/"
    model = prefix if prefix.startswith("sequential") else ""
    expected = {
        NAMES[name].format(layer=layer, weight=weight, index=index, model=model): VALUES[
            f"{layer}/{weight}"
        ]
        for layer, shapes in written_by_keras.SHAPES.items()
        for index, weight in enumerate(shapes)
    }
    assert set(contents.arrays) == set(expected)
    for path, value in expected.items():
        array = contents.arrays[path].load()
        np.testing.assert_array_equal(array, value, strict=True)
        assert not array.flags.owndata, "not a view of the file"


def test_bf16_of_keras_is_widened(folder: Path) -> None:
    arrays = load_all(folder / "brain.weights.h5").arrays
    exact = VALUES["fc1/kernel"]
    found = arrays["layers/fc1/vars/0"].load()
    assert found.dtype == np.float32
    assert not (found.view(np.uint32) & 0xFFFF).any()
    np.testing.assert_allclose(found, exact, rtol=2**-8)


@pytest.mark.parametrize("name", ["ours-1.h5", "ours-2.h5", "ours.weights.h5", "vgg16.h5"])
def test_keras_reads_what_we_write(folder: Path, name: str) -> None:
    assert json.loads((folder / "said.json").read_text())[name] == []


def test_what_we_write_is_read_back(tmp_path: Path) -> None:
    keras_files.write(tmp_path / "ours.h5", by_layer("{layer}/{weight}:0"), properties=PROPERTIES)
    contents = load_all(tmp_path / "ours.h5")
    version = {"keras_version": "2.15.0", "backend": "tensorflow"}
    assert contents.metadata == PROPERTIES | version | {"layer_names": LAYERS}
    assert len(contents.arrays) == len(VALUES)
    for name, value in VALUES.items():
        layer, weight = name.split("/")
        array = contents.arrays[f"{layer}/{layer}/{weight}:0"].load()
        np.testing.assert_array_equal(array, value, strict=True)
    assert list(tmp_path.iterdir()) == [tmp_path / "ours.h5"]


def test_a_net_of_very_many_layers_is_written_in_parts_of_the_list(tmp_path: Path) -> None:
    layers = {f"layer_{i:03}".ljust(300, "_"): {} for i in range(250)}
    keras_files.write(tmp_path / "long.h5", layers)
    assert keras_files.read(tmp_path / "long.h5").metadata["layer_names"] == list(layers)
    with h5py.File(tmp_path / "long.h5") as file:
        parts = [file.attrs[f"layer_names{part}"] for part in range(2)]
        assert [name.decode() for part in parts for name in part] == list(layers)


def keras_1(path: Path, **storage: object) -> Path:
    """The layout of keras.applications' own files: Keras 1.2's Container.save_weights."""
    names = {"kernel": "W", "bias": "b"}
    with h5py.File(path, "w") as file:
        layers = ["input_1", "block1_conv1", "block1_conv2", "block1_pool", "fc1", "predictions"]
        file.attrs["layer_names"] = [layer.encode() for layer in layers]
        for layer in layers:
            group = file.create_group(layer)
            shapes = written_by_keras.SHAPES.get(layer, {})
            group.attrs["weight_names"] = [f"{layer}_{names[w]}_1:0".encode() for w in shapes]
            for weight in shapes:
                value = VALUES[f"{layer}/{weight}"]
                group.create_dataset(f"{layer}_{names[weight]}_1:0", data=value, **storage)
    return path


@pytest.mark.parametrize(
    "storage", [{}, {"compression": "gzip", "shuffle": True, "fletcher32": True}]
)
def test_the_layout_of_keras_1(tmp_path: Path, storage: dict[str, object]) -> None:
    path = keras_1(tmp_path / "vgg16_weights_tf_dim_ordering_tf_kernels.h5", **storage)
    assert keras_files.recognises(path.read_bytes()[:64])
    contents = load_all(path)
    for layer in ("block1_conv1", "predictions"):
        found = contents.arrays[f"{layer}/{layer}_W_1:0"].load()
        np.testing.assert_array_equal(found, VALUES[f"{layer}/kernel"], strict=True)


def test_an_early_keras_file_gets_its_names_from_the_configuration(tmp_path: Path) -> None:
    layers = [("InputLayer", "in"), ("Conv2D", "block1_conv1"), ("BatchNormalization", "norm"),
              ("MaxPooling2D", "pool"), ("Conv2D", "block1_conv2")]  # fmt: skip
    listed = [{"class_name": kind, "config": {"name": name}} for kind, name in layers]
    inner = io.BytesIO()
    with h5py.File(inner, "w") as file:
        for number, group in enumerate(("conv2d", "batch_normalization", "conv2d_1")):
            file[f"_layer_checkpoint_dependencies/{group}/vars/0"] = np.float32([number])
    path = tmp_path / "early.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.0.0"}')
        archive.writestr("config.json", json.dumps({"config": {"layers": listed}}))
        archive.writestr("model.weights.h5", inner.getvalue())
    assert keras_files.recognises(path.read_bytes()[:64])
    contents = load_all(path)
    prefix = "_layer_checkpoint_dependencies"
    found = {name: array.load().item() for name, array in contents.arrays.items()}
    assert found == {
        f"{prefix}/norm/vars/0": 1, f"{prefix}/block1_conv1/vars/0": 0,
        f"{prefix}/block1_conv2/vars/0": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("members", "complaint"),
    [
        ({"config.json": "{}"}, "a zip without model.weights.h5"),
        ({"config.json": "[" * 100_000, "model.weights.h5": ""}, "config.json: damaged JSON"),
        ({"config.json": " " * 2**23, "model.weights.h5": ""}, "would grow|more than"),
        ({"config.json": "{}", "model.weights.h5": "HDF"}, "damaged HDF5"),
    ],
)
def test_hostile_archives_end_in_one_line(
    tmp_path: Path, members: dict[str, str], complaint: str
) -> None:
    path = tmp_path / "hostile.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    with pytest.raises(ValueError, match=complaint) as raised:
        keras_files.read(path)
    assert str(raised.value).startswith(f"{path}: ")


def test_a_broken_configuration_in_a_whole_model_ends_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "net.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = "{"
    with pytest.raises(ValueError, match=r"net\.h5: model_config: damaged JSON: ") as raised:
        keras_files.read(path)
    assert str(raised.value).startswith(f"{path}: ")


@pytest.mark.parametrize("num_arrays", [1, 12])
@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_growth_does_not_multiply(tmp_path: Path, num_arrays: int, method: int) -> None:
    """Arrays of zeros, compressed in HDF5, which is compressed once more: all count together."""
    inner = io.BytesIO()
    with h5py.File(inner, "w") as file:
        for index in range(num_arrays):
            zeros = np.zeros((64, 2**12), np.float32)  # 1 MiB
            file.create_dataset(f"conv{index}", data=zeros, compression="gzip")
    path = tmp_path / "small.keras"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("model.weights.h5", inner.getvalue())
    assert path.stat().st_size < 2**18
    if num_arrays == 1:
        assert not load_all(path).arrays["conv0"].load().any()
        return
    with pytest.raises(ValueError, match=r"small\.keras: .* would grow to 1,048,576 bytes"):
        keras_files.read(path)


@pytest.mark.parametrize("name", ["tree.weights.h5", "whole.keras"])
def test_damaged_files_read_or_end_in_one_line(folder: Path, tmp_path: Path, name: str) -> None:
    path = Path(shutil.copy(folder / name, tmp_path))
    assert check_damaged(load_all, path) > NUM_VERSIONS / 4
