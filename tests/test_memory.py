"""vggnet.training.memory: the machine's free memory and the limits of control groups."""

from pathlib import Path

import pytest

from vggnet.training.memory import available_memory

MEBI = 1 << 20


def machine(root: Path, groups: str, files: dict[str, str]) -> Path:
    """A tree like the one Linux shows, of a machine with 800 MiB free."""
    files = {
        "proc/meminfo": f"MemTotal: 999999 kB\nMemAvailable: {800 * 1024} kB\n",
        "proc/self/cgroup": groups,
        **{f"sys/fs/cgroup/{name}": text for name, text in files.items()},
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def version_1(folder: str, limit: int, used: int) -> dict[str, str]:
    return {
        f"{folder}/memory.limit_in_bytes": f"{limit}\n",
        f"{folder}/memory.usage_in_bytes": f"{used}\n",
        f"{folder}/memory.stat": f"inactive_file 5\ntotal_inactive_file {10 * MEBI}\n",
    }


def version_2(folder: str, limit: int | str, used: int) -> dict[str, str]:
    return {
        f"{folder}/memory.max": f"{limit}\n",
        f"{folder}/memory.current": f"{used}\n",
        f"{folder}/memory.stat": f"anon 5\ninactive_file {10 * MEBI}\nactive_file 7\n",
    }


UNLIMITED = 9223372036854771712  # what version 1 says for none


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/\n", {}, 800),
        ("0::/a/b\n", version_2("a/b", 300 * MEBI, 100 * MEBI), 210),
        ("0::/a/b\n", version_2("a/b", "max", 1) | version_2("a", 90 * MEBI, 60 * MEBI), 40),
        ("0::/host/only\n", version_2("", 300 * MEBI, 100 * MEBI), 210),
        ("0::/a\n", version_2("a", 100 * MEBI, 120 * MEBI), 0),
        ("3:cpu,memory:/c\n0::/\n", version_1("memory/c", 300 * MEBI, 0), 310),
        ("3:memory:/host/c\n", version_1("memory", 400 * MEBI, 200 * MEBI), 210),
        ("3:memory:/c\n2:cpu:/\n", version_1("memory/c", UNLIMITED, 5 * MEBI), 800),
        ("2:cpu:/c\n", version_1("memory/c", 300 * MEBI, 0), 800),
    ],
    ids=[
        "no limit", "version 2", "of a parent", "a container", "over it", "version 1",
        "a container of version 1", "unlimited", "another controller",
    ],
)  # fmt: skip
def test_limits(tmp_path: Path, groups: str, files: dict[str, str], expected: int) -> None:
    assert available_memory(machine(tmp_path, groups, files)) == expected * MEBI


def test_without_linux_it_is_a_guess(tmp_path: Path) -> None:
    assert available_memory(tmp_path) == 2 << 30


def test_on_this_machine() -> None:
    assert available_memory() > 0
