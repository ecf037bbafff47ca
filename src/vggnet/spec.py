"""A network as a value: rows of Table 1's tokens, checked, and what they stand for.

In: rows of Table 1's own tokens, which layers.py explains. Out: a Spec, whose `layers` are the
network spelled out. Standard library only. Source: Section 2.1 of arXiv 1409.1556.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import prod
from reprlib import repr as short_repr
from typing import Literal, get_args

from vggnet.layers import LARGEST, TOKEN, Layer, TooSmall, nearest_token, spell_out
from vggnet.versions import checked, latest

Head = Literal["fc", "average"]
Numbering = Literal["stage", "layer"]
MAX_TOKENS = 1000
_MOST_NAMED = 8  # of bad tokens that a message lists; to guess what was meant takes time
HEAD = ("FC-4096", "FC-4096", "FC-1000", "soft-max")  # the paper's
# The fields of a stored spec, each with the version that brought it.
_SINCE = dict.fromkeys(("name", "rows", "input_size", "batch_norm", "numbering"), 1)


class SpecError(ValueError):
    """Tokens that are no network; `token` is the position of the one at fault, if it is one.

    `code` is the fault's name for programs, such as "bad-token"; "network" is any other.
    """

    def __init__(self, message: str, token: int | None = None, code: str = "network") -> None:
        super().__init__(message)
        self.token, self.code = token, code


@dataclass(frozen=True)
class Spec:
    """A network of the VGG family: rows of Table 1's tokens and the size they are meant for.

    `input_size` is the side in pixels of the square picture that FC heads need; nets that end in
    a global average take any size from `minimum_size` on. `numbering` says how layers are named:
    by stage (conv3_2, as the paper's nets) or by layer (conv4, as AlexNet's).
    Raises SpecError, in one line, for rows that are no network.
    """

    name: str
    rows: tuple[str, ...]
    input_size: int = 224
    batch_norm: bool = False
    numbering: Numbering = "stage"
    layers: tuple[Layer, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", tuple(self.rows))
        if not isinstance(self.input_size, int) or not 1 <= self.input_size <= LARGEST:
            raise self._error(
                f"input size {short_repr(self.input_size)} must be a whole number from 1 to "
                f"{LARGEST:,}",
                code="size",
            )
        if self.numbering not in get_args(Numbering):
            raise self._error(f"numbering {self.numbering!r} must be 'stage' or 'layer'")
        self._check_tokens()
        self._check_order()
        object.__setattr__(self, "layers", self._spell_out(self.input_size, self.input_size))
        if prod(layer.stride for layer in self.layers) > LARGEST:
            raise self._error(f"its strides multiply to more than {LARGEST:,}")

    def _error(self, fault: str, token: int | None = None, code: str = "network") -> SpecError:
        return SpecError(f"spec {self.name!r}: {fault}", token, code)

    def _spell_out(self, height: int, width: int) -> tuple[Layer, ...]:
        try:
            by_stage = self.numbering == "stage"
            return spell_out(self.tokens, height, width, self.batch_norm, by_stage)
        except TooSmall as error:
            raise self._error(str(error), error.token, "too-small") from None
        except ValueError as error:
            raise self._error(str(error)) from None

    def _check_tokens(self) -> None:
        """Each is one of Table 1's, in bounds far beyond any network, so that nothing hangs."""
        tokens = self.tokens
        if len(tokens) > MAX_TOKENS:
            raise self._error(
                f"{len(tokens)} tokens are more than {MAX_TOKENS}", MAX_TOKENS, "too-many-tokens"
            )
        bad = [token for token in tokens if not TOKEN.fullmatch(token)]
        if bad:
            named, more = bad[:_MOST_NAMED], len(bad) - _MOST_NAMED
            near = ", ".join(dict.fromkeys(filter(None, map(nearest_token, named))))
            raise self._error(
                f"bad token {', '.join(map(short_repr, named))}"
                + (f" and {more} more" if more > 0 else "")
                + (f": did you mean {near}? " if near else ": ")
                + "the tokens are like conv3-64, conv11-96/4p0, LRN, maxpool, maxpool3/2, avgpool, "
                "FC-4096, soft-max",
                tokens.index(bad[0]),
                "bad-token",
            )
        for position, token in enumerate(tokens):
            for digits in re.findall(r"\d+", token):
                if len(digits) > len(str(LARGEST)) or int(digits) > LARGEST:
                    raise self._error(
                        f"token {short_repr(token)}: numbers go up to {LARGEST:,}", position,
                        "large-number",
                    )  # fmt: skip

    def _check_order(self) -> None:
        """Convolutions and pools, then at most one avgpool, then FC layers, then soft-max."""
        tokens = self.tokens
        ranks = [_rank(token) for token in tokens]
        for position, (before, rank) in enumerate(pairwise(ranks), 1):
            token = tokens[position]
            if rank < before or (rank == before and token in ("avgpool", "soft-max")):
                raise self._error(
                    f"token {token!r} stands too late: first come the convolutions and pools, "
                    "then avgpool, then FC layers, then soft-max",
                    position,
                    "late-token",
                )
        if not any(token.startswith("conv") for token in tokens):
            raise self._error("it has no convolution", code="no-convolution")
        if "soft-max" in tokens and self.num_classes is None:
            position = tokens.index("soft-max")
            raise self._error("soft-max needs an FC layer before it", position, "early-soft-max")

    @property
    def tokens(self) -> tuple[str, ...]:
        return tuple(token for row in self.rows for token in row.split())

    @property
    def layer_names(self) -> tuple[str, ...]:
        return tuple(layer.name for layer in self.layers)

    def check_names(self, names: Iterable[str]) -> tuple[str, ...]:
        """`names` as a tuple. Raises ValueError that lists those which no layer has."""
        wanted = (names,) if isinstance(names, str) else tuple(names)
        unknown = [name for name in wanted if name not in self.layer_names]
        if not wanted:
            raise self._error(f"name at least one layer of {', '.join(self.layer_names)}")
        if unknown:
            raise self._error(
                f"no layer {', '.join(map(repr, unknown))}: there are {', '.join(self.layer_names)}"
            )
        return wanted

    @property
    def logits_layer(self) -> str:
        """The layer whose output the soft-max takes; the last one where there is no soft-max."""
        return [layer.name for layer in self.layers if layer.kind != "softmax"][-1]

    @property
    def num_classes(self) -> int | None:
        """Width of the last FC layer; None for a net without a head, which gives features only."""
        widths = [token.partition("-")[2] for token in self.tokens if token.startswith("FC")]
        return int(widths[-1]) if widths else None

    @property
    def any_size(self) -> bool:
        """Whether pictures of every size from `minimum_size` on give class scores."""
        return "avgpool" in self.tokens or not any(layer.kind == "fc" for layer in self.layers)

    @property
    def minimum_size(self) -> int:
        """The smallest picture side, in pixels, that leaves every layer something to look at."""
        size = 1
        for layer in reversed(self.layers):
            if layer.kind in ("conv", "maxpool"):
                size = max(1, (size - 1) * layer.stride + layer.kernel - 2 * layer.padding)
        return size

    def layers_at(self, height: int, width: int) -> tuple[Layer, ...]:
        """The layers for pictures of another size, which need not be square.

        Raises ValueError where the head has one size or the picture is too small.
        """
        if (height, width) == (self.input_size, self.input_size):
            return self.layers
        if not self.any_size:
            raise self._error(
                f"its FC layers take {self.input_size} x {self.input_size} pictures, not {height} "
                f"x {width}; give that size (Model.dense_logits and evaluate --protocol "
                "dense take larger ones)"
            )
        if min(height, width) < self.minimum_size:
            raise self._error(
                f"pictures must be at least {self.minimum_size} x {self.minimum_size}, not "
                f"{height} x {width}",
                code="too-small",
            )
        if max(height, width) > LARGEST:
            raise self._error(f"a picture's side may be {LARGEST:,} pixels, not more", code="size")
        return self._spell_out(height, width)

    def check_shape(self, shape: Sequence[int]) -> None:
        """Raises ValueError where pictures of that shape, (N, 3, H, W), cannot be taken."""
        if len(shape) != 4 or shape[1] != 3:
            raise ValueError(f"images must have the shape (N, 3, H, W), not {tuple(shape)}")
        self.layers_at(*shape[2:])

    @property
    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """The canonical state, in layer order: {"conv1_1.weight": (64, 3, 3, 3), ...}."""
        return {
            f"{layer.name}.{part}": shape
            for layer in self.layers
            for part, shape in (layer.parameter_shapes | layer.buffer_shapes).items()
        }

    def scaled(
        self,
        width: float = 1.0,
        input_size: int | None = None,
        num_classes: int | None = None,
        head: Head | None = None,
        batch_norm: bool | None = None,
    ) -> Spec:
        """The same pattern at another size.

        `width` multiplies the channels of every layer but the last; `head` is "fc" (the paper's
        three FC layers, as wide as `width` makes them) or "average" (global average and one FC).
        None keeps what the spec has.
        """
        if not 0 < width <= LARGEST:
            raise self._error(f"width {width} must be above 0 and at most {LARGEST:,}")
        if num_classes is not None and not 1 <= num_classes <= LARGEST:
            raise self._error(f"{short_repr(num_classes)} classes: there must be 1 to {LARGEST:,}")
        if num_classes is not None and head is None and self.num_classes is None:
            raise self._error(
                f"it has no head to give {num_classes} classes; choose one", code="no-head"
            )
        classes = self.num_classes if num_classes is None else num_classes
        body = [[token for token in row.split() if _rank(token) == 0] for row in self.rows]
        tail = [token for token in self.tokens if _rank(token) > 0]
        if head is not None:
            if head not in get_args(Head):
                raise self._error(f"head {head!r} must be 'fc' or 'average'")
            tail = list(HEAD if head == "fc" else ("avgpool", "FC-1000", "soft-max"))
            classes = classes or 1000
        rows = [_multiply(row, width) for row in (*map(" ".join, filter(None, body)), *tail)]
        last = max((i for i, row in enumerate(rows) if row.startswith("FC")), default=None)
        if last is not None:
            rows[last] = rows[last].partition("-")[0] + f"-{classes}"
        return replace(
            self,
            rows=tuple(rows),
            input_size=self.input_size if input_size is None else input_size,
            batch_norm=self.batch_norm if batch_norm is None else batch_norm,
        )

    def to_json(self) -> dict[str, object]:
        """Plain values, for the metadata of a weight file; `from_json` takes them back."""
        return {
            "version": latest(_SINCE),
            "name": self.name,
            "rows": list(self.rows),
            "input_size": self.input_size,
            "batch_norm": self.batch_norm,
            "numbering": self.numbering,
        }

    @staticmethod
    def from_json(values: Mapping[str, object]) -> Spec:
        """Raises ValueError where `values` is not what `to_json` gives, or once gave."""
        values = checked("a spec", values, _SINCE)
        rows = values["rows"]
        if not isinstance(rows, list) or not all(isinstance(row, str) for row in rows):
            raise ValueError(f"the rows of a spec are a list of strings, not {rows!r}")
        for key, kind in (("name", str), ("input_size", int), ("batch_norm", bool)):
            if type(values[key]) is not kind:
                raise ValueError(f"the {key} of a spec is {kind.__name__}, not {values[key]!r}")
        return Spec(**{**values, "rows": tuple(rows)})

    def _repr_html_(self) -> str:
        """The network as a drawing, for notebooks."""
        from vggnet.drawing.network import Drawn, network_scene
        from vggnet.drawing.svg import svg

        weights = sum(token.startswith(("conv", "FC")) for token in self.tokens)
        facts = f"{weights} weight layers, on {self.input_size}×{self.input_size} pixels"
        return svg(network_scene([Drawn(self.name, facts, self.layers)]))

    def __str__(self) -> str:
        """The column of Table 1, with a header and rules between the stages."""
        weights = sum(token.startswith(("conv", "FC")) for token in self.tokens)
        header = [self.name, f"{weights} weight layers", f"input ({self.input_size} x "
                  f"{self.input_size} RGB)"]  # fmt: skip
        body: list[str] = []
        for token in self.tokens:
            shown = f"{token} BN" if self.batch_norm and token.startswith("conv") else token
            body += ["-", shown, "-"] if "pool" in token else [shown]
        # Two pools in a row share the rule between them; the frame draws the last one.
        body = [line for line, after in zip(body, [*body[1:], "-"], strict=True)
                if line != "-" or after != "-"]  # fmt: skip
        side = max(map(len, header + body))
        lines = [*header, *body]
        rule = "-" * side
        text = [rule if line == "-" else line.center(side).rstrip() for line in lines]
        return "\n".join([rule, *text[:3], rule, *text[3:], rule])


def _rank(token: str) -> int:
    """Where a token may stand: 0 features, 1 avgpool, 2 FC layers, 3 soft-max."""
    if token == "avgpool":
        return 1
    return 2 if token.startswith("FC") else 3 if token == "soft-max" else 0


def _multiply(row: str, width: float) -> str:
    """The row with the channels of its convolutions and FC layers times `width`."""
    return re.sub(
        r"((?:conv\d+|FC\d*)-)(\d+)",
        lambda match: f"{match[1]}{max(1, round(int(match[2]) * width))}",
        row,
    )
