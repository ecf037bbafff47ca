"""What a unit can see, does see, and how it comes to its value, each against its definition."""

import sys

import numpy as np
import pytest
from PIL import Image
from small_nets import AVERAGE, EVERYTHING, FULLY_CONNECTED, random_images, random_state

import vggnet
from vggnet.configurations import configuration
from vggnet.model import Model
from vggnet.preprocess import Preprocess
from vggnet.spec import Spec
from vggnet.units import Field, effective_field, field_of, most_exciting, unit_sum
from vggnet.weights.weights import Weights

PLAIN = Spec("plain", ("conv3-4 conv3-4", "maxpool", "conv3-4", "maxpool3/2", "conv5-4"), 48)


def model_of(spec: Spec, engine: str = "numpy") -> Model:
    preprocessing = Preprocess.torchvision(None, spec.input_size)
    return Model(Weights(spec, random_state(spec), preprocessing), engine)


def pixels_that_matter(model: Model, layer: str, row: int, column: int) -> np.ndarray:
    """Where a change of one pixel of some picture changes the unit; (H, W) of booleans."""
    side = model.spec.input_size
    image = np.abs(random_images(1, side, side))
    found = np.zeros((side, side), bool)
    before = model.features(image, [layer])[layer][0, :, row, column]
    for top in range(side):
        changed = np.repeat(image, side, axis=0)
        changed[range(side), :, top, range(side)] += 1e4
        after = model.features(changed, [layer])[layer][:, :, row, column]
        found[top] = (after != before).any(axis=1)
    return found


@pytest.mark.parametrize(
    ("layer", "row", "column"),
    [("conv1_2", 20, 30), ("pool1", 10, 0), ("conv2_1", 23, 11), ("pool2", 5, 5),
     ("conv3_1", 5, 7), ("conv3_1", 0, 10)],
)  # fmt: skip
def test_a_field_is_the_pixels_that_matter(layer: str, row: int, column: int) -> None:
    model = model_of(PLAIN)
    matter = pixels_that_matter(model, layer, row, column)
    rows, columns = np.flatnonzero(matter.any(axis=1)), np.flatnonzero(matter.any(axis=0))
    field = field_of(PLAIN, layer, row, column)
    assert field.cut(48, 48) == Field(rows[0], columns[0], rows[-1] + 1, columns[-1] + 1)


@pytest.mark.parametrize(("layer", "side"), [("conv3_3", 40), ("pool5", 212), ("fc6", 404)])
def test_the_fields_of_the_paper(layer: str, side: int) -> None:
    field = field_of(configuration("D"), layer, 0, 0)
    assert field.bottom - field.top == field.right - field.left == side
    assert field.top < 0


def test_a_field_as_a_frame() -> None:
    photograph = Image.new("RGB", (96, 96), "red")
    shown = np.asarray(Field(-4, 8, 16, 40).on(photograph, 48, 48))
    frame = np.argwhere((shown != (255, 0, 0)).any(axis=-1))
    assert frame.min(axis=0).tolist() == [0, 16]
    assert frame.max(axis=0).tolist() == [31, 79]
    assert (np.asarray(photograph) == (255, 0, 0)).all()


