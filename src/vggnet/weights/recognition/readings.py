"""A file read in one convention: by the names of its arrays, or by what its graph draws.

In: a form of names, or a Drawing, and the shapes of the arrays. Out: a Reading: the Spec, and where
each canonical array lies. No number is looked at here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from vggnet.spec import Spec
from vggnet.weights.containers import Contents, caffe_files, onnx_files
from vggnet.weights.recognition.conventions import Convention, Form
from vggnet.weights.recognition.graphs.graph import Drawing, Source, Sources
from vggnet.weights.recognition.heads import Head, own_head
from vggnet.weights.recognition.keras_order import check_list, in_listed_order
from vggnet.weights.recognition.layouts import Layout, Shape, kernel_shape, matrix_shape
from vggnet.weights.recognition.naming import Sketch, Unfit
from vggnet.weights.recognition.reduced import check_reduced
from vggnet.weights.recognition.shapes import spec_of
from vggnet.weights.recognition.unused import check_unused

_CIFAR = (10, 100)  # classes


@dataclass(frozen=True)
class Reading:
    """A file read in one convention. `by_names` is False where the layers' order alone tells.

    `is_listed` is True where the file says of each layer what it is and what is set in it.
    `left_out` holds the arrays of a head that was found and cannot be read.
    `nets` names the nets in the file where there are several, first the one that is read.
    """

    convention: Convention
    spec: Spec
    sources: dict[str, Source]
    by_names: bool
    drawing: Drawing
    is_listed: bool = False
    left_out: frozenset[str] = frozenset()
    nets: tuple[str, ...] = ()

    def rank(self, container: str) -> tuple[int, bool, bool, bool]:
        """Of two readings by names, that with the greater rank is right."""
        is_usual = container in self.convention.containers
        return len(self.sources), self.by_names, not self.drawing.assumed, is_usual


def read_by_names(
    each: Convention, form: Form, found: Mapping[tuple[str, str], str], contents: Contents
) -> Reading:
    """`found` in that form. Raises Unfit where arrays are missing, or another net's.

    FC layers under other names than the form's are read where shapes tell their order, and left out
    otherwise.
    """
    axes = {
        layer: len(contents.arrays[name].shape)
        for (layer, part), name in found.items()
        if part == "weight"
    }
    body = {layer: num for layer, num in axes.items() if not form.scheme.is_matrix(layer)}
    sketch, fault = form.scheme.sketch(body), None
    try:
        sketch = form.scheme.sketch(axes)
    except Unfit as why:
        fault = why
    if not sketch.pooled:
        sketch = in_listed_order(sketch, {k[0]: contents.arrays[v].shape for k, v in found.items()
                                          if k[1] == "weight"}, contents.metadata)  # fmt: skip
    sources = {
        key: Source(name, each.matrix if key[0] in sketch.matrices else each.convolution)
        for key, name in found.items()
    }
    usual = Drawing(sketch, sources)
    by_names = sketch.pooled
    check_reduced(usual, contents, each.convolution)
    head = _own_head(each, form, usual, contents)
    known = {source.name for source in head.sources.values()}
    known |= {name for (layer, _), name in found.items() if form.scheme.is_matrix(layer)}
    if cut := check_list(sketch, contents.metadata) or _cut(sketch, sources, contents):
        head = replace(head, fault=cut)
    if fault and (not head.matrices or form.scheme.is_whole(axes)):
        raise fault
    if not fault and not cut and not _is_preferred(head, form, usual):
        return _checked(read_as_drawn(each, usual, contents, by_names), contents)
    if not head.fault:
        try:
            whole = _headed(usual, head, form, contents)
            return _checked(read_as_drawn(each, whole, contents, by_names), contents)
        except Unfit as why:
            head = replace(head, fault=str(why))
    beheaded = _headless(usual, head.fault)
    reading = read_as_drawn(each, beheaded, contents, by_names)
    return _checked(replace(reading, left_out=frozenset(known)), contents)


def _own_head(each: Convention, form: Form, usual: Drawing, contents: Contents) -> Head:
    """The FC layers behind the convolutions of `usual`, under whatever names."""
    sketch, sources = usual.sketch, usual.sources
    channels, *_ = _weight_shape(sketch.convolutions[-1], sources, contents, kernel_shape)
    return own_head(each, form, contents, usual, channels)


def _cut(sketch: Sketch, sources: Sources, contents: Contents) -> str:
    """Why fc6 and fc7 without fc8 are no head, be they matrices or convolutions; else nothing."""
    if sketch.matrices != ("fc6", "fc7") or len(sketch.stages) != 5:
        return ""
    out, num_in = _weight_shape("fc7", sources, contents, matrix_shape)
    return "it ends at fc7, whose numbers are no classes" if out == num_in else ""


def _is_preferred(head: Head, form: Form, usual: Drawing) -> bool:
    """Whether FC layers under any names are more of the net than those under the usual ones."""
    matrices = usual.sketch.matrices
    if not head.matrices or not matrices:
        return bool(head.matrices)
    theirs = [head.sources[layer, "weight"].name for layer in head.matrices]
    if len(matrices) == len(form.scheme.head) or not form.scheme.head:
        return usual.sources[matrices[-1], "weight"].name in theirs[:-1]
    return len(theirs) > len(matrices)


def _headed(usual: Drawing, head: Head, form: Form, contents: Contents) -> Drawing:
    """The convolutions of `usual` with the FC layers of `head`."""
    assumed = ["its FC layers by what they take and give"]
    if head.average:
        assumed.append("they take one number of each channel: taken for the average")
    if len(head.matrices) > 1:
        assumed.append("ReLUs between its FC layers are usual, and not stated")
    input_size = usual.sketch.input_size
    if form.scheme.has_norms and len(head.matrices) == 1 and head.average and usual.sketch.norms:
        (bias,) = (head.sources[layer, "bias"].name for layer in head.matrices)
        num_classes = contents.arrays[bias].shape[0]
        if num_classes in _CIFAR:
            input_size = 32
            assumed.append(f"{num_classes} classes: taken for CIFAR's, of 32 x 32 pixels")
    sketch = replace(
        usual.sketch, matrices=head.matrices, average=head.average, input_size=input_size
    )
    return replace(
        usual, sketch=sketch, sources={**usual.sources, **head.sources}, assumed=tuple(assumed)
    )


def _headless(usual: Drawing, fault: str) -> Drawing:
    sketch = replace(usual.sketch, matrices=(), average=False)
    return replace(usual, sketch=sketch, remark=f"its head is left out: {fault}")


def _checked(reading: Reading, contents: Contents) -> Reading:
    """Raises Unfit where an array that is not used may belong to the net."""
    if contents.container not in (caffe_files.NAME, onnx_files.NAME):  # whose graphs say what it is
        check_unused(contents, used_arrays(reading.sources), reading.left_out)
    return reading


def used_arrays(sources: Mapping[str, Source]) -> set[str]:
    """The names in the file of all that a net takes."""
    return {name for source in sources.values() for name in (source.name, source.divisor) if name}


def read_as_drawn(
    each: Convention, drawing: Drawing, contents: Contents, by_names: bool
) -> Reading:
    """Raises Unfit where arrays are missing or of shapes that do not go together."""
    drawing = _without_many_answers(drawing, contents)
    sketch, sources = drawing.sketch, drawing.sources
    kernels, matrices = (
        [_weight_shape(layer, sources, contents, of) for layer in layers]
        for layers, of in (
            (sketch.convolutions, kernel_shape), (sketch.matrices, matrix_shape)
        )
    )  # fmt: skip
    spec = spec_of(sketch, kernels, matrices)
    in_file = dict(
        zip(
            [layer.name for kind in ("conv", "batchnorm", "fc")
             for layer in spec.layers if layer.kind == kind],
            [*sketch.convolutions, *sketch.norms, *sketch.matrices],
            strict=True,
        )
    )  # fmt: skip
    canonical: dict[str, Source] = {}
    state_shapes = spec.state_shapes
    if spec.num_classes == 1:
        spec = spec.scaled(num_classes=2)
    for name, shape in state_shapes.items():
        layer, _, part = name.rpartition(".")
        source = sources.get((in_file[layer], part))
        if source is None:
            raise Unfit(f"it lacks the {part} of {in_file[layer]}")
        stored = contents.arrays[source.name]
        if stored.dtype.kind != "f":
            raise Unfit(f"{source.name} is {stored.dtype}, not floating point")
        if math.prod(stored.shape) != math.prod(shape):
            raise Unfit(f"{source.name} is {stored.shape} instead of {shape}")
        is_single = shape != spec.state_shapes[name]
        canonical[name] = replace(source, second=True) if is_single else source
    return Reading(each, spec, canonical, by_names, drawing)


def _without_many_answers(drawing: Drawing, contents: Contents) -> Drawing:
    """Without a head whose units say yes or no each by itself, which no soft-max does."""
    sketch = drawing.sketch
    if not sketch.sigmoid:
        return drawing
    bias = drawing.sources.get((sketch.matrices[-1], "bias"))
    if bias and math.prod(contents.arrays[bias.name].shape) == 1:
        return drawing
    fault = f"{sketch.matrices[-1]} ends in a sigmoid of several units, each yes or no by itself"
    return replace(
        drawing, sketch=replace(sketch, matrices=(), average=False, sigmoid=False),
        remark=f"its head is left out: {fault}",
    )  # fmt: skip


def _weight_shape(
    layer: str,
    sources: Sources,
    contents: Contents,
    shape_of: Callable[[Shape, Layout], Shape | None],
) -> Shape:
    source = sources.get((layer, "weight"))
    if source is None:
        raise Unfit(f"it lacks the weight of {layer}")
    stored = contents.arrays[source.name].shape
    shape = shape_of(stored, source.layout)
    if shape is None:
        raise Unfit(f"{source.name} is {stored}, not the weight of such a layer")
    return shape
