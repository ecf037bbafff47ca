import collections
import os
import pickle
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import python_2_pickles

from vggnet.weights.containers import StoredArray
from vggnet.weights.containers.pickle import pickles
from vggnet.weights.containers.pickle.pickled_arrays import NUMPY
from vggnet.weights.containers.pickle.pickles import load
from vggnet.weights.containers.storage.flatten import flatten

PLAIN = {
    "text": "naïve\u4e2d\n",
    "bytes": bytes(range(256)) * 3,
    "few bytes": b"\x00\xff",
    "none": b"",
    "numbers": [0, 1, -1, 255, 65536, 2**31, -(2**63), 1.5, float("inf"), True, False, None],
    "tuples": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
    "set": {1, 2, 3},
    "ordered": collections.OrderedDict([("a", 1), (2, "b")]),
    "array": bytearray(b"abc"),
}


def unpickled(data: bytes) -> object:
    return load(np.frombuffer(data, np.uint8), "file", NUMPY)[0]


def flat(tree: object) -> tuple[dict[str, StoredArray], dict[str, object]]:
    return flatten(unpickled(pickle.dumps(tree)), "file", "/", "root")


def fault(data: bytes) -> str:
    with pytest.raises(ValueError, match=r"^file: ") as caught:
        unpickled(data)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("protocol", range(6))
def test_plain_containers_of_every_protocol(protocol: int) -> None:
    expected = {**PLAIN, "array": b"abc"}
    found = unpickled(pickle.dumps(PLAIN, protocol))
    assert isinstance(found, dict)
    for name, value in expected.items():
        # Long byte strings are views of the file.
        held = found[name].tobytes() if isinstance(found[name], np.ndarray) else found[name]
        assert held == value
        assert type(held) is type(value) or name == "ordered"


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<f2", "|u1", ">i8", "|b1"])
def test_arrays_of_every_protocol(protocol: int, dtype: str) -> None:
    matrix = np.random.default_rng(0).integers(0, 2, (3, 5, 70)).astype(dtype)
    arrays = [matrix, matrix.T, matrix[::2, 1:], np.float64(0.1), matrix[:0], matrix[0, 0, 0:1]]
    tree = unpickled(pickle.dumps(arrays, protocol))
    found, metadata = flatten(tree, "file", "/", "root")
    assert metadata == {"3": 0.1}
    for index, array in enumerate(arrays):
        if index != 3:
            loaded = found[str(index)].load()
            assert loaded.dtype == array.dtype.newbyteorder("=")
            assert loaded.dtype.isnative
            assert np.array_equal(loaded, array)
            assert found[str(index)].shape == array.shape
            assert not loaded.flags.writeable or dtype[0] == ">"


def test_python_2_strings_and_arrays() -> None:
    # What Python 2.7 and NumPy 1.16 write for {"a\xff": array([1, 2], "<f4"), "b": u"\u4e2d"}.
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
        b"(I1\n(I2\ntcnumpy\ndtype\n(S'f4'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb"
        b"I00\nS'\\x00\\x00\\x80?\\x00\\x00\\x00@'\ntb"
    )
    text_protocol = b"(dS'a\\xff'\n" + array + b"sS'b'\nV\\u4e2d\ns."
    arrays, metadata = flatten(unpickled(text_protocol), "file", "/", "root")
    assert arrays["aÿ"].load().tolist() == [1, 2]
    assert metadata == {"b": "中"}
    numbers = np.arange(100, dtype="<f4")
    binary = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01Kd\x85cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\x00tb\x89T\x90\x01\x00\x00" + numbers.tobytes() + b"tb."
    )
    arrays, _ = flatten(unpickled(binary), "file", "/", "root")
    assert np.array_equal(arrays["root"].load(), numbers)


def test_long_byte_strings_are_views() -> None:
    data = np.frombuffer(pickle.dumps(np.arange(1000.0)), np.uint8)
    arrays, _ = flatten(load(data, "file", NUMPY)[0], "file", "/", "root")
    assert np.shares_memory(arrays["root"].load(), data)


def dumps(tree: object, version: int, protocol: int) -> bytes:
    return (pickle if version == 3 else python_2_pickles).dumps(tree, protocol)


