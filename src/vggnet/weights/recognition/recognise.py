"""Which net a weight file holds, in whose convention, and which picture it wants.

In: the names and shapes of a file, and the numbers of its first convolution alone. Out: a
`Recognition`: the Spec, where each canonical array lies, the preprocessing, and why.
The first convolution is compared with that of the original release, which most conversions keep:
so the order of its channels shows whether a file wants B, G, R or R, G, B.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from vggnet.class_lists import Label, labels_from_names
from vggnet.preprocess import ColourOrder, Preprocess
from vggnet.printable import printable
from vggnet.spec import Spec
from vggnet.weights.containers import Contents, keras_files
from vggnet.weights.recognition.conventions import CONVENTIONS, Convention, Found, convention
from vggnet.weights.recognition.graphs.graph import Source, drawn_net, usual_convention
from vggnet.weights.recognition.layouts import canonical_view, kernel_shape
from vggnet.weights.recognition.naming import Unfit
from vggnet.weights.recognition.nets import alone, listed_nets, remark, whole_nets
from vggnet.weights.recognition.readings import (
    Reading,
    read_as_drawn,
    read_by_names,
    used_arrays,
)
from vggnet.weights.recognition.stated import stated_labels, stated_mean, stated_preprocessing
from vggnet.weights.recognition.unused import left_out, unused_arrays

Confidence = Literal["certain", "likely", "guessed"]

# conv1_1 of the original release, output 0: the plane of B and the bias of VGG16; of VGG19 the
# plane's first number.
_OXFORD_16 = np.array(
    [[0.42947057, 0.373467, -0.061360113], [0.27476987, 0.038680777, -0.36722335],
     [-0.05746817, -0.26224968, -0.35009676]]
)  # fmt: skip
_OXFORD_16_BIAS, _OXFORD_19, _OXFORD_19_BIAS = 0.73429835, 0.341195, 0.7301776
_TOLERANCE = 2e-3  # so that they are known when rounded to bf16 as well


@dataclass(frozen=True, eq=False)
class Recognition:
    """What a weight file was taken for.

    `sources` has an entry for each canonical array of the spec. `confidence`, that of net and
    colours, is "certain" where the file itself or its numbers say so, "likely" where names and
    shapes do, "guessed" where the order of the layers alone does; `evidence` says why, a few words
    each. `known_colours`, `known_range` (scale, mean, std) and `known_size` (resize, crop) are
    False for what is only the convention's usual. `notes` say what a user of the net has to know:
    what was left out of it. `nets` names the nets in the file where there
    are several, first the one that is read.
    """

    container: str
    convention: str
    spec: Spec
    preprocessing: Preprocess
    sources: Mapping[str, Source] = field(repr=False)
    labels: tuple[Label, ...] = field(repr=False)
    confidence: Confidence
    known_colours: bool
    evidence: tuple[str, ...]
    notes: tuple[str, ...] = ()
    known_range: bool = False
    known_size: bool = False
    nets: tuple[str, ...] = ()

    @property
    def num_parameters(self) -> int:
        """Trained numbers; what batch norms have measured is not counted."""
        return sum(
            math.prod(shape)
            for layer in self.spec.layers
            for shape in layer.parameter_shapes.values()
        )


def recognise(
    contents: Contents,
    path: str,
    convention_name: str | None = None,
    colour_order: ColourOrder | None = None,
    net: str | None = None,
) -> Recognition:
    """What the file `path` is, or what it is in the convention and colour order that are given.

    Of several nets the one called `net` is read, else the one with the most arrays (see nets.py).
    Reads the numbers of the first convolution and of a few small arrays alone. Raises ValueError,
    in one line that begins with the path, where no convention fits or no net is called so.
    """
    asked = (convention(convention_name),) if convention_name else tuple(CONVENTIONS.values())
    readings: list[Reading] = []
    faults: list[tuple[int, bool, str]] = []
    whole: set[str] = set()  # nets, in whichever form
    for each in asked:
        for form in each.forms:
            nets = form.nets(contents.arrays)
            here = whole_nets(form, nets, contents)
            whole.update(here)
            name = net or next(iter(nets), "")
            if name not in nets:
                continue
            others = [other for other in here if other != name]
            try:
                rest = alone(contents, nets, name, others, asked=net is not None)
                reading = read_by_names(each, form, nets[name], rest)
                readings.append(replace(reading, nets=(name, *others) if others else ()))
            except Unfit as fault:
                fit = _takes_colours(contents, each, nets[name])
                faults.append((len(nets[name]), fit, f"read as {each.name}: {fault}"))
    if net is not None and net not in whole:
        there = f"there are {listed_nets(whole)}" if whole else "it has no nets with names"
        raise ValueError(f"{path}: no net is called '{printable(net)}'; {there}")
    best = max(readings, key=lambda each: each.rank(contents.container), default=None)
    none = (0, False, "none of its names is known")
    most, _, closest = max(faults, key=lambda each: each[:2], default=none)
    if best and most > len(best.sources) + len(
        best.left_out
    ):  # a convention names more of it: the file is not whole
        best = None
    try:  # where a file has a graph, that says more than names
        if drawing := drawn_net(contents):
            if net is not None:
                raise ValueError(f"{path}: its graph is of one net; leave --net out")
            is_listed = contents.container in keras_files.CONTAINERS
            by_names = best.convention.name if best and not is_listed else None
            each = convention(convention_name or by_names or usual_convention(contents))
            best = read_as_drawn(each, drawing, contents, is_listed or best is not None)
            best = replace(best, is_listed=is_listed)
    except Unfit as fault:
        if convention_name is None:
            best, closest = None, f"by its graph: {fault}"
    if best is None:
        names = _listed(list(contents.arrays), 4)
        more = f"; --net reads another of {listed_nets(whole)}" if len(whole) > 1 else ""
        raise ValueError(
            f"{path}: {contents.container} whose {len(contents.arrays)} arrays ({names}) are no "
            f"known VGG's; {printable(closest)}; --convention reads it as {', '.join(CONVENTIONS)}"
            f"{more}"
        )
    recognition = _recognition(contents, path, best, convention_name, colour_order)
    if not best.nets:
        return recognition
    why, *evidence = recognition.evidence
    evidence = [why, remark(best.nets, asked=net is not None), *evidence]
    return replace(recognition, evidence=tuple(evidence), nets=best.nets)


def _recognition(
    contents: Contents,
    path: str,
    reading: Reading,
    convention_name: str | None,
    colour_order: ColourOrder | None,
) -> Recognition:
    """The reading with colours, range, mean and labels, and why."""
    spec, sources, each = reading.spec, reading.sources, reading.convention
    evidence, notes = [_why(reading, convention_name)], []
    if remark := printable(reading.drawing.remark):
        evidence.append(remark)
        notes.append(remark)
    evidence += reading.drawing.assumed
    one_or_other: tuple[Label, ...] = ()
    if any(source.second for source in sources.values()):
        one_or_other = labels_from_names(("no", "yes"))
        one_unit = _ONE_UNIT[reading.drawing.sketch.sigmoid]
        evidence.append(one_unit)
        if not reading.drawing.sketch.sigmoid:  # it may be a regression's
            notes.append(one_unit)
    if _without_numbers(contents, sources):
        evidence.append("its FC layers hold no numbers: left out")
        spec = replace(spec, rows=tuple(r for r in spec.rows if not _HEAD_ROW.match(r)))
        sources = {name: sources[name] for name in spec.state_shapes}
    mean = stated_mean(contents)
    found = _colours_of_original(contents, spec, sources)
    preprocessing = each.preprocessing
    if found and convention_name is None and preprocessing.std != (1, 1, 1):
        each = CONVENTIONS["torchvision-features"] if each.name == "torchvision" else each
        preprocessing = CONVENTIONS["torchvision-features"].preprocessing
    stated = stated_preprocessing(contents, path) if convention_name is None else None
    built_in = reading.drawing.preprocessing
    if built_in and not stated:
        preprocessing, found = built_in, None
        evidence.append("range and colours as its own layers make them of R, G, B")
    elif stated:
        evidence.append("preprocessing as the file states it")
    elif mean:
        preprocessing = replace(preprocessing, mean=mean)
        evidence.append("mean as the file states it")
    if found:
        evidence.append(f"conv1_1 is the original release's, its channels in the order {found}")
    if colour_order:
        evidence.append(f"colour order {colour_order} as asked for")
    elif not found and not stated and not built_in:
        evidence.append(
            f"conv1_1 is not the original release's: colour order unknown, "
            f"{preprocessing.colour_order} is usual here"
        )
    unused = unused_arrays(contents, used_arrays(sources))
    others = left_out(contents, used_arrays(sources))
    if others and not notes:
        notes.append(f"{len(others)} weights are left out, which no VGG has: {_listed(others, 3)}")
    if unused:
        evidence.append(f"{len(unused)} arrays are not used: {_listed(unused, 3)}")
    return Recognition(
        contents.container,
        each.name,
        spec,
        replace(stated, colour_order=colour_order or stated.colour_order)
        if stated
        else replace(
            preprocessing,
            colour_order=colour_order or found or preprocessing.colour_order,
            resize=round(spec.input_size * 256 / 224),
            crop=spec.input_size,
        ),
        sources,
        stated_labels(contents, path, spec.num_classes) or one_or_other,
        "certain" if found or stated or built_in else "likely" if reading.by_names else "guessed",
        bool(found or stated or built_in or colour_order),
        tuple(evidence),
        tuple(notes),
        bool(stated or built_in or mean or convention_name),
        bool(stated),
    )


_ONE_UNIT = {  # whether it is known to end in a sigmoid
    True: "its one unit, a sigmoid, is read as the second of two classes: yes",
    False: "its one unit is taken for a sigmoid's, and read as the second of two classes: yes",
}


def _takes_colours(contents: Contents, each: Convention, found: Found) -> bool:
    """Whether the first convolution, laid out as the convention has it, takes R, G and B."""
    shapes = (contents.arrays[name].shape for (_, part), name in found.items() if part == "weight")
    kernel = next((k for shape in shapes if (k := kernel_shape(shape, each.convolution))), None)
    return kernel is not None and kernel[1] == 3 and kernel[2] == kernel[3]


_HEAD_ROW = re.compile(r"avgpool|FC|soft-max")


def _why(reading: Reading, convention_name: str | None) -> str:
    how = "by its names and shapes" if reading.by_names else "by the order of its layers"
    how = "by the layers that it lists" if reading.is_listed else how
    return f"{reading.convention.name} as asked for, else {how}" if convention_name else how


def _without_numbers(contents: Contents, sources: Mapping[str, Source]) -> bool:
    """Whether the FC layers are filled with NaN, as where only the features were published."""
    biases = [name for name in sources if name.startswith("fc") and name.endswith(".bias")]
    return bool(biases) and all(
        bool(np.isnan(contents.arrays[sources[name].name].load()).all()) for name in biases
    )


def _colours_of_original(
    contents: Contents, spec: Spec, sources: Mapping[str, Source]
) -> ColourOrder | None:
    """The order of the channels of conv1_1, if it is that of the original release; else None."""
    shape = spec.state_shapes["conv1_1.weight"]
    if shape != (64, 3, 3, 3):
        return None
    weight, bias = (
        contents.arrays[sources[f"conv1_1.{part}"].name].load() for part in ("weight", "bias")
    )
    kernel_IYX = canonical_view(weight, shape, sources["conv1_1.weight"].layout)[0]
    first_bias = float(bias.reshape(-1)[0])
    for order, blue_YX in (("BGR", kernel_IYX[0]), ("RGB", kernel_IYX[2])):
        is_16 = _near(first_bias, _OXFORD_16_BIAS) and _near(blue_YX, _OXFORD_16)
        is_19 = _near(first_bias, _OXFORD_19_BIAS) and _near(blue_YX[0, 0], _OXFORD_19)
        if is_16 or is_19:
            return order  # type: ignore[return-value]
    return None


def _near(found: object, expected: object) -> bool:
    return bool(np.allclose(found, expected, rtol=0, atol=_TOLERANCE))  # type: ignore[arg-type]


def _listed(names: list[str], most: int) -> str:
    shown = [printable(name) for name in names[:most]]
    return ", ".join(shown + ["..."] * (len(names) > most))
