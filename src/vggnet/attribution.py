"""How much each place of a picture speaks for a class: three methods, in batches.

In: a Model, images_NCHW and a class for each. Out: maps_NHW, and what they were computed with.
`explain.py` says where the methods are from. Grad-CAM has a closed form here, since between the
last convolution and the class scores there are only pools and FC layers: a pool hands its gradient
on whole, so that of the gradient's mean over a map no more is asked than its sum over the pool's
outputs, and FC layers are products with their weights where their ReLUs let them through.

Shapes: N pictures, C channels, F features, K classes, H and W rows and columns, P their product.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vggnet.engines.reference import softmax
from vggnet.layers import Layer
from vggnet.model import Model
from vggnet.spec import Spec

if TYPE_CHECKING:
    from vggnet.torch_network import Network

_MOST = 32  # pictures with a patch that are given to the engine at a time
_MOST_NUMBERS = 1 << 21  # of such a batch, whose maps take some hundreds of MiB then


def check_classes(spec: Spec, classes: Sequence[int]) -> None:
    """Raises ValueError for a net without class scores and an index that no class has."""
    if spec.num_classes is None:
        raise ValueError(f"spec {spec.name!r} has no classifier; there is no class to explain")
    for index in classes:
        if not 0 <= index < spec.num_classes:
            raise ValueError(
                f"class {index} must be from 0 to {spec.num_classes - 1}, as spec {spec.name!r} "
                f"has {spec.num_classes}"
            )


def map_layer(spec: Spec) -> Layer:
    """The layer of Grad-CAM's maps: what stands before the pools and FC layers of the head.

    A response normalisation counts as the convolution that it follows, behind a pool as well.
    Raises ValueError for a net without FC layers there.
    """
    last = max(n for n, layer in enumerate(spec.layers) if layer.kind in ("conv", "lrn"))
    head = next(
        (
            number
            for number, layer in enumerate(spec.layers)
            if number > last and layer.kind in ("maxpool", "avgpool", "fc")
        ),
        None,
    )
    if head is None or not any(layer.kind == "fc" for layer in spec.layers[head:]):
        raise ValueError(
            f"spec {spec.name!r}: Grad-CAM needs FC layers after the convolutions, and there are "
            "none"
        )
    return spec.layers[head - 1]


def grad_cam(
    model: Model, images_NCHW: NDArray[np.floating], classes: Sequence[int]
) -> NDArray[np.float32]:
    """maps_NHW, 0 or above, at the resolution of `map_layer`: of each picture for its class.

    A map is 0 everywhere where the layer speaks against the class at each position. Raises
    ValueError for classes that there are not, and as `map_layer` does.
    """
    _check_batch(model.spec, images_NCHW, classes)
    layer = map_layer(model.spec)
    head = model.spec.layers[model.spec.layers.index(layer) + 1 :]
    relus = [each.name for each in head if each.kind == "relu"]
    found = model.features(images_NCHW, [layer.name, *relus])
    maps_NCHW = found[layer.name]
    state = model.weights.state
    gradient_NF: NDArray[np.floating] = np.eye(model.spec.num_classes or 0, dtype=np.float32)[
        list(classes)
    ]
    for each in reversed(head):
        if each.kind == "fc":
            gradient_NF = gradient_NF @ state[f"{each.name}.weight"]
        elif each.kind == "relu":
            gradient_NF = gradient_NF * (found[each.name] > 0)
    # An average over P positions hands each of them 1/P of its gradient: their sum is the same.
    sums_NC = gradient_NF.reshape(len(images_NCHW), maps_NCHW.shape[1], -1).sum(axis=2)
    weights_NC = sums_NC / math.prod(maps_NCHW.shape[2:])
    weighted_NHW: NDArray[np.floating] = np.einsum("nc,nchw->nhw", weights_NC, maps_NCHW)
    return np.asarray(np.maximum(weighted_NHW, 0), np.float32)


def patch_and_stride(
    size: tuple[int, int], patch: int | None = None, stride: int | None = None
) -> tuple[int, int]:
    """Those asked for; by default a quarter of the short side, and a third of that.

    Raises ValueError for a patch that is larger than the picture of `size` (height, width), and a
    stride that would leave pixels between patches.
    """
    patch = max(1, min(size) // 4) if patch is None else patch
    stride = max(1, patch // 3) if stride is None else stride
    if not 1 <= patch <= min(size):
        raise ValueError(f"patch {patch} must be from 1 to {min(size)}, the picture's short side")
    if not 1 <= stride <= patch:
        raise ValueError(f"stride {stride} must be from 1 to {patch}, the patch")
    return patch, stride


def occlusion(
    model: Model,
    images_NCHW: NDArray[np.floating],
    classes: Sequence[int],
    patch: int | None = None,
    stride: int | None = None,
) -> NDArray[np.float32]:
    """maps_NHW at the resolution of the pictures: by how much the probability of the class falls.

    A square of `patch` pixels of the training pictures' mean colour moves over the picture by
    `stride` pixels; a pixel has the mean over the squares that hid it. Below 0 the class became
    more probable. Raises ValueError as `patch_and_stride`, and for classes that there are not.
    """
    _check_batch(model.spec, images_NCHW, classes)
    patch, stride = patch_and_stride(images_NCHW.shape[2:], patch, stride)
    before_NK = softmax(model.logits(images_NCHW))
    maps_NHW = np.zeros((len(images_NCHW), *images_NCHW.shape[2:]), np.float32)
    squares = list(_squares(images_NCHW.shape[2:], patch, stride))
    times_HW = np.zeros(images_NCHW.shape[2:], np.float32)
    for rows, columns in squares:
        times_HW[rows, columns] += 1
    for image_CHW, index, before_K, map_HW in zip(
        images_NCHW, classes, before_NK, maps_NHW, strict=True
    ):
        most = batch_size(image_CHW)
        for start in range(0, len(squares), most):
            hidden = squares[start : start + most]
            batch = np.repeat(image_CHW[np.newaxis], len(hidden), axis=0)
            for picture_CHW, (rows, columns) in zip(batch, hidden, strict=True):
                picture_CHW[:, rows, columns] = 0  # the mean: it was subtracted
            after_N = softmax(model.logits(batch))[:, index]
            for (rows, columns), after in zip(hidden, after_N, strict=True):
                map_HW[rows, columns] += before_K[index] - after
    return (maps_NHW / times_HW).astype(np.float32)


def batch_size(image_CHW: NDArray[np.floating]) -> int:
    """How many changed copies of a picture are to be computed at a time."""
    return max(1, min(_MOST, _MOST_NUMBERS // image_CHW.size))


def gradient(
    model: Model, images_NCHW: NDArray[np.floating], classes: Sequence[int]
) -> NDArray[np.float32]:
    """maps_NHW, 0 or above: the largest over the colours of |d score / d pixel|.

    Pixels are as the network gets them, scaled. Raises ValueError where torch is not installed, and
    for classes that there are not.
    """
    _check_batch(model.spec, images_NCHW, classes)
    network = torch_network_of(model, "the method 'gradient'")
    import torch

    images = torch.tensor(np.asarray(images_NCHW, np.float32), requires_grad=True)
    logits_NK = network(images)
    if logits_NK.ndim == 4:
        logits_NK = logits_NK.mean(dim=(2, 3))
    logits_NK[range(len(classes)), list(classes)].sum().backward()
    assert images.grad is not None
    return images.grad.abs().amax(dim=1).numpy()


def torch_network_of(model: Model, what: str) -> Network:
    """The model as a torch module that does not train; `what` needs it.

    Raises ValueError, which says so, where torch is not installed.
    """
    try:
        import torch

        from vggnet.torch_network import Network
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ValueError(f"{what} needs torch: pip install 'vggnet[train]'") from None
    network = Network(model.spec, initialization=None)
    state = {
        name: torch.tensor(np.asarray(model.weights.state[name], np.float32))
        for name in model.spec.state_shapes
    }
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)


def _check_batch(spec: Spec, images_NCHW: NDArray[np.floating], classes: Sequence[int]) -> None:
    check_classes(spec, classes)
    if len(classes) != len(images_NCHW):
        raise ValueError(f"{len(images_NCHW)} pictures need a class each, not {len(classes)}")


def _squares(size: tuple[int, int], patch: int, stride: int) -> Iterator[tuple[slice, slice]]:
    """The squares that cover the picture; the last of a row or column ends with it."""
    tops, lefts = (sorted({*range(0, side - patch + 1, stride), side - patch}) for side in size)
    for top in tops:
        for left in lefts:
            yield slice(top, top + patch), slice(left, left + patch)
