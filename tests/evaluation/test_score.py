"""vggnet.evaluation: accuracies of functions whose answers are known."""

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_data import COLOURS, write_pictures

from vggnet.class_lists import Label, labels, labels_from_names
from vggnet.data import open_dataset
from vggnet.evaluation import class_indices, evaluate, picture_scores, rank_of_target
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


def test_five_guesses_count_and_a_sixth_does_not(pictures: Path) -> None:
    """Of every picture, blue is the first guess, green the fifth and red the sixth."""
    logits_K = np.array([9, 5, 4, 8, 7, 6], np.float32)
    score = evaluate(
        lambda images: np.tile(logits_K, (len(images), 1)),
        open_dataset(pictures, "validation"),
        PREPROCESS,
    )
    assert (score.top1, score.top5) == (20 / 60, 40 / 60)


def test_classes_are_counted_under_the_models_numbers(pictures: Path) -> None:
    dataset = open_dataset(pictures, "validation")
    numbers = np.array([4, 1, 2])  # of blue, green and red in the model

    def shuffled(images_NCHW):  # type: ignore[no-untyped-def]
        logits_NK = np.full((len(images_NCHW), 6), -9, np.float32)
        logits_NK[:, numbers] = _by_colour(images_NCHW)
        return logits_NK

    assert evaluate(shuffled, dataset, PREPROCESS, class_index=numbers).top1 == 1
    assert evaluate(shuffled, dataset, PREPROCESS).top1 == 40 / 60  # but for blue


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
    (folder / "blue" / "002.png").write_bytes(b"nonsense")  # what comes after it keeps its label
    score = evaluate(_by_colour, open_dataset(folder, "validation"), PREPROCESS, num_threads=2)
    assert (score.top1, score.images) == (1.0, 11)
    assert ["blue/002.png" in fault for fault in score.broken] == [True]


def test_no_picture_at_all(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "data", num_each=1)
    for file in folder.rglob("*.png"):
        file.write_bytes(b"")
    dataset = open_dataset(folder, "validation")
    with pytest.raises(
        ValueError, match=r"no picture could be read; the first fault: /.*: no bytes"
    ):
        evaluate(_by_colour, dataset, PREPROCESS)
    with pytest.raises(ValueError, match="there are no pictures to test"):
        evaluate(_by_colour, dataset, PREPROCESS, indices=[])


@pytest.mark.parametrize(
    ("indices", "text"),
    [
        (np.arange(60) < 3, "indices are bool: give whole numbers, of a mask np.flatnonzero"),
        ([0.0, 1.0], "indices are float64: give whole numbers"),
        ([0, 60], "indices go from 0 to 60; of 60 pictures there are those from 0 to 59"),
        ([-1, 2], "indices go from -1 to 2"),
    ],
)
def test_indices_that_are_none_are_refused(pictures: Path, indices: Any, text: str) -> None:
    """A mask would be the accuracy on pictures 0 and 1, over and over."""
    dataset = open_dataset(pictures, "validation")
    with pytest.raises(ValueError, match=text):
        evaluate(_by_colour, dataset, PREPROCESS, indices=indices)
    with pytest.raises(ValueError, match=text):
        next(picture_scores([], dataset, indices))


def test_a_batch_has_a_picture_or_more(pictures: Path) -> None:
    dataset = open_dataset(pictures, "validation")
    with pytest.raises(ValueError, match="batch size 0 must be at least 1"):
        evaluate(_by_colour, dataset, PREPROCESS, batch_size=0)


def test_threads_change_nothing(pictures: Path) -> None:
    dataset = open_dataset(pictures, "validation")
    seen: list[list[bytes]] = []
    for num_threads in (1, 3, None):
        batches: list[bytes] = []

        def record(images_NCHW):  # type: ignore[no-untyped-def]
            batches.append(images_NCHW.tobytes())  # noqa: B023 (called in this round only)
            return _by_colour(images_NCHW)

        evaluate(record, dataset, PREPROCESS, batch_size=7, num_threads=num_threads)
        seen.append(batches)
    assert len(seen[0]) == 9
    assert seen[0] == seen[1] == seen[2]


