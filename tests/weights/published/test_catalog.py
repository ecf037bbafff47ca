"""The published files as data, and the names by which they are asked for."""

import re

import pytest
from cache_folders import small_file

from vggnet.configurations import configuration
from vggnet.weights.published.catalog import CATALOG, Accuracy, Digest, is_name, published


@pytest.mark.parametrize("name", CATALOG)
def test_every_entry_is_whole(name: str) -> None:
    file = CATALOG[name]
    assert file.name == name
    assert name.partition("@")[0] == file.configuration
    assert (file.convention == "timm") == (file.repository is not None) == ("@" not in name)
    assert file.same_weights == (None if "@" in name else f"{name}@torchvision")
    assert file.page.startswith("https://")
    assert file.url is None or (file.url.startswith("https://") and file.file_name in file.url)
    assert file.url or file.repository or file.convention == "tensorflow-vgg"
    assert file.licence == ("BSD-3-Clause" if file.convention.startswith(("torchvision", "timm"))
                            else "CC BY 4.0")  # fmt: skip


def test_a_size_is_that_of_the_parameters_and_little_more() -> None:
    known = [file for file in CATALOG.values() if file.num_bytes is not None]
    assert len(known) == 12
    for file in known:
        spec = configuration(file.configuration)
        parameters = sum(
            4 * _product(shape)
            for name, shape in spec.state_shapes.items()
            if file.head or not name.startswith("fc")
        )
        assert parameters <= file.approximate_bytes < parameters + 50_000
    assert CATALOG["vgg16"].approximate_bytes == 4 * 138_357_544


def _product(shape: tuple[int, ...]) -> int:
    product = 1
    for side in shape:
        product *= side
    return product


def test_names_and_digests_of_torchvision_agree() -> None:
    files = [file for file in CATALOG.values() if file.convention == "torchvision"]
    assert len(files) == 8
    for file in files:
        assert file.digest is not None
        digits = re.search("-([0-9a-f]{8}).pth$", file.file_name)
        assert digits
        assert file.digest.digits.startswith(digits[1])


def test_published_accuracies_are_fractions() -> None:
    accuracy = CATALOG["vgg16_bn"].accuracy
    assert accuracy == Accuracy(0.7336, 0.91516, "torchvision.models")
    with pytest.raises(ValueError, match=r"^accuracies 71.6 and 90.4: give 0 <= top1"):
        Accuracy(71.6, 90.4, "here")


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("vgg16", "vgg16"),
        ("D", "vgg16"),
        ("e-bn", "vgg19_bn"),
        ("VGG13-BN", "vgg13_bn"),
        (" VGG16@Oxford ", "vgg16@oxford"),
        ("A@torchvision", "vgg11@torchvision"),
        ("vgg19@keras-notop", "vgg19@keras-notop"),
    ],
)
def test_a_name_finds_its_file(asked: str, name: str) -> None:
    assert published(asked) is CATALOG[name]
    assert is_name(asked)


@pytest.mark.parametrize(
    ("asked", "line", "name"),
    [
        ("C", "^C: no published weights of this configuration are known; .* vgg11, vgg11_bn", True),
        ("A-LRN", "^A-LRN: no published weights of this configuration are known", True),
        ("C@oxford", "^C@oxford: no published weights of this configuration are known", True),
        ("B@keras", "^B@keras: no such file; there are vgg13, vgg13@torchvision$", True),
        ("vg16", "^'vg16': no published weights of this name; did you mean vgg16 or", False),
        ("vg16@oxford", "did you mean vgg16@oxford or", False),
        ("resnet50", "^'resnet50': .*; vggnet weights list shows all$", False),
        ("", "^'': no published weights of this name", False),
        ("a\nb" * 100, "^'a.*no published weights", False),
    ],
)
def test_a_name_that_finds_none_is_answered_in_one_line(asked: str, line: str, name: bool) -> None:
    with pytest.raises(ValueError, match=line) as caught:
        published(asked)
    assert len(str(caught.value).splitlines()) == 1
    assert is_name(asked) is name


def test_a_digest_says_whether_it_is_whole() -> None:
    assert str(Digest("sha256", "397923af")) == "sha256 397923af..."
    assert str(Digest("md5", "0" * 32)) == "md5 " + "0" * 32


@pytest.mark.parametrize(
    ("algorithm", "digits", "line"),
    [
        ("sha512", "0" * 8, "^digest 'sha512': give one of sha256, sha1, md5$"),
        ("md5", "0" * 7, "^md5 '0000000': give 8 to 32 digits"),
        ("md5", "0" * 33, "give 8 to 32 digits"),
        ("sha256", "397923AF", "give 8 to 64 digits 0-9a-f"),
    ],
)
def test_no_digest(algorithm: str, digits: str, line: str) -> None:
    with pytest.raises(ValueError, match=line):
        Digest(algorithm, digits)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"name": "../vgg16"}, "^published file '../vgg16': a name is such as vgg16@oxford$"),
        ({"file_name": "../a.npz"}, "^vgg16@small: '../a.npz' is no plain file name$"),
        ({"file_name": ".."}, "is no plain file name"),
        ({"digest": None}, "^vgg16@small: a file that is not on Hugging Face needs a digest$"),
        ({"url": "https://a/b", "repository": "a/b"}, "^vgg16@small: give a repository or an"),
        ({"configuration": "vgg17"}, "^no configuration 'vgg17'"),
    ],
)
def test_no_entry(changes: dict[str, object], line: str) -> None:
    with pytest.raises(ValueError, match=line):
        small_file(**changes)
