"""The conventions of published VGG weight files: names, layouts, colours, range and mean, as data.

In: the names and shapes that a file holds. Out: which convention names them so, and the Sketch of
the net; back: the file's name and layout of every canonical array, for `convert`. To add a
convention is to add an entry to `CONVENTIONS`, and a test.
Sources: the loaders and converters of each project, as the entries name them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from vggnet.preprocess import Preprocess
from vggnet.spec import Spec
from vggnet.weights.recognition.layouts import Layout
from vggnet.weights.recognition.naming import ByOrder, ByPosition, ByStage, Scheme

Found = dict[tuple[str, str], str]  # (a layer's name in the file, part) -> the array's name
_LONGEST_NAME = 300

_DOTTED = {part: f"{{layer}}.{part}" for part in ("weight", "bias", "running_mean", "running_var")}
_BLOBS = {"weight": "{layer}/0", "bias": "{layer}/1"}


@dataclass(frozen=True)
class Form:
    """One way in which a convention names its arrays.

    `arrays` gives the name of each part of a layer. A file may put anything that ends in "." or "/"
    before it ("module.", "model_weights/"), and leave out a ":0" at its end.
    """

    scheme: Scheme
    arrays: Mapping[str, str]

    @cached_property
    def _patterns(self) -> list[tuple[str, str, re.Pattern[str]]]:
        """Each part, how the names of its arrays end, and the pattern of the whole of them."""
        layer = re.escape("{layer}")
        patterns = []
        for part, template in self.arrays.items():
            template = template.removesuffix(":0")
            text = re.escape(template).replace(layer, "(?P=layer)")
            text = text.replace("(?P=layer)", f"(?P<layer>{self.scheme.pattern})", 1)
            pattern = re.compile(rf"(?P<prefix>(?:.*[./])?){text}")
            patterns.append((part, template.rpartition("{layer}")[2], pattern))
        return patterns

    @cached_property
    def _any_patterns(self) -> dict[str, re.Pattern[str]]:
        layer = re.escape("{layer}")
        patterns = {}
        for part, template in self.arrays.items():
            text = re.escape(template.removesuffix(":0"))
            text = text.replace(layer, r"(?P<layer>(?:.*[./])?(?P<last>[^./]+))", 1)
            patterns[part] = re.compile(text.replace(layer, "(?P=last)"))
        return patterns

    def any_layers(self, names: Iterable[str]) -> Found:
        """The arrays of layers of any name, which is all that stands before a part's own."""
        return {
            (match["layer"], part): name
            for name in names
            if len(name) <= _LONGEST_NAME
            for part, pattern in self._any_patterns.items()
            if (match := pattern.fullmatch(name.removesuffix(":0")))
        }

    def nets(self, names: Iterable[str]) -> dict[str, Found]:
        """The arrays that are named in this form, by net: first the one with the most arrays.

        Nets are told apart by what stands before their names, such as "model." and "ema.", and are
        called after it: "model" and "ema", or "." where nothing stands there.
        """
        found: dict[str, Found] = {}
        for name in names:
            if len(name) > _LONGEST_NAME:
                continue
            short = name.removesuffix(":0")
            for part, end, pattern in self._patterns:
                if short.endswith(end) and (match := pattern.fullmatch(short)):
                    prefix = match["prefix"].replace(match["layer"], "*")
                    found.setdefault(prefix, {}).setdefault((match["layer"], part), name)
        nets: dict[str, Found] = {}
        for prefix in sorted(found, key=lambda prefix: -len(found[prefix])):
            nets.setdefault(prefix.rstrip("*./") or ".", found[prefix])
        return nets


@dataclass(frozen=True)
class Convention:
    """What one project's weight files agree on.

    `convolution` and `matrix` are the layouts of convolutions and FC layers, `preprocessing` what
    the nets were trained with, `containers` the formats that files of it come in, first the usual
    one. The first of the `forms` is the one that is written. `kernels` says which FC layers are
    stored with four axes, as convolutions. `own_heads` is False where another convention has the
    same names of convolutions and is the likelier one for a head under any names.
    """

    name: str
    preprocessing: Preprocess
    forms: tuple[Form, ...]
    containers: tuple[str, ...]
    convolution: Layout = "OIHW"
    matrix: Layout = "OIHW"
    kernels: Literal["none", "all", "all but the last"] = "none"
    aliases: tuple[str, ...] = field(default=())
    own_heads: bool = True

    def stored_names(self, spec: Spec, form: Form | None = None) -> dict[str, str]:
        """Canonical name -> the name in a file, in the spec's order.

        Raises Unfit for a spec that the convention has no names for.
        """
        form = form or self.forms[0]
        layers = form.scheme.layer_names(spec)
        names = (name.rpartition(".")[::2] for name in spec.state_shapes)
        return {
            f"{layer}.{part}": form.arrays[part].format(layer=layers[layer])
            for layer, part in names
        }

    def layout(self, canonical: str) -> Layout:
        """How the array of this canonical name is laid out."""
        return self.matrix if canonical.startswith("fc") else self.convolution


