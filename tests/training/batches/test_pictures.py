"""vggnet.training.batches.pictures: the stream of batches is fixed by the seed alone."""

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from small_data import SMALL, in_parquet, write_pictures

from vggnet.data import open_dataset, picture
from vggnet.training.batches.pictures import (
    DecodedPictures,
    WorkerEnded,
    batches,
    keys,
    steps_per_epoch,
)

INDICES = np.arange(60)


def _all(decoded: DecodedPictures, first_step: int = 0, workers: int = 0):  # type: ignore[no-untyped-def]
    return list(batches(decoded, SMALL, INDICES, first_step, workers))


def test_an_epoch_has_every_picture_once_but_for_the_last_few() -> None:
    recipe = replace(SMALL, sizes="32x2,40x1")
    steps = list(keys(recipe, INDICES, 0))
    assert len(steps) == 3 * steps_per_epoch(recipe, 60) == 21
    first = [index for step in steps[:7] for _, index, _ in step]
    second = [index for step in steps[7:14] for _, index, _ in step]
    assert len(set(first)) == 56
    assert first != second
    assert {size for step in steps[14:] for _, _, size in step} == {40}


def test_a_remainder_that_is_spread_leaves_no_picture_out() -> None:
    recipe = replace(SMALL, remainder="spread", sizes="32x2")
    steps = list(keys(recipe, INDICES, 0))
    assert len(steps) == 2 * steps_per_epoch(recipe, 60) == 16
    assert [len(step) for step in steps[:8]] == [8, 8, 8, 8, 7, 7, 7, 7]
    for epoch in (steps[:8], steps[8:]):
        assert sorted(index for step in epoch for _, index, _ in step) == list(range(60))


@pytest.mark.parametrize("remainder", ["drop", "spread"])
def test_fewer_pictures_than_a_batch_are_one_smaller_batch(remainder: Any) -> None:
    recipe = replace(SMALL, remainder=remainder, batch_size=64)
    assert steps_per_epoch(recipe, 60) == 1
    assert [len(step) for step in keys(recipe, INDICES, 0)] == [60, 60]


@pytest.mark.parametrize("remainder", ["drop", "spread"])
def test_starting_later_gives_the_same_batches(remainder: Any) -> None:
    recipe = replace(SMALL, remainder=remainder)
    for first_step in (3, 7, 9):  # of 7 or 8 steps an epoch
        later = list(keys(recipe, INDICES, first_step))
        assert list(keys(recipe, INDICES, 0))[first_step:] == later


def test_every_epoch_sees_pictures_anew(pictures: Path) -> None:
    decoded = DecodedPictures(open_dataset(pictures, "train"))
    epochs = batches(decoded, replace(SMALL, batch_size=60), INDICES, 0, 0)
    first, second = ({view.numpy().tobytes() for view in pixels} for pixels, _ in epochs)
    assert len(first) == len(second) == 60
    assert first.isdisjoint(second)


def test_workers_and_memory_change_nothing(pictures: Path) -> None:
    dataset = open_dataset(pictures, "train")
    plain = _all(DecodedPictures(dataset))
    decoded = DecodedPictures(dataset)
    assert decoded.fill(INDICES, limit=10**9) == "decoded"
    for others in (
        _all(decoded),
        _all(decoded, workers=2),
        _all(DecodedPictures(dataset), workers=1),
    ):
        assert len(others) == len(plain)
        for (pixels, labels), (other_pixels, other_labels) in zip(plain, others, strict=True):
            assert torch.equal(pixels, other_pixels)
            assert torch.equal(labels, other_labels)


def test_processes_decode_to_the_same_pixels_and_faults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vggnet.training.batches.pictures._CHUNK", 7 * 36 * 37 * 3)
    folder = write_pictures(tmp_path / "data")
    for name in ("blue/001.png", "red/019.png"):
        (folder / name).write_bytes(b"nonsense")
    dataset, before = open_dataset(folder, "train"), torch.get_rng_state()
    alone, several = DecodedPictures(dataset), DecodedPictures(dataset)
    done: list[int] = []
    assert alone.fill(INDICES, limit=10**9) == "decoded"
    monkeypatch.setattr("vggnet.training.batches.pictures.picture", _only_elsewhere(os.getpid()))
    monkeypatch.setattr("vggnet.training.batches.pictures._SAMPLE", 1)
    assert several.fill(INDICES, 10**9, progress=done.append, num_workers=2) == "decoded"
    assert done == list(range(60))
    assert several.broken == alone.broken
    assert len(alone.broken) == 2
    assert list(several.decoded) == list(alone.decoded)
    for index, pixels in alone.decoded.items():
        np.testing.assert_array_equal(several.decoded[index], pixels)
    assert torch.equal(torch.get_rng_state(), before)
    limit = 57 * 36 * 37 * 3
    assert DecodedPictures(dataset).fill(INDICES, limit, num_workers=2) == "as needed"


def _only_elsewhere(process: int):  # type: ignore[no-untyped-def]
    """`picture`, which in this process may open nothing but the first, to guess the size of all."""

    def opened(dataset: Any, index: int) -> Image.Image:
        assert index == 0 or os.getpid() != process
        return picture(dataset, index)

    return opened


