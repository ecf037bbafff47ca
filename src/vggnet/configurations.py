"""The paper's Table 1 as data: networks by name.

In: a name ("D", "vgg16_bn"), or tokens in its place. Out: a Spec. Standard library only.
Source: Table 1 of arXiv 1409.1556.
"""

from __future__ import annotations

import re

from vggnet.spec import HEAD, Spec

# fmt: off
_TABLE_1 = {
    "A": (
        "conv3-64", "maxpool",
        "conv3-128", "maxpool",
        "conv3-256 conv3-256", "maxpool",
        "conv3-512 conv3-512", "maxpool",
        "conv3-512 conv3-512", "maxpool",
        *HEAD,
    ),
    "A-LRN": (
        "conv3-64 LRN", "maxpool",
        "conv3-128", "maxpool",
        "conv3-256 conv3-256", "maxpool",
        "conv3-512 conv3-512", "maxpool",
        "conv3-512 conv3-512", "maxpool",
        *HEAD,
    ),
    "B": (
        "conv3-64 conv3-64", "maxpool",
        "conv3-128 conv3-128", "maxpool",
        "conv3-256 conv3-256", "maxpool",
        "conv3-512 conv3-512", "maxpool",
        "conv3-512 conv3-512", "maxpool",
        *HEAD,
    ),
    "C": (
        "conv3-64 conv3-64", "maxpool",
        "conv3-128 conv3-128", "maxpool",
        "conv3-256 conv3-256 conv1-256", "maxpool",
        "conv3-512 conv3-512 conv1-512", "maxpool",
        "conv3-512 conv3-512 conv1-512", "maxpool",
        *HEAD,
    ),
    "D": (
        "conv3-64 conv3-64", "maxpool",
        "conv3-128 conv3-128", "maxpool",
        "conv3-256 conv3-256 conv3-256", "maxpool",
        "conv3-512 conv3-512 conv3-512", "maxpool",
        "conv3-512 conv3-512 conv3-512", "maxpool",
        *HEAD,
    ),
    "E": (
        "conv3-64 conv3-64", "maxpool",
        "conv3-128 conv3-128", "maxpool",
        "conv3-256 conv3-256 conv3-256 conv3-256", "maxpool",
        "conv3-512 conv3-512 conv3-512 conv3-512", "maxpool",
        "conv3-512 conv3-512 conv3-512 conv3-512", "maxpool",
        *HEAD,
    ),
}
# Krizhevsky's network on one GPU, no groups: what the paper argues against. Its 11x11 convolution
# fits the picture only from 227 pixels on (the 224 of that paper is known to be a slip).
_ALEXNET = (
    "conv11-96/4p0 LRN", "maxpool3/2",
    "conv5-256 LRN", "maxpool3/2",
    "conv3-384 conv3-384 conv3-256", "maxpool3/2",
    *HEAD,
)
# fmt: on
_FAMILIAR = {"vgg11": "A", "vgg13": "B", "vgg16": "D", "vgg19": "E"}


def configuration(name: str) -> Spec:
    """A configuration by the paper's name or the familiar one.

    A, A-LRN, B, C, D, E and AlexNet; vgg11, vgg13, vgg16, vgg19 for A, B, D, E; with `-BN` or
    `_bn` at the end each convolution is followed by batch normalisation. Case, hyphens, underscores
    and spaces do not matter: VGG-16, vgg16bn and VGG-D are known too. Or a net of one's own,
    spelled out in the table's tokens, its rows joined by " / ":
    "conv3-64 conv3-64 / maxpool / conv3-128 / FC-10 soft-max". Raises ValueError, which names the
    nearest one, for any other name.
    """
    if is_spelled_out(name):
        return spelled_out(name)
    plain = _plain(name)
    batch_norm = plain.endswith("bn")
    plain = plain.removesuffix("bn")
    if plain not in _BY_PLAIN_NAME:
        raise ValueError(
            f"no configuration {name!r}: {_did_you_mean(plain)}there are "
            f"{', '.join(configuration_names())} (each also with -BN or _bn)"
        )
    paper_name = _BY_PLAIN_NAME[plain]
    title = f"{paper_name}-BN" if batch_norm else paper_name
    if paper_name == "AlexNet":
        return Spec(title, _ALEXNET, input_size=227, batch_norm=batch_norm, numbering="layer")
    return Spec(title, _TABLE_1[paper_name], batch_norm=batch_norm)


def is_spelled_out(name: str) -> bool:
    """Whether it is tokens, as `configuration` takes them, and not the name of a net."""
    return re.search(r"^\s*conv\d|\s/\s", name) is not None


def spelled_out(tokens: str) -> Spec:
    """The net of these tokens, rows joined by " / ". Raises SpecError for what is no network."""
    return Spec("custom", tuple(re.split(r"\s+/\s+", tokens.strip())))


def _plain(name: str) -> str:
    return re.sub(r"[-_\s]", "", name).lower()


_BY_PLAIN_NAME = {
    **{_plain(name): name for name in (*_TABLE_1, "AlexNet")},
    **{_plain(f"VGG-{name}"): name for name in _TABLE_1},
    **_FAMILIAR,
}


def _did_you_mean(plain: str) -> str:
    """A question that names the configuration nearest to what was typed, if one is the nearest."""
    from difflib import SequenceMatcher

    nearness = {
        name: SequenceMatcher(None, plain, _plain(name)).ratio() for name in configuration_names()
    }
    highest = max(nearness.values())
    nearest = [name for name, value in nearness.items() if value == highest]
    return f"did you mean {nearest[0]}? " if highest > 0.7 and len(nearest) == 1 else ""


def configuration_names() -> tuple[str, ...]:
    """Every name that `configuration` knows, without the batch-norm forms."""
    return (*_TABLE_1, "AlexNet", *_FAMILIAR)
