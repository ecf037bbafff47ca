"""vggnet.training.identity: another data set or recipe is noticed, and named."""

from pathlib import Path

from vggnet.data import open_dataset
from vggnet.training.identity import differences, fingerprint


def test_the_fingerprint_tells_data_sets_apart_without_their_place(pictures: Path) -> None:
    dataset = open_dataset(pictures, "train")
    first = fingerprint(dataset)
    assert first["name"] == pictures.name
    assert (first["pictures"], first["classes"]) == (60, 3)
    dataset.labels = dataset.labels.copy()
    dataset.labels[0] = 2
    assert differences(first, fingerprint(dataset)).startswith("labels_sha256 '")


def test_differences_are_of_what_is_asked_alone() -> None:
    saved = {"width": 0.5, "seed": 3}
    assert differences(saved, {"seed": 3}) == ""
    assert differences(saved, {}) == ""
    assert differences(saved, {"width": 1.0, "seed": 4}) == (
        "width 0.5 there and 1.0 here, seed 3 there and 4 here"
    )
