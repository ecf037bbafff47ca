"""Every layer with a cost is timed once, whichever engine computes."""

import pytest
from small_nets import AVERAGE, EVERYTHING, random_images, random_state

from vggnet import engines
from vggnet.analysis import analyze
from vggnet.layer_times import layer_times
from vggnet.model import Model
from vggnet.preprocess import Preprocess
from vggnet.spec import Spec
from vggnet.weights.weights import Weights


@pytest.mark.parametrize("engine", [name for name, why in engines.available().items() if not why])
@pytest.mark.parametrize("spec", [AVERAGE, EVERYTHING], ids=lambda spec: spec.name)
def test_the_macs_are_those_of_the_analysis(engine: str, spec: Spec) -> None:
    weights = Weights(spec, random_state(spec), Preprocess.torchvision(None, spec.input_size))
    model = Model(weights, engine, threads=None if engine == "numpy" else 1)
    found = layer_times(model, random_images(2, spec.input_size, spec.input_size), 2)
    expected = {each.name: 2 * each.macs for each in analyze(model.spec).layers if each.macs}
    timed = {each.layers[0]: each.macs for each in found if each.macs}
    assert timed == expected
    assert list(timed) == list(expected)
    assert all(each.seconds >= 0 for each in found)
    assert sum(each.seconds for each in found) > 0
