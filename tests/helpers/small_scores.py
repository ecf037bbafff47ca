"""A net of three classes with random weights, and files of its scores, for tests of commands."""

from pathlib import Path

import numpy as np
from small_nets import random_state

from vggnet.class_lists import labels_from_names
from vggnet.preprocess import Preprocess
from vggnet.spec import Spec
from vggnet.weights import Weights, own_file

SPEC = Spec("small", ("conv3-6", "maxpool", "conv3-8", "maxpool", "FC-10 FC-3 soft-max"), 16)


def write_weights(
    path: Path, seed: int = 0, names: tuple[str, ...] = ("blue", "green", "red")
) -> str:
    """A weight file, whose net tells the colours of small_data apart as well as chance has it."""
    state = random_state(SPEC, seed)
    state["fc4.weight"] = (4 * state["fc4.weight"]).astype(np.float32)
    preprocessing = Preprocess.torchvision(20, 16)
    own_file.save(path, Weights(SPEC, state, preprocessing, labels_from_names(list(names))))
    return str(path)
