"""Keras's files: `.h5`, whole models and weights alone; `.weights.h5`; `.keras`, a zip around one.

In: a file of Keras 1, 2 or 3. Out: its arrays by their path in HDF5, as
"block1_conv1/block1_conv1_W_1:0" or "model_weights/fc1/fc1/kernel:0". Keras 3's own tree calls a
layer's group after its class and gives the layer's name beside it; here the group goes by that
name: "layers/block1_conv1/vars/0", not "layers/conv2d/vars/0".
Source: keras/src/legacy/saving/legacy_h5_format.py and keras/src/saving/saving_lib.py.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vggnet.weights.containers import Contents, StoredArray
from vggnet.weights.containers.hdf5 import hdf5
from vggnet.weights.containers.hdf5.h5py_process import rewritten
from vggnet.weights.containers.hdf5.hdf5_data import NotRead
from vggnet.weights.containers.storage import zips
from vggnet.weights.containers.storage.mapped import map_file
from vggnet.weights.containers.storage.stored import most_inflated

NAME = "Keras"
CONTAINERS = ("HDF5", NAME)  # what `Contents` are of
_MEMBERS = ("metadata.json", "config.json", "model.weights.h5")
_LONGEST_JSON = 2**22  # bytes; a VGG's configuration takes 20,000
_LONGEST_ATTRIBUTE = 60_000  # bytes; HDF5 ends at 64 KiB, and Keras then numbers the parts
_CLASSES = {1: "batch_normalization", 2: "dense", 4: "conv2d"}  # by the axes of the first array


def recognises(head: bytes) -> bool:
    """HDF5, or a zip whose first member is one of Keras's."""
    return head.startswith(hdf5.SIGNATURE) or zips.first_member(head) in _MEMBERS


def read(path: Path) -> Contents:
    """The file's arrays. `container` is "HDF5", or "Keras" for a `.keras` file.

    Metadata: the text that stands at the root, such as `keras_version`; "model_config", the layers
    of a whole model, parsed; "layer_names", its layers in order, those without arrays too.
    What our own reader of HDF5 does not read, h5py does, where it is installed.
    Raises ValueError, in one line that begins with the path, for a damaged file.
    """
    data = map_file(path)
    container, config, growth = CONTAINERS[0], None, most_inflated(data.size)
    if data[:2].tobytes() == b"PK":
        container = NAME
        data, config = _unzipped(path)
        growth -= data.size if data.flags.owndata else 0
    try:
        objects = hdf5.read_objects(data, str(path), growth)
    except NotRead as fault:
        why = str(fault).removeprefix(f"{path}: ")
        plain = rewritten(path, "hdf5", why, None if container == "HDF5" else data)
        objects = hdf5.read_objects(plain, str(path))
    root = objects.attributes.get("", {})
    about: dict[str, object] = {k: v for k, v in root.items() if isinstance(v, str)}
    if isinstance(stated := about.pop("model_config", None), str):
        config = _parsed(f"{path}: model_config", stated.encode())
    if isinstance(config, dict):
        about["model_config"] = config
    if names := _joined_names(root) or _joined_names(objects.attributes.get("model_weights", {})):
        about["layer_names"] = names
    return Contents(container, _by_layer_name(objects, _layer_classes(config)), about)


def _joined_names(attributes: Mapping[str, object]) -> list[str]:
    """The names that `_names` wrote, or Keras."""
    parts = [attributes.get("layer_names")]
    while (part := attributes.get(f"layer_names{len(parts) - 1}")) is not None:
        parts.append(part)
    listed = [name for part in parts if isinstance(part, list) for name in part]
    return [name for name in listed if isinstance(name, str)]


def _unzipped(path: Path) -> tuple[NDArray[np.uint8], object]:
    """The HDF5 file in a `.keras` file, mapped where it is stored as it is; the configuration."""
    members = zips.members(path)
    config, weights = (members.get(name) for name in _MEMBERS[1:])
    if weights is None:
        raise ValueError(f"{path}: a zip without {_MEMBERS[2]}; sharded weights are not read")
    text = config.head(_LONGEST_JSON + 1).tobytes() if config else b""
    return weights.load(), _parsed(config.source, text) if config else None


def _parsed(where: str, text: bytes) -> object:
    if len(text) > _LONGEST_JSON:
        raise ValueError(f"{where}: more than {_LONGEST_JSON:,} bytes")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where}: damaged JSON: {error}") from None


