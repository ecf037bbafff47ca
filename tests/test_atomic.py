"""vggnet.atomic: whole or not at all, on the disk, and nothing left beside it."""

import errno
import os
import stat
from pathlib import Path

import pytest
from full_disk import full_disk

from vggnet.atomic import put_in_place, whole_file, whole_path


def test_a_file_takes_its_place_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with whole_file(path) as file:
        file.write(b"first")
        assert not path.exists()
    assert path.read_bytes() == b"first"
    with pytest.raises(TypeError), whole_file(path) as file:
        file.writelines([b"second", "half"])  # type: ignore[list-item]
    assert path.read_bytes() == b"first"
    with pytest.raises(KeyboardInterrupt), whole_file(path) as file:
        raise KeyboardInterrupt
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_path_for_writers_that_take_one(tmp_path: Path) -> None:
    path = tmp_path / "net.h5"
    with whole_path(path) as partial:
        assert (partial.parent, partial.suffix) == (tmp_path, ".h5")
        partial.unlink()  # as one does that makes its files anew
        partial.write_bytes(b"first")
        assert not path.exists()
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with whole_file(path) as one, whole_file(path) as other:
        one.write(b"one")
        other.write(b"other")
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_left_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with whole_file(path, only_writer=True) as file:
        left = Path(file.name)
    left.write_bytes(b"half of something longer")
    with whole_file(path, only_writer=True) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="folders are flushed where the system can")
def test_the_file_is_flushed_before_it_is_renamed_and_its_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[tuple[str, bytes | None]] = []
    path, fsync = tmp_path / "file", os.fsync
    path.write_bytes(b"old")

    def note(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        flushed.append(("folder" if is_folder else "file", path.read_bytes()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    with whole_file(path) as file:
        file.write(b"new")
    assert flushed == [("file", b"old"), ("folder", b"new")]


def test_a_complete_file_is_put_in_place(tmp_path: Path) -> None:
    partial, path = tmp_path / "partial", tmp_path / "file"
    partial.write_bytes(b"all of it")
    put_in_place(partial, path)
    assert path.read_bytes() == b"all of it"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_permissions_are_those_of_any_new_file(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with whole_file(tmp_path / "file"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~umask


def test_a_link_is_replaced_and_what_it_led_to_stays(tmp_path: Path) -> None:
    path, target = tmp_path / "link", tmp_path / "target"
    target.write_bytes(b"kept")
    path.symlink_to(target)
    with whole_file(path) as file:
        file.write(b"new")
    assert (path.read_bytes(), path.is_symlink()) == (b"new", False)
    assert target.read_bytes() == b"kept"


def test_a_file_in_a_folder_that_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "none" / "file"
    with pytest.raises(FileNotFoundError) as caught, whole_file(path):
        pass
    assert caught.value.filename == str(path)
    assert caught.value.strerror == f"the folder {path.parent} is missing; make it first"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes that have a name")
def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    before = set(tmp_path.iterdir())
    for path in (*before, Path(os.devnull)):
        with pytest.raises(OSError, match="not a file on a disk") as caught, whole_file(path):
            pass
        assert caught.value.filename == str(path)
    assert set(tmp_path.iterdir()) == before


def test_a_full_disk_is_a_line_that_names_the_file_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="make room") as caught, full_disk(), whole_file(path) as file:
        file.write(bytes(100_000))
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(path))
    assert caught.value.strerror == "File too large; make room, or write to another disk"
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_behind_a_library_s_own_error(tmp_path: Path) -> None:
    path = tmp_path / "file"

    def library() -> None:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError:
            raise RuntimeError("unexpected position") from None

    with pytest.raises(OSError, match="left on device; make room") as caught, whole_file(path):
        library()
    assert caught.value.filename == str(path)
    with pytest.raises(RuntimeError, match="something else"), whole_file(path):
        raise RuntimeError("something else")
    assert not list(tmp_path.iterdir())
