"""The wire format: numbers in every form they lie in, bounds, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from vggnet.weights.containers.protobuf import protobuf
from vggnet.weights.containers.protobuf import protobuf_writer as wire
from vggnet.weights.containers.protobuf.protobuf import Message
from vggnet.weights.containers.storage.mapped import map_file


def message(content: bytes) -> Message:
    return Message(np.frombuffer(content, np.uint8))


def unpacked(tag: bytes, numbers: NDArray) -> bytes:
    """Each number behind its own tag."""
    rows = np.empty((numbers.size, len(tag) + numbers.itemsize), np.uint8)
    rows[:, : len(tag)] = np.frombuffer(tag, np.uint8)
    rows[:, len(tag) :] = numbers.view(np.uint8).reshape(numbers.size, -1)
    return rows.tobytes()


def packed(number: int, content: bytes) -> bytes:
    return b"".join(map(bytes, wire.nested(number, [content])))


# The examples of the encoding page: 150 in field 1, "testing" in field 2, [3, 270, 86942] in 6.
def test_the_examples_of_the_specification() -> None:
    assert message(bytes.fromhex("08 96 01")).integer(1) == 150
    assert message(bytes.fromhex("12 07 74 65 73 74 69 6e 67")).text(2) == "testing"
    assert message(bytes.fromhex("32 06 03 8e 02 9e a7 05")).integers(6) == [3, 270, 86942]
    assert message(wire.integer(1, -2)).integers(1) == [-2]


@pytest.mark.parametrize(
    ("number", "dtype", "tag"),
    [
        (5, "<f4", b"\x2d"), (5, "<f8", b"\x29"),
        (100, "<f4", b"\xa5\x06"), (100, "<f8", b"\xa1\x06"),
    ],
)  # fmt: skip
def test_floats_are_views_packed_or_not(number: int, dtype: str, tag: bytes) -> None:
    numbers = np.random.default_rng(0).standard_normal(1000).astype(dtype)
    for content in (packed(number, numbers.tobytes()), unpacked(tag, numbers)):
        data = np.frombuffer(content + wire.integer(1, 7), np.uint8)
        found = Message(data)
        array = found.numbers(number, dtype)
        assert np.array_equal(array, numbers)
        assert np.shares_memory(array, data)
        assert found.integer(1) == 7


def test_runs_end_where_the_tag_changes() -> None:
    numbers = np.arange(40, dtype="<f4")
    content = unpacked(b"\x2d", numbers[:17]) + unpacked(b"\x35", numbers[:1])
    content += packed(5, numbers[17:30].tobytes()) + unpacked(b"\x2d", numbers[30:])
    assert np.array_equal(message(content).numbers(5, "<f4"), numbers)
    assert np.array_equal(message(content).numbers(6, "<f4"), [0])


def test_unpacked_floats_are_one_field(tmp_path: Path) -> None:
    path = tmp_path / "floats"  # or they would be far too many
    path.write_bytes(unpacked(b"\x2d", np.arange(5 * protobuf.MOST_FIELDS, dtype="<f4")))
    numbers = Message(map_file(path)).numbers(5, "<f4")
    assert np.array_equal(numbers, np.arange(5 * protobuf.MOST_FIELDS))


def test_many_packed_integers() -> None:
    values = np.random.default_rng(0).integers(-(2**63), 2**63 - 1, 20_000)
    values[::2] = np.arange(10_000)
    content = 10 * b"".join(wire.integer(1, int(value))[1:] for value in values)
    assert len(content) > 1 << 20  # more than one block
    assert np.array_equal(message(packed(7, content)).varints(7), np.tile(values, 10))
    with pytest.raises(ValueError, match="cut off"):
        message(packed(7, content + b"\x80")).varints(7)


def test_messages_in_messages_know_their_place() -> None:
    inner = wire.text(1, "name") + b"\x0b"  # a group in the inner message
    content = wire.integer(9, 1) + packed(3, inner)
    outer = message(content)
    with pytest.raises(ValueError, match=f"wire type 3 at byte {len(content) - 1}"):
        list(outer.messages(3))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("08", "the message ends within a number at byte 0"),
        ("08 80 80", "the message ends within a number at byte 0"),
        ("08 ff ff ff ff ff ff ff ff ff ff 01", "a number of more than 10 bytes at byte 0"),
        ("08 ff ff ff ff ff ff ff ff ff 7f", "a number of more than 64 bits at byte 0"),
        ("12 05 61 62", "field 2 goes 3 bytes beyond its message at byte 0"),
        ("08 01 12 ff ff ff ff ff ff ff ff 7f", "beyond its message at byte 2"),
        ("0d 00 00 00", "field 1 goes 1 bytes beyond its message at byte 0"),
        ("09 00 00 00 00", "field 1 goes 4 bytes beyond its message at byte 0"),
        ("0b", "wire type 3 at byte 0"),
        ("0c", "wire type 4 at byte 0"),
        ("0e", "wire type 6 at byte 0"),
        ("00 01", "field number 0 at byte 0"),
    ],
)
def test_damaged_bytes_are_named_with_their_place(content: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        message(bytes.fromhex(content))


def test_a_field_of_another_type_is_an_error() -> None:
    found = message(wire.integer(1, 5) + wire.text(2, "abc") + wire.real(3, 1.0))
    for read in (
        lambda: found.text(1),
        lambda: found.numbers(1, "<f4"),
        lambda: found.numbers(2, "<f4"),  # three bytes
        lambda: found.numbers(3, "<f8"),
        lambda: found.integers(3),
        lambda: list(found.messages(3)),
    ):
        with pytest.raises(ValueError, match=r"of wire type .*, or of a wrong length, at byte"):
            read()


def test_what_is_parsed_of_a_file_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protobuf, "MOST_FIELDS", 2000)
    with pytest.raises(ValueError, match="more than 2,000 fields"):
        message(wire.integer(1, 5) * (protobuf.MOST_FIELDS + 1))
    half = packed(2, wire.integer(1, 5) * (protobuf.MOST_FIELDS // 2))
    with pytest.raises(ValueError, match="more than 2,000 fields"):
        list(message(half * 2).messages(2))
    with pytest.raises(ValueError, match="no array has the shape"):
        message(wire.integer(1, 1) * 33).shape(1)
    with pytest.raises(ValueError, match="no array has the shape"):
        message(wire.integer(1, -1)).shape(1)


def test_the_beginning_of_a_message() -> None:
    content = wire.integer(1, 5) + wire.text(2, "abcdef") + wire.real(3, 1.0)
    data = np.frombuffer(content, np.uint8)
    for size in range(len(content)):
        begun = list(protobuf.fields(data[:size], cut=True))
        assert [each.number for each in begun] == [1, 2, 3][: len(begun)]
    assert [each.number for each in protobuf.fields(data[:6], cut=True)] == [1, 2]
