"""`vggnet weights inspect FILE` and `vggnet weights convert IN OUT --to ...`.

In: a weight file of any container and convention. Out: what it was taken for and why, as a table or
JSON; or the same net as a file for another library.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vggnet.cli.model_options import COLOUR_HELP, CONVENTION_HELP, NET_HELP, ReadAs, read_as_options
from vggnet.cli.options import PathOrName, command, format_option, weights_names
from vggnet.cli.output import Format, note, print_json

if TYPE_CHECKING:
    from vggnet.preprocess import ColourOrder, Preprocess
    from vggnet.spec import Spec
    from vggnet.weights.published.catalog import PublishedFile
    from vggnet.weights.recognition.recognise import Recognition

_TARGETS = (
    "vggnet", "torchvision", "timm", "keras", "frossard", "tensorflow-vgg", "caffe", "onnx"
)  # fmt: skip


@command("vggnet weights inspect net.pth", "vggnet weights inspect vgg16@oxford --format json")
@click.argument("file", type=PathOrName(weights_names), metavar="FILE|NAME")
@click.option("--convention", metavar="NAME", help=CONVENTION_HELP)
@click.option("--colour", type=click.Choice(["RGB", "BGR"]), help=COLOUR_HELP)
@click.option("--net", metavar="NAME", help=NET_HELP)
@format_option("table", "json")
def inspect(
    file: str,
    convention: str | None,
    colour: ColourOrder | None,
    net: str | None,
    format: Format,
) -> None:
    """Show what a weight file is taken for, how sure that is, and why.

    FILE is what --weights takes elsewhere: a file, the folder of a run, a published name.
    """
    from vggnet.weights import files
    from vggnet.weights.named import weights_file

    with weights_file(file) as path:
        recognition = files.inspect(path, convention, colour, net)
        found = _as_json(recognition) | bytes_of(path)
    if format == "json":
        print_json(found)
    else:
        for line in _lines(recognition, found):
            print(line)


@command(
    "vggnet weights convert tiny-imagenet net.onnx",
    "vggnet weights convert vgg16@oxford net.pth",
    "vggnet weights convert runs/vggnet net.safetensors --to timm --dtype fp16",
)
@click.argument("source", type=PathOrName(weights_names), metavar="IN")
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--to", type=click.Choice(_TARGETS), help="Whose files to write.  [default: by OUT's suffix]"
)
@click.option(
    "--dtype",
    type=click.Choice(["fp32", "bf16", "fp16"]),
    default="fp32",
    help="Type of the stored numbers.",
)
@read_as_options
def convert(source: str, target: Path, to: str | None, dtype: Any, read_as: ReadAs) -> None:
    """Write a weight file as another library has it. What it cannot keep is told.

    IN is what --weights takes elsewhere. --to keras writes Keras 3's tree where OUT ends in
    .weights.h5, else the .h5 of Keras 1 and 2; --to caffe writes OUT's .prototxt beside it, over
    what is there.
    """
    from vggnet.weights import convert
    from vggnet.weights.named import load_weights

    weights = load_weights(source, **read_as.given())
    for each in weights.notes:
        note(f"{source}: {each}")
    for remark in convert(weights, target, to, dtype):
        note(f"{target}: {remark}")
    network = f" and {target.with_suffix('.prototxt')}" if target.suffix == ".caffemodel" else ""
    note(f"written to {target}{network}")


def _as_json(recognition: Recognition) -> dict[str, object]:
    spec = recognition.spec
    return {
        "container": recognition.container,
        "convention": recognition.convention,
        "net": recognition.nets[0] if recognition.nets else None,
        "nets": sorted(recognition.nets),
        "architecture": spec.name,
        "rows": list(spec.rows),
        "input_size": spec.input_size,
        "num_classes": spec.num_classes,
        "colour_order": recognition.preprocessing.colour_order,
        "colour_order_known": recognition.known_colours,
        "range_known": recognition.known_range,
        "size_known": recognition.known_size,
        "preprocessing": recognition.preprocessing.to_json(),
        "parameters": recognition.num_parameters,
        "confidence": recognition.confidence,
        "evidence": list(recognition.evidence),
        "notes": list(recognition.notes),
    }


def bytes_of(path: Path) -> dict[str, object]:
    """Size and sha256, and the name in the catalog of the published file with these bytes."""
    from vggnet.weights.published.catalog import CATALOG

    size = path.stat().st_size
    alike = [each for each in CATALOG.values() if each.digest and _may_be(each, size)]
    algorithms = {"sha256", *(each.digest.algorithm for each in alike if each.digest)}
    hashers = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            for hasher in hashers.values():
                hasher.update(piece)
    digits = {name: hasher.hexdigest() for name, hasher in hashers.items()}
    published = next(
        (
            each.name
            for each in alike
            if each.digest and digits[each.digest.algorithm].startswith(each.digest.digits)
        ),
        None,
    )
    return {"bytes": size, "sha256": digits["sha256"], "published": published}


def _may_be(file: PublishedFile, size: int) -> bool:
    if file.num_bytes is not None:
        return file.num_bytes == size
    return abs(size / file.approximate_bytes - 1) < 0.05


def _architecture(spec: Spec) -> str:
    """The paper's name where it says all, else with the tokens of the layers."""
    from vggnet.configurations import configuration, configuration_names

    if spec.name.removesuffix("-BN") in configuration_names():
        usual = configuration(spec.name).tokens
        if spec.tokens == usual:
            return spec.name
        if spec.num_classes is None and spec.tokens == usual[: len(spec.tokens)]:
            return f"{spec.name} without its FC layers"
    return f"{spec.name}: {' '.join(spec.tokens)}"


def _side(preprocessing: Preprocess) -> str:
    """What happens to a picture's size."""
    resize = f"short side to {preprocessing.resize}, " if preprocessing.resize else ""
    crop = (
        f"{preprocessing.crop} x {preprocessing.crop} in the middle"
        if preprocessing.crop
        else "no crop"
    )
    return resize + crop


def _lines(recognition: Recognition, found: dict[str, object]) -> Iterator[str]:
    """What `found` says, for people."""
    spec, preprocessing = recognition.spec, recognition.preprocessing
    usual = {True: "", False: f" (not known, but {recognition.convention}'s usual)"}
    mean, std = (
        " ".join(f"{x:.6g}" for x in each) for each in (preprocessing.mean, preprocessing.std)
    )
    classes = "none: features only" if spec.num_classes is None else f"{spec.num_classes:,}"
    for name, value in (
        ("container", recognition.container),
        ("convention", recognition.convention),
        ("architecture", _architecture(spec)),
        ("input", f"{spec.input_size} x {spec.input_size}"),
        ("classes", classes),
        ("parameters", f"{recognition.num_parameters:,}"),
        ("colours", f"{preprocessing.colour_order}{usual[recognition.known_colours]}"),
        ("resize", f"{_side(preprocessing)}{usual[recognition.known_size]}"),
        (
            "range",
            f"(pixel x {preprocessing.scale:.6g} - mean) / std for each of R, G, B"
            f"{usual[recognition.known_range]}",
        ),
        ("mean", mean),
        ("std", std),
        ("published as", found["published"] or "nothing of the catalog"),
        ("sha256", found["sha256"]),
        ("confidence", recognition.confidence),
        *(("evidence", remark) for remark in recognition.evidence),
    ):
        yield f"{name:14}{value}"
