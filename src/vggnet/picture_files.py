"""A folder -> the picture files in it.

In: a path. Out: the pictures that it stands for, in natural order, and what could not be used: how
many are in formats that are not read, and folders that cannot be read. No picture is opened.
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from vggnet.image import FORMATS, PictureError, picture_name

SUFFIXES = (
    ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp",
    *((".avif",) if "AVIF" in FORMATS else ()),
)  # fmt: skip
# Of pictures that are not read; whoever gives a folder of them is told.
_OTHER_SUFFIXES = {
    ".arw", ".avif", ".cr2", ".cr3", ".dng", ".eps", ".exr", ".heic", ".heif", ".ico", ".jp2",
    ".jxl", ".nef", ".pbm", ".pgm", ".ppm", ".psd", ".raw", ".svg", ".tga",
} - set(SUFFIXES)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """The pictures that a path stands for, and how many are in formats not read, by suffix.

    `faults` says of each folder that cannot be read why.
    """

    pictures: list[Path]
    passed_over: Counter[str] = field(default_factory=Counter)
    faults: dict[str, PictureError] = field(default_factory=dict)


def find_pictures(path: str | os.PathLike[str]) -> Found:
    """A file as it is, of a folder what `pictures_below` finds.

    Raises PictureError for a path that does not exist and a folder without pictures, unless they
    may be in a folder that cannot be read.
    """
    path = Path(path)
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    if not is_folder:
        return Found([path])
    found = pictures_below(path)
    if not found.pictures and not found.faults:
        others = ", ".join(f"{n} {suffix}" for suffix, n in found.passed_over.most_common(3))
        raise PictureError(
            f"{picture_name(path)}: no pictures in this folder ({' '.join(SUFFIXES)})"
            f"{f'; it holds {others}, which cannot be read' if others else ''}"
        )
    return found


def counted(passed_over: Counter[str]) -> str:
    """ "3 pictures in formats that are not read: 2 .heic, 1 .svg"."""
    number = passed_over.total()
    what = "1 picture in a format" if number == 1 else f"{number} pictures in formats"
    listed = ", ".join(f"{count} {suffix}" for suffix, count in passed_over.most_common())
    return f"{what} that {'is' if number == 1 else 'are'} not read: {listed}"


def pictures_below(folder: Path) -> Found:
    """The files in a folder and its subfolders with one of SUFFIXES, 2.jpg before 10.jpg.

    Left out: files of other kinds, hidden files, all in hidden folders, links to folders, and pipes
    and devices, which may never end. What nobody can look at, such as a link to nothing, is in, so
    that whoever opens it hears of it.
    """
    found = Found([])

    def keep(error: OSError) -> None:
        found.faults[str(error.filename)] = _unreadable(error.filename, error)

    for parent, folders, names in os.walk(folder, onerror=keep):
        folders[:] = [name for name in folders if not name.startswith(".")]  # walk enters these
        for name in names:
            path = Path(parent, name)
            if name.startswith(".") or not _may_be_a_file(path):
                continue
            if path.suffix.lower() in SUFFIXES:
                found.pictures.append(path)
            elif path.suffix.lower() in _OTHER_SUFFIXES:
                found.passed_over[path.suffix.lower()] += 1
    found.pictures.sort(key=natural_order)
    return found


def _may_be_a_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True


def _unreadable(path: str | Path, error: OSError | ValueError) -> PictureError:
    reason = getattr(error, "strerror", None) or error
    return PictureError(f"{picture_name(path)}: cannot be read: {reason}")


def natural_order(path: Path) -> list[list[tuple[int, str, str]]]:
    """A key to sort paths by, in which numbers count as numbers, part by part of the path."""
    return [
        [
            # Numbers, which come first, by their length and digits: they may be of any length.
            (len(digits.lstrip("0")), digits.lstrip("0"), digits) if digits else (1 << 62, text, "")
            for digits, text in re.findall(r"([0-9]+)|([^0-9]+)", part)
        ]
        for part in path.parts
    ]
