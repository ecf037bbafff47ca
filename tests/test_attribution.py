"""Grad-CAM, occlusion and gradient against what they are defined as."""

import sys

import numpy as np
import pytest
import torch
from small_nets import AVERAGE, FULLY_CONNECTED, HEADLESS, random_images, random_state

import vggnet
from vggnet.attribution import (
    batch_size,
    grad_cam,
    gradient,
    map_layer,
    occlusion,
    patch_and_stride,
)
from vggnet.configurations import configuration
from vggnet.engines.reference import softmax
from vggnet.model import Model
from vggnet.preprocess import Preprocess
from vggnet.spec import Spec
from vggnet.torch_network import Network
from vggnet.weights.weights import Weights

# Pools that overlap and leave a margin out, a normalisation before them, two FC layers after the
# average.
ODD = Spec(
    "odd", ("conv3-6", "maxpool", "conv3-8 LRN", "maxpool3/2", "avgpool FC-9 FC-7 soft-max"), 20
)
# A normalisation behind a pool, as CaffeNet has it; its slope is not that of a pool.
NORM_LAST = Spec("norm last", ("conv3-6", "maxpool", "conv3-8", "maxpool LRN", "FC-9 FC-7"), 20)
BATCH_NORM = Spec("bn", ("conv3-6", "maxpool", "conv3-8", "maxpool", "avgpool FC-7"), 16, True)


def model_of(spec: Spec, engine: str = "numpy", seed: int = 0) -> Model:
    state = random_state(spec, seed)
    return Model(Weights(spec, state, Preprocess.torchvision(None, spec.input_size)), engine)


def by_autograd(model: Model, images_NCHW: np.ndarray, classes: list[int]) -> np.ndarray:
    """Grad-CAM as the paper defines it, of each picture alone."""
    network = Network(model.spec, initialization=None)
    state = {name: torch.tensor(model.weights.state[name]) for name in model.spec.state_shapes}
    network.load_state_dict(state, assign=True)
    network.eval()
    maps = []
    for image_CHW, index in zip(images_NCHW, classes, strict=True):
        layer, last = map_layer(model.spec).name, model.spec.logits_layer
        found = network.features(torch.tensor(image_CHW[None]), [layer, last])
        (slope,) = torch.autograd.grad(found[last][0, index], found[layer])
        weights = slope.mean(dim=(2, 3), keepdim=True)
        maps.append((weights * found[layer]).sum(dim=1).relu()[0].detach().numpy())
    return np.stack(maps)


@pytest.mark.parametrize("engine", ["numpy", "native", "torch"])
@pytest.mark.parametrize(
    "spec", [AVERAGE, FULLY_CONNECTED, ODD, NORM_LAST, BATCH_NORM], ids=lambda spec: spec.name
)
def test_grad_cam_is_what_autograd_gives(spec: Spec, engine: str) -> None:
    model = model_of(spec, engine)
    images = random_images(7, spec.input_size, spec.input_size)
    classes = list(range(7))
    expected = by_autograd(model, images, classes)
    found = grad_cam(model, images, classes)
    assert found.dtype == np.float32
    assert expected.any()
    assert np.linalg.norm(found - expected) <= 1e-5 * np.linalg.norm(expected)
    wrong = by_autograd(model, images, classes[::-1])
    assert np.linalg.norm(found - wrong) > 0.1 * np.linalg.norm(expected)


def test_grad_cam_of_the_embedded_model_at_224_pixels() -> None:
    model = vggnet.load()
    images = random_images(2, 224, 224)
    found = grad_cam(model, images, [3, 150])
    expected = by_autograd(model, images, [3, 150])
    assert found.shape == (2, 14, 14)
    assert np.linalg.norm(found - expected) <= 1e-5 * np.linalg.norm(expected)


@pytest.mark.parametrize(
    ("name", "layer"), [("D", "relu5_3"), ("A-LRN", "relu5_2"), ("AlexNet", "relu5")]
)
def test_the_layer_of_the_maps(name: str, layer: str) -> None:
    assert map_layer(configuration(name)).name == layer


