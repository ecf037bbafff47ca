"""`import vggnet` loads no torch: seen in a fresh interpreter, for here torch is loaded already."""

import subprocess
import sys

import pytest


def loads_torch(program: str) -> bool:
    """Whether torch is among the modules of a new interpreter that has run `program`."""
    program += "; import sys; print('torch' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return {"True\n": True, "False\n": False}[ran.stdout]


@pytest.mark.parametrize(
    "program",
    [
        "import vggnet",
        "from vggnet import load, Model, Prediction, Spec, configuration, analyze, Preprocess",
        "import vggnet.engines.reference, vggnet.engines.native, vggnet.evaluation, vggnet.cli",
        "import vggnet; vggnet.load(engine='native')",
        "import vggnet; vggnet.load()",
        "import vggnet; vggnet.load(engine='numpy')",
    ],
)
def test_torch_is_not_loaded(program: str) -> None:
    assert not loads_torch(program)


@pytest.mark.parametrize("program", ["import vggnet; vggnet.Network", "import vggnet, torch"])
def test_the_test_can_fail(program: str) -> None:
    assert loads_torch(program)


def test_every_public_name_is_there() -> None:
    import vggnet

    wanted = {"load", "Model", "Prediction", "Spec", "configuration", "analyze", "Preprocess"}
    assert wanted | {"Network"} <= set(vggnet.__all__)
    assert all(getattr(vggnet, name) is not None for name in vggnet.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Netwrok'"):
        _ = vggnet.Netwrok
