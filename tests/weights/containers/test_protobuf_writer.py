"""Messages as they are written: the specification's examples, and arrays that stay in place."""

from pathlib import Path

import numpy as np
import pytest

from vggnet.weights.containers.protobuf import protobuf_writer as wire
from vggnet.weights.containers.protobuf.protobuf import Message
from vggnet.weights.containers.storage.mapped import map_file


# The examples of the encoding page: 150 in field 1, "testing" in field 2, [3, 270, 86942] in 6.
def test_the_examples_of_the_specification() -> None:
    assert wire.integer(1, 150) == bytes.fromhex("08 96 01")
    assert wire.integer(1, -2) == bytes.fromhex("08 fe ff ff ff ff ff ff ff ff 01")
    assert wire.text(2, "testing") == bytes.fromhex("12 07 74 65 73 74 69 6e 67")
    assert wire.packed(6, [3, 270, 86942]) == bytes.fromhex("32 06 03 8e 02 9e a7 05")
    assert wire.nested(3, [wire.integer(1, 150)]) == [b"\x1a\x03", b"\x08\x96\x01"]


def test_parts_are_written_as_they_lie(tmp_path: Path) -> None:
    path = tmp_path / "message"
    array = np.arange(24, dtype="<f4").reshape(2, 3, 4).transpose(2, 0, 1)  # not contiguous
    parts = wire.nested(1, [wire.integer(2, 3), *wire.nested(5, [array])])
    assert any(part is array for part in parts)
    wire.write(path, parts)
    assert wire.size(parts) == path.stat().st_size
    assert np.array_equal(Message(map_file(path)).message(1).numbers(5, "<f4"), array.ravel())


def test_a_file_that_nobody_could_read_is_not_written(tmp_path: Path) -> None:
    array = np.broadcast_to(np.float32(0), (1 << 29,))  # 2 GiB that are not there
    with pytest.raises(ValueError, match=f"^{tmp_path / 'net'}: protocol buffers end at 2 GiB"):
        wire.write(tmp_path / "net", wire.nested(1, [array]))
    assert list(tmp_path.iterdir()) == []
