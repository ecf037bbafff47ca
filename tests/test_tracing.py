"""What looks on while a network computes sees torch's own operations, and can repeat them."""

import io
from collections import Counter
from pathlib import Path

import pytest
import torch
from small_nets import random_images
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.flop_counter import FlopCounterMode

from vggnet.spec import Spec
from vggnet.torch_network import Network

PLAIN = Spec("plain", ("conv3-16 conv3-32", "maxpool", "conv3-48", "maxpool", "FC-7"), 20)
NORMED = Spec("normed", ("conv3-16 conv3-32", "maxpool", "avgpool FC-7"), 20, batch_norm=True)


def native(spec: Spec) -> Network:
    network = Network(spec, seed=1, convolutions="native")
    return network.train(spec.batch_norm)  # in evaluation mode batch norm is torch's anyway


def images(seed: int) -> Tensor:
    return torch.from_numpy(random_images(2, 20, 20, seed=seed))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("spec", [PLAIN, NORMED], ids=lambda spec: spec.name)
def test_a_trace_that_was_saved_answers_as_the_network(spec: Spec) -> None:
    network = native(spec)
    with io.BytesIO() as file:
        torch.jit.save(torch.jit.trace(network, images(0), check_trace=False), file)
        file.seek(0)
        loaded = torch.jit.load(file)
    torch.testing.assert_close(loaded(images(1)), network(images(1)))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_an_onnx_graph_answers_as_the_network(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="writes the file")
    runtime = pytest.importorskip("onnxruntime", reason="runs the file")
    network = native(PLAIN)
    path = tmp_path / "network.onnx"
    torch.onnx.export(network, (images(0),), path, dynamo=False)
    session = runtime.InferenceSession(path)
    (given,) = session.get_inputs()
    (found,) = session.run(None, {given.name: images(1).numpy()})
    torch.testing.assert_close(torch.from_numpy(found), network(images(1)).detach())


def test_an_exported_program_answers_as_the_network() -> None:
    network = native(PLAIN)
    program = torch.export.export(network, (images(0),))
    torch.testing.assert_close(program.module()(images(1)), network(images(1)))


@pytest.mark.parametrize("pre_dispatch", [False, True])
@pytest.mark.parametrize("spec", [PLAIN, NORMED], ids=lambda spec: spec.name)
def test_a_graph_of_operations_has_all_of_them(spec: Spec, pre_dispatch: bool) -> None:
    def operations(network: Network) -> Counter[str]:
        traced = make_fx(lambda x_NCHW: network(x_NCHW), pre_dispatch=pre_dispatch)(images(0))
        return Counter(str(node.target) for node in traced.graph.nodes)

    right = operations(Network(spec, convolutions="torch").train(spec.batch_norm))
    assert operations(native(spec)) == right
    assert sum(right[name] for name in right if "conv" in name) >= 2


def test_all_products_are_counted() -> None:
    counted = []
    for network in (native(PLAIN), Network(PLAIN, convolutions="torch")):
        with FlopCounterMode(display=False) as counter:
            network(images(0)).sum().backward()
        counted.append(counter.get_total_flops())
    assert counted[0] == counted[1] > 1e7
