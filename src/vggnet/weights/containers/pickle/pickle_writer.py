"""Pickles of protocol 2, written without the classes that they name being there.

In: text, whole numbers, byte strings, and globals by name. Out: chunks of bytes, of which those of
an array are the array's own memory. Source: the comments of the standard library's pickletools.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator

Chunk = bytes | memoryview
Chunks = Iterable[Chunk]

NONE, TRUE, FALSE = [pickle.NONE], [pickle.NEWTRUE], [pickle.NEWFALSE]


def program(value: Chunks) -> Iterator[Chunk]:
    """The whole pickle of a value."""
    yield pickle.PROTO + b"\2"
    yield from value
    yield pickle.STOP


def text(value: str) -> list[Chunk]:
    data = value.encode("utf-8", "surrogatepass")
    return [pickle.BINUNICODE + len(data).to_bytes(4, "little") + data]


def number(value: int) -> list[Chunk]:
    """A whole number of up to 64 bits."""
    return [pickle.LONG1 + b"\x09" + value.to_bytes(9, "little", signed=True)]


def byte_string(data: memoryview) -> list[Chunk]:
    """A string of Python 2, which readers with encoding="latin1" turn into one letter a byte."""
    if len(data) >= 1 << 31:
        raise ValueError(f"{len(data):,} bytes are more than such a string holds")
    return [pickle.BINSTRING + len(data).to_bytes(4, "little"), data]


def sequence(
    kind: type[tuple[object, ...]] | type[list[object]], *items: Chunks
) -> Iterator[Chunk]:
    yield pickle.MARK
    for item in items:
        yield from item
    yield pickle.TUPLE if kind is tuple else pickle.LIST


def dictionary(entries: Iterable[tuple[Chunks, Chunks]]) -> Iterator[Chunk]:
    yield pickle.EMPTY_DICT + pickle.MARK
    for key, value in entries:
        yield from key
        yield from value
    yield pickle.SETITEMS


def named(module: str, attribute: str) -> list[Chunk]:
    """A class or function."""
    return [pickle.GLOBAL + f"{module}\n{attribute}\n".encode()]


def called(function: Chunks, arguments: Chunks, state: Chunks | None = None) -> Iterator[Chunk]:
    """What a function gives for a tuple of arguments, with its state set where there is one."""
    yield from function
    yield from arguments
    yield pickle.REDUCE
    if state is not None:
        yield from state
        yield pickle.BUILD


def persistent(identity: Chunks) -> Iterator[Chunk]:
    """What lies outside the pickle."""
    yield from identity
    yield pickle.BINPERSID