class CountedDecodes:
    """A preprocessing that counts its calls; each after the first `quick` takes half a second."""

    def __init__(self, quick: int = 60) -> None:
        self.quick, self.names = quick, []

    @property
    def num(self) -> int:
        return len(self.names)

    def __call__(self, picture, name):  # type: ignore[no-untyped-def]
        self.names.append(name)
        time.sleep(0.01 if self.num <= self.quick else 0.5)
        return PREPROCESS(picture, name)


def test_one_batch_is_decoded_ahead_and_no_more(pictures: Path) -> None:
    decodes = CountedDecodes()
    counts = []

    def slow(images_NCHW):  # type: ignore[no-untyped-def]
        expected = min(60, 10 * len(counts) + 20)
        deadline = time.monotonic() + 300
        while decodes.num < expected and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.03)  # in which one more could begin
        counts.append(decodes.num)
        return _by_colour(images_NCHW)

    evaluate(slow, open_dataset(pictures, "validation"), decodes, batch_size=10, num_threads=2)
    assert counts == [20, 30, 40, 50, 60, 60]


def test_an_interrupt_ends_it_without_the_pictures_ahead(pictures: Path) -> None:
    decodes = CountedDecodes(quick=30)  # the others would take a quarter of a minute

    def interrupted(images_NCHW):  # type: ignore[no-untyped-def]
        raise KeyboardInterrupt

    dataset = open_dataset(pictures, "validation")
    with pytest.raises(KeyboardInterrupt):
        evaluate(interrupted, dataset, decodes, batch_size=30, num_threads=1)
    assert 30 <= decodes.num < 60  # which had all been asked for
    assert not [thread for thread in threading.enumerate() if "ThreadPool" in thread.name]


def test_ctrl_c_is_heard_while_it_decodes(pictures: Path) -> None:
    class Interrupting(CountedDecodes):
        def __call__(self, picture, name):  # type: ignore[no-untyped-def]
            if self.num == self.quick:
                os.kill(os.getpid(), signal.SIGINT)
            return super().__call__(picture, name)

    decodes = Interrupting(quick=5)
    with pytest.raises(KeyboardInterrupt):
        evaluate(_by_colour, open_dataset(pictures, "validation"), decodes, num_threads=1)
    assert decodes.num < 60  # which would take half a minute


def test_a_picture_too_long_to_be_rescaled_is_named(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "data", num_each=2)
    long = folder / "red" / "long.png"
    Image.new("RGB", (100_000, 1)).save(long)
    score = evaluate(_by_colour, open_dataset(folder, "validation"), replace(PREPROCESS, resize=64))
    assert (score.images, len(score.broken)) == (6, 1)
    assert score.broken[0].startswith(f"{long}: 100000 x 1 with a short side of 64")


def test_logits_and_sizes_that_do_not_fit(pictures: Path) -> None:
    dataset = open_dataset(pictures, "validation")
    with pytest.raises(
        ValueError, match=r"shape \(60, 2\); 60 pictures of 3 classes need \(60, 3\)"
    ):
        evaluate(lambda images: np.zeros((60, 2), np.float32), dataset, PREPROCESS)
    whole = replace(PREPROCESS, resize=None, crop=None)
    with pytest.raises(ValueError, match="pictures of 36 x 36 and 37 x 36 do not go into one"):
        evaluate(_by_colour, dataset, whole)


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


def test_a_class_without_pictures_may_be_missing() -> None:
    model = (Label(0, "", "red"), Label(1, "", "blue"))
    data = labels_from_names(["blue", "notes", "red"])
    assert class_indices(model, data, np.array([2, 0, 0])).tolist() == [1, -1, 0]
    with pytest.raises(ValueError, match="lacks 1 of the 3 classes of the data, such as notes"):
        class_indices(model, data, np.array([2, 1]))


def test_a_model_without_class_names_says_so() -> None:
    with pytest.raises(ValueError, match="does not name its classes"):
        class_indices((), labels("tiny-imagenet")[:2])
