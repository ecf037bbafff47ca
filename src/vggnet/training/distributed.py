"""What a process is among those that train one network together.

In: the environment that torchrun sets. Out: a Process: its rank, how many there are, and what they
tell each other; gloo carries it between CPUs, NCCL between CUDA devices. Without torchrun there is
one process, ALONE, which waits for nobody. Every one takes its part of each batch, and rank 0
writes. Source: Li et al. 2020 (arXiv 2006.15704) for how gradients are averaged.
torch is imported only where processes talk, so that a command line can ask who it is at no cost.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor
    from torch.distributed import GradBucket  # type: ignore[attr-defined]
    from torch.futures import Future

Value = TypeVar("Value")

# A process waits while another decodes pictures or writes a file, however long that takes. One that
# has died is noticed at once, by its connection.
_PATIENCE = timedelta(days=7)
# So many seconds the one that says why the run ends has for it, before others end.
_TO_SPEAK = 5.0


class ProcessEnded(ValueError):
    """Another process of the run is gone, and this one cannot go on without it."""


@dataclass(frozen=True)
class Process:
    """One of `world_size` processes, the `local_rank`th of `local_world_size` on its machine.

    Ranks count from 0. What is sent raises ProcessEnded where a process that should receive it, or
    send its own, is gone.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    local_world_size: int = 1

    @property
    def several(self) -> bool:
        """Whether there are others."""
        return self.world_size > 1

    @property
    def writes(self) -> bool:
        """Whether it is the one that writes files and says how the run goes."""
        return self.rank == 0

    def part(self, batch: Sequence[int] | NDArray[np.int64], led: bool = False) -> list[int]:
        """This process's share of a batch, in order; sizes differ by one at most.

        `led` by the one before the share, which for the first of the batch is the last.
        """
        parts: list[list[int]] = [each.tolist() for each in np.array_split(batch, self.world_size)]
        return (parts[self.rank - 1][-1:] if led else []) + parts[self.rank]

    def sums(self, *numbers: int) -> list[int]:
        """The sum of each number over all processes."""
        if not self.several:
            return list(numbers)
        import torch

        counts = torch.tensor(numbers, dtype=torch.int64)
        self.add_up(counts)
        return [int(each) for each in counts.tolist()]

    def gathered(self, value: Value) -> list[Value]:
        """The values of all processes, by rank."""
        if not self.several:
            return [value]
        from torch import distributed

        values = [value] * self.world_size
        with noticing_ends(self):
            distributed.all_gather_object(values, value)
        return values

    def add_up(self, values: Tensor) -> None:
        """Make each of the values its sum over all processes, the same to the bit in all."""
        if self.several:
            from torch import distributed

            with noticing_ends(self):
                distributed.all_reduce(values)

    def take_from_first(self, values: Tensor) -> None:
        """Make the values those of rank 0."""
        if self.several:
            from torch import distributed

            with noticing_ends(self):
                distributed.broadcast(values, src=0)


ALONE = Process()


def this_process() -> Process:
    """What torchrun made this process; without torchrun ALONE."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    if any(name not in os.environ for name in (*names, "MASTER_ADDR", "MASTER_PORT")):
        return ALONE
    return Process(*(int(os.environ[name]) for name in names))


def refuse_several(what: str) -> None:
    """Raises ValueError under torchrun, in its first process; the others end without a word."""
    process = this_process()
    if process.several:
        if not process.writes:
            leave_silently()
        raise ValueError(f"{what} runs in one process: start it without torchrun")


@contextmanager
def joined(process: Process) -> Iterator[None]:
    """Connected with the others for as long as the context lasts.

    Where it is left by an error, in several processes as a rule, the first one's is raised and
    the others end without a word.
    """
    if not process.several:
        yield
        return
    import torch
    from torch import distributed

    store, rank, world_size = next(distributed.rendezvous("env://"))  # type: ignore[attr-defined]
    on_cuda = torch.cuda.is_available() and distributed.is_nccl_available()
    if on_cuda and process.local_rank < torch.cuda.device_count():
        torch.cuda.set_device(process.local_rank)
    distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if on_cuda else "gloo",
        store=store,
        rank=rank,
        world_size=world_size,
        timeout=_PATIENCE,
    )
    try:
        yield
    except Exception:
        if speaks_first(process):
            raise
        leave_silently()
    distributed.destroy_process_group()


def leave_silently() -> NoReturn:
    """End where another says why, once it has: torchrun ends all as soon as one has ended."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    time.sleep(_TO_SPEAK)
    raise SystemExit(2) from None


def speaks_first(process: Process) -> bool:
    """Whether this process is the first of all to ask so: the one to say why the run ends."""
    if not process.several:
        return True
    from torch.distributed import distributed_c10d

    try:
        return distributed_c10d._get_default_store().add("vggnet: why the run ends", 1) == 1
    except RuntimeError:  # whoever kept the store is gone
        return True


class GradientSums:
    """Adds up the gradients of all processes as DistributedDataParallel hands them over.

    One array at a time: after the first step torch fills its buckets in another order, and where a
    number stands in what is added up decides the order of the terms. With three or more of them, a
    run that is resumed would go on to other bits.
    """

    def __init__(self) -> None:
        self._under_way: list[Any] = []

    def begin(self, bucket: GradBucket) -> Future[Tensor]:
        """The hook of communication. With `gradient_as_bucket_view` the bucket's memory is that of
        the gradients, so that torch need not wait for it, while others are still computed."""
        from torch import distributed
        from torch.futures import Future

        self._under_way += [distributed.all_reduce(g, async_op=True) for g in bucket.gradients()]
        future: Future[Tensor] = Future()
        future.set_result(bucket.buffer())
        return future

    def wait(self) -> None:
        """Until all gradients that were handed over are sums."""
        for work in self._under_way:
            work.wait()
        self._under_way.clear()


@contextmanager
def noticing_ends(process: Process) -> Iterator[None]:
    """Raises ProcessEnded where torch finds within the context that another process is gone."""
    try:
        yield
    except RuntimeError as error:
        if not (process.several and ("gloo" in str(error) or "NCCL" in str(error))):
            raise
        raise ProcessEnded(
            f"another of the {process.world_size} processes has ended; go on with --resume, with "
            "as many or another number of them"
        ) from None
