"""vggnet.machine: memory, cores and names, in file systems made up for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vggnet import machine
from vggnet.engines import instruction_sets
from vggnet.machine import available_memory, processor_name, usable_cores

MEBI = 1 << 20
UNLIMITED = 9223372036854771712  # what version 1 says for none


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return root


def version_1(folder: str, limit: int, used: int) -> dict[str, str]:
    return {
        f"{folder}/memory.limit_in_bytes": f"{limit}",
        f"{folder}/memory.usage_in_bytes": f"{used}",
        f"{folder}/memory.stat": f"inactive_file 5\ntotal_inactive_file {10 * MEBI}",
    }


def version_2(folder: str, limit: int | str, used: int) -> dict[str, str]:
    return {
        f"{folder}/memory.max": f"{limit}",
        f"{folder}/memory.current": f"{used}",
        f"{folder}/memory.stat": f"anon 5\ninactive_file {10 * MEBI}\nactive_file 7",
    }


class TestMemory:
    @pytest.mark.parametrize(
        ("groups", "files", "expected"),
        [
            ("0::/", {}, 800),
            ("0::/a/b", version_2("a/b", 300 * MEBI, 100 * MEBI), 210),
            ("0::/a/b", version_2("a/b", "max", 1) | version_2("a", 90 * MEBI, 60 * MEBI), 40),
            ("0::/host/only", version_2("", 300 * MEBI, 100 * MEBI), 210),
            ("0::/a", version_2("a", 100 * MEBI, 120 * MEBI), 0),
            ("3:cpu,memory:/c\n0::/", version_1("memory/c", 300 * MEBI, 0), 310),
            ("3:memory:/host/c", version_1("memory", 400 * MEBI, 200 * MEBI), 210),
            ("3:memory:/c\n2:cpu:/", version_1("memory/c", UNLIMITED, 5 * MEBI), 800),
            ("2:cpu:/c", version_1("memory/c", 300 * MEBI, 0), 800),
        ],
        ids=[
            "no limit", "version 2", "of a parent", "a container", "over it", "version 1",
            "a container of version 1", "unlimited", "another controller",
        ],
    )  # fmt: skip
    def test_limits(
        self, tmp_path: Path, groups: str, files: dict[str, str], expected: int
    ) -> None:
        """Of a machine with 800 MiB free."""
        root = write(
            tmp_path,
            {
                "proc/meminfo": f"MemTotal:  999999 kB\nMemAvailable:  {800 * 1024} kB\nSwap: 1 kB",
                "proc/self/cgroup": groups,
                **{f"sys/fs/cgroup/{name}": text for name, text in files.items()},
            },
        )
        assert available_memory(root) == expected * MEBI

    def test_without_linux_it_is_a_guess(self, tmp_path: Path) -> None:
        assert available_memory(tmp_path) == 2 << 30

    @pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is a guess")
    def test_on_this_machine(self) -> None:
        assert available_memory() not in (0, 2 << 30)


class TestCores:
    @pytest.fixture(autouse=True)
    def _sixteen_cores(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)), raising=False)

    @pytest.mark.parametrize(
        ("limit", "cores"),
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
    def test_version_2(self, tmp_path: Path, limit: str, cores: int) -> None:
        root = write(tmp_path, {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": limit})
        assert usable_cores(root) == cores

    def test_the_narrowest_of_nested_groups(self, tmp_path: Path) -> None:
        groups = {
            "proc/self/cgroup": "0::/pod/box",
            "sys/fs/cgroup/pod/cpu.max": "300000 100000",
            "sys/fs/cgroup/pod/box/cpu.max": "800000 100000",
            "sys/fs/cgroup/pod/other/cpu.max": "100000 100000",
        }
        assert usable_cores(write(tmp_path, groups)) == 3
        narrower = write(tmp_path, {"sys/fs/cgroup/pod/box/cpu.max": "200000 100000"})
        assert usable_cores(narrower) == 2

    @pytest.mark.parametrize("controllers", ["cpu", "cpu,cpuacct"])
    @pytest.mark.parametrize(("quota", "cores"), [("-1", 16), ("500000", 5), ("450000", 5)])
    def test_version_1(self, tmp_path: Path, controllers: str, quota: str, cores: int) -> None:
        groups = f"11:memory:/box\n4:{controllers}:/box\n3:cpuset:/box\n1:name=systemd:/box\n0::/"
        root = write(
            tmp_path,
            {
                "proc/self/cgroup": groups,
                "sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": quota,
                "sys/fs/cgroup/cpu/box/cpu.cfs_period_us": "100000",
                "sys/fs/cgroup/memory/box/cpu.cfs_quota_us": "100000",
                "sys/fs/cgroup/memory/box/cpu.cfs_period_us": "100000",
            },
        )
        assert usable_cores(root) == cores

    def test_a_group_whose_folder_is_another_in_this_container(self, tmp_path: Path) -> None:
        """In a container the group's path is often the host's, and the mount's root the group."""
        root = write(
            tmp_path,
            {
                "proc/self/cgroup": "0::/system.slice/engine-1234.scope",
                "sys/fs/cgroup/cpu.max": "200000 100000",
            },
        )
        assert usable_cores(root) == 2

    def test_no_control_groups_at_all(self, tmp_path: Path) -> None:
        assert usable_cores(tmp_path) == 16

    def test_the_affinity(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        groups = {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "400000 100000"}
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5})
        assert usable_cores(write(tmp_path, groups)) == 2

    def test_a_system_without_affinities(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delattr(os, "sched_getaffinity")
        monkeypatch.setattr(os, "cpu_count", lambda: 6)
        assert usable_cores(tmp_path) == 6
        monkeypatch.setattr(os, "cpu_count", lambda: None)
        assert usable_cores(tmp_path) == 1

    def test_this_machine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.undo()
        assert 1 <= usable_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("cpuinfo", "said", "name"),
    [
        ("processor\t: 0\nmodel name\t: AMD EPYC 9R14\n", {}, "AMD EPYC 9R14"),
        (
            "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n",
            {"lscpu": "Vendor ID:   ARM\n  Model name:   Neoverse-N1\n    Model: 1\n"},
            "Neoverse-N1",
        ),
        (None, {"sysctl": "machdep.cpu.brand_string: Apple M2\n"}, "Apple M2"),
        (None, {"lscpu": "Vendor ID: ARM\nModel name: -\n"}, "aarch64"),
        (None, {}, "aarch64"),
    ],
)
def test_the_processor_has_a_name_everywhere(
    cpuinfo: str | None,
    said: dict[str, str],
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        if command[0] not in said:
            raise FileNotFoundError(command[0])
        return subprocess.CompletedProcess(command, 0, said[command[0]])

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(machine.platform, "processor", lambda: "")
    monkeypatch.setattr(machine.platform, "machine", lambda: "aarch64")
    assert processor_name(write(tmp_path, {"proc/cpuinfo": cpuinfo} if cpuinfo else {})) == name


def test_the_instruction_set_is_the_best_or_what_the_variable_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("VGGNET_ISA", raising=False)
    assert machine.instruction_set() == instruction_sets()[0]
    monkeypatch.setenv("VGGNET_ISA", "portable")
    assert machine.instruction_set() == "portable"
