"""Every kind of picture file that cannot be used, by name.

In: a folder. Out: the path of the bad picture, which the kind's function writes there (or leaves
missing). Each is a fault that people meet: half a download, a web page saved as a photograph, a
header that asks for terabytes, a format that is drawn by another program.
"""

import io
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>'
EPS = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"
    b"newpath 0 0 moveto 9 9 lineto stroke\nshowpage\n%%EOF\n"
)
PDF = b"%PDF-1.4\n1 0 obj <</Type /Catalog>> endobj\ntrailer <</Root 1 0 R>>\n%%EOF\n"
HTML = b"<!DOCTYPE html><html><title>404 Not Found</title></html>"


def encoded(container: str, **options: object) -> bytes:
    """A sound picture of noise, 64 x 48, as a file of this format."""
    pixels = np.random.default_rng(3).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, container, **options)
    return file.getvalue()


def png(width: int, height: int, data: bytes = b"", *, bad_crc: bool = False) -> bytes:
    """An RGB PNG file with this header and these compressed rows, whether they fit it or not."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        crc = zlib.crc32(kind + content) ^ bad_crc
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(data))
        + chunk(b"IEND", b"")
    )


def tiff(*tags: tuple[int, int], next_directory: int = 0) -> bytes:
    """A TIFF file of one directory, at offset 8, whose tags are 32-bit numbers."""
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", next_directory)
    return b"II*\0" + struct.pack("<I", 8) + directory


def _jpeg_header() -> bytes:
    return encoded("JPEG").partition(b"\xff\xda")[0]


def _jpeg_with_side(side: int) -> bytes:
    """A JPEG file whose frame header says that it is side x side."""
    data = encoded("JPEG")
    size = data.index(b"\xff\xc0") + 5
    return data[:size] + struct.pack(">HH", side, side) + data[size + 4 :]


def _bmp_with_side(side: int) -> bytes:
    data = encoded("BMP")
    return data[:18] + struct.pack("<ii", side, side) + data[26:]


def _other(container: str) -> bytes:
    """A file of a sound format that is not among those that are opened."""
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, container)
    return file.getvalue()


def _psd() -> bytes:
    header = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 4, 4, 8, 3)
    return header + bytes(12) + struct.pack(">H", 0) + bytes(48)


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("cat.jpg", encoded("JPEG"))
    return file.getvalue()


def _part(container: str, share: float, **options: object) -> bytes:
    data = encoded(container, **options)
    return data[: int(len(data) * share)]


def _damaged(container: str, **options: object) -> bytes:
    """A file whose length and headers are right, and whose middle is not."""
    data = encoded(container, **options)
    middle = len(data) // 2
    return data[:middle] + bytes(99) + data[middle + 99 :]


def _write(name: str, content: Callable[[], bytes], folder: Path) -> Path:
    path = folder / name
    path.write_bytes(content())
    return path


def _folder(folder: Path) -> Path:
    path = folder / "folder.jpg"
    path.mkdir()
    return path


def _pipe(folder: Path) -> Path:
    path = folder / "pipe.jpg"
    os.mkfifo(path)
    return path


def _link(target: str, folder: Path) -> Path:
    path = folder / "link.jpg"
    path.symlink_to(target)
    return path


_LZW: dict[str, Any] = {"compression": "tiff_lzw"}
_CONTENTS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "an empty file": ("empty.jpg", bytes),
    "null bytes": ("null.jpg", lambda: bytes(4096)),
    "random bytes": ("random.png", lambda: np.random.default_rng(5).bytes(4096)),
    "text named .jpg": ("text.jpg", lambda: b"not a picture, whatever the name says\n"),
    "a web page named .jpg": ("page.jpg", lambda: HTML),
    "SVG": ("drawing.svg", lambda: SVG),
    "SVG named .png": ("drawing.png", lambda: SVG),
    "PDF": ("paper.pdf", lambda: PDF),
    "EPS": ("drawing.eps", lambda: EPS),
    "EPS named .jpg": ("drawing.jpg", lambda: EPS),
    "ICO": ("icon.ico", partial(_other, "ICO")),
    "PPM": ("picture.ppm", partial(_other, "PPM")),
    "PSD": ("layers.psd", _psd),
    "a zip file": ("pictures.zip", _zip),
    "a pickle": ("object.jpg", lambda: pickle.dumps({"image": "cat"})),
    "a JPEG cut in its header": ("header.jpg", lambda: encoded("JPEG")[:100]),
    "a JPEG that is only its header": ("start.jpg", _jpeg_header),
    "a JPEG cut after a third": ("third.jpg", partial(_part, "JPEG", 1 / 3)),
    "a JPEG cut near its end": ("tail.jpg", partial(_part, "JPEG", 0.95)),
    "a PNG cut in its header": ("header.png", lambda: encoded("PNG")[:20]),
    "a PNG cut in the middle": ("half.png", partial(_part, "PNG", 0.5)),
    "a GIF cut in the middle": ("half.gif", partial(_part, "GIF", 0.5)),
    "a WebP cut in the middle": ("half.webp", partial(_part, "WEBP", 0.5)),
    "a TIFF cut in the middle": ("half.tif", partial(_part, "TIFF", 0.5)),
    "a progressive JPEG cut in the middle": (
        "half.jpg",
        partial(_part, "JPEG", 0.5, progressive=True),
    ),
    "an LZW TIFF cut in the middle": ("lzw.tif", partial(_part, "TIFF", 0.5, **_LZW)),
    "an LZW TIFF with damaged rows": ("damaged.tif", partial(_damaged, "TIFF", **_LZW)),
    "a PNG with damaged rows": ("damaged.png", partial(_damaged, "PNG")),
    "a BMP cut in the middle": ("half.bmp", partial(_part, "BMP", 0.5)),
    "a PNG with a wrong checksum": ("checksum.png", lambda: png(2, 1, bytes(7), bad_crc=True)),
    "a PNG with too few rows": ("rows.png", lambda: png(64, 64, bytes(200))),
    "a PNG of width 0": ("flat.png", lambda: png(0, 9)),
    "a PNG of 100000 x 100000": ("bomb.png", lambda: png(100_000, 100_000, bytes(9))),
    "a PNG of 11000 x 11000": ("small-bomb.png", lambda: png(11_000, 11_000, bytes(9))),
    "a JPEG of 65000 x 65000": ("bomb.jpg", partial(_jpeg_with_side, 65_000)),
    "a BMP of 2000000 x 2000000": ("bomb.bmp", partial(_bmp_with_side, 2_000_000)),
    "a GIF without frames": ("none.gif", lambda: b"GIF89a" + struct.pack("<HH3x", 9, 9) + b";"),
    "a TIFF without pixels": ("none.tif", lambda: tiff((256, 9), (257, 9))),
    "a TIFF whose offsets go in circles": (
        "circle.tif",
        lambda: tiff((256, 9), (257, 9), (273, 999), (330, 8), (34665, 8), next_directory=8),
    ),
    "a TIFF whose directory is past its end": ("lost.tif", lambda: b"II*\0" + b"\xf0" * 4),
    "a line break in its name": ("line\nbreak.jpg", lambda: HTML),
    "a terminal's escape codes in its name": ("\x1b[31mred.jpg", lambda: HTML),
}  # fmt: skip

# Kind -> what writes it into a folder and gives its path.
BAD_PICTURES: dict[str, Callable[[Path], Path]] = {
    **{kind: partial(_write, *entry) for kind, entry in _CONTENTS.items()},
    "a folder named .jpg": _folder,
    "a missing file": lambda folder: folder / "missing.jpg",
    "a missing folder": lambda folder: folder / "missing" / "cat.jpg",
    "a name that is too long": lambda folder: folder / ("long" * 100 + ".jpg"),
    "a link to nothing": partial(_link, "nowhere.jpg"),
    "a link to itself": partial(_link, "link.jpg"),
    "a pipe that nobody writes to": _pipe,
}


def forbid(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let nobody list that folder; permissions would not keep out the super-user."""
    own = os.scandir

    def scandir(path: str) -> object:
        if Path(path) == folder:
            raise PermissionError(13, "Permission denied", str(path))
        return own(path)

    monkeypatch.setattr(os, "scandir", scandir)
