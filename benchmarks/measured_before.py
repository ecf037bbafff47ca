"""What each runtime took when this project measured it before there was an engine of its own.

In: a network, a batch size. Out: the ratio to torch in fp32 that a runtime is expected to have, so
that one which is handicapped, by its settings or its build, is seen.
"""

from __future__ import annotations

import statistics

# Milliseconds an image, by batch size: VGG16 at 224 x 224, two threads on two cores of an AMD EPYC
# (Zen 4: AVX-512, VNNI, BF16), medians; the middle where a range was seen. The versions were torch
# 2.13, OpenVINO 2026.4, ONNX Runtime 1.32, MNN 3.6, ncnn 20261020.
_THREADS = 2
_MILLISECONDS = {
    1: {
        "torch fp32": 217,
        "torch bf16": 91,
        "onnxruntime fp32": 145,
        "onnxruntime int8": 40.2,
        "openvino fp32": 150,
        "openvino bf16": 75,
        "openvino int8": 39.5,
        "mnn fp32": 82.5,
        "ncnn fp32": 66,
        "ncnn bf16": 65,
    },
    8: {
        "torch fp32": 225,
        "torch bf16": 82,
        "onnxruntime fp32": 137,
        "onnxruntime int8": 36.5,
        "openvino fp32": 135,
        "openvino bf16": 68,
        "openvino int8": 34.8,
        "mnn fp32": 67,
        "ncnn fp32": 66,
    },
}
_TOLERANCE = 1.1


def ratios_to_torch(network: str, batch: int, threads: int, avx2: bool) -> dict[str, float]:
    """By runtime; empty for what was not measured before."""
    if network != "vgg16" or threads != _THREADS or avx2:
        return {}
    milliseconds = _MILLISECONDS.get(batch, {})
    return {peer: each / milliseconds["torch fp32"] for peer, each in milliseconds.items()}


def handicapped(ratios: dict[str, float], before: dict[str, float]) -> set[str]:
    """The runtimes that are slower than they were by more than machines differ.

    Both hold ratios to torch, which may itself be faster or slower than it was: what most of the
    runtimes have in common counts for none of them.
    """
    changes = {peer: ratios[peer] / before[peer] for peer in before if peer in ratios}
    if not changes:
        return set()
    common = statistics.median(changes.values())
    return {peer for peer, change in changes.items() if change > _TOLERANCE * common}
