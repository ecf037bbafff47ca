"""Batch norm over the whole batch, of which each of several processes has a part.

In: a Network on a CUDA device. Out: the same network, arrays and names, its batch norms
synchronised by torch, which does so on such devices only.
"""

from __future__ import annotations

import torch
from torch import nn

from vggnet.torch_network import BatchNorm, Network


def synchronize_batch_norm(network: Network) -> None:
    """Let the batch norms of the network normalise over the parts of all processes."""
    for name, module in list(network.named_children()):
        if isinstance(module, BatchNorm):
            setattr(network, name, _Synchronized(module))


class _Synchronized(nn.SyncBatchNorm):
    """With the arrays of `module`. The counter that torch wants is no part of the state."""

    def __init__(self, module: BatchNorm) -> None:
        super().__init__(module.num_features, module.eps, device="meta")
        self.weight, self.bias = module.weight, module.bias
        self.running_mean, self.running_var = module.running_mean, module.running_var
        del self.num_batches_tracked
        counter = torch.zeros((), dtype=torch.int64, device=module.weight.device)
        self.register_buffer("num_batches_tracked", counter, persistent=False)