@pytest.mark.parametrize(
    ("layer", "row", "fault"),
    [("pool9", 0, "no layer 'pool9'"), ("pool1", 24, r"24 x 24 here and has no position \(24, 0\)"),
     ("pool1", -1, r"has no position \(-1, 0\)")],
)  # fmt: skip
def test_units_that_there_are_not(layer: str, row: int, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        field_of(PLAIN, layer, row, 0)


@pytest.mark.parametrize("spec", [EVERYTHING, FULLY_CONNECTED], ids=lambda spec: spec.name)
def test_patch_times_kernel_is_the_value(spec: Spec) -> None:
    model = model_of(spec, "native")
    image = random_images(1, spec.input_size, spec.input_size)[0]
    convolutions = [layer for layer in model.spec.layers if layer.kind == "conv"]
    assert convolutions
    for layer in convolutions:
        maps = model.features(image[np.newaxis], [layer.name])[layer.name][0]
        channels, rows, columns = maps.shape
        for unit in ((0, 0, 0), (channels - 1, rows - 1, columns - 1), (1, rows // 2, 0)):
            found = unit_sum(model, image, layer.name, *unit)
            assert found.patch_CYX.shape == (layer.input[0], layer.kernel, layer.kernel)
            assert found.value == pytest.approx(
                float(maps[unit]), abs=2e-4 * float(np.abs(maps).max())
            )
            assert found.value == pytest.approx(found.products_CYX.sum() + found.bias, abs=1e-3)


@pytest.mark.parametrize(
    ("layer", "unit", "fault"),
    [("relu1_1", (0, 0, 0), "'relu1_1' is relu; name a convolution, such as conv1_1"),
     ("conv1_1", (6, 0, 0), "channel 6 of conv1_1 must be from 0 to 5"),
     ("conv1_1", (0, 0, 16), r"16 x 16 here and has no position \(0, 16\)")],
)  # fmt: skip
def test_sums_that_there_are_not(layer: str, unit: tuple[int, int, int], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        unit_sum(model_of(AVERAGE), random_images(1, 16, 16)[0], layer, *unit)


@pytest.mark.parametrize("method", ["gradient", "blocks"])
@pytest.mark.parametrize("layer", ["relu1_2", "conv2_1", "pool2"])
def test_nothing_beyond_the_theoretical_field_has_an_effect(layer: str, method: str) -> None:
    model = model_of(PLAIN, "native")
    found = effective_field(model, random_images(2, 48, 48), layer, method)  # type: ignore[arg-type]
    seen = found.field.cut(48, 48)
    inside = np.zeros((48, 48), bool)
    inside[seen.top : seen.bottom, seen.left : seen.right] = True
    assert found.values_HW[~inside].max() < 1e-5  # the engine's rounding
    assert found.values_HW.max() == 1
    assert 1 <= found.effective <= found.theoretical


@pytest.mark.parametrize("method", ["gradient", "blocks"])
@pytest.mark.parametrize(
    ("shape", "fault"),
    [((0, 3, 48, 48), "at least one picture"), ((3, 48, 48), "must have the shape")],
)
def test_pictures_that_have_no_effective_field(
    method: str, shape: tuple[int, ...], fault: str
) -> None:
    images = np.zeros(shape, np.float32)
    with pytest.raises(ValueError, match=fault):
        effective_field(model_of(PLAIN), images, "relu1_2", method)  # type: ignore[arg-type]


def test_the_effect_of_one_convolution_is_its_kernel() -> None:
    """Of a single 3x3 convolution the gradient is known: the sum of the kernels."""
    spec = Spec("one", ("conv3-4",), 9)
    model = model_of(spec)
    kernel = model.weights.state["conv1_1.weight"].sum(axis=0)
    expected = np.abs(kernel).sum(axis=0)
    found = effective_field(model, random_images(3, 9, 9), "conv1_1", "gradient")
    assert np.allclose(found.values_HW[3:6, 3:6], expected / expected.max(), atol=1e-5)


def test_blocks_are_what_they_are_said_to_be() -> None:
    spec = Spec("one", ("conv3-4",), 9)
    model = model_of(spec)
    images = random_images(1, 9, 9)
    found = effective_field(model, images, "conv1_1", "blocks")
    before = model.features(images, ["conv1_1"])["conv1_1"][0, :, 4, 4]
    moved = np.zeros((3, 3))
    for row, column in np.ndindex(3, 3):
        hidden = images.copy()
        hidden[:, :, 3 + row, 3 + column] = 0
        after = model.features(hidden, ["conv1_1"])["conv1_1"][0, :, 4, 4]
        moved[row, column] = np.linalg.norm(after - before)
    assert np.allclose(found.values_HW[3:6, 3:6], moved / moved.max(), atol=1e-5)


def test_the_embedded_model_sees_less_than_it_can() -> None:
    model = vggnet.load()
    found = effective_field(model, random_images(1, 96, 96), "conv4_3", "blocks")
    assert found.theoretical == 92
    assert 10 < found.effective < 80
    assert found._repr_png_().startswith(b"\x89PNG")


def test_without_torch_it_is_measured_by_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    model, images = model_of(PLAIN), random_images(1, 48, 48)
    assert effective_field(model, images, "conv1_2").method == "gradient"
    absent = {"native": None, "torch": "it is not installed", "numpy": None}
    monkeypatch.setattr("vggnet.engines.available", lambda: absent)
    assert effective_field(model, images, "conv1_2").method == "blocks"
    for name in ("torch", "vggnet.torch_network"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValueError, match=r"^the effective field by gradient needs torch: pip"):
        effective_field(model, images, "conv1_2", "gradient")


@pytest.mark.parametrize(
    ("layer", "method", "fault"),
    [("fc3", "blocks", "layer 'fc3' has no map"), ("conv1_1", "guess", "must be gradient or blo")],
)
def test_fields_that_cannot_be_measured(layer: str, method: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        effective_field(model_of(AVERAGE), random_images(1, 16, 16), layer, method)  # type: ignore[arg-type]


def test_what_excites_a_channel_most() -> None:
    """One 1x1 kernel over red: the reddest pixels, none twice."""
    spec = Spec("one", ("conv1-2", "conv3-2"), 12)
    state = {
        "conv1_1.weight": np.zeros((2, 3, 1, 1), np.float32),
        "conv1_1.bias": np.zeros(2, np.float32),
        "conv1_2.weight": np.ones((2, 2, 3, 3), np.float32),
        "conv1_2.bias": np.zeros(2, np.float32),
    }
    state["conv1_1.weight"][1, 0] = 1
    model = Model(Weights(spec, state, Preprocess.torchvision(None, 12)), "numpy")
    images = np.zeros((3, 3, 12, 12), np.float32)
    images[1, 0, 4, 7], images[2, 0, 0, 0], images[2, 0, 4, 8] = 5, 9, 7
    found = most_exciting(model, images, "relu1_1", 1)
    assert [(e.image, e.row, e.column, e.value) for e in found] == [
        (2, 0, 0, 9), (2, 4, 8, 7), (1, 4, 7, 5),
    ]  # fmt: skip
    assert found[1].field == Field(4, 8, 5, 9)
    assert most_exciting(model, images, "relu1_1", 1, 2) == found[:2]
    assert most_exciting(model, images, "relu1_1", 0) == []
    # A 3x3 kernel sees the pixel from nine places, of which one counts for those near it.
    near = most_exciting(model, images[1:2], "relu1_2", 0)
    assert {each.value for each in near} == {5}
    assert all(
        max(abs(a.row - b.row), abs(a.column - b.column)) >= 2
        for a in near for b in near if a is not b
    )  # fmt: skip


def test_places_that_cannot_excite() -> None:
    model = model_of(AVERAGE)
    images = random_images(1, 16, 16)
    (found,) = most_exciting(model, images, "fc3", 2)
    assert (found.row, found.column) == (0, 0)
    assert found.value == pytest.approx(model.logits(images)[0, 2])
    with pytest.raises(ValueError, match="channel 7 of fc3 must be from 0 to 6"):
        most_exciting(model, images, "fc3", 7)
    with pytest.raises(ValueError, match="no layer 'x'"):
        most_exciting(model, images, "x", 0)
    with pytest.raises(ValueError, match="top 0 must be at least 1"):
        most_exciting(model, images, "fc3", 0, 0)
