"""Whether two runs are the same to the bit, for tests of resuming."""

from dataclasses import asdict
from pathlib import Path

import torch

from vggnet.training.record import checkpoint


def assert_same_run(one: Path, other: Path) -> None:
    """Equal bits in weights, average, optimizer, random state, metrics.

    Provenance, which is the wall time and the sessions, may differ.
    """
    ours, theirs = (_flat(asdict(checkpoint.load(each / "checkpoint.pt"))) for each in (one, other))
    for values in (ours, theirs):
        del values["/progress/seconds"]
        for key in [key for key in values if key.startswith("/sessions")]:
            del values[key]
    assert ours.keys() == theirs.keys()
    assert [key for key in ours if ours[key] != theirs[key]] == []
    assert (one / "metrics.jsonl").read_bytes() == (other / "metrics.jsonl").read_bytes()


def _flat(values: object, name: str = "") -> dict[str, object]:
    """Nested values as one dictionary, tensors as bytes."""
    if isinstance(values, dict):
        items = [(f"{name}/{key}", value) for key, value in values.items()]
    elif isinstance(values, list | tuple):
        items = [(f"{name}/{key}", value) for key, value in enumerate(values)]
    else:
        is_tensor = isinstance(values, torch.Tensor)
        return {name: values.numpy().tobytes() if is_tensor else values}
    return {key: value for part, inside in items for key, value in _flat(inside, part).items()}