def awkward_arrays() -> dict[str, np.ndarray]:
    """Many that are decoded at once, and some whose text is long and escaped in every way."""
    chance = np.random.default_rng(2)
    arrays = {f"short{i}": chance.standard_normal(7000).astype("<f4") for i in range(20)}
    return arrays | {
        "long": chance.integers(0, 256, 400_001, np.uint8),
        "turned": np.asfortranarray(chance.standard_normal((300, 200))).astype(">f4"),
        "backslashes": np.full(200_003, 92, np.uint8),
        "escapes": np.frombuffer(rb"\x41\\u0041\\\'\"" * 20_000 + b"\n\r\0\x1a" * 20_000, np.uint8),
    }


@pytest.mark.parametrize(
    ("version", "protocol"), [*((2, p) for p in range(3)), *((3, p) for p in range(6))]
)
def test_arrays_that_make_most_of_a_file(version: int, protocol: int) -> None:
    arrays = awkward_arrays()
    tree = unpickled(dumps(arrays, version, protocol))
    found, _ = flatten(tree, "file", "/", "root")
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert np.array_equal(found[name].load(), array), name


@pytest.mark.parametrize(("version", "protocol"), [(3, 0), (3, 1), (3, 2), (2, 0)])
def test_long_text_is_decoded_when_it_is_asked_for(version: int, protocol: int) -> None:
    array = np.random.default_rng(0).integers(0, 256, 1 << 23, np.uint8)
    pickled = np.frombuffer(dumps(array, version, protocol), np.uint8)
    tracemalloc.start()
    arrays, _ = flatten(load(pickled, "file", NUMPY)[0], "file", "/", "root")
    assert tracemalloc.get_traced_memory()[1] < 1 << 22
    loaded = arrays["root"].load()
    assert tracemalloc.get_traced_memory()[1] < array.nbytes + (1 << 22)
    tracemalloc.stop()
    assert np.array_equal(loaded, array)


@pytest.mark.parametrize(("version", "protocol", "before", "after"), [
    (3, 2, b"AB", b"\xc2\x41"),
    (3, 2, b"AB", b"\x80\x80"),
    (3, 2, b"AB", b"A\xc3"),
    (3, 2, b"AB", b"\xc4\x80"),  # a letter, and no byte
    (3, 2, b"AB", b"\xc2\x80"),
    (3, 0, b"ABCDEF", rb"\u0100"),
    (3, 0, b"ABCDEF", rb"\u004z"),
    (3, 0, b"ABCDEF", rb"\u0041"),
    (2, 0, b"ABCD", rb"\xzz"),
    (2, 0, b"ABCD", rb"\x41"),
    (2, 0, b"AB", b"A\\"),
])  # fmt: skip
@pytest.mark.parametrize("place", [1 << 16, 99_990])
def test_damaged_long_text(
    version: int, protocol: int, before: bytes, after: bytes, place: int
) -> None:
    letters = b"a" * (place - 1) + b"ABCDEF" + b"a" * (100_000 - place - 5)
    pickled = dumps(np.frombuffer(letters, np.uint8), version, protocol)
    assert pickled.count(before) == 1
    arrays, _ = flatten(unpickled(pickled), "file", "/", "root")
    assert arrays["root"].load().tobytes() == letters
    arrays, _ = flatten(unpickled(pickled.replace(before, after)), "file", "/", "root")
    with pytest.raises(ValueError, match=r"^file: root: damaged: (text in place|[0-9,]* bytes)"):
        arrays["root"].load()


def test_long_text_that_is_no_array_s() -> None:
    text = "é" * 100_000
    assert flat({"note": text})[1] == {"note": "200000 bytes"}
    assert "a key that is neither text nor a number" in fault(pickle.dumps({text: 1}))
    line = b"V" + b"a" * 100_000
    assert "a line without end" in fault(line)
    assert "no string" in fault(b"S'" + b"a" * 100_000 + b"\n.")
    number = b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'f4'\ntR" + line + b"\ntR."
    assert "no numbers" in fault(number)


def test_an_array_larger_than_its_long_text() -> None:
    good = pickle.dumps(np.full(100_000, 200, np.uint8), 2)
    shape = b"J" + struct.pack("<i", 100_000)
    assert good.count(shape) == 1
    for num, complaint in ((100_001, "100,000 bytes instead of"), (99_999, "100,000 bytes instead"),
                           (2**31 - 1, "2,147,483,647 bytes in a text of 200,000")):  # fmt: skip
        tree = unpickled(good.replace(shape, b"J" + struct.pack("<i", num)))
        with pytest.raises(ValueError, match=f"^file: root: damaged: {complaint}"):
            flatten(tree, "file", "/", "root")[0]["root"].load()


