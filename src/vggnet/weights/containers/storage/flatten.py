"""Nested containers as one table of arrays by name, and what else they say.

In: what a pickle held. Out: {"conv1_1/0": StoredArray, ...} and the other leaves by name. A list of
plain values is one value. Containers may be shared, and even hold themselves, so that a few bytes
can stand for a tree without end: its depth and the number of its nodes are limited.
"""

from __future__ import annotations

from reprlib import repr as short_repr

import numpy as np

from vggnet.weights.containers import StoredArray
from vggnet.weights.containers.pickle.long_text import LongText
from vggnet.weights.containers.pickle.pickles import Global, Instance

_MAX_DEPTH = 16
_MAX_NODES = 50_000
_LONGEST_NAME = 500
_PLAIN = (str, int, float, type(None))


def flatten(
    tree: object, source: str, separator: str, name: str
) -> tuple[dict[str, StoredArray], dict[str, object]]:
    """The arrays and the plain values in `tree`, whose names are joined by `separator`.

    `name` is that of the tree where it is no container itself. Raises ValueError, in one line that
    begins with `source`, for a name that occurs twice and for a tree without measure.
    """
    arrays: dict[str, StoredArray] = {}
    others: dict[str, object] = {}
    num_nodes = 0

    def visit(node: object, path: str, depth: int) -> None:
        nonlocal num_nodes
        is_list = isinstance(node, list | tuple | set)
        num_nodes += 1 + (len(node) if is_list else 0)  # type: ignore[arg-type]
        if depth > _MAX_DEPTH or num_nodes > _MAX_NODES:
            raise ValueError(
                f"{source}: nested deeper than {_MAX_DEPTH} or more than {_MAX_NODES:,} entries"
            )
        if isinstance(node, Instance):
            visit(node.value(f"{source}: {path or name}"), path, depth + 1)
        elif isinstance(node, dict):
            for key, child in node.items():
                visit(child, join(path, key), depth + 1)
        elif isinstance(node, list | tuple) and not all(isinstance(item, _PLAIN) for item in node):
            for index, child in enumerate(node):
                visit(child, join(path, index), depth + 1)
        else:
            path = path or name
            if path in arrays or path in others:
                raise ValueError(f"{source}: two entries have the name {path}")
            if isinstance(node, StoredArray):
                arrays[path] = node
            else:
                others[path] = _plain(node)

    def join(path: str, key: object) -> str:
        text = key.decode("latin-1") if isinstance(key, bytes) else str(key)
        joined = f"{path}{separator}{text}" if path else text
        if not joined.isprintable() or len(joined) > _LONGEST_NAME:
            raise ValueError(f"{source}: {short_repr(joined)} cannot be a name")
        return joined

    visit(tree, "", 0)
    return arrays, others


def _plain(value: object) -> object:
    """What metadata holds of a value: text, a number, or a list of such."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, LongText):
        value = value.data
    if isinstance(value, np.ndarray):  # a long string, which may be that of an array
        return f"{value.size} bytes"
    if isinstance(value, set | tuple):
        return [_plain(item) for item in value]
    return value.name if isinstance(value, Global) else value
