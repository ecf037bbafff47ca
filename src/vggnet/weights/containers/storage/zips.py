"""Zip archives as blocks of the mapped file, and archives whose members are aligned.

In: the path of a zip file. Out: its members by name. The central directory is read by the standard
library; where a member's bytes lie is checked here against the member's own header, because they
are used in place. Source: PKWARE's APPNOTE, sections 4.3.7 (local header) and 4.5 (extra fields).
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vggnet.printable import printable
from vggnet.weights.containers.storage.mapped import map_file
from vggnet.weights.containers.storage.stored import Block, most_inflated

Chunk = bytes | memoryview

_LOCAL_HEADER = struct.Struct("<4sHHHHHIIIHH")
_ENCRYPTED, _UTF8 = 0x1, 0x800  # flags
_ZIP64_FIELD_SIZE = 20  # what the standard library adds to the header of a large member
_ALIGNMENT = 64  # bytes, as torch has it
_PADDING_FIELD = 0x4246  # the identifier that torch gives its padding
_LARGEST_DIRECTORY = 1 << 22  # bytes; a member takes about a hundred


def first_member(head: bytes) -> str:
    """The name of the first member of a zip file that begins so; "" where it is no zip file."""
    if not head.startswith(b"PK\3\4") or len(head) < _LOCAL_HEADER.size:
        return ""
    length = _LOCAL_HEADER.unpack_from(head)[9]
    return head[_LOCAL_HEADER.size : _LOCAL_HEADER.size + length].decode("cp437")


def members(path: Path) -> dict[str, Block]:
    """The members of a zip file, in the file's order, folders left out.

    Raises ValueError, beginning with the path, for a file that is damaged, encrypted, compressed
    by another method than deflate, or that would grow out of all proportion.
    """
    mapped = map_file(path)
    try:
        with _Bounded(path) as file, zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from None
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, struct.error):
        raise ValueError(f"{path}: damaged or cut off: its zip directory cannot be read") from None
    blocks: dict[str, Block] = {}
    reached, growth = 0, most_inflated(mapped.size)
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        source = f"{path}: {printable(entry.filename)}"
        if entry.filename in blocks:
            raise ValueError(f"{source}: damaged: two members have this name")
        if entry.header_offset < reached:
            raise ValueError(f"{source}: damaged: it overlaps another member")
        begin = _begin(source, mapped, entry)
        reached = begin + entry.compress_size
        if reached > mapped.size:
            raise ValueError(f"{source}: damaged or cut off: it reaches beyond the file's end")
        if not entry.is_dir():
            block = _block(source, mapped[begin:reached], entry)
            growth -= block.num_bytes if block.deflated else 0
            if growth < 0:
                raise ValueError(
                    f"{source}: it would grow from {block.data.size:,} to {block.num_bytes:,} "
                    "bytes; if the file is sound, write it again without compression"
                )
            blocks[entry.filename] = block
    return blocks


def write_member(
    archive: zipfile.ZipFile, name: str, chunks: Iterable[Chunk], num_bytes: int
) -> None:
    """Adds a member of `num_bytes` bytes, stored as it is, that begins at a multiple of 64 bytes.

    The archive's file must begin at its own byte 0. Nothing of the time of writing gets into it.
    """
    entry = zipfile.ZipInfo(name)
    entry.file_size = num_bytes
    large = num_bytes * 1.05 > zipfile.ZIP64_LIMIT  # the standard library's own rule
    header = _LOCAL_HEADER.size + len(name.encode()) + _ZIP64_FIELD_SIZE * large + 4
    padding = -(archive.start_dir + header) % _ALIGNMENT
    entry.extra = struct.pack("<HH", _PADDING_FIELD, padding) + b"Z" * padding
    with archive.open(entry, "w") as member:
        for chunk in chunks:
            member.write(chunk)


class _Bounded(io.FileIO):
    """A file of which no more is read at once than the directory of a sound one takes."""

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            size = max(os.fstat(self.fileno()).st_size - self.tell(), 0)
        if size > _LARGEST_DIRECTORY:
            raise zipfile.BadZipFile("directory too large")
        return super().read(size)


def _begin(source: str, mapped: NDArray[np.uint8], entry: zipfile.ZipInfo) -> int:
    """Where the bytes of a member begin, by its own header, which must agree with the directory."""
    if entry.flag_bits & _ENCRYPTED:
        raise ValueError(f"{source}: it is encrypted; decrypt the file first")
    header = mapped[entry.header_offset : entry.header_offset + _LOCAL_HEADER.size].tobytes()
    if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\3\4"):
        raise ValueError(f"{source}: damaged: it has no header")
    fields = _LOCAL_HEADER.unpack(header)
    method: int = fields[3]
    name_length: int = fields[9]
    extra_length: int = fields[10]
    begin: int = entry.header_offset + _LOCAL_HEADER.size
    name = mapped[begin : begin + name_length].tobytes()
    encoding = "utf-8" if entry.flag_bits & _UTF8 else "cp437"
    if name != entry.orig_filename.encode(encoding) or method != entry.compress_type:
        raise ValueError(f"{source}: damaged: its header and the file's directory disagree")
    return begin + name_length + extra_length


def _block(source: str, data: NDArray[np.uint8], entry: zipfile.ZipInfo) -> Block:
    deflated = entry.compress_type == zipfile.ZIP_DEFLATED
    if not deflated and entry.compress_type != zipfile.ZIP_STORED:
        raise ValueError(
            f"{source}: compressed by method {entry.compress_type}; stored and deflated are read"
        )
    if not deflated and entry.file_size != data.size:
        raise ValueError(f"{source}: damaged: two sizes for it, {entry.file_size} and {data.size}")
    return Block(source, data, entry.file_size, deflated, entry.CRC)
