"""A network ready to answer: weights, preprocessing, labels and an engine.

In: the name of a model or a weight file, then pictures. Out: predictions, logits, features.
Shapes: N pictures, K classes, C channels, H and W rows and columns.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from vggnet import engines
from vggnet.class_lists import Label, in_language
from vggnet.engines.reference import softmax
from vggnet.image import PictureError, PictureSource
from vggnet.preprocess import ColourOrder, Preprocess
from vggnet.spec import Spec
from vggnet.streaming import Features, FilePath, Pool, check_pool, stream
from vggnet.weights.named import load_weights
from vggnet.weights.rewrite import fold_batch_norm, fully_convolutional
from vggnet.weights.weights import Weights

if TYPE_CHECKING:
    from vggnet.weights.overrides import Three

_BATCH_SIZE = 32  # pictures that predict gives to the engine at a time


@dataclass(frozen=True)
class Prediction:
    """One class of a picture: index in the network's output, WordNet id, name, probability."""

    index: int
    wnid: str
    label: str
    probability: float


class Predictions(list[Prediction]):
    """The classes of one picture, best first; a list that shows itself as bars in notebooks."""

    def _repr_html_(self) -> str:
        from vggnet.drawing.answers import answers_table

        return answers_table([(each.label, each.probability) for each in self])


def load(
    weights: str | Path | Weights = "tiny-imagenet",
    *,
    engine: str = "auto",
    precision: str = "fp32",
    threads: int | None = None,
    device: str | None = None,
    convention: str | None = None,
    colour: ColourOrder | None = None,
    net: str | None = None,
    language: str | None = None,
    labels: str | Path | Sequence[str] | None = None,
    input_size: int | None = None,
    resize: int | None = None,
    mean: Three | None = None,
    std: Three | None = None,
) -> Model:
    """A model by name or from a weight file: what `load_weights` takes, or Weights, and an engine.

    `engine` is "auto", "native", "torch" or "numpy"; `precision`, `threads` and `device` as in
    `vggnet.engines.create`. With `language` "zh" or "en" classes that have a WordNet id are called
    by their names in it; None keeps the words of the file. `labels`, `input_size`, `resize`, `mean`
    and `std` are for what the file does not say (`vggnet.weights.overrides.override`). Raises
    ValueError, in one line, for weights that are not there or damaged, and for what there is not.
    """
    name = None if isinstance(weights, Weights) else str(weights)
    known: dict[str, Any] = {
        "labels": labels, "input_size": input_size, "resize": resize, "mean": mean, "std": std
    }  # fmt: skip
    if not isinstance(weights, Weights):
        weights = load_weights(weights, convention, colour, net, **known)
    else:
        from vggnet.weights.overrides import override

        weights = override(weights, **known)
    if language is not None:
        weights = replace(weights, labels=in_language(weights.labels, language))
    return Model(weights, engine, precision, threads, device, name)