def _layer_classes(config: object) -> dict[str, str]:
    """Name -> class of each layer in a model's configuration, in its order."""
    inner = config.get("config") if isinstance(config, dict) else None
    layers = inner.get("layers") if isinstance(inner, dict) else inner  # a list in Keras 1 and 2
    classes = {}
    for layer in layers if isinstance(layers, list) else []:
        settings = layer.get("config") if isinstance(layer, dict) else None
        name = settings.get("name") if isinstance(settings, dict) else None
        if isinstance(name, str) and isinstance(layer.get("class_name"), str):
            classes[name] = layer["class_name"]
    return classes


def _by_layer_name(objects: hdf5.Objects, classes: Mapping[str, str]) -> dict[str, StoredArray]:
    """The arrays, with the layers' names in Keras 3's tree.

    Early files lack the names; there the configuration tells which layer was the n-th of its class.
    """
    counts: Counter[str] = Counter()
    configured = {_numbered(_snake_case(kind), counts): name for name, kind in classes.items()}
    renamed = {}
    for path, array in objects.arrays.items():
        group, _, variable = path.rpartition("/vars/")
        parent, slash, last = group.rpartition("/")
        name = objects.attributes.get(f"{group}/vars", {}).get("name")
        if name is None and "/" not in parent:
            name = configured.get(last)
        if variable and isinstance(name, str) and "/" not in name:
            path = f"{parent}{slash}{name}/vars/{variable}"
        renamed[path] = array
    return renamed if len(renamed) == len(objects.arrays) else objects.arrays


def _numbered(base: str, counts: Counter[str]) -> str:
    """conv2d, conv2d_1, ...: what Keras 3's tree calls the next layer of a class."""
    counts[base] += 1
    return f"{base}_{counts[base] - 1}" if counts[base] > 1 else base


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=.)(?=[A-Z][a-z])", "_", name).lower()


def write(
    path: str | os.PathLike[str],
    layers: Mapping[str, Mapping[str, NDArray[Any]]],
    keras_version: str = "2.15.0",
    backend: str = "tensorflow",
    properties: Mapping[str, str] | None = None,
) -> None:
    """Writes weights that `keras.Model.load_weights` reads, whole or not at all.

    `layers` gives each layer's arrays in Keras's order and layout, by layer and weight, in the
    model's order: {"fc1": {"fc1/kernel:0": ..., "fc1/bias:0": ...}, ...}. A path that ends in
    ".weights.h5" gets the tree of Keras 3, as Keras has it, of convolutions, dense layers and batch
    norms in which names of weights do not matter. `properties` is text for the root, which Keras
    passes over. Raises ValueError where h5py is missing.
    """
    if str(path).endswith(".weights.h5"):
        arrays, attributes = _tree(layers)
    else:
        arrays = {
            f"{layer}/{name}": array
            for layer, weights in layers.items()
            for name, array in weights.items()
        }
        attributes = {layer: _names("weight_names", list(layers[layer])) for layer in layers}
        attributes[""] = _names("layer_names", list(layers)) | {
            "keras_version": np.bytes_(keras_version.encode()),
            "backend": np.bytes_(backend.encode()),
        }
    attributes[""] = {**(properties or {}), **attributes.get("", {})}
    hdf5.write(path, arrays, attributes)


def _names(key: str, names: list[str]) -> dict[str, object]:
    """An attribute that holds names, in numbered parts where HDF5 cannot hold it in one."""
    encoded = np.array([name.encode() for name in names], "S" if names else "S1")
    num_parts = -(-encoded.nbytes // _LONGEST_ATTRIBUTE)
    if num_parts <= 1:
        return {key: encoded}
    return {f"{key}{i}": part for i, part in enumerate(np.array_split(encoded, num_parts))}


def _tree(
    layers: Mapping[str, Mapping[str, NDArray[Any]]],
) -> tuple[dict[str, NDArray[Any]], dict[str, dict[str, object]]]:
    counts: Counter[str] = Counter()
    arrays: dict[str, NDArray[Any]] = {}
    attributes: dict[str, dict[str, object]] = {}
    for layer, weights in layers.items():
        if weights:
            base = _CLASSES[next(iter(weights.values())).ndim]
            group = f"layers/{_numbered(base, counts)}/vars"
            attributes[group] = {"name": layer}
            arrays |= {f"{group}/{i}": array for i, array in enumerate(weights.values())}
    return arrays, attributes
