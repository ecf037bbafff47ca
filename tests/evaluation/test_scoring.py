"""vggnet.evaluation.scoring: every protocol against its definition, picture by picture."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from comparison import relative_error
from numpy.typing import NDArray
from PIL import Image
from small_data import write_pictures
from small_nets import AVERAGE, FULLY_CONNECTED, HEADLESS, random_state

from vggnet.class_lists import Label, labels_from_names
from vggnet.data import Dataset, open_dataset, picture
from vggnet.engines.reference import softmax
from vggnet.evaluation import scoring, views
from vggnet.evaluation.protocols import Protocol
from vggnet.evaluation.scoring import Net, averaged, net_of, picture_scores
from vggnet.image import PictureError, centre_crop, flip, rescale_short_side
from vggnet.model import Model
from vggnet.preprocess import Preprocess
from vggnet.spec import Spec
from vggnet.weights import Weights

Array = NDArray[np.float64]
UNPADDED = Spec(
    "unpadded", ("conv3-6/1p0", "maxpool", "conv3-8/1p0", "maxpool", "FC-10 FC-7 soft-max"), 18
)
NAMES = ("blue", "green", "red", "cyan", "pink", "lime", "gold")


def model(spec: Spec, seed: int = 0, names: tuple[str, ...] = NAMES) -> Model:
    """In float64, with weights whose answers differ from picture to picture."""
    state = random_state(spec, seed, np.float64)
    preprocessing = Preprocess.torchvision(spec.input_size + 4, spec.input_size)
    return Model(Weights(spec, state, preprocessing, labels_from_names(names)), "numpy")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Nine pictures of three shapes, one of them upright."""
    folder = tmp_path_factory.mktemp("few")
    random = np.random.default_rng(1)
    for name in NAMES[:3]:
        (folder / name).mkdir()
        for number, shape in enumerate([(40, 40), (40, 61), (55, 37)]):
            pixels = random.integers(0, 256, (*shape, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize(shape[::-1]).save(folder / name / f"{number}.png")
    return open_dataset(folder, "validation")


def scores(net: Net | list[Net], dataset: Dataset, batch_size: int = 8) -> Array:
    nets = net if isinstance(net, list) else [net]
    indices = range(len(dataset.labels))
    chunks = list(picture_scores(nets, dataset, indices, batch_size=batch_size))
    found = [each for chunk in chunks for each in chunk]
    assert [index for index, _ in found] == list(indices)
    return np.stack([each for _, each in found])  # type: ignore[arg-type]


def posterior(net: Model, picture: Image.Image) -> Array:
    """What the net itself answers for a picture of its size, or of any size with an average."""
    pixels_HWC = np.asarray(picture)
    return softmax(net.logits(net.preprocessing.pixels_to_input(pixels_HWC[None])))[0]


def at(picture: Image.Image, size: int, mirrored: bool) -> Image.Image:
    found = rescale_short_side(picture, size)
    return flip(found) if mirrored else found


def multicrop_by_hand(net: Model, picture: Image.Image, scales: tuple[int, ...]) -> Array:
    """50 crops a scale, each cut with Pillow and answered alone."""
    side = net.spec.input_size
    answers = []
    for size in scales:
        for mirrored in (False, True):
            image = at(picture, size, mirrored)
            for row in range(5):
                for column in range(5):
                    left = round(column * (image.width - side) / 4)
                    top = round(row * (image.height - side) / 4)
                    crop = image.crop((left, top, left + side, top + side))
                    answers.append(posterior(net, crop))
    assert len(answers) == 50 * len(scales)
    return np.mean(answers, axis=0)


def slid(net: Model, image: Image.Image, step: int) -> list[Array]:
    """The logits of the net for each window of its size, `step` pixels apart."""
    side = net.spec.input_size
    windows = [
        image.crop((left, top, left + side, top + side))
        for top in range(0, image.height - side + 1, step)
        for left in range(0, image.width - side + 1, step)
    ]
    return [
        net.logits(net.preprocessing.pixels_to_input(np.asarray(each)[None]))[0] for each in windows
    ]


@pytest.mark.parametrize("scales", [(20,), (18, 20, 29)])
def test_multicrop_is_fifty_explicit_crops_a_scale(
    dataset: Dataset, scales: tuple[int, ...]
) -> None:
    net = model(FULLY_CONNECTED)
    found = scores(net_of(net, Protocol("multicrop", "multicrop", scales)), dataset)
    for index, row in enumerate(found):
        expected = multicrop_by_hand(net, picture(dataset, index), scales)
        assert relative_error(row, expected) < 1e-6
    assert np.ptp(found, axis=0).max() > 0.01  # or any answer would pass for any other


@pytest.mark.parametrize("score_average", ["logits", "softmax"])
def test_dense_is_the_crop_network_slid_where_nothing_is_padded(
    dataset: Dataset, score_average: str
) -> None:
    net = model(UNPADDED)
    protocol = Protocol("dense", "dense", (20, 31), True, score_average)  # type: ignore[arg-type]
    found = scores(net_of(net, protocol), dataset)
    for index, row in enumerate(found):
        answers = []
        for size in protocol.scales:
            for mirrored in (False, True):
                logits = slid(net, at(picture(dataset, index), size, mirrored), step=4)
                if score_average == "logits":
                    answers.append(softmax(np.mean(logits, axis=0)[None])[0])
                else:
                    answers.append(np.mean(softmax(np.array(logits)), axis=0))
        assert relative_error(row, np.mean(answers, axis=0)) < 1e-6


def test_the_two_averages_differ(dataset: Dataset) -> None:
    net = model(UNPADDED)
    one, other = (
        scores(net_of(net, Protocol("dense", "dense", (40,), True, each)), dataset)  # type: ignore[arg-type]
        for each in ("logits", "softmax")
    )
    assert relative_error(one, other) > 1e-3


def test_dense_with_padding_is_the_crop_network_at_its_own_size_and_resembles_it_beyond(
    dataset: Dataset,
) -> None:
    """The crop network sees zeros around each window, the dense one the rest of the picture."""
    net = model(FULLY_CONNECTED)
    at_size = scores(net_of(net, Protocol("dense", "dense", (16,), False)), dataset)
    for index in (0, 3, 6):  # the square ones, whose map has one position
        expected = posterior(net, at(picture(dataset, index), 16, False))
        assert relative_error(at_size[index], expected) < 1e-6
    beyond = scores(net_of(net, Protocol("dense", "dense", (32,), False)), dataset)
    windows = [slid(net, at(picture(dataset, i), 32, False), step=4) for i in range(9)]
    by_windows = softmax(np.array([np.mean(each, axis=0) for each in windows]))
    assert 1e-3 < relative_error(beyond, by_windows) < 0.5


def test_dense_of_a_global_average_is_the_net_on_the_whole_picture(dataset: Dataset) -> None:
    net = model(AVERAGE)
    found = scores(net_of(net, Protocol("single", "dense", (23,))), dataset)
    for index, row in enumerate(found):
        images = [at(picture(dataset, index), 23, mirrored) for mirrored in (False, True)]
        expected = np.mean([posterior(net, image) for image in images], axis=0)
        assert relative_error(row, expected) < 1e-6


def test_the_centre_crop_is_what_it_always_was(dataset: Dataset) -> None:
    net = replace(model(AVERAGE).weights, preprocessing=Preprocess.paper(30, 24))
    net = Model(net, "numpy")
    found = scores(net_of(net, Protocol("centre", "centre", (30,), False)), dataset)
    for index, row in enumerate(found):
        crop = centre_crop(rescale_short_side(picture(dataset, index), 30), 24)
        assert relative_error(row, posterior(net, crop)) < 1e-6


def test_both_is_the_mean_of_dense_and_multicrop(dataset: Dataset) -> None:
    net = model(FULLY_CONNECTED)
    both, dense, crops = (
        scores(net_of(net, Protocol(each, each, (17, 24))), dataset)  # type: ignore[arg-type]
        for each in ("both", "dense", "multicrop")
    )
    assert relative_error(both, (dense + crops) / 2) < 1e-6
    assert relative_error(dense, crops) > 1e-3


def test_a_crop_is_answered_by_the_net_itself_whatever_dense_maps_average(
    dataset: Dataset,
) -> None:
    """A crop of a net with a global average has a map of scores too, which is not asked for."""
    net = model(AVERAGE)
    both, dense, crops = (
        scores(net_of(net, Protocol(each, each, (17, 24), True, "softmax")), dataset)  # type: ignore[arg-type]
        for each in ("both", "dense", "multicrop")
    )
    assert relative_error(both, (dense + crops) / 2) < 1e-6
    for index, row in enumerate(crops):
        expected = multicrop_by_hand(net, picture(dataset, index), (17, 24))
        assert relative_error(row, expected) < 1e-6


def test_fusion_is_the_mean_of_soft_maxes_class_by_class(dataset: Dataset) -> None:
    protocol, at_another = Protocol("a", "dense", (20,)), Protocol("a", "dense", (24,))
    one, other = model(FULLY_CONNECTED), model(AVERAGE, seed=5, names=NAMES[::-1])
    alone = [
        scores(net_of(one, protocol), dataset),
        scores(net_of(other, at_another), dataset)[:, ::-1],  # its classes are in another order
    ]
    nets = [net_of(one, protocol, one), net_of(other, at_another, one)]
    assert relative_error(scores(nets, dataset), np.mean(alone, axis=0)) < 1e-6
    assert relative_error(alone[0], alone[1]) > 1e-3


def test_a_picture_is_decoded_once_and_rescaled_once_a_scale(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded, scaled = Counter[int](), Counter[int]()
    monkeypatch.setattr(
        scoring, "picture", lambda data, index: (decoded.update([index]), picture(data, index))[1]
    )

    def count(image: Image.Image, size: int, how: str) -> Image.Image:
        scaled[size] += 1
        return rescale_short_side(image, size, how)

    monkeypatch.setattr(views, "rescale_short_side", count)
    one, other = model(FULLY_CONNECTED), model(AVERAGE)
    nets = [
        net_of(one, Protocol("both", "both", (16, 20))),
        net_of(other, Protocol("a", "dense", (20, 24))),
    ]
    scores(nets, dataset)
    assert decoded == dict.fromkeys(range(9), 1)
    assert scaled == dict.fromkeys((16, 20, 24), 9)


def recording(shapes: list[tuple[int, ...]]) -> Net:
    def maps(images_NCHW: NDArray[np.float32]) -> NDArray[np.float32]:
        shapes.append(images_NCHW.shape)
        means_N3 = images_NCHW.mean(axis=(2, 3))
        return np.concatenate([means_N3, means_N3[:, :1], means_N3[:, 1:]], axis=1)

    preprocessing = Preprocess(32, 32, 1 / 255, (0.0, 0.0, 0.0))
    return Net(maps, preprocessing, Protocol("a", "dense", (20, 24)), 16, 16)


def test_views_of_equal_size_share_a_batch(dataset: Dataset) -> None:
    shapes: list[tuple[int, ...]] = []
    scores(recording(shapes), dataset, batch_size=9)
    # Three shapes at two scales; of each, three pictures and their mirror images.
    sizes = [(20, 20), (20, 30), (29, 20), (24, 24), (24, 36), (35, 24)]
    assert sorted(shapes) == sorted((6, 3, *size) for size in sizes)
    shapes.clear()
    scores(replace(recording(shapes), fitting=lambda height, width: 4), dataset, batch_size=9)
    assert Counter(shape[0] for shape in shapes) == {4: 6, 2: 6}


def test_chunks_are_the_same_from_any_of_them_on(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a resumed job computes the same batches."""
    data = open_dataset(pictures, "validation")

    def chunks(start: int) -> list[list[int]]:
        found = picture_scores([recording([])], data, range(start, 60), batch_size=5)
        return [[index for index, _ in chunk] for chunk in found]

    whole = chunks(0)
    assert [len(chunk) for chunk in whole] == [5] * 12
    assert chunks(15) == whole[3:]
    monkeypatch.setattr(scoring, "MOST_PIXEL_BYTES", 7000)  # of 2.9 KB a picture
    whole = chunks(0)
    assert [len(chunk) for chunk in whole] == [3] * 20
    assert chunks(27) == whole[9:]


def test_a_broken_picture_has_its_fault_and_the_others_their_scores(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "data", num_each=3)
    (folder / "green" / "001.png").write_bytes(b"nonsense")
    Image.new("RGB", (400_000, 1)).save(folder / "red" / "long.png")
    data = open_dataset(folder, "validation")
    shapes: list[tuple[int, ...]] = []
    found = dict(
        each for chunk in picture_scores([recording(shapes)], data, range(10)) for each in chunk
    )
    faults = {index: str(each) for index, each in found.items() if isinstance(each, PictureError)}
    assert list(faults) == [4, 9]
    assert "green/001.png" in faults[4]
    assert "long.png: 400000 x 1 with a short side of 20" in faults[9]
    assert sum(shape[0] for shape in shapes) == 8 * 4


def test_a_chunk_of_broken_pictures_alone(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "data", num_each=1)
    for file in folder.rglob("*.png"):
        file.write_bytes(b"nonsense")
    data = open_dataset(folder, "validation")
    (chunk,) = picture_scores([recording([])], data, range(3))
    assert all(isinstance(each, PictureError) for _, each in chunk)


def test_scores_that_are_not_finite_are_no_answer() -> None:
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="the class scores hold NaN or infinity"):
            averaged(np.array([[1, bad]], np.float32), "logits")


@pytest.mark.parametrize(
    ("spec", "protocol", "says"),
    [
        (FULLY_CONNECTED, Protocol("a", "multicrop", (15, 20)), "16, the side .*, such as 16,18$"),
        (FULLY_CONNECTED, Protocol("a", "dense", (12,)), "scale 12 is less than 16, the smallest"),
        (FULLY_CONNECTED, Protocol("a", "centre", (12,)), "scale 12 is less than 16, the side of"),
        (HEADLESS, Protocol("a", "dense", (20,)), "headless has no class scores, only features"),
    ],
)
def test_nets_and_scales_that_do_not_fit(spec: Spec, protocol: Protocol, says: str) -> None:
    names = NAMES if spec.num_classes else ()
    with pytest.raises(ValueError, match=says):
        net_of(model(spec, names=names), protocol)


def test_a_centre_crop_is_of_the_size_that_fc_layers_take() -> None:
    """As the plain evaluation refuses it; otherwise the crop's dense map would be averaged."""
    protocol = Protocol("centre", "centre", (30,), False)
    for size in (14, 24):
        preprocessing = Preprocess.torchvision(30, size)
        fixed, any_size = (
            Model(replace(model(spec).weights, preprocessing=preprocessing), "numpy")
            for spec in (FULLY_CONNECTED, AVERAGE)
        )
        with pytest.raises(ValueError, match=f"FC layers take 16 x 16 pictures, not {size} x"):
            net_of(fixed, protocol)
        assert net_of(any_size, protocol).centre == size


def test_nets_of_other_classes_are_not_averaged() -> None:
    one, protocol = model(FULLY_CONNECTED), Protocol("a", "dense", (20,))
    more = Spec("more", (*FULLY_CONNECTED.rows[:-1], "FC-10 FC-8 soft-max"), 16)
    with pytest.raises(ValueError, match="nets of 7 and 8 classes cannot be averaged"):
        net_of(model(more, names=(*NAMES, "grey")), protocol, one)
    with pytest.raises(ValueError, match="lacks 1 of the 7 classes of the data, such as gold"):
        net_of(model(AVERAGE, names=(*NAMES[:-1], "grey")), protocol, one)
    nameless = Model(replace(one.weights, labels=()), "numpy")
    assert net_of(nameless, protocol, one).classes is None
    assert [label.name for label in one.labels] == list(NAMES)
    assert isinstance(one.labels[0], Label)