def test_occlusion_of_each_pixel_alone() -> None:
    """With a patch of one pixel the definition can be written out."""
    spec = AVERAGE.scaled(input_size=6)
    model = model_of(spec)
    images = random_images(2, 6, 6)
    found = occlusion(model, images, [1, 4], patch=1, stride=1)
    before = softmax(model.logits(images))
    for picture, index in ((0, 1), (1, 4)):
        for row, column in np.ndindex(6, 6):
            hidden = images[picture : picture + 1].copy()
            hidden[:, :, row, column] = 0
            fall = before[picture, index] - softmax(model.logits(hidden))[0, index]
            assert found[picture, row, column] == pytest.approx(fall, abs=1e-6)
    assert (found < 0).any()
    assert (found > 0).any()


def test_occlusion_averages_over_the_patches_that_hide_a_pixel() -> None:
    model = model_of(AVERAGE)
    images = random_images(1, 16, 16)
    found = occlusion(model, images, [2], patch=10, stride=6)
    before = softmax(model.logits(images))[0, 2]
    falls = []
    for top, left in ((0, 0), (0, 6), (6, 0), (6, 6)):
        hidden = images.copy()
        hidden[:, :, top : top + 10, left : left + 10] = 0
        falls.append(before - softmax(model.logits(hidden))[0, 2])
    assert found[0, 0, 0] == pytest.approx(falls[0], abs=1e-6)
    assert found[0, 15, 0] == pytest.approx(falls[2], abs=1e-6)
    assert found[0, 8, 8] == pytest.approx(np.mean(falls), abs=1e-6)
    assert found[0, 0, 8] == pytest.approx(np.mean(falls[:2]), abs=1e-6)


@pytest.mark.parametrize(("size", "expected"), [((80, 80), (20, 6)), ((3, 9), (1, 1))])
def test_the_patch_that_is_taken(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert patch_and_stride(size) == expected


def test_patches_cover_the_picture_to_its_edges() -> None:
    model = model_of(AVERAGE)
    assert np.isfinite(occlusion(model, random_images(1, 16, 17), [0], patch=5, stride=4)).all()


@pytest.mark.parametrize("spec", [AVERAGE, FULLY_CONNECTED], ids=lambda spec: spec.name)
def test_gradient_is_the_slope_of_the_score(spec: Spec) -> None:
    model = model_of(spec)
    images = random_images(2, 16, 16)
    found = gradient(model, images, [0, 5])
    step = 1e-3
    for picture, index in ((0, 0), (1, 5)):
        for place in np.argsort(found[picture], axis=None)[-6:]:
            row, column = np.unravel_index(place, (16, 16))
            slopes = []
            for channel in range(3):
                moved = np.repeat(images[picture : picture + 1], 2, axis=0)
                moved[:, channel, row, column] += (-step, step)
                below, above = model.logits(moved)[:, index]
                slopes.append(abs(above - below) / (2 * step))
            assert found[picture, row, column] == pytest.approx(max(slopes), rel=0.02)


def test_gradient_without_torch_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(AVERAGE)
    for name in ("torch", "vggnet.torch_network"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValueError, match=r"^the method 'gradient' needs torch: pip install 'vgg"):
        gradient(model, random_images(1, 16, 16), [0])


@pytest.mark.parametrize(
    ("spec", "classes", "fault"),
    [
        (HEADLESS, [0], "'headless' has no classifier; there is no class to explain"),
        (AVERAGE, [7], "class 7 must be from 0 to 6, as spec 'average' has 7"),
        (AVERAGE, [-1], "class -1 must be from 0 to 6"),
        (AVERAGE, [0, 1], "1 pictures need a class each, not 2"),
        (Spec("dense", ("conv3-4", "FC16-7 soft-max"), 16), [0], "Grad-CAM needs FC layers after"),
    ],
)
def test_what_there_is_no_map_of(spec: Spec, classes: list[int], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        grad_cam(model_of(spec), random_images(1, 16, 16), classes)


@pytest.mark.parametrize(
    ("patch", "stride", "fault"),
    [(17, None, "patch 17 must be from 1 to 16"), (4, 5, "stride 5 must be from 1 to 4, the patch"),
     (0, 1, "patch 0 must be")],
)  # fmt: skip
def test_patches_that_do_not_fit(patch: int, stride: int | None, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        occlusion(model_of(AVERAGE), random_images(1, 16, 16), [0], patch, stride)


@pytest.mark.parametrize(("side", "most"), [(8, 32), (104, 32), (224, 13), (448, 3), (2000, 1)])
def test_large_pictures_are_computed_few_at_a_time(side: int, most: int) -> None:
    assert batch_size(np.zeros((3, side, side), np.float32)) == most