_FEATURES = Preprocess(  # torchvision's VGG16_Weights.IMAGENET1K_FEATURES
    256, 224, 1 / 255, (123 / 255, 117 / 255, 104 / 255), (1 / 255,) * 3
)
_CLASSIFIER = ("classifier.0", "classifier.3", "classifier.6")
_CLASSIFIER_BEFORE_2017 = ("classifier.1", "classifier.4", "classifier.6")
_TIMM_HEAD = ("pre_logits.fc1", "pre_logits.fc2", "head.fc")
_KERAS_NAMES = ByStage("block{stage}_conv{index}", head=("fc1", "fc2", "predictions"))
_CANONICAL = ByStage("conv{stage}_{index}", norm="bn{stage}_{index}")
_PLAIN = ByStage("conv{stage}_{index}")  # nobody has published batch norm under these names

CONVENTIONS: dict[str, Convention] = {
    each.name: each
    for each in (
        Convention(  # this package's own names, in whatever container
            "vggnet", Preprocess.paper(), (Form(_CANONICAL, _DOTTED),), ("safetensors",)
        ),
        Convention(  # torchvision/models/vgg.py
            "torchvision",
            Preprocess.torchvision(),
            tuple(
                Form(ByPosition(head), _DOTTED) for head in (_CLASSIFIER, _CLASSIFIER_BEFORE_2017)
            ),
            ("PyTorch", "safetensors"),
        ),
        Convention(  # the same names over Oxford's convolutions; its classifier is not valid
            "torchvision-features",
            _FEATURES,
            tuple(
                Form(ByPosition(head), _DOTTED) for head in (_CLASSIFIER, _CLASSIFIER_BEFORE_2017)
            ),
            ("PyTorch", "safetensors"),
        ),
        Convention(  # timm/models/vgg.py
            "timm",
            Preprocess.torchvision(),
            (Form(ByPosition(_TIMM_HEAD), _DOTTED),),
            ("safetensors", "PyTorch"),
            kernels="all but the last",
            own_heads=False,
        ),
        Convention(  # the prototxt beside VGG_ILSVRC_16_layers.caffemodel
            "oxford",
            Preprocess.caffe(),
            (Form(_PLAIN, _BLOBS),),
            ("caffemodel",),
            aliases=("caffe",),
        ),
        Convention(  # vgg16.py on Frossard's page
            "frossard",
            Preprocess.paper(),
            (Form(_PLAIN, {"weight": "{layer}_W", "bias": "{layer}_b"}),),
            ("NumPy",),
            "HWIO",
            "HWIO",
        ),
        Convention(  # machrisaa/tensorflow-vgg, vgg16.py; caffe-tensorflow's dictionaries
            "tensorflow-vgg",
            Preprocess.caffe(),
            (
                Form(_PLAIN, _BLOBS),
                Form(_PLAIN, {"weight": "{layer}/weights", "bias": "{layer}/biases"}),
            ),
            ("NumPy",),
            "HWIO",
            "HWIO",
        ),
        Convention(  # vlfeat/matconvnet, simplenn
            "matconvnet",
            Preprocess.paper(),
            (Form(_PLAIN, _BLOBS),),
            ("MATLAB",),
            "HWIO",
            "HWIO",
            kernels="all",
        ),
        Convention(  # keras/applications/vgg16.py, by Keras 1, Keras 2, Keras 3's .h5 and its tree
            "keras",
            Preprocess.caffe(),
            (
                Form(
                    _KERAS_NAMES,
                    {"weight": "{layer}/{layer}_W_1:0", "bias": "{layer}/{layer}_b_1:0"},
                ),
                Form(
                    _KERAS_NAMES, {"weight": "{layer}/{layer}_W:0", "bias": "{layer}/{layer}_b:0"}
                ),
                Form(_KERAS_NAMES, {"weight": "{layer}/kernel:0", "bias": "{layer}/bias:0"}),
                Form(_KERAS_NAMES, {"weight": "{layer}/vars/0", "bias": "{layer}/vars/1"}),
                Form(ByOrder(), {"weight": "{layer}/vars/0", "bias": "{layer}/vars/1"}),
                Form(ByOrder(), {"weight": "{layer}/kernel:0", "bias": "{layer}/bias:0"}),
                Form(
                    ByOrder("convolution2d"),
                    {"weight": "{layer}/{layer}_W:0", "bias": "{layer}/{layer}_b:0"},
                ),
            ),
            ("HDF5", "Keras"),
            "HWIO",
            "HWIO",
        ),
    )
}


def convention(name: str) -> Convention:
    """The convention of that name, or of an alias of it. Raises ValueError that lists them."""
    for each in CONVENTIONS.values():
        if name == each.name or name in each.aliases:
            return each
    raise ValueError(f"convention {name!r} must be one of {', '.join(CONVENTIONS)}")
