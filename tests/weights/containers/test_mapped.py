import sys
from pathlib import Path

import numpy as np
import pytest

from vggnet.atomic import whole_file
from vggnet.weights.containers.storage.mapped import map_file, release


def test_a_file_is_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc" * 100)
    mapped = map_file(path)
    assert type(mapped) is np.ndarray
    assert mapped.tobytes() == b"abc" * 100
    assert not mapped.flags.writeable


def test_files_that_cannot_be_mapped(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for name, reason in (("none", "No such file"), ("empty", "empty file"), ("", "directory")):
        path = tmp_path / name
        with pytest.raises(ValueError, match=reason) as caught:
            map_file(path)
        assert str(caught.value).startswith(f"{path}: ")


def resident() -> int:
    """Bytes of mapped files that this process has in memory."""
    names = ("RssFile", "RssShmem")  # the second is of files in memory, on a tmpfs
    lines = Path("/proc/self/status").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(names))


@pytest.mark.skipif(sys.platform != "linux", reason="memory in use is read from /proc")
def test_released_memory_is_given_back_and_read_anew(tmp_path: Path) -> None:
    numbers = np.arange(2**21, dtype="<f8")
    path = tmp_path / "file"
    path.write_bytes(b"odd" + numbers.tobytes())
    view = map_file(path)[3:].view("<f8").reshape(2, 2**20)
    before = resident()
    assert view.sum() == numbers.sum()
    touched = resident()
    assert touched - before > 0.9 * numbers.nbytes
    release(view)
    assert touched - resident() > 0.9 * numbers.nbytes
    assert np.array_equal(view.reshape(-1), numbers)


def test_other_arrays_are_left_alone() -> None:
    array = np.ones(10_000)
    release(array)
    release(array[::2])
    assert array.sum() == 10_000


def test_who_has_the_former_file_mapped_keeps_it(tmp_path: Path) -> None:
    """Cut in place, it would end the process: docs/weight-files.md."""
    path = tmp_path / "file"
    path.write_bytes(b"first" * 4096)
    mapped = map_file(path)
    with whole_file(path) as file:
        file.write(b"other" * 4096)
    assert path.read_bytes() == b"other" * 4096
    assert mapped.tobytes() == b"first" * 4096
