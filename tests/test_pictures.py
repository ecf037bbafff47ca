"""vggnet.training.pictures: the stream of batches is fixed by the seed alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_data import SMALL, write_pictures

from vggnet.data import open_dataset
from vggnet.training.pictures import Memory, batches, keys, steps_per_epoch

INDICES = np.arange(60)


def _all(memory: Memory, first_step: int = 0, workers: int = 0):  # type: ignore[no-untyped-def]
    return list(batches(memory, SMALL, INDICES, first_step, workers))


def test_an_epoch_has_every_picture_once_but_for_the_last_few() -> None:
    recipe = replace(SMALL, sizes="32x2,40x1")
    steps = list(keys(recipe, INDICES, 0))
    assert len(steps) == 3 * steps_per_epoch(recipe, 60) == 21
    first = [index for step in steps[:7] for _, index, _ in step]
    second = [index for step in steps[7:14] for _, index, _ in step]
    assert len(set(first)) == 56
    assert first != second
    assert {size for step in steps[14:] for _, _, size in step} == {40}


def test_starting_later_gives_the_same_batches() -> None:
    assert list(keys(SMALL, INDICES, 0))[9:] == list(keys(SMALL, INDICES, 9))


def test_workers_and_memory_change_nothing(pictures: Path) -> None:
    dataset = open_dataset(pictures, "train")
    plain = _all(Memory(dataset))
    memory = Memory(dataset)
    assert memory.fill(INDICES, limit=10**9)
    for others in (_all(memory), _all(memory, workers=2), _all(Memory(dataset), workers=1)):
        assert len(others) == len(plain)
        for (pixels, labels), (other_pixels, other_labels) in zip(plain, others, strict=True):
            assert torch.equal(pixels, other_pixels)
            assert torch.equal(labels, other_labels)


def test_pictures_that_do_not_fit_are_not_decoded(pictures: Path) -> None:
    memory = Memory(open_dataset(pictures, "train"))
    assert not memory.fill(INDICES, limit=10_000)
    assert not memory.decoded


def test_broken_pictures_are_left_out_and_named(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "data")
    broken = folder / "green" / "003.png"
    broken.write_bytes(b"nonsense")
    memory = Memory(open_dataset(folder, "train"))
    images = sum(len(labels) for _, labels in _all(memory, workers=1))
    assert images in (14 * 8 - 1, 14 * 8 - 2)  # it may sit out an epoch
    assert [str(broken) in fault for fault in memory.broken] == [True]


def test_a_batch_with_no_good_picture_is_an_error(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "data")
    for file in folder.rglob("*.png"):
        file.write_bytes(b"nonsense")
    with pytest.raises(ValueError, match=r"not one picture of a batch can be read: .*png"):
        _all(Memory(open_dataset(folder, "train")))


def test_too_few_pictures_for_a_batch() -> None:
    with pytest.raises(ValueError, match="batch size 8 is larger than the 5 training pictures"):
        steps_per_epoch(SMALL, 5)
