"""vggnet.evaluation.reports: figures of a handful of pictures that can be counted by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest

from vggnet.class_lists import labels_from_names
from vggnet.evaluation.reports import fused, mistakes, report
from vggnet.evaluation.scores_file import ScoresTable

NAMES = ("ape", "bee", "cat", "dog", "eel", "fox")
DATA = {"name": "pictures", "pictures": 9}
#                 ape  bee  cat  dog  eel  fox
SCORES = np.array([[.9, .02, .02, .02, .02, .02],   # 0: an ape
                   [.3, .4, .1, .1, .05, .05],      # 0: taken for a bee
                   [.1, .7, .05, .05, .05, .05],    # 0: taken for a bee, more surely
                   [.1, .1, .5, .1, .1, .1],        # 2: a cat
                   [.3, .2, .2, .15, .1, .05]],     # 5: an ape, and the fox is sixth
                  np.float32)  # fmt: skip
TARGETS = np.array([0, 0, 0, 2, 5])


def table(
    scores_NK: np.ndarray = SCORES, names: tuple[str, ...] = NAMES, **changes: object
) -> ScoresTable:
    record = {
        "command": "vggnet evaluate",
        "commit": "abc",
        "nets": [{"weights": "a", "sha256": "0", "protocol": {"name": "dense"}}],
        "data": DATA,
        "split": "validation",
        "classes": [label.to_json() for label in labels_from_names(names)],
    }
    pictures = tuple(f"{i}.png" for i in range(len(scores_NK)))
    index = np.arange(len(scores_NK))
    found = ScoresTable(record, index, pictures, TARGETS[: len(scores_NK)], scores_NK)
    return replace(found, **changes)  # type: ignore[arg-type]


def test_accuracy_by_class_and_confusions() -> None:
    found = report(table(faults={7: "7.png: broken"}))
    assert (found.top1, found.top5, found.images, found.broken) == (2 / 5, 4 / 5, 5, 1)
    shown = [
        (each.name, each.pictures, each.top1, each.top5, each.taken_for) for each in found.classes
    ]
    assert shown == [
        ("ape", 3, pytest.approx(1 / 3), 1, "bee"),
        ("cat", 1, 1, 1, ""),
        ("fox", 1, 0, 0, "ape"),
    ]
    expected = np.zeros((6, 6), int)
    expected[0, 0], expected[0, 1], expected[2, 2], expected[5, 0] = 1, 2, 1, 1
    np.testing.assert_array_equal(found.confusion_KK, expected)
    assert found.intervals["top1"] == (0, 0.8)
    assert found.calibration is not None
    assert sum(each.pictures for each in found.calibration.bins) == 5


def test_the_json_names_command_commit_digests_and_protocol() -> None:
    found = json.loads(json.dumps(report(table()).to_json(), allow_nan=False))
    (source,) = found["scores"]
    assert (source["command"], source["commit"]) == ("vggnet evaluate", "abc")
    assert source["nets"][0]["sha256"] == "0"
    assert source["nets"][0]["protocol"]["name"] == "dense"
    assert source["data"] == DATA
    assert "classes" not in source
    assert found["classes"][0]["name"] == "ape"
    assert found["intervals"]["top5"] == [0.4, 1]


def test_the_most_confident_mistakes_come_first() -> None:
    found = mistakes(table(), 2)
    shown = [(each.index, each.answer, each.target, each.picture) for each in found]
    assert shown == [(2, 1, 0, "2.png"), (1, 1, 0, "1.png")]
    assert found[0].confidence == pytest.approx(0.7)
    assert found[0].of_target == pytest.approx(0.1)
    assert len(mistakes(table(), 9)) == 3


def test_a_single_picture_has_no_calibration_and_none_no_report() -> None:
    assert report(table(SCORES[:1])).to_json()["calibration"] is None
    nothing = table(SCORES[:0], faults={3: "3.png: broken"})
    with pytest.raises(ValueError, match=r"no picture could be read; the first fault: 3\.png"):
        report(nothing)


class TestFused:
    def test_is_the_mean_of_posteriors_or_of_logarithms(self) -> None:
        other = np.random.default_rng(0).dirichlet(np.ones(6), 5).astype(np.float32)
        mean = fused([table(), table(other)])
        np.testing.assert_allclose(mean.scores_NK, (SCORES + other) / 2, rtol=1e-6)
        geometric = np.sqrt(SCORES * other)
        geometric /= geometric.sum(axis=1, keepdims=True)
        found = fused([table(), table(other)], "logits")
        np.testing.assert_allclose(found.scores_NK, geometric, rtol=1e-5)
        certain = np.eye(6, dtype=np.float32)[[0, 1, 2, 3, 4]]
        assert np.isfinite(fused([table(), table(certain)], "logits").scores_NK).all()

    def test_finds_classes_and_pictures_in_another_order(self) -> None:
        turned = table(SCORES[:, ::-1], NAMES[::-1], target=5 - TARGETS)
        order = np.array([3, 0, 4, 1, 2])
        turned = replace(
            turned,
            index=order,
            target=turned.target[order],
            scores_NK=turned.scores_NK[order],
            picture=tuple(turned.picture[i] for i in order),
        )
        found = fused([table(), turned])
        np.testing.assert_allclose(found.scores_NK, SCORES, rtol=1e-6)
        np.testing.assert_array_equal(found.target, TARGETS)
        assert found.picture == table().picture

    def test_leaves_out_what_is_broken_in_one(self) -> None:
        part = table(SCORES[:4], faults={4: "4.png: broken"})
        found = fused([table(), part])
        assert (found.index.tolist(), found.faults) == ([0, 1, 2, 3], {4: "4.png: broken"})

    def test_refuses_other_pictures_and_classes(self) -> None:
        with pytest.raises(ValueError, match="of 5 and 4 pictures, which are not the same ones"):
            fused([table(), table(SCORES[:4])])
        with pytest.raises(ValueError, match="not the same ones"):
            fused([table(), table(target=TARGETS[::-1])])
        other = table()
        other.record["data"] = {"name": "others", "pictures": 9}  # type: ignore[index]
        with pytest.raises(ValueError, match=r"of pictures \(9 pictures, validation\) and of oth"):
            fused([table(), other])
        with pytest.raises(ValueError, match="of 6 and 5 classes cannot be averaged"):
            fused([table(), table(SCORES[:, :5], NAMES[:5])])
        with pytest.raises(ValueError, match="lacks 1 of the 6 classes of the data, such as fox"):
            fused([table(), table(names=(*NAMES[:5], "gnu"))])
