"""What a benchmark of the runtimes found: a table to read and a file to keep.

In: each runtime's median and the error of its logits. Out: plain values with each one's ratio to
torch, now and when this project measured it before; lines of text; a file in results/.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from measured_before import handicapped, ratios_to_torch

RESULTS = Path(__file__).parent / "results"
_BASE = "torch fp32"
# vggnet's precision and its peers'; fp16 is that of their weights alone.
_COMPARED = (("fp32", "fp32"), ("fp32", "fp16"), ("bf16", "bf16"), ("bf16", "int8"))


def engines(
    medians: dict[str, float], errors: dict[str, float], batch: int, before: dict[str, float]
) -> dict[str, dict[str, Any]]:
    """By runtime; without torch among them there are no ratios to it.

    `medians` are seconds a call, `before` ratios to torch.
    """
    to_torch = {}
    if _BASE in medians:
        to_torch = {peer: median / medians[_BASE] for peer, median in medians.items()}
    slower = handicapped(to_torch, before)
    found: dict[str, dict[str, Any]] = {}
    for peer, median in medians.items():
        found[peer] = {"milliseconds_per_image": 1e3 * median / batch, "logits_error": errors[peer]}
        if peer in to_torch:
            found[peer]["ratio_to_torch"] = to_torch[peer]
        if peer in to_torch and peer in before:
            found[peer]["ratio_to_torch_before"] = before[peer]
            found[peer]["handicapped"] = peer in slower
    return found


def ratios(medians: dict[str, float]) -> dict[str, float]:
    """vggnet's median over the best peer's, by precision."""
    found = {}
    for ours, theirs in _COMPARED:
        peers = {
            peer: median
            for peer, median in medians.items()
            if peer.endswith(theirs) and not peer.startswith("vggnet")
        }
        if peers and f"vggnet {ours}" in medians:
            best = min(peers, key=peers.__getitem__)
            found[f"vggnet {ours} / {best}"] = medians[f"vggnet {ours}"] / peers[best]
    return found


def result(
    question: dict[str, Any],
    medians: dict[str, float],
    errors: dict[str, float],
) -> dict[str, Any]:
    """`question` holds network, batch, threads and avx2, and may hold more."""
    keys = ("network", "batch", "threads", "avx2")
    before = ratios_to_torch(*(question[key] for key in keys))
    return {
        **question,
        "engines": engines(medians, errors, question["batch"], before),
        "ratios": ratios(medians),
    }


def lines(found: dict[str, Any]) -> list[str]:
    """The result to read: a line a runtime, then the ratios."""
    shown = []
    for peer, entry in found["engines"].items():
        line = f"{peer:18} {entry['milliseconds_per_image']:8.2f} ms an image"
        if "ratio_to_torch" in entry:
            line += f" {entry['ratio_to_torch']:6.3f} of torch"
        if "ratio_to_torch_before" in entry:
            line += f" (measured before by this project: {entry['ratio_to_torch_before']:.3f})"
        shown.append(line + (" HANDICAPPED" if entry.get("handicapped") else ""))
    return shown + [f"{name}: {ratio:.3f}" for name, ratio in found["ratios"].items()]


def write(name: str, found: dict[str, Any]) -> Path:
    """The result in results/, in place of one of the same name."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / name
    path.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n")
    return path
