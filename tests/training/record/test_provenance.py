"""record.provenance: the record names the code that runs, and what was carried on."""

import sys

import pytest
import torch

from vggnet.training.hardware import Hardware
from vggnet.training.record.provenance import carried_on, provenance


def test_the_record_names_command_and_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/bin/vggnet", "train", "my pictures"])
    monkeypatch.delattr("os.sched_getaffinity", raising=False)  # as on macOS
    record = provenance(Hardware("cpu", 3, "bf16", "torch"))
    assert record["command"] == "vggnet train 'my pictures'"
    assert record["torch"] == torch.__version__
    assert (record["device"], record["threads"]) == ("cpu", 3)
    assert (record["precision"], record["convolutions"]) == ("bf16", "torch")
    assert record["machine"].endswith(" cores")


def test_a_session_is_added_where_something_changed() -> None:
    first = carried_on([], {"commit": "a"}, 0)
    assert first == [{"from_step": 0, "commit": "a"}]
    assert carried_on(first, {"commit": "a"}, 7) == first
    assert carried_on(first, {"commit": "b"}, 9) == [*first, {"from_step": 9, "commit": "b"}]
