"""vggnet: the whole VGG family in one package.

The public names and nothing else. Each is imported on first use, so that `import vggnet` loads
neither NumPy nor Pillow, and torch only whoever asks for a name that needs it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from vggnet.analysis import Analysis, analyze
    from vggnet.class_lists import Label, labels
    from vggnet.configurations import configuration
    from vggnet.data import Dataset, open_dataset
    from vggnet.evaluation import Score, class_indices, evaluate
    from vggnet.image import PictureError
    from vggnet.layers import Layer
    from vggnet.model import Model, Prediction, load
    from vggnet.preprocess import Preprocess
    from vggnet.spec import Spec
    from vggnet.stacks import KernelStack, compose
    from vggnet.torch_network import Network, network
    from vggnet.training.loop import TrainingOptions
    from vggnet.training.recipe import Recipe
    from vggnet.training.train import train
    from vggnet.weights.named import load_weights
    from vggnet.weights.own_file import save
    from vggnet.weights.weights import Weights

__version__ = "0.1.0"
__all__ = [
    "Analysis",
    "Dataset",
    "KernelStack",
    "Label",
    "Layer",
    "Model",
    "Network",
    "PictureError",
    "Prediction",
    "Preprocess",
    "Recipe",
    "Score",
    "Spec",
    "TrainingOptions",
    "Weights",
    "analyze",
    "class_indices",
    "compose",
    "configuration",
    "evaluate",
    "labels",
    "load",
    "load_weights",
    "network",
    "open_dataset",
    "save",
    "train",
]

_MODULES = {
    "analysis": ("Analysis", "analyze"),
    "class_lists": ("Label", "labels"),
    "configurations": ("configuration",),
    "data": ("Dataset", "open_dataset"),
    "evaluation": ("Score", "class_indices", "evaluate"),
    "image": ("PictureError",),
    "layers": ("Layer",),
    "model": ("Model", "Prediction", "load"),
    "preprocess": ("Preprocess",),
    "spec": ("Spec",),
    "stacks": ("KernelStack", "compose"),
    "torch_network": ("Network", "network"),
    "training.loop": ("TrainingOptions",),
    "training.recipe": ("Recipe",),
    "training.train": ("train",),
    "weights.named": ("load_weights",),
    "weights.own_file": ("save",),
    "weights.weights": ("Weights",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """A public name, imported now (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'vggnet' has no attribute {name!r}")
    try:
        value = getattr(import_module(f"vggnet.{_MODULE_OF[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        return _without_torch(name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _without_torch(name: str) -> type:
    """Stands for a name that needs torch where there is none, and says so when it is called.

    So that hasattr, `from vggnet import *` and isinstance(x, vggnet.Network) do what they always
    do.
    """

    def refuse(*arguments: object, **options: object) -> NoReturn:
        raise ImportError(f"vggnet.{name} needs torch: pip install 'vggnet[train]'")

    return type(name, (), {"__init__": refuse, "__doc__": "It needs torch, which is not here."})
