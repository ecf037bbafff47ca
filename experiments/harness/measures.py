"""How good answers are, and how well they know it.

In: logits_NK and the right classes. Out: accuracies, the mean loss, the calibration error.
Source: vggnet.evaluation.calibration for the expected calibration error.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vggnet.evaluation import rank_of_target
from vggnet.evaluation.calibration import bins, expected_error


def measures(logits_NK: NDArray[np.float32], targets_N: NDArray[np.int64]) -> dict[str, float]:
    """Top-1 and top-5 as fractions of 1, the cross entropy in nats, the calibration error."""
    ranks_N = rank_of_target(logits_NK, targets_N)
    shifted_NK = logits_NK.astype(np.float64) - logits_NK.max(axis=1, keepdims=True)
    log_NK = shifted_NK - np.log(np.exp(shifted_NK).sum(axis=1, keepdims=True))
    return {
        "top1": float((ranks_N < 1).mean()),
        "top5": float((ranks_N < 5).mean()),
        "loss": float(-log_NK[np.arange(len(targets_N)), targets_N].mean()),
        "calibration_error": expected_error(bins(np.exp(log_NK), targets_N)),
    }
