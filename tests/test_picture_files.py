"""Which pictures a path stands for."""

from collections import Counter
from pathlib import Path

import pytest
from bad_pictures import BAD_PICTURES, forbid

from vggnet.image import FORMATS, PictureError
from vggnet.picture_files import SUFFIXES, Found, find_pictures


def test_find_pictures(tmp_path: Path) -> None:
    names = (
        "b.JPG",
        "a.png",
        "notes.txt",
        ".hidden.jpg",
        "deep/er/c.webp",
        "given.dat",
        "deep/d.HEIC",
        "d.heic",
    )
    for name in (*names, ".git/d.png", "deep/.ipynb_checkpoints/e.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    inside = [tmp_path / name for name in ("a.png", "b.JPG", "deep/er/c.webp")]
    given = tmp_path / "given.dat"
    BAD_PICTURES["a pipe that nobody writes to"](tmp_path)
    assert find_pictures(given) == Found([given], Counter())
    assert find_pictures(str(tmp_path)) == Found(inside, Counter({".heic": 2}))
    hidden = tmp_path / ".git"
    assert find_pictures(hidden).pictures == [hidden / "d.png"]  # whoever names it wants it
    lost = BAD_PICTURES["a link to nothing"](tmp_path)
    assert lost in find_pictures(tmp_path).pictures


def test_pictures_come_in_natural_order(tmp_path: Path) -> None:
    names = ["1.png", "2.png", "010.png", "10.png", "a2.png", "a10.png", "a10b.png", "b/1.png"]
    names += [
        "b/09.png",
        "b/9.png",
        "b/100.png",
        "b/9" + "9" * 40 + ".png",
        "b2/1.png",
        "b10/1.png",
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in find_pictures(tmp_path).pictures]
    assert found == names


def test_find_pictures_names_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(PictureError, match=r"none: no pictures in this folder \(\.bmp"):
        find_pictures(tmp_path / "none")
    for path in (tmp_path / "nowhere.jpg", BAD_PICTURES["a link to nothing"](tmp_path)):
        with pytest.raises(PictureError, match=f"{path}: cannot be read: No such file"):
            find_pictures(path)
    with pytest.raises(PictureError, match=r"cannot be read: .*too long"):
        find_pictures("long" * 200)
    with pytest.raises(PictureError, match=r"cannot be read: .*null"):
        find_pictures("a\0b")


def test_a_folder_that_cannot_be_read_is_told_and_the_others_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.png", "closed/b.png", "open/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    closed = tmp_path / "closed"
    forbid(monkeypatch, closed)
    found = find_pictures(tmp_path)
    assert found.pictures == [tmp_path / "a.png", tmp_path / "open/c.png"]
    (fault,) = found.faults.items()
    assert (fault[0], str(fault[1])) == (
        str(closed), f"{closed}: cannot be read: Permission denied"
    )  # fmt: skip
    alone = find_pictures(closed)  # not "no pictures in this folder"
    assert (alone.pictures, list(alone.faults)) == ([], [str(closed)])


def test_a_file_that_nobody_can_look_at_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a folder that may be listed and not entered: whoever opens it hears why."""
    (tmp_path / "a.png").touch()
    own = Path.stat

    def refuse(path: Path, **options: bool) -> object:
        if path.name == "a.png":
            raise PermissionError(13, "Permission denied")
        return own(path, **options)

    monkeypatch.setattr(Path, "stat", refuse)
    assert find_pictures(tmp_path).pictures == [tmp_path / "a.png"]


def test_avif_is_found_where_it_can_be_read() -> None:
    assert (".avif" in SUFFIXES) == ("AVIF" in FORMATS)