def test_pictures_that_do_not_fit_are_not_decoded(pictures: Path) -> None:
    decoded = DecodedPictures(open_dataset(pictures, "train"))
    assert decoded.fill(INDICES, limit=10_000) == "as needed"
    assert not decoded.decoded


def test_a_sample_of_small_pictures_does_not_break_the_limit(tmp_path: Path) -> None:
    folder = write_pictures(
        tmp_path / "data", num_each=200, side=4
    )  # every second one is looked at
    dataset = open_dataset(folder, "train")
    Image.new("RGB", (100, 100)).save(dataset.where(301))
    decoded = DecodedPictures(dataset)
    assert decoded.fill(np.arange(600), limit=45_000) == "as needed"
    assert not decoded.decoded
    assert decoded.fill(np.arange(600), limit=75_000) == "decoded"


def test_a_process_that_dies_while_it_decodes_is_noticed(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vggnet.training.batches.pictures._CHUNK", 7 * 36 * 37 * 3)
    trainer = os.getpid()

    def deadly(dataset: Any, index: int) -> Image.Image:
        if index == 30 and os.getpid() != trainer:
            os.kill(os.getpid(), signal.SIGKILL)
        return picture(dataset, index)

    monkeypatch.setattr("vggnet.training.batches.pictures.picture", deadly)
    with pytest.raises(WorkerEnded):
        DecodedPictures(open_dataset(pictures, "train")).fill(INDICES, 10**9, num_workers=2)


def test_how_pictures_are_held_is_told(pictures: Path, tmp_path: Path) -> None:
    """Of Parquet that has no room it is said that it will be slow."""
    files = DecodedPictures(open_dataset(pictures, "train"))
    rows = DecodedPictures(open_dataset(in_parquet(pictures, tmp_path / "a.parquet"), "train"))
    gone = tmp_path / "gone"
    for each, held, text in (
        (files, files.fill(INDICES, 10**9), "decoded in memory"),
        (rows, rows.fill(INDICES, 10**9), "decoded in memory"),
        (rows, rows.keep(300_000), "kept as they are encoded"),
        (rows, rows.fill(INDICES, 0, tmp_path), "kept as they are encoded"),
        (files, files.fill(INDICES, 0, tmp_path), "read from disk as they are needed"),
        (rows, rows.fill(INDICES, 0, gone), "read from disk as they are needed, a whole row group "
         "of Parquet for each, which is slow: neither memory nor disk has room for them"),
    ):  # fmt: skip
        assert each.in_words(held) == text


def test_parquet_that_does_not_fit_gives_the_same_batches(pictures: Path, tmp_path: Path) -> None:
    files = open_dataset(pictures, "train")
    dataset = open_dataset(in_parquet(pictures, tmp_path / "a.parquet"), "train")
    plain = _all(DecodedPictures(files))
    for limit in (80_000, 0):  # less than they take decoded or encoded
        decoded = DecodedPictures(dataset)
        assert decoded.fill(INDICES, limit, tmp_path) == "encoded"
        for pixels, others in zip(plain, _all(decoded, workers=2), strict=True):
            assert torch.equal(pixels[0], others[0])
            assert torch.equal(pixels[1], others[1])


class StopAsked(Exception):
    pass


def test_filling_can_be_stopped(pictures: Path, tmp_path: Path) -> None:
    dataset = open_dataset(in_parquet(pictures, tmp_path / "a.parquet"), "train")

    def stop(done: int) -> None:
        if done == 30:
            raise StopAsked

    for limit in (10**9, 200_000, 0):  # while it decodes, reads and copies
        with pytest.raises(StopAsked):
            DecodedPictures(dataset).fill(INDICES, limit, tmp_path, stop)


def test_a_picture_that_cannot_be_rescaled_is_a_broken_one(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "data")
    long = folder / "green" / "003.png"
    Image.new("RGB", (100_000, 1)).save(long)
    recipe = replace(SMALL, crop="short-side", short_side="64-96", input_size=64, sizes="64x1")
    for workers in (0, 1):
        decoded = DecodedPictures(open_dataset(folder, "train"))
        list(batches(decoded, recipe, INDICES[20:28], 0, workers))
        (fault,) = decoded.broken
        assert fault.startswith(f"{long}: 100000 x 1 with a short side of ")


def test_broken_pictures_are_left_out_and_named(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "data")
    broken = folder / "green" / "003.png"
    broken.write_bytes(b"nonsense")
    decoded = DecodedPictures(open_dataset(folder, "train"))
    images = sum(len(labels) for _, labels in _all(decoded, workers=1))
    assert images in (14 * 8 - 1, 14 * 8 - 2)  # it may sit out an epoch
    assert [str(broken) in fault for fault in decoded.broken] == [True]


def test_a_batch_with_no_good_picture_is_an_error(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "data")
    for file in folder.rglob("*.png"):
        file.write_bytes(b"nonsense")
    with pytest.raises(ValueError, match=r"not one .* can be read: .*png: .*; mend them, or"):
        _all(DecodedPictures(open_dataset(folder, "train")))
