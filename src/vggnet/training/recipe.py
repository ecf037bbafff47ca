"""What a training run does, as one frozen value.

In: the fields below, which the command line exposes and every checkpoint holds. Out: a Recipe.
recipes.py has the two to start from, and what changes them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from vggnet.configurations import configuration, is_spelled_out
from vggnet.spec import Head, Spec
from vggnet.versions import checked, latest
from vggnet.weights.own_file import StoredType


def _option(
    default: Any,
    text: str,
    low: float = -math.inf,
    high: float = math.inf,
    alias: str = "",
    since: int = 1,
) -> Any:
    """A field with its help, its range, and another name that it has on the command line.

    `since` is the version of the recipe that brought it. Recipes of older ones lack it and get the
    default, which is therefore what was done before there was a choice.
    """
    metadata = {"help": text, "range": (low, high), "alias": alias, "since": since}
    return field(default=default, metadata=metadata)


# What comes with the weights of `init`, and what draws weights that a file would bring.
NETWORK_FIELDS = ("config", "width", "head", "batch_norm", "initialization", "normalization")


@dataclass(frozen=True)
class Recipe:
    """All that decides the result of a training run, given the pictures.

    Raises ValueError where a field is out of its range, or of another type, naming the field and
    the value.
    """

    config: str = _option(
        "D",
        "Configuration: A, A-LRN, B, C, D, E, AlexNet, vgg11 ... vgg19_bn; or Table 1's tokens, "
        "rows joined by ' / ': 'conv3-64 / maxpool / conv3-128'. FC layers there are the head.",
    )
    width: float = _option(1.0, "Factor on the channels of every layer.", 1e-3, 64)
    input_size: int = _option(
        224, "Side in pixels of the pictures that the finished net takes.", 1, 4096
    )
    head: Head = _option("fc", "Three FC layers, or global average and one.")  # noqa: RUF009
    batch_norm: bool = _option(False, "Normalise each convolution's output over the batch.")
    sync_batch_norm: bool = _option(
        False,
        "With several processes on CUDA devices: normalise over the whole batch and not, in each, "
        "over its part.",
        since=4,
    )
    dropout: float = _option(
        0.5, "Share of the hidden FC units left out at each step; no effect on head average.",
        0, 0.99,
    )  # fmt: skip
    initialization: Literal["he", "glorot", "paper"] = _option("he", "How weights are drawn.")
    init: str = _option(
        "",
        "Weights to start from, which bring their network: tiny-imagenet or a file. Their input "
        "size, 10 epochs in batches of 32 and rate 0.01 are then the defaults; with recipe paper "
        "rate 0.001, and all else as it is.",
    )
    init_from: str = _option(
        "",
        "Weights of a shallower net, whose first four convolutions and FC layers the net starts "
        "from, and the preparation of its pictures; the rest is drawn (Section 3.1).",
        since=3,
    )

    normalization: Literal["mean-std", "mean"] = _option(
        "mean-std", "Subtract the mean RGB and divide by the deviation, or subtract it only."
    )
    sizes: str = _option("224x74", "Picture side x epochs, in order: 32x6,48x4,64x4.")
    crop: Literal["area", "short-side"] = _option(
        "area", "Crop a random area and rescale it, or rescale the short side and crop a square."
    )
    min_area: float = _option(
        0.35, "With crop area: the smallest share of the picture cropped.", 0.01, 1
    )
    short_side: str = _option(
        "256", "With crop short-side: S in pixels, or a range such as 256-512."
    )
    flip: bool = _option(True, "Mirror half of the pictures.")
    trivial_augment: bool = _option(
        False,
        "Change each view by one random operation: turn, shift, shear, or alter its colours.",
        since=3,
    )
    erasing: float = _option(
        0.0, "Share of the views in which a random rectangle becomes noise.", 0, 1, since=3
    )
    rgb_shift: float = _option(
        0.0,
        "Shift each picture's colours along the principal axes of the data's, by a random part of "
        "the deviation along each: of mean 0 and this standard deviation (Section 3.1: 0.1).",
        0, 10, since=3,
    )  # fmt: skip
    holdout: int = _option(
        0, "Training pictures held back to choose by and to follow progress.", 0, 10**9
    )
    test_sizes: str = _option("", "Sides to test at; the best on the held-back pictures is kept.")

    batch_size: int = _option(256, "Pictures a step; all of them where there are fewer.", 1, 10**6)
    remainder: Literal["drop", "spread"] = _option(
        "drop",
        "What becomes of the pictures of an epoch that fill no whole batch: drop (others sit out "
        "the next epoch) or spread (batches are a little smaller). With --init the default is "
        "spread.",
        since=2,
    )
    accumulate: int = _option(1, "Parts in which a batch is computed, to save memory.", 1, 10**6)
    schedule: Literal["one-cycle", "plateau", "step", "cosine", "constant"] = _option(
        "one-cycle",
        "One-cycle: warm up, then cosine to 0; plateau: divide by 10 when held-back accuracy "
        "stalls; step: divide by 10 at the milestones; cosine to 0; or constant.",
    )
    learning_rate: float = _option(0.1, "The highest learning rate.", 1e-12, 1e3, "lr")
    warmup: float = _option(
        0.15, "With one-cycle: share of the steps in which the rate rises.", 0, 1
    )
    warmup_epochs: float = _option(
        0.0,
        "With the other schedules: epochs, or a part of one, in which the rate rises.",
        0, 10**6, since=3,
    )  # fmt: skip
    milestones: str = _option(
        "",
        "With step: epochs after which the rate is divided by 10, such as 30,60; by default after "
        "half and three quarters of them.",
        since=3,
    )
    patience: int = _option(
        3, "With plateau: epochs without progress before the rate drops.", 1, 10**6
    )
    momentum: float = _option(0.9, "Momentum of SGD.", 0, 0.9999)
    nesterov: bool = _option(True, "Nesterov's form of the momentum.")
    weight_decay: float = _option(5e-4, "L2 penalty.", 0, 1)
    decay_all: bool = _option(False, "Apply the penalty to biases and batch norms too.")
    label_smoothing: float = _option(0.1, "Share of the target spread over all classes.", 0, 0.99)
    mixup: float = _option(
        0.0,
        "Blend pictures and targets in pairs, by shares drawn from Beta(A, A); 0 for none.",
        0, 100, since=3,
    )  # fmt: skip
    cutmix: float = _option(
        0.0,
        "Paste a rectangle of another picture over each, its area drawn from Beta(A, A); 0 for "
        "none. With mixup too, each is done to half of the batches.",
        0, 100, since=3,
    )  # fmt: skip
    mix_share: float = _option(
        1.0, "Share of the batches that mixup and cutmix change.", 0, 1, since=3
    )
    teacher: str = _option(
        "",
        "Weights whose answers are learnt beside the labels: a file or a run's folder; several, "
        "with commas between, for the mean of their answers.",
        since=3,
    )
    distillation: float = _option(
        0.5, "With a teacher: its share of the loss; the labels' is the rest.", 0, 1, since=3
    )
    temperature: float = _option(
        2.0, "With a teacher: what its answers' and the network's logits are divided by.",
        0.1, 100, since=3,
    )  # fmt: skip
    weight_average: float = _option(
        0.0, "Decay of the running average of the weights; 0 for none.", 0, 0.999999, "average"
    )
    precision: Literal["auto", "bf16", "fp32"] = _option(
        "auto",
        "Type that products are computed in; auto: fp32 where the native engine computes (see "
        "--convolutions), else bf16 where the device multiplies in it.",
    )
    dtype: StoredType = _option("fp32", "Type of the saved weights.")  # noqa: RUF009
    seed: int = _option(
        0, "Seed of the weights, the order, the crops and the dropout.", 0, 2**63 - 1
    )

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            choices = _CHOICES.get(entry.name)
            if choices and value not in choices:
                raise ValueError(f"{entry.name} {value!r} must be one of {', '.join(choices)}")
            kinds, in_words = _KINDS.get(_HINTS[entry.name], ((type(value),), ""))
            if type(value) not in kinds:
                raise ValueError(f"{entry.name} {value!r} must be {in_words}")
            low, high = entry.metadata["range"]
            if isinstance(value, int | float) and not low <= value <= high:
                raise ValueError(f"{entry.name} {value} must be from {low} to {high}")
            if entry.name in _brought(self.init, self.init_from) and value != entry.default:
                raise ValueError(brought_by(self.init or self.init_from, entry.name, value))
        if self.init and self.init_from:
            raise ValueError(
                f"init {self.init!r} brings a whole net and init-from {self.init_from!r} some of "
                "its layers: give one of them"
            )
        if self.sync_batch_norm and not self.batch_norm:
            raise ValueError("sync_batch_norm has no effect without batch_norm: leave it out")
        if self.batch_size % self.accumulate:
            raise ValueError(
                f"batch size {self.batch_size} cannot be computed in {self.accumulate} equal parts"
            )
        if self.mix_share != 1 and not (self.mixup or self.cutmix):
            raise ValueError(
                f"mix_share {self.mix_share} has no effect: give a mixup or a cutmix above 0 with "
                "it, or leave it out"
            )
        for name in ("distillation", "temperature"):
            value = getattr(self, name)
            if not self.teacher and value != _DEFAULTS[name]:
                raise ValueError(f"{name} {value} has no effect without a teacher: give one")
        if self.teacher and not all(self.teachers):
            raise ValueError(f"teacher {self.teacher!r} must be like A.safetensors,B.safetensors")
        self._check_schedule()
        if self.test_sizes and self.holdout == 0:
            raise ValueError("test sizes are chosen on held-back pictures: give a holdout above 0")
        smallest = min(self.short_side_range[0], *self.test_size_choices)
        if self.crop == "short-side" and smallest < self.input_size:
            raise ValueError(
                f"a short side of {smallest} is less than the input size {self.input_size} that is "
                "cropped from it; give a larger short_side or test_sizes, or a smaller input_size"
            )

    def _check_schedule(self) -> None:
        epochs = len(self.epoch_sizes)
        if self.schedule == "plateau" and self.holdout == 0:
            raise ValueError(
                "schedule 'plateau' watches held-back pictures: give a holdout above 0"
            )
        for name, instead in _idle_fields(self.schedule).items():
            value = getattr(self, name)
            if value != _DEFAULTS[name]:
                raise ValueError(
                    f"{name} {value!r} has no effect with schedule {self.schedule!r}: give "
                    f"{instead}, or leave it out"
                )
        if self.warmup_epochs >= epochs:
            raise ValueError(
                f"warmup_epochs {self.warmup_epochs} must be less than the {epochs} epochs of the "
                "run"
            )
        milestones = self.milestone_epochs
        if list(milestones) != sorted({*milestones}) or milestones[-1] >= epochs:
            raise ValueError(
                f"milestones {self.milestones!r} must rise and be less than the {epochs} epochs of "
                "the run"
            )

    @property
    def epoch_sizes(self) -> tuple[int, ...]:
        """The picture side of every epoch: "32x2,64x1" gives (32, 32, 64)."""
        sizes: list[int] = []
        for part in self.sizes.split(","):
            match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", part.strip())
            if not match:
                raise ValueError(f"sizes {self.sizes!r} must be like 32x6,48x4: side x epochs")
            sizes += [int(match[1])] * int(match[2])
        return tuple(sizes)

    @property
    def milestone_epochs(self) -> tuple[float, ...]:
        """With schedule step: after how many epochs the rate is divided by 10, each time."""
        if not self.milestones:
            return 0.5 * len(self.epoch_sizes), 0.75 * len(self.epoch_sizes)
        if not re.fullmatch(r"[1-9]\d*(,[1-9]\d*)*", self.milestones):
            raise ValueError(f"milestones {self.milestones!r} must be epochs such as 30,60")
        return tuple(int(epoch) for epoch in self.milestones.split(","))

    @property
    def teachers(self) -> tuple[str, ...]:
        """The names of the weights that teach; none without a teacher."""
        return tuple(name.strip() for name in self.teacher.split(",")) if self.teacher else ()

    @property
    def short_side_range(self) -> tuple[int, int]:
        """S of Section 3.1, lowest and highest."""
        match = re.fullmatch(r"([1-9]\d*)(?:-([1-9]\d*))?", self.short_side)
        low, high = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if low > high:
            raise ValueError(f"short side {self.short_side!r} must be like 256 or 256-512")
        return low, high

    @property
    def test_size(self) -> int:
        """The short side that pictures are rescaled to for testing.

        With crop short-side it is Q of Section 3.2: S, or the middle of its range (Section 4.1).
        """
        return sum(self.short_side_range) // 2 if self.crop == "short-side" else self.input_size

    @property
    def test_size_choices(self) -> tuple[int, ...]:
        """Short sides to choose from on the held-back pictures; `test_size` alone by default."""
        if not self.test_sizes:
            return (self.test_size,)
        if not re.fullmatch(r"[1-9]\d*(,[1-9]\d*)*", self.test_sizes):
            raise ValueError(f"test sizes {self.test_sizes!r} must be like 64,72,80")
        return tuple(int(size) for size in self.test_sizes.split(","))

    def test_crop(self, size: int) -> int:
        """The side of the square that is cropped from a picture with the short side `size`."""
        return self.input_size if self.crop == "short-side" else size

    def spec(self, num_classes: int) -> Spec:
        """The network that the recipe trains, unless it starts from weights.

        A config that is spelled out with FC layers keeps them, whatever `head` is.
        """
        net = configuration(self.config)
        has_head = is_spelled_out(self.config) and net.num_classes is not None
        return net.scaled(
            self.width,
            self.input_size,
            num_classes,
            None if has_head else self.head,
            self.batch_norm or None,
        )

    def to_json(self) -> dict[str, Any]:
        """All fields but those that weights bring."""
        left_out = _brought(self.init, self.init_from)
        found = {name: value for name, value in asdict(self).items() if name not in left_out}
        return {"version": latest(_SINCE), **found}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Recipe:
        """What `to_json` gave, in this version or an older one.

        What older versions accepted without effect, a warmup and a patience of other schedules,
        becomes the default.
        Raises ValueError for fields that a recipe of its version does not have.
        """
        left_out = _brought(values.get("init", ""), values.get("init_from", ""))
        since = {name: version for name, version in _SINCE.items() if name not in left_out}
        known = checked("a recipe", values, since)
        idle: dict[str, Any] = {
            name: _DEFAULTS[name]
            for name in ("warmup", "patience")
            if name in _idle_fields(known["schedule"])
        }
        return Recipe(**(known | idle))


_SINCE: dict[str, int] = {entry.name: entry.metadata["since"] for entry in fields(Recipe)}
_DEFAULTS: dict[str, Any] = {entry.name: entry.default for entry in fields(Recipe)}
# Which schedules look at a field, and what to give where another one is asked for.
_SCHEDULES_OF: dict[str, tuple[tuple[str, ...], str]] = {
    "warmup": (("one-cycle",), "warmup_epochs"),
    "warmup_epochs": (
        ("plateau", "step", "cosine", "constant"), "warmup, a share of the steps"
    ),
    "milestones": (("step",), "schedule step"),
    "patience": (("plateau",), "schedule plateau"),
}  # fmt: skip
OF_A_SCHEDULE: dict[str, Any] = {name: _DEFAULTS[name] for name in _SCHEDULES_OF}
_HINTS = get_type_hints(Recipe)
# The types of values, NumPy's not among them, which a checkpoint could not give back.
_KINDS: dict[Any, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "True or False"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "a text"),
}
_CHOICES: dict[str, tuple[str, ...]] = {
    name: get_args(hint) for name, hint in _HINTS.items() if get_origin(hint) is Literal
}


def _idle_fields(schedule: str) -> dict[str, str]:
    """The fields that a schedule does not look at, and what to give instead of each."""
    return {
        name: instead
        for name, (schedules, instead) in _SCHEDULES_OF.items()
        if schedule not in schedules
    }


def _brought(init: str, init_from: str) -> tuple[str, ...]:
    """The fields that come with weights: of `init` the network's, of `init_from` what it sees."""
    return NETWORK_FIELDS if init else ("normalization",) if init_from else ()


def brought_by(weights: str, name: str, value: object) -> str:
    """What to say of a field that these weights bring."""
    option = name.replace("_", "-")
    return f"{option} {value} has no effect on what the weights {weights!r} bring: leave it out"
