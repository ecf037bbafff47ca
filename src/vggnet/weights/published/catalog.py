"""The weight files that others have published: what each is called, where it is, how it is known.

In: a name, such as "vgg16", "vgg16@oxford" or the paper's "D". Out: a `PublishedFile`. A name alone
is torchvision's weights, which Hugging Face keeps as safetensors; after "@" stands who else
published them. Sources: torchvision.models, keras.applications, the Caffe model zoo, MatConvNet's
table of checksums, and the pages named below. A field that could not be verified is None.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from math import prod
from reprlib import repr as short_repr
from typing import Literal, get_args

from vggnet.configurations import configuration, configuration_names

Algorithm = Literal["sha256", "sha1", "md5"]
_HEXADECIMAL_DIGITS: dict[Algorithm, int] = {"sha256": 64, "sha1": 40, "md5": 32}


@dataclass(frozen=True)
class Digest:
    """What a file's bytes are known by: the first 8 or more hexadecimal digits of their digest."""

    algorithm: Algorithm
    digits: str

    def __post_init__(self) -> None:
        longest = _HEXADECIMAL_DIGITS.get(self.algorithm)
        if longest is None:
            known = ", ".join(get_args(Algorithm))
            raise ValueError(f"digest {self.algorithm!r}: give one of {known}")
        if not re.fullmatch(f"[0-9a-f]{{8,{longest}}}", self.digits):
            raise ValueError(f"{self.algorithm} {self.digits!r}: give 8 to {longest} digits 0-9a-f")

    def __str__(self) -> str:
        whole = len(self.digits) == _HEXADECIMAL_DIGITS[self.algorithm]
        return f"{self.algorithm} {self.digits}{'' if whole else '...'}"


@dataclass(frozen=True)
class Accuracy:
    """Fractions of ImageNet's validation pictures, one central crop, as `source` gives them."""

    top1: float
    top5: float
    source: str

    def __post_init__(self) -> None:
        if not 0 <= self.top1 <= self.top5 <= 1:
            raise ValueError(f"accuracies {self.top1} and {self.top5}: give 0 <= top1 <= top5 <= 1")


@dataclass(frozen=True)
class PublishedFile:
    """One file. It is got from `repository` on Hugging Face, from `url`, or, without both, by hand.

    `configuration` is a name for `vggnet.configuration`, `convention` one of `CONVENTIONS`;
    `num_bytes` and `digest` are None where they are not known. Of a file that is not on Hugging
    Face a digest must be known. Without `head` it has no FC layers. `same_weights` names a file
    with the very same numbers, which does as well.
    """

    name: str
    configuration: str
    convention: str
    file_name: str
    page: str
    licence: str
    repository: str | None = None
    url: str | None = None
    num_bytes: int | None = None
    digest: Digest | None = None
    accuracy: Accuracy | None = None
    head: bool = True
    same_weights: str | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9_]+(@[a-z0-9-]+)?", self.name):
            raise ValueError(f"published file {self.name!r}: a name is such as vgg16@oxford")
        if not re.fullmatch(r"[\w-][\w.-]*", self.file_name):
            raise ValueError(f"{self.name}: {self.file_name!r} is no plain file name")
        if self.repository is None and self.digest is None:
            raise ValueError(f"{self.name}: a file that is not on Hugging Face needs a digest")
        if self.repository is not None and self.url is not None:
            raise ValueError(f"{self.name}: give a repository or an address, not both")
        configuration(self.configuration)

    @property
    def approximate_bytes(self) -> int:
        """`num_bytes`, or where that is not known the size of the parameters in fp32."""
        if self.num_bytes is not None:
            return self.num_bytes
        shapes = configuration(self.configuration).state_shapes
        return 4 * sum(
            prod(shape) for name, shape in shapes.items() if self.head or not name.startswith("fc")
        )


