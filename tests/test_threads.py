"""The default number of threads, in file systems made up for it."""

import os
from pathlib import Path

import pytest

from vggnet.engines.threads import default_threads


@pytest.fixture(autouse=True)
def _sixteen_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)), raising=False)


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


@pytest.mark.parametrize(
    ("limit", "threads"),
    [
        ("max 100000", 16),
        ("200000 100000", 2),
        ("250000 100000", 3),  # two whole cores and a half: a third thread has work to do
        ("50000 100000", 1),
        ("3200000 100000", 16),  # more than there are cores
        ("", 16),
        ("400000 0", 16),
    ],
)
def test_version_2(tmp_path: Path, limit: str, threads: int) -> None:
    root = write(tmp_path, {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": limit})
    assert default_threads(root) == threads


def test_the_narrowest_of_nested_groups(tmp_path: Path) -> None:
    groups = {
        "proc/self/cgroup": "0::/pod/box",
        "sys/fs/cgroup/pod/cpu.max": "300000 100000",
        "sys/fs/cgroup/pod/box/cpu.max": "800000 100000",
        "sys/fs/cgroup/pod/other/cpu.max": "100000 100000",
    }
    assert default_threads(write(tmp_path, groups)) == 3
    narrower = write(tmp_path, {"sys/fs/cgroup/pod/box/cpu.max": "200000 100000"})
    assert default_threads(narrower) == 2


@pytest.mark.parametrize("controllers", ["cpu", "cpu,cpuacct"])
@pytest.mark.parametrize(("quota", "threads"), [("-1", 16), ("500000", 5), ("450000", 5)])
def test_version_1(tmp_path: Path, controllers: str, quota: str, threads: int) -> None:
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": f"11:memory:/box\n4:{controllers}:/box\n1:name=systemd:/box\n0::/",
            "sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": quota,
            "sys/fs/cgroup/cpu/box/cpu.cfs_period_us": "100000",
            "sys/fs/cgroup/memory/box/cpu.cfs_quota_us": "100000",
            "sys/fs/cgroup/memory/box/cpu.cfs_period_us": "100000",
        },
    )
    assert default_threads(root) == threads


def test_a_group_whose_folder_is_another_in_this_container(tmp_path: Path) -> None:
    """In a container the group's path is often the host's, and the mount's root the group."""
    root = write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/system.slice/engine-1234.scope",
            "sys/fs/cgroup/cpu.max": "200000 100000",
        },
    )
    assert default_threads(root) == 2


def test_no_control_groups_at_all(tmp_path: Path) -> None:
    assert default_threads(tmp_path) == 16


def test_the_affinity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path, {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "400000 100000"})
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5})
    assert default_threads(root) == 2


def test_a_system_without_affinities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert default_threads(tmp_path) == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert default_threads(tmp_path) == 1


def test_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert 1 <= default_threads() <= (os.cpu_count() or 1)
