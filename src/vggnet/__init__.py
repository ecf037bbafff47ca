"""vggnet: the whole VGG family in one package.

The public names and nothing else; everything that needs torch is imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vggnet.analysis import Analysis, analyze
from vggnet.class_lists import Label, labels
from vggnet.image import PictureError
from vggnet.layers import Layer
from vggnet.model import Model, Prediction, load
from vggnet.preprocess import Preprocess
from vggnet.spec import Spec, configuration
from vggnet.stacks import KernelStack, compose
from vggnet.weights.weights import Weights

if TYPE_CHECKING:
    from vggnet.torch_network import Network as Network

__version__ = "0.1.0"
__all__ = [
    "Analysis",
    "KernelStack",
    "Label",
    "Layer",
    "Model",
    "Network",
    "PictureError",
    "Prediction",
    "Preprocess",
    "Spec",
    "Weights",
    "analyze",
    "compose",
    "configuration",
    "labels",
    "load",
]


def __getattr__(name: str) -> Any:
    """`vggnet.Network`, which is a torch module, without torch for those who do not ask for it."""
    if name == "Network":
        try:
            from vggnet.torch_network import Network
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            raise ImportError("vggnet.Network needs torch: pip install 'vggnet[train]'") from None
        return Network
    raise AttributeError(f"module 'vggnet' has no attribute {name!r}")