class Model:
    """Spec, state, preprocessing, labels and an engine.

    Batch norm is folded into the convolutions, so `conv3_3` is what comes after it.
    """

    def __init__(
        self,
        weights: Weights,
        engine: str = "auto",
        precision: str = "fp32",
        threads: int | None = None,
        device: str | None = None,
        name: str | None = None,
    ) -> None:
        """`name` is what the weights are called when the model is printed."""
        spec, arrays = fold_batch_norm(weights.spec, weights.state)
        self.weights: Weights = replace(weights, spec=spec, state=arrays)
        self.name = name
        self._options = {"precision": precision, "threads": threads, "device": device}
        self.engine: engines.Engine = engines.create(engine, spec, arrays, **self._options)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        parameters = sum(array.size for array in self.weights.state.values())
        return (
            f"Model({self.name or 'weights in memory'}: spec {self.spec.name}, {parameters:,} "
            f"parameters, engine {self.engine.name}, {self.engine.precision})"
        )

    @property
    def spec(self) -> Spec:
        return self.weights.spec

    @property
    def labels(self) -> tuple[Label, ...]:
        return self.weights.labels

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out of the file that the weights were read from; usually nothing."""
        return self.weights.notes

    @property
    def preprocessing(self) -> Preprocess:
        return self.weights.preprocessing

    @overload
    def predict(self, picture: PictureSource, top: int = 5) -> list[Prediction]: ...  # type: ignore[overload-overlap]
    @overload
    def predict(self, picture: Sequence[PictureSource], top: int = 5) -> list[list[Prediction]]: ...

    def predict(
        self, picture: PictureSource | Sequence[PictureSource], top: int = 5
    ) -> list[Prediction] | list[list[Prediction]]:
        """The `top` most probable classes, best first; for a list of pictures a list of such lists.

        A picture is whatever `vggnet.image.open_picture` takes. Of a net with fewer classes than
        `top` all are given. Raises PictureError for a picture that cannot be read.
        """
        if top < 1:
            raise ValueError(f"top {top} must be at least 1")
        if not isinstance(picture, list | tuple):
            return self.classify(self.preprocess(picture), top)[0]  # type: ignore[arg-type]
        answers: list[list[Prediction]] = []
        for start in range(0, len(picture), _BATCH_SIZE):
            batch = picture[start : start + _BATCH_SIZE]
            answers += self.classify(self.preprocessing.batch(batch), top)
        return answers

    def classify(self, images_NCHW: NDArray[np.floating], top: int = 5) -> list[list[Prediction]]:
        """What `predict` gives, for pictures that are preprocessed already: a list a picture."""
        if top < 1:
            raise ValueError(f"top {top} must be at least 1")
        logits_NK = self.logits(images_NCHW)
        # By the logits, since different ones may be rounded to one probability.
        order_NK = np.argsort(-logits_NK, axis=1, kind="stable")[:, :top]
        answers: list[list[Prediction]] = []
        for row_K, best in zip(softmax(logits_NK), order_NK, strict=True):
            answers.append(
                Predictions(self._prediction(int(index), float(row_K[index])) for index in best)
            )
        return answers

    def _prediction(self, index: int, probability: float) -> Prediction:
        label = self.labels[index] if self.labels else Label(index, "", f"class {index}")
        return Prediction(index, label.wnid, label.name, probability)

    def preprocess(self, picture: PictureSource) -> NDArray[np.float32]:
        """images_NCHW with N = 1 of a picture: rescaled, cropped, in the range of the weights."""
        return self.preprocessing(picture)[np.newaxis]

    def logits(self, images_NCHW: NDArray[np.floating]) -> NDArray[np.float32]:
        """Class scores before the soft-max: logits_NK; of a map of them the mean over space.

        Raises ValueError for a net without a head, and says why there is none.
        """
        if self.spec.num_classes is None and self.notes:
            raise ValueError(f"{self.name or self.spec.name} has no class scores, only features: "
                             f"{'; '.join(self.notes)}")  # fmt: skip
        scores = self.engine(images_NCHW)
        return scores.mean(axis=(2, 3)) if scores.ndim == 4 else scores

    def features(
        self, images_NCHW: NDArray[np.floating], names: Iterable[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Activations by layer name, such as {"relu3_3": (N, 256, 56, 56)}."""
        return self.engine.features(images_NCHW, names)

    def features_of(
        self,
        paths: FilePath | Iterable[FilePath],
        names: str | Iterable[str],
        *,
        pool: Pool = "none",
        batch_size: int = 32,
    ) -> Iterator[tuple[str, Features | PictureError]]:
        """The features of many picture files, one by one: (path, {"relu3_3": array, ...}).

        `paths` are files, and folders that stand for the pictures below them; they may come from a
        generator, and nothing is read before it is asked for. A picture that cannot be used comes
        in its place with its PictureError instead of arrays. `pool` makes of a layer's (C, H, W)
        "none": that; "average": (C,), the mean over space; "flatten": (C * H * W,). FC layers give
        (C,) anyway. All are float32.

        Pictures are decoded while the engine computes. Memory stays bounded however many there are:
        at most `batch_size` pictures, and 64 MiB of inputs and features, are computed at a time.
        Raises ValueError for layers that the spec does not have, a pool that is none of the three,
        and a batch size below 1.
        """
        wanted = self.spec.check_names(names)
        check_pool(pool)
        if batch_size < 1:
            raise ValueError(f"batch size {batch_size} must be at least 1")
        several = [paths] if isinstance(paths, str | os.PathLike) else paths
        return stream(
            self.features, self.spec, self.preprocessing, several, wanted, pool, batch_size
        )

    def dense_logits(self, images_NCHW: NDArray[np.floating]) -> NDArray[np.float32]:
        """Class scores at every position: the map logits_NKHW of Section 3.2 of the paper.

        For pictures of the spec's size or larger; of a net with FC layers each position is what
        `logits` gives for the window of the spec's size there, but for the padding that it sees. Of
        a net that ends in a global average and one FC layer, the map holds the scores of each
        position of the last map, and its spatial mean is what `logits` gives.
        """
        return self._dense_engine(images_NCHW)

    @cached_property
    def _dense_engine(self) -> engines.Engine:
        spec, arrays = fully_convolutional(self.spec, self.weights.state)
        return engines.create(self.engine.name, spec, arrays, **self._options)  # type: ignore[arg-type]
