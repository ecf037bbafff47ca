"""What a training run does, as one frozen value.

In: the fields below, which the command line exposes and every checkpoint holds. Out: a Recipe.
Two starting points: `MODERN`, for small machines, and `PAPER`, Section 3.1 of the paper;
`dataclasses.replace` varies either.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from vggnet.spec import Spec, configuration


def _option(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class Recipe:
    """All that decides the result of a training run, given the pictures.

    Raises ValueError where a field is out of its range, naming the field and the value.
    """

    config: str = _option("D", "Configuration: A, A-LRN, B, C, D, E, AlexNet, vgg11 ... vgg19_bn.")
    width: float = _option(1.0, "Factor on the channels of every layer.")
    input_size: int = _option(224, "Side in pixels of the pictures that the finished net takes.")
    head: Literal["fc", "average"] = _option("fc", "Three FC layers, or global average and one.")
    batch_norm: bool = _option(False, "Normalise each convolution's output over the batch.")
    dropout: float = _option(0.5, "Share of the hidden FC units left out at each step.")
    initialization: Literal["he", "glorot", "paper"] = _option("he", "How weights are drawn.")

    sizes: str = _option("224x74", "Picture side x epochs, in order: 32x6,48x4,64x4.")
    crop: Literal["area", "short-side"] = _option(
        "area", "Crop a random area and rescale it, or rescale the short side and crop a square."
    )
    min_area: float = _option(0.35, "With crop area: the smallest share of the picture cropped.")
    short_side: str = _option(
        "256", "With crop short-side: S in pixels, or a range such as 256-512."
    )
    flip: bool = _option(True, "Mirror half of the pictures.")
    holdout: int = _option(0, "Training pictures held back to choose by and to follow progress.")
    test_sizes: str = _option("", "Sides to test at; the best on the held-back pictures is kept.")

    batch_size: int = _option(256, "Pictures a step.")
    accumulate: int = _option(1, "Parts in which a batch is computed, to save memory.")
    schedule: Literal["one-cycle", "plateau"] = _option(
        "one-cycle", "Warm up, then cosine to 0; or divide by 10 when held-back accuracy stalls."
    )
    learning_rate: float = _option(0.1, "The highest learning rate.")
    warmup: float = _option(0.15, "With one-cycle: share of the steps in which the rate rises.")
    patience: int = _option(3, "With plateau: epochs without progress before the rate drops.")
    momentum: float = _option(0.9, "Momentum of SGD.")
    nesterov: bool = _option(True, "Nesterov's form of the momentum.")
    weight_decay: float = _option(5e-4, "L2 penalty.")
    decay_all: bool = _option(False, "Apply the penalty to biases and batch norms too.")
    label_smoothing: float = _option(0.1, "Share of the target spread over all classes.")
    average: float = _option(0.0, "Decay of the running average of the weights; 0 for none.")
    precision: Literal["bf16", "fp32"] = _option("bf16", "Type that products are computed in.")
    seed: int = _option(0, "Seed of the weights, the order, the crops and the dropout.")

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            choices = _CHOICES.get(entry.name)
            if choices and value not in choices:
                raise ValueError(f"{entry.name} {value!r} must be one of {', '.join(choices)}")
            low, high = _RANGES.get(entry.name, (float("-inf"), float("inf")))
            if isinstance(value, int | float) and not low <= value <= high:
                raise ValueError(f"{entry.name} {value} must be from {low} to {high}")
        if self.batch_size % self.accumulate:
            raise ValueError(
                f"batch size {self.batch_size} cannot be computed in {self.accumulate} equal parts"
            )
        if self.schedule == "plateau" and self.holdout == 0:
            raise ValueError(
                "schedule 'plateau' watches held-back pictures: give a holdout above 0"
            )
        if self.test_sizes and self.holdout == 0:
            raise ValueError("test sizes are chosen on held-back pictures: give a holdout above 0")
        _ = self.epoch_sizes, self.short_side_range, self.test_size_choices

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
    def short_side_range(self) -> tuple[int, int]:
        """S of Section 3.1, lowest and highest."""
        match = re.fullmatch(r"([1-9]\d*)(?:-([1-9]\d*))?", self.short_side)
        low, high = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if low > high:
            raise ValueError(f"short side {self.short_side!r} must be like 256 or 256-512")
        return low, high

    @property
    def test_size_choices(self) -> tuple[int, ...]:
        """Sides to choose from on the held-back pictures; the input size alone by default."""
        if not self.test_sizes:
            return (self.input_size,)
        if not re.fullmatch(r"[1-9]\d*(,[1-9]\d*)*", self.test_sizes):
            raise ValueError(f"test sizes {self.test_sizes!r} must be like 64,72,80")
        return tuple(int(size) for size in self.test_sizes.split(","))

    def spec(self, num_classes: int) -> Spec:
        """The network that the recipe trains."""
        return configuration(self.config).scaled(
            self.width,
            self.input_size,
            num_classes,
            self.head,
            self.batch_norm or None,
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Recipe:
        """Raises ValueError for fields that a recipe does not have."""
        known = {entry.name for entry in fields(Recipe)}
        if set(values) != known:
            raise ValueError(f"recipe fields {sorted(set(values) ^ known)} are missing or unknown")
        return Recipe(**values)


_CHOICES = {
    "head": ("fc", "average"),
    "initialization": ("he", "glorot", "paper"),
    "crop": ("area", "short-side"),
    "schedule": ("one-cycle", "plateau"),
    "precision": ("bf16", "fp32"),
}
_RANGES = {
    "width": (1e-3, 64.0),
    "input_size": (1, 4096),
    "dropout": (0.0, 0.99),
    "min_area": (0.01, 1.0),
    "holdout": (0, 10**9),
    "batch_size": (1, 10**6),
    "accumulate": (1, 10**6),
    "learning_rate": (1e-12, 1e3),
    "warmup": (0.0, 1.0),
    "patience": (1, 10**6),
    "momentum": (0.0, 0.9999),
    "weight_decay": (0.0, 1.0),
    "label_smoothing": (0.0, 0.99),
    "average": (0.0, 0.999999),
    "seed": (0, 2**63 - 1),
}

# Batch norm, Nesterov momentum, one cycle of the rate, label smoothing, an average of the weights:
# a good net in hours on two cores.
MODERN = Recipe(
    width=0.5,
    input_size=64,
    head="average",
    batch_norm=True,
    sizes="32x8,48x6,64x4",
    batch_size=128,
    average=0.999,
)
# Section 3.1 with the initialisation that the authors found to need no pre-training.
PAPER = Recipe(
    initialization="glorot",
    crop="short-side",
    schedule="plateau",
    learning_rate=0.01,
    nesterov=False,
    decay_all=True,
    label_smoothing=0.0,
    holdout=10_000,
)
RECIPES = {"modern": MODERN, "paper": PAPER}


def vary(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """`recipe` with the fields of `changes` that are not None."""
    return replace(recipe, **{name: value for name, value in changes.items() if value is not None})