# torchvision.models: acc@1 and acc@5 of IMAGENET1K_V1, and the sha256 digits in each file's name.
_TORCHVISION = {
    "vgg11": (0.69020, 0.88628, "8a719046"),
    "vgg11_bn": (0.70370, 0.89810, "6002323d"),
    "vgg13": (0.69928, 0.89246, "19584684"),
    "vgg13_bn": (0.71586, 0.90374, "abd245e5"),
    "vgg16": (0.71592, 0.90382, "397923af"),
    "vgg16_bn": (0.73360, 0.91516, "6c64b313"),
    "vgg19": (0.72376, 0.90876, "dcbb9e9d"),
    "vgg19_bn": (0.74218, 0.91842, "c79401a0"),
}
_WHOLE = {  # of which more than those eight digits is known: bytes and sha256
    "vgg16": (553_433_881, "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"),
    "vgg16_bn": (553_507_836, "6c64b3138f2f4fcb3bcc4cafde11619c4f440eb1631787e93a682fd88305888a"),
    "vgg19": (574_673_361, "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44"),
    "vgg19_bn": (574_769_405, "c79401a0cf3cb42714e4182f5868c7a6f4f4534f5df9e956e2bb2098de41cbb6"),
}
_TIMM_SHA256 = {
    "vgg16": "57b026918159a6bf9faf8405c3a551903768e7138989d9c6224a14227203fad8",
    "vgg19": "11aea017b543ff59233749d8f1cf544cda749378f5790d2fedab841fb86b7669",
}
_KERAS = {
    "vgg16": (553_467_096, "64373286793e3c8b2b4e3219cbf3544b"),
    "vgg16-notop": (58_889_256, "6d6bbae143d832006294945121d1f1fc"),
    "vgg19": (574_710_816, "cbe5617147190e668d6c5d5026f83318"),
    "vgg19-notop": (80_134_624, "253f8cb515780f3b799900260a226db6"),
}
_CC_BY = "CC BY 4.0"  # Oxford's weights, and what was converted from them


def _torchvision_and_timm() -> Iterator[PublishedFile]:
    for name, (top1, top5, digits) in _TORCHVISION.items():
        accuracy = Accuracy(top1, top5, "torchvision.models")
        timm = _TIMM_SHA256.get(name)
        yield PublishedFile(
            name, name, "timm", "model.safetensors",
            page=f"https://huggingface.co/timm/{name}.tv_in1k",
            licence="BSD-3-Clause",
            repository=f"timm/{name}.tv_in1k",
            digest=Digest("sha256", timm) if timm else None,
            accuracy=accuracy,
            same_weights=f"{name}@torchvision",
        )  # fmt: skip
        num_bytes, sha256 = _WHOLE.get(name, (None, digits))
        yield PublishedFile(
            f"{name}@torchvision", name, "torchvision", f"{name}-{digits}.pth",
            page="https://docs.pytorch.org/vision/stable/models/vgg.html",
            licence="BSD-3-Clause",
            url=f"https://download.pytorch.org/models/{name}-{digits}.pth",
            num_bytes=num_bytes,
            digest=Digest("sha256", sha256),
            accuracy=accuracy,
        )  # fmt: skip
    features = "vgg16_features-amdegroot-88682ab5.pth"  # its FC layers are there, but all NaN
    yield PublishedFile(
        "vgg16@torchvision-features", "vgg16", "torchvision-features", features,
        page="https://docs.pytorch.org/vision/stable/models/vgg.html",
        licence="BSD-3-Clause",
        url=f"https://download.pytorch.org/models/{features}",
        digest=Digest("sha256", "88682ab5"),
    )  # fmt: skip


def _keras() -> Iterator[PublishedFile]:
    for form, (num_bytes, md5) in _KERAS.items():
        name, _, notop = form.partition("-")
        file_name = f"{name}_weights_tf_dim_ordering_tf_kernels{'_notop' if notop else ''}.h5"
        yield PublishedFile(
            f"{name}@keras{'-notop' if notop else ''}", name, "keras", file_name,
            page="https://keras.io/api/applications/vgg/",
            licence=_CC_BY,
            url=f"https://storage.googleapis.com/tensorflow/keras-applications/{name}/{file_name}",
            num_bytes=num_bytes,
            digest=Digest("md5", md5),
            accuracy=None if notop else Accuracy(
                0.713, {"vgg16": 0.901, "vgg19": 0.900}[name], "keras.io/api/applications"
            ),
            head=not notop,
        )  # fmt: skip


