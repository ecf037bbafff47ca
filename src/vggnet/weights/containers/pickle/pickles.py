"""Pickles as data: their steps are followed, and nothing that they name is imported or called.

In: the bytes of a pickle (protocols 0 to 5, Python 2's too, whose strings are taken for Latin-1)
and the few globals that the caller knows, each with a function of ours in its place. Out: plain
containers whose leaves are plain values and what those functions gave. Long byte strings are views
of the input, and long text is decoded when it is asked for. Time and memory grow with the input
alone: the number of steps is limited, and so is what calls get to copy; keys must be plain, as one
of nested tuples could take any time to hash.
Source: the comments of the standard library's pickletools.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vggnet.printable import printable
from vggnet.weights.containers.pickle.long_text import LongText
from vggnet.weights.containers.pickle.pickle_steps import LONGEST_TEXT, Steps

MAX_STEPS = 500_000  # a VGG's state dict takes a few thousand
_FREE_LETTERS = 1 << 16

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_EMPTY: dict[str, type] = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set}
_LITERALS = frozenset({
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "UNICODE", "SHORT_BINUNICODE", "SHORT_BINSTRING", "SHORT_BINBYTES",
})  # fmt: skip


@dataclass(frozen=True)
class Global:
    """What stands for a class or function that a pickle names; without `call`, for its name."""

    name: str
    call: Callable[..., object] | None = None


class Instance(ABC):
    """What stands for an object whose state a pickle sets after it was made."""

    @abstractmethod
    def set_state(self, state: object) -> None:
        """Raises ValueError for a state that such an object cannot have."""

    @abstractmethod
    def value(self, source: str) -> object:
        """What it is in the end: a StoredArray, a container or a plain value.

        Raises ValueError, beginning with `source`, where it is none.
        """


def load(
    data: NDArray[np.uint8],
    source: str,
    known: Mapping[str, Global],
    persistent: Callable[[object], object] | None = None,
    advice: str = "only arrays and plain containers are read",
    begin: int = 0,
) -> tuple[object, int]:
    """The object pickled at `begin`, and where the pickle ends.

    `known` are the globals that may be named, besides those of plain containers; `persistent` gives
    what a persistent id stands for. Raises ValueError, in one line that begins with `source`, for
    a damaged pickle and for one that names any other global, which it gives with the `advice`.
    """
    return _Machine(data, source, {**_PLAIN, **known}, persistent, advice, begin).run()


class _Machine:
    """The stack machine that a pickle is a program for."""

    def __init__(
        self,
        data: NDArray[np.uint8],
        source: str,
        known: Mapping[str, Global],
        persistent: Callable[[object], object] | None,
        advice: str,
        begin: int,
    ) -> None:
        self.steps = Steps(data, source, begin)
        self.fault = self.steps.fault
        self.source, self.known = source, known
        self.persistent, self.advice = persistent, advice
        self.stack: list[Any] = []
        self.outer_stacks: list[list[Any]] = []  # what lies below each mark
        self.memo: dict[int, object] = {}
        # What is put away once can be fetched for many calls, each of which makes a copy of it. The
        # text of a sound array goes through two: into bytes, and into the array.
        self.letters_left = 2 * (data.size - begin) + _FREE_LETTERS
        self.items_left = MAX_STEPS

    def run(self) -> tuple[object, int]:
        for num_steps, (name, argument) in enumerate(self.steps):
            if num_steps == MAX_STEPS:
                self.fault(f"more than {MAX_STEPS:,} steps")
            self.step(name, argument)
        return self.pop(), self.steps.position

    def step(self, name: str, argument: Any) -> None:
        if name in _LITERALS:
            self.stack.append(argument)
            return
        if name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
            return
        if name in _EMPTY:
            self.stack.append(_EMPTY[name]())
            return
        match name:
            case "BINPUT" | "LONG_BINPUT" | "PUT":
                self.memo[argument] = self.top()
            case "MEMOIZE":
                self.memo[len(self.memo)] = self.top()
            case "BINGET" | "LONG_BINGET" | "GET":
                if argument not in self.memo:
                    self.fault("it fetches what was never put away")
                self.stack.append(self.memo[argument])
            case "BINUNICODE" | "BINUNICODE8" if len(argument) > LONGEST_TEXT:
                self.stack.append(LongText(argument, "utf-8"))
            case "BINUNICODE" | "BINUNICODE8":
                try:
                    self.stack.append(argument.tobytes().decode("utf-8", "surrogatepass"))
                except UnicodeDecodeError:
                    self.fault("no text")
            case "STRING" | "BINSTRING" | "BINBYTES" | "BINBYTES8" | "BYTEARRAY8":
                self.stack.append(argument)
            case "MARK":
                self.outer_stacks.append(self.stack)
                self.stack = []
            case "TUPLE":
                items = self.pop_to_mark()
                self.stack.append(tuple(items))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                items = [self.pop() for _ in range(int(name[-1]))]
                self.stack.append(tuple(reversed(items)))
            case "LIST":
                items = self.pop_to_mark()
                self.stack.append(items)
            case "DICT":
                items = self.pop_to_mark()
                self.stack.append({})
                self.set_items(items)
            case "FROZENSET":
                items = self.pop_to_mark()
                self.stack.append(set())
                self.add_items(items)
            case "APPEND":
                items = [self.pop()]
                self.append_items(items)
            case "APPENDS":
                self.append_items(self.pop_to_mark())
            case "SETITEM":
                value, key = self.pop(), self.pop()
                self.set_items([key, value])
            case "SETITEMS":
                self.set_items(self.pop_to_mark())
            case "ADDITEMS":
                self.add_items(self.pop_to_mark())
            case "GLOBAL":
                self.stack.append(self.find(*argument.split(" ", 1)))
            case "STACK_GLOBAL":
                attribute, module = self.pop(), self.pop()
                self.stack.append(self.find(module, attribute))
            case "REDUCE" | "NEWOBJ":
                arguments, function = self.pop(), self.pop()
                self.stack.append(self.call(function, arguments))
            case "NEWOBJ_EX":
                named, arguments, function = self.pop(), self.pop(), self.pop()
                if type(named) is not dict or named:
                    self.fault("arguments by name")
                self.stack.append(self.call(function, arguments))
            case "INST":
                items = self.pop_to_mark()
                self.stack.append(self.call(self.find(*argument.split(" ", 1)), tuple(items)))
            case "OBJ":
                function, *items = self.pop_to_mark() or [None]
                self.stack.append(self.call(function, tuple(items)))
            case "BUILD":
                self.build(self.pop())
            case "PERSID":
                self.stack.append(self.persist(argument))
            case "BINPERSID":
                self.stack.append(self.persist(self.pop()))
            case "POP":
                if self.stack:
                    self.stack.pop()
                else:
                    self.pop_to_mark()
            case "POP_MARK":
                self.pop_to_mark()
            case "DUP":
                self.stack.append(self.top())
            case "PROTO" | "FRAME":  # the length of a frame only says how much may be read ahead
                if name == "PROTO" and argument > 5:
                    self.fault(f"protocol {argument} is not known")
            case _:
                self.fault(f"{name} is of no use in weights")

    def top(self) -> Any:
        if not self.stack:
            self.fault("it takes more than was given")
        return self.stack[-1]

    def pop(self) -> Any:
        self.top()
        return self.stack.pop()

    def pop_to_mark(self) -> list[Any]:
        if not self.outer_stacks:
            self.fault("a mark is missing")
        items, self.stack = self.stack, self.outer_stacks.pop()
        return items

    def append_items(self, items: list[Any]) -> None:
        if type(self.top()) is not list:
            self.fault("it appends to what is no list")
        self.top().extend(items)

    def set_items(self, items: list[Any]) -> None:
        if type(self.top()) is not dict or len(items) % 2:
            self.fault("it sets what is no entry of a dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            self.top()[self.key(key)] = value

    def add_items(self, items: list[Any]) -> None:
        if type(self.top()) is not set:
            self.fault("it adds to what is no set")
        self.top().update(map(self.key, items))

    def key(self, value: Any) -> Any:
        try:
            return plain_key(value)
        except ValueError as error:
            self.fault(str(error))

    def find(self, module: object, attribute: object = "") -> Global:
        if not isinstance(module, str) or not isinstance(attribute, str):
            self.fault("a global without a name")
        name = f"{module}.{attribute}"
        if name not in self.known:
            raise ValueError(f"{self.source}: asks for {printable(name)}; {self.advice}")
        return self.known[name]

    def call(self, function: object, arguments: object) -> object:
        if not isinstance(function, Global) or function.call is None:
            self.fault("it calls what is no function")
        if type(arguments) is not tuple:
            self.fault("arguments that are no tuple")
        self.charge(arguments)
        try:
            return function.call(*arguments)
        except ValueError as error:
            self.fault(f"{function.name}: {error}")
        except TypeError:
            self.fault(f"{function.name}: other arguments than it takes")

    def build(self, state: object) -> None:
        target = self.top()
        if isinstance(target, Instance):
            self.charge(state if type(state) is tuple else ())
            try:
                target.set_state(state)
            except ValueError as error:
                self.fault(str(error))
        elif type(target) is not dict:  # an OrderedDict's own attributes say nothing of weights
            self.fault("it sets the state of what has none")

    def charge(self, arguments: tuple[object, ...]) -> None:
        self.items_left -= len(arguments)
        for argument in arguments:
            if isinstance(argument, str | bytes):
                self.letters_left -= len(argument)
            elif isinstance(argument, LongText):
                self.letters_left -= argument.data.size
            elif isinstance(argument, list | tuple):
                self.items_left -= len(argument)
        if self.letters_left < 0 or self.items_left < 0:
            self.fault("it asks for more copies than a sound file does")

    def persist(self, identity: object) -> object:
        if self.persistent is None:
            self.fault("it refers to what lies outside the file")
        try:
            return self.persistent(identity)
        except ValueError as error:
            self.fault(str(error))


def plain_key(value: Any) -> Any:
    """A key of a dictionary or set. Raises ValueError for one that could be slow to compare."""
    if isinstance(value, int) and value.bit_length() < 64:
        return value
    if value is None or isinstance(value, str | bytes | float):
        return value
    raise ValueError("a key that is neither text nor a number")


def _dictionary(pairs: object = ()) -> dict[object, object]:
    if not isinstance(pairs, list | tuple) or not all(
        isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs
    ):
        raise ValueError("no pairs of key and value")
    return {plain_key(key): value for key, value in pairs}


def _set(items: object = ()) -> set[object]:
    if not isinstance(items, list | tuple):
        raise ValueError("no list of items")
    return set(map(plain_key, items))


def _bytes(text: object = "", encoding: object = "latin1") -> object:
    """Byte strings of Python 3 in protocols that have none: text, one letter a byte."""
    if isinstance(text, bytes | np.ndarray):
        return text
    if not isinstance(text, str | LongText) or not isinstance(encoding, str):
        raise ValueError("no text to turn into bytes")
    if encoding not in ("latin1", "latin-1"):
        raise ValueError("text that is not in Latin-1")
    if isinstance(text, LongText):
        return text
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError("text that is no bytes") from None


def globals_of(functions: Iterable[tuple[str, Callable[..., object] | None]]) -> dict[str, Global]:
    """A table of globals by their full names."""
    return {name: Global(name, function) for name, function in functions}


_PLAIN = globals_of([
    ("collections.OrderedDict", _dictionary),
    ("_codecs.encode", _bytes),
    *((f"{module}.{name}", function)
      for module in ("builtins", "__builtin__")
      for name, function in (("set", _set), ("frozenset", _set), ("bytes", _bytes),
                             ("bytearray", _bytes))),
])  # fmt: skip
