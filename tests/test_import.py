"""What `import vggnet` loads and gives, in fresh interpreters: here all is loaded already."""

import pkgutil
import subprocess
import sys

import pytest

import vggnet

NO_TORCH = "import sys; sys.modules['torch'] = None; "  # every import of it fails from here on


def output(program: str) -> str:
    """What a new interpreter prints that runs `program`; warnings end it, as they do here."""
    command = [sys.executable, "-W", "error", "-c", program]
    ran = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def loaded(program: str) -> set[str]:
    """Those of torch, NumPy and Pillow that a new interpreter has loaded that has run `program`."""
    names = output(f"{program}; import sys; print(*{{'torch', 'numpy', 'PIL'}} & set(sys.modules))")
    return set(names.split())


@pytest.mark.parametrize(
    "program",
    [
        "import vggnet",
        "import vggnet; dir(vggnet), vggnet.__version__",
        "import vggnet; vggnet.analyze(vggnet.configuration('D'))",
    ],
)
def test_nothing_heavy_is_loaded(program: str) -> None:
    assert loaded(program) == set()


@pytest.mark.parametrize(
    "program",
    [
        "from vggnet import load, Model, Prediction, Spec, Weights, save, evaluate, open_dataset",
        "from vggnet import Recipe, load_weights; Recipe(), load_weights('tiny-imagenet')",
        "import vggnet.engines.reference, vggnet.engines.native, vggnet.evaluation, vggnet.cli",
        "import vggnet; vggnet.load(engine='native')",
        "import vggnet; vggnet.load()",
        "import vggnet; vggnet.load(engine='numpy')",
    ],
)
def test_torch_is_not_loaded(program: str) -> None:
    assert "torch" not in loaded(program)


@pytest.mark.parametrize(
    ("program", "names"),
    [
        ("import vggnet; vggnet.Network", {"torch", "numpy", "PIL"}),
        ("import vggnet; vggnet.compose", {"numpy"}),
    ],
)
def test_the_tests_can_fail(program: str, names: set[str]) -> None:
    assert names <= loaded(program)


def test_every_public_name_is_there() -> None:
    wanted = {"load", "Model", "Prediction", "Spec", "configuration", "analyze", "Preprocess"}
    wanted |= {"Network", "network", "save", "train", "Recipe", "evaluate", "open_dataset"}
    assert wanted <= set(vggnet.__all__) <= set(dir(vggnet))
    assert set(vggnet.__all__) == set(vggnet._MODULE_OF)
    for name in vggnet.__all__:
        assert getattr(vggnet, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Netwrok'"):
        _ = vggnet.Netwrok


def test_no_module_bears_the_name_of_a_public_one() -> None:
    """Whichever was imported last would hide the other."""
    modules = {module.name for module in pkgutil.iter_modules(vggnet.__path__)}
    assert modules & set(vggnet.__all__) == set()
    assert "torch_network" in modules


MODULES = "import vggnet.torch_network, vggnet.class_lists, vggnet.cli"


@pytest.mark.parametrize(
    "program",
    [
        f"{MODULES}; from vggnet import network, labels",
        f"from vggnet import network, labels; {MODULES}",
        f"import vggnet; vggnet.network, vggnet.labels; {MODULES}; from vggnet import *",
    ],
)
def test_a_name_is_one_thing_in_either_order(program: str) -> None:
    shown = "print(network.__module__, network.__name__, labels.__module__, labels.__name__)"
    assert output(f"{program}; {shown}") == "vggnet.torch_network network vggnet.class_lists labels"


@pytest.mark.parametrize("name", ["Network", "network", "train"])
def test_without_torch_a_name_that_needs_it_says_so_when_it_is_used(name: str) -> None:
    program = (
        f"{NO_TORCH}import vggnet; from vggnet import {name}\n"
        f"assert hasattr(vggnet, {name!r}) and {name!r} in dir(vggnet)\n"
        f"assert not isinstance(1, {name})\n"
        f"try: {name}('D', num_classes=3)\n"
        f"except ImportError as error: print(error)"
    )
    assert output(program) == f"vggnet.{name} needs torch: pip install 'vggnet[train]'"


@pytest.mark.parametrize("before", ["", NO_TORCH])
def test_everything_can_be_imported_at_once(before: str) -> None:
    program = f"{before}from vggnet import *; print(Network.__name__, load.__name__)"
    assert output(program) == "Network load"


@pytest.mark.parametrize("module", ["vggnet.weights.files", "safetensors", "rich"])
def test_what_reads_files_is_loaded_when_it_is_needed(module: str) -> None:
    shown = f"import sys; print({module!r} in sys.modules)"
    assert output(f"import vggnet.weights; {shown}") == "False"


def test_reading_a_file_loads_what_it_needs() -> None:
    program = "import sys, vggnet.weights; vggnet.weights.load('tiny-imagenet')"
    assert output(f"{program}; print('safetensors' in sys.modules)") == "True"


def test_what_weights_offers() -> None:
    from vggnet import weights

    assert weights.__all__ == ["Weights", "convert", "fetch", "inspect", "load", "save"]
    for name in weights.__all__:
        assert getattr(weights, name).__doc__
    with pytest.raises(AttributeError, match=r"module 'vggnet\.weights' has no attribute 'lod'"):
        _ = weights.lod
    before = output("import vggnet.weights; print(*dir(vggnet.weights))")
    assert set(weights.__all__) <= set(before.split())