def _others() -> Iterator[PublishedFile]:
    oxford = "https://www.robots.ox.ac.uk/~vgg/"
    for depth, num_bytes, digest in (
        (16, 553_432_081,
         Digest("sha256", "a6196bc498e45ea4cb2637114ae8db9410cf1556fd60a55ae93272371beba197")),
        (19, 574_671_192, Digest("sha1", "239785e7862442717d831f682bb824055e51e9ba")),
    ):  # fmt: skip
        file_name = f"VGG_ILSVRC_{depth}_layers.caffemodel"
        yield PublishedFile(
            f"vgg{depth}@oxford", f"vgg{depth}", "oxford", file_name,
            page=f"{oxford}research/very_deep/",
            licence=_CC_BY,
            url=f"{oxford}software/very_deep/caffe/{file_name}",
            num_bytes=num_bytes,
            digest=digest,
        )  # fmt: skip
    for depth, md5, top1 in (
        (16, "f72d927587ca4c97fbd165ec9cb9997f", 0.715),
        (19, "106118b7cf60435e6d8e04f6a6dc3657", 0.713),
    ):
        file_name = f"imagenet-vgg-verydeep-{depth}.mat"
        yield PublishedFile(
            f"vgg{depth}@matconvnet", f"vgg{depth}", "matconvnet", file_name,
            page="https://www.vlfeat.org/matconvnet/pretrained/",
            licence=_CC_BY,
            url=f"https://www.vlfeat.org/matconvnet/models/{file_name}",
            digest=Digest("md5", md5),
            accuracy=Accuracy(top1, 0.901, "vlfeat.org/matconvnet/pretrained"),
        )  # fmt: skip
    frossard = "https://www.cs.toronto.edu/~frossard/"
    yield PublishedFile(
        "vgg16@frossard", "vgg16", "frossard", "vgg16_weights.npz",
        page=f"{frossard}post/vgg16/",
        licence=_CC_BY,
        url=f"{frossard}vgg16/vgg16_weights.npz",
        num_bytes=553_436_134,
        digest=Digest("sha256", "0b1445ee85249139b7394a068291a161e2a5d0ae67a3a7bf12a6933f5741a8c8"),
    )  # fmt: skip
    for name, length, digest in (
        ("vgg16", None, Digest("sha1", "6206897b35c2bfe5d9d16b83314e44fc3ea83b1c")),
        ("vgg19", 574_670_860,
         Digest("sha256", "230f8aac6679445545743fa5ea3839f963677a38e008846f13364e6caa594f60")),
    ):  # fmt: skip
        yield PublishedFile(  # behind a page that a browser must open
            f"{name}@tensorflow-vgg", name, "tensorflow-vgg", f"{name}.npy",
            page="https://github.com/machrisaa/tensorflow-vgg",
            licence=_CC_BY,
            num_bytes=length,
            digest=digest,
        )  # fmt: skip


CATALOG: dict[str, PublishedFile] = {
    file.name: file for file in (*_torchvision_and_timm(), *_keras(), *_others())
}
"""Every published file by its name."""


def is_name(text: str) -> bool:
    """Whether `text` begins with a configuration: `published` gives its file or says why not."""
    return _plain_name(text.partition("@")[0]) is not None


def published(name: str) -> PublishedFile:
    """The file of that name, in any case; "D" or "D@oxford" by the paper's name work as well.

    Raises ValueError, in one line, for a configuration that nobody published, and for a name that
    is none, with what may have been meant.
    """
    first, at, publisher = name.strip().partition("@")
    plain = _plain_name(first)
    wanted = f"{plain or first.lower()}{at}{publisher.lower()}"
    if wanted in CATALOG:
        return CATALOG[wanted]
    if plain is not None and plain not in CATALOG:
        raise ValueError(
            f"{name}: no published weights of this configuration are known; there are those of "
            f"{', '.join(_TORCHVISION)}"
        )
    if plain is not None:
        there_are = [each for each in CATALOG if each.partition("@")[0] == plain]
        raise ValueError(f"{name}: no such file; there are {', '.join(there_are)}")
    close = get_close_matches(wanted, CATALOG, n=3)
    meant = f"did you mean {' or '.join(close)}?" if close else "vggnet weights list shows all"
    raise ValueError(f"{short_repr(name)}: no published weights of this name; {meant}")


def _plain_name(first: str) -> str | None:
    """Torchvision's name of a configuration, or the paper's in lower case; None: it is no such."""
    try:
        spec = configuration(first)
    except ValueError:
        return None
    familiar = {configuration(name).name: name for name in configuration_names() if "vgg" in name}
    paper_name = spec.name.removesuffix("-BN")
    suffix = "_bn" if spec.batch_norm else ""
    return familiar.get(paper_name, paper_name.lower()) + suffix