def test_names_are_flattened() -> None:
    ones = np.ones(2)
    arrays, metadata = flat(
        {"a": [ones, ones], "b": {0: ones, "x": {"y": ones}}, "c": 3, "d": [1, "e"], "f": {"g": 4}}
    )
    assert list(arrays) == ["a/0", "a/1", "b/0", "b/x/y"]
    assert metadata == {"c": 3, "d": [1, "e"], "f/g": 4}
    dictionary = np.array({"a": ones}, dtype=object)
    assert list(flat(dictionary)[0]) == ["a"]
    with pytest.raises(ValueError, match=r"^file: two entries have the name a/0"):
        flat({"a": [ones], "a/0": ones})
    with pytest.raises(ValueError, match=r"^file: 'a\\nb' cannot be a name"):
        flat({"a\nb": ones})


class Evil:
    def __init__(self, function: object, *arguments: object) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> object:
        return self.function, self.arguments


class Model:
    """Stands for a class of the file's author."""


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_that_a_pickle_names_is_called(protocol: int, tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    attacks = {
        "posix.system": Evil(os.system, f"touch {marker}"),
        "eval": Evil(eval, f"open({str(marker)!r}, 'w')"),
        "getattr": Evil(getattr, Evil(__import__, "os"), "system"),
        "Model": Model(),
    }
    for name, attack in attacks.items():
        for tree in (attack, {"state_dict": [np.ones(2), attack]}):
            text = fault(pickle.dumps(tree, protocol))
            asked = text.removeprefix("file: asks for ").removesuffix(
                "; only arrays and plain containers are read"
            )
            # Protocols 0 and 1 make an object by a function that they name first.
            assert asked.rpartition(".")[2] in (name, name.rpartition(".")[2], "_reconstructor")
            assert "asks for" in text
    assert not marker.exists()
    os.system(f"touch {marker}")  # so would it have been seen
    assert marker.exists()


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", "asks for os.system"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "asks for os.system"),
        (b"(S'true'\nios\nsystem\n.", "asks for os.system"),
        (b"(cos\nsystem\nS'true'\no.", "asks for os.system"),
        (b"\x80\x04(\x8c\x08builtins\x8c\x04eval\x93.", "asks for builtins.eval"),
        (b"cnumpy\nndarray.__init__\n.", "asks for numpy.ndarray.__init__"),
        (b"cnumpy.core.multiarray\n_reconstruct.__globals__\n.", "asks for"),
        (b"cnumpy\nndarray\n)R.", "calls what is no function"),
        (b"K\x01)R.", "calls what is no function"),
        (b"cnumpy\ndtype\n]R.", "arguments that are no tuple"),
        (b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR}S'dtype'\nNsb.", "a state that it cannot have"),
        (b"cnumpy\ndtype\n(S'S99999999'\ntR.", "numbers of type 'S99999999'"),
        (b"cnumpy\ndtype\n(S'f8,f8'\ntR.", "numbers of type"),
        (b"c__builtin__\nbytearray\nI99999999999\n\x85R.", "no text to turn into bytes"),
        (b"c__builtin__\nset\n(K\x01tR.", "no list of items"),
        (b"c__builtin__\nset\n(](K\x01\x85etR.", "a key that is neither text nor a number"),
        (b"cnumpy\ndtype\n)R.", "other arguments than it takes"),
        (b"]}S'__class__'\nNsb.", "sets the state of what has none"),
        (b"ccollections\nOrderedDict\n)R}S'__class__'\ncos\nsystem\nsb.", "asks for os.system"),
        (b"]]\x93.", "a global without a name"),
        (b"c\\q\n\\y\n.", r"asks for \\q\.\\y"),
        (b"P\\q\n.", "refers to what lies outside"),
        (b"\x82\x01.", "EXT1 is of no use"),
        (b"\x80\x05\x97.", "NEXT_BUFFER is of no use"),
        (b"\x80\x09.", "protocol 9"),
        (b"S'a'\nQ.", "refers to what lies outside"),
        (b"Pfile\n.", "refers to what lies outside"),
        (b"}(K\x01\x85K\x02u.", "a key that is neither text nor a number"),
        (b"\x8f(]\x90.", "a key that is neither text nor a number"),
        (b"}]K\x01s.", "a key that is neither text nor a number"),
        (b"](K\x01u.", "what is no entry"),
        (b"}(K\x01u.", "what is no entry"),
        (b"}K\x01a.", "appends to what is no list"),
        (b"h\x05.", "fetches what was never put away"),
        (b"t.", "a mark is missing"),
        (b".", "takes more than was given"),
        (b"R.", "takes more than was given"),
        (b"\xff.", "no such opcode"),
        (b"", "1 bytes wanted of 0"),
        (b"K\x01", "1 bytes wanted of 0"),
        (b"B\xff\xff\xff\xffabc.", "4294967295 bytes wanted of 4"),
        (b"T\xff\xff\xff\xffabc.", "-1 bytes wanted"),
        (b"\x96" + struct.pack("<Q", 2**63) + b".", "9223372036854775808 bytes wanted of 1"),
        (b"\x8b" + struct.pack("<i", 100) + b"\x7f" * 100 + b".", "a whole number without measure"),
        (b"\x8b" + struct.pack("<i", -1) + b".", "LONG4|wanted"),
        (b"L" + b"9" * 4000 + b"L\n.", "a whole number without measure"),
        (b"I" + b"9" * 70_000 + b"\n.", "a line of more than 65,536 bytes"),
        (b"S'\\q'\n.", "no string"),
        (b"S'a\n.", "no string"),
        (b"S'a'", "a line without end"),
        (b"X\x01\x00\x00\x00\xff.", "no text"),
    ],
)  # fmt: skip
def test_hostile_and_damaged_programs(program: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        unpickled(program)
    fault(program)


def test_steps_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    assert unpickled(b"N0" * 100 + b"K\x05.") == 5
    monkeypatch.setattr(pickles, "MAX_STEPS", 200)
    assert "more than 200 steps" in fault(b"N0" * 100 + b"K\x05.")


def test_shapes_that_their_bytes_do_not_fill() -> None:
    good = pickle.dumps(np.zeros((2, 3), "<f4"), 2)
    assert flatten(unpickled(good), "file", "/", "root")[0]["root"].shape == (2, 3)
    for shape in (b"K\x02K\x04\x86", b"K\x02J\xfd\xff\xff\xff\x86", b"K\x02G" + bytes(8) + b"\x86",
                  b"K\x00\x8a\x09" + b"\xff" * 8 + b"\x00\x86"):  # fmt: skip
        bad = good.replace(b"K\x02K\x03\x86", shape)
        assert bad != good
        tree = unpickled(bad)
        with pytest.raises(ValueError, match=r"^file: root: damaged: shape"):
            flatten(tree, "file", "/", "root")


def test_small_pickles_that_stand_for_enormous_trees() -> None:
    doubled: object = [0]
    for _ in range(60):
        doubled = [doubled, doubled]
    endless: list[object] = []
    endless.append(endless)
    wide = [list(range(300))] * 300
    deep: object = 0
    for _ in range(200):
        deep = {"a": deep}
    mapping = unpickled(pickle.dumps({"a": [wide] * 300, "b": endless, "c": doubled, "d": deep}))
    tracemalloc.start()
    for name in "abcd":
        with pytest.raises(ValueError, match=r"^file: nested deeper than 16 or more than 50,000"):
            flatten(mapping[name], "file", "/", "root")  # type: ignore[index]
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


@pytest.mark.parametrize(
    "call",
    [
        b"c_codecs\nencode\nh\x00\x85R",
        b"c__builtin__\nset\nh\x01\x85R",
        b"cnumpy\nndarray\nq\x020cnumpy.core.multiarray\n_reconstruct\n(h\x02K\x00\x85Ntq\x03R"
        b"(K\x01)cnumpy\ndtype\nU\x02u1\x85RK\x00h\x00tb",
    ],
)  # fmt: skip
@pytest.mark.parametrize("length", [60_000, 200_000])
def test_copies_of_what_was_put_away_once_are_limited(call: bytes, length: int) -> None:
    text = b"X" + struct.pack("<I", length) + b"a" * length + b"q\x000"
    items = b"](" + b"K\x01" * 6_000 + b"eq\x010"
    unpickled(text + items + call + b".")
    tracemalloc.start()
    assert "it asks for more copies" in fault(text + items + call * 2000 + b".")
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


def test_deep_nesting_does_not_exhaust_the_stack() -> None:
    tree = unpickled(b"]" * 20_000 + b"a" * 19_999 + b".")
    with pytest.raises(ValueError, match=r"^file: nested deeper"):
        flatten(tree, "file", "/", "root")
    del tree
    marks = unpickled(b"(" * 20_000 + b"t" * 20_000 + b".")
    with pytest.raises(ValueError, match=r"^file: nested deeper"):
        flatten(marks, "file", "/", "root")
