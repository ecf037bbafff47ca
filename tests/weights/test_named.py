"""Weights by name: the package's own, a run's folder, published files, and names of nothing."""

import os
from pathlib import Path

import pytest
from small_nets import AVERAGE, random_state

from vggnet.preprocess import Preprocess
from vggnet.weights import own_file
from vggnet.weights.named import load_weights
from vggnet.weights.weights import Weights

WEIGHTS = Weights(AVERAGE, random_state(AVERAGE), Preprocess.torchvision(18, 16))


def test_the_weights_inside_the_package() -> None:
    weights = load_weights("tiny-imagenet")
    assert weights.spec.num_classes == len(weights.labels) == 200


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("resnet50", r"'resnet50': no such file; give .* \(tiny-imagenet\)"),
        ("tiny_imagenet", r"no such file; did you mean tiny-imagenet\? give a weight file"),
        ("VGG-116", r"no such file; did you mean vgg16\? give a weight file"),
        ("", r"'': no such file; give .* \(tiny-imagenet\)"),
        ("nowhere/net.safetensors", r"no such file; give .* \(tiny-imagenet\)"),
        (str(Path(__file__).parent), r"a folder without model\.safetensors; give a weight file"),
        (os.devnull, "a pipe, a socket or a device, not a regular file; give a weight file"),
        ("https://example.com/a.safetensors", r"an address, not a file; download it first"),
        ("C", r"^C: no published weights of this configuration are known"),
        ("vgg16@nobody", r"^vgg16@nobody: no such file; there are vgg16, "),
    ],
)
def test_weights_that_are_not_there(name: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault) as caught:
        load_weights(name)
    assert "\n" not in str(caught.value)


def test_the_name_of_a_published_file_stands_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_file.save(tmp_path / "fetched.safetensors", WEIGHTS)
    asked = []

    def fetch(name: str) -> Path:
        asked.append(name)
        return tmp_path / "fetched.safetensors"

    monkeypatch.setattr("vggnet.weights.published.fetch.fetch", fetch)
    assert load_weights("vgg16@oxford").spec == AVERAGE
    assert load_weights("D", colour="BGR").preprocessing.colour_order == "BGR"
    assert asked == ["vgg16@oxford", "D"]


def test_the_folder_of_a_run_stands_for_its_weights(tmp_path: Path) -> None:
    own_file.save(tmp_path / "model.safetensors", WEIGHTS)
    assert load_weights(tmp_path).spec == AVERAGE
