"""Trained networks: read from any file, written for any library, fetched where they are published.

A `Weights` is a network ready to use. `load` gives it for a name or a file, `inspect` says what a
file would be taken for; `save` writes it as a file of our own and `convert` as another library's;
`fetch` gives the path of a published file. Each is imported when it is first asked for, so that
`import vggnet` stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vggnet.weights.export.convert import convert as convert
    from vggnet.weights.named import inspect as inspect
    from vggnet.weights.named import load_weights as load
    from vggnet.weights.own_file import save as save
    from vggnet.weights.published.fetch import fetch as fetch
    from vggnet.weights.weights import Weights as Weights

__all__ = ["Weights", "convert", "fetch", "inspect", "load", "save"]

_WHERE = {
    "Weights": ("weights", "Weights"),
    "convert": ("export.convert", "convert"),
    "fetch": ("published.fetch", "fetch"),
    "inspect": ("named", "inspect"),
    "load": ("named", "load_weights"),
    "save": ("own_file", "save"),
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, its_name = _WHERE[name]
    value = getattr(import_module(f"{__name__}.{module}"), its_name)
    globals()[name] = value  # from now on found without this function
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
