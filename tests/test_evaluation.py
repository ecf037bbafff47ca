"""vggnet.evaluation: accuracies of functions whose answers are known."""

from pathlib import Path

import numpy as np
import pytest
from small_data import COLOURS, write_pictures

from vggnet.data import open_dataset
from vggnet.evaluation import class_indices, evaluate, rank_of_target
from vggnet.labels import Label, labels, labels_from_names
from vggnet.preprocess import Preprocess

PREPROCESS = Preprocess(32, 32, 1 / 255, (0.0, 0.0, 0.0))


def _by_colour(images_NCHW):  # type: ignore[no-untyped-def]
    """Logits that are right for red, green and blue: minus the distance to each colour."""
    colours_K3 = np.array(list(COLOURS.values())) / 255
    means_N3 = images_NCHW.mean(axis=(2, 3))
    return -np.linalg.norm(means_N3[:, None] - colours_K3[None], axis=2).astype(np.float32)


def test_a_right_function_scores_one_and_a_wrong_one_zero(pictures: Path) -> None:
    dataset = open_dataset(pictures, "validation")
    score = evaluate(_by_colour, dataset, PREPROCESS, batch_size=7)
    assert (score.top1, score.top5, score.images) == (1.0, 1.0, 60)
    assert score.protocol == "centre crop"
    assert score.images_per_second > 0
    wrong = evaluate(lambda images: -_by_colour(images), dataset, PREPROCESS)
    assert wrong.top1 == 0


def test_accuracy_counts_each_picture_once_whatever_the_batch(pictures: Path) -> None:
    dataset = open_dataset(pictures, "validation")
    calls: list[int] = []

    def always_green(images_NCHW):  # type: ignore[no-untyped-def]
        calls.append(len(images_NCHW))
        return np.tile(np.array([0, 1, 0], np.float32), (len(images_NCHW), 1))

    done: list[int] = []
    score = evaluate(always_green, dataset, PREPROCESS, batch_size=16, progress=done.append)
    assert score.top1 == pytest.approx(1 / 3)
    assert calls == [16, 16, 16, 12]
    assert done == [16, 32, 48, 60]
    assert evaluate(always_green, dataset, PREPROCESS, indices=[20, 21, 0]).top1 == 2 / 3


def test_the_line_for_people_is_the_familiar_one(pictures: Path) -> None:
    score = evaluate(_by_colour, open_dataset(pictures, "validation"), PREPROCESS)
    assert str(score) == " * Acc@1 100.000 Acc@5 100.000"


def test_ranks_ties_and_nan() -> None:
    logits_NK = np.array(
        [[3, 2, 1, 0, -1, -2], [0, 0, 0, 0, 0, 0], [9, 8, 7, 6, 5, 4], [np.nan, 0, 0, 0, 0, 0]],
        dtype=np.float32,
    )
    assert rank_of_target(logits_NK, np.array([0, 2, 5, 1])).tolist() == [0, 2, 5, 6]


def test_broken_pictures_are_left_out_and_named(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "data", num_each=4)
    (folder / "red" / "002.png").write_bytes(b"nonsense")
    score = evaluate(_by_colour, open_dataset(folder, "validation"), PREPROCESS, num_threads=2)
    assert (score.top1, score.images) == (1.0, 11)
    assert ["red/002.png" in fault for fault in score.broken] == [True]


def test_no_picture_at_all(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "data", num_each=1)
    for file in folder.rglob("*.png"):
        file.write_bytes(b"")
    with pytest.raises(ValueError, match="no picture could be read"):
        evaluate(_by_colour, open_dataset(folder, "validation"), PREPROCESS)


def test_classes_are_matched_by_wnid_then_by_name() -> None:
    tiny, full = labels("tiny-imagenet"), labels("imagenet-1k")
    indices = class_indices(full, tiny)
    assert [full[index].wnid for index in indices] == [label.wnid for label in tiny]
    own = labels_from_names(["blue", "red"])
    model = (Label(0, "", "red"), Label(1, "", "blue"))
    assert class_indices(model, own).tolist() == [1, 0]
    dogs = labels_from_names(["dog, big", "dog, small"])
    assert class_indices(dogs, dogs).tolist() == [0, 1]
    with pytest.raises(ValueError, match="such as crane"):  # the bird or the machine
        class_indices(full, labels_from_names(["crane"]))
    with pytest.raises(ValueError, match="lacks 1 of the 2 classes of the data, such as blue"):
        class_indices(model[:1], own)
