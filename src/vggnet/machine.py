"""What this machine lets the process use: memory, cores, instruction sets.

In: what the system says of itself, of the process and of the control groups (containers) that it is
in. Out: plain values. `root` is the folder in which the file systems of the kernel are looked for.
"""

from __future__ import annotations

import math
import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

# Names of a memory group's files by the version of control groups: limit, use; then, in
# memory.stat, the file cache that can be freed.
_MEMORY = {
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: ("memory.max", "memory.current", "inactive_file"),
}
# Who else knows the processor's name: Linux on Arm, macOS.
_COMMANDS = (["lscpu"], ["sysctl", "machdep.cpu.brand_string"])
_NAME = re.compile(
    r"^[ \t]*(?:model name|machdep\.cpu\.brand_string)[ \t]*:[ \t]*(\w.*?)[ \t]*$", re.I | re.M
)


def available_memory(root: Path = Path("/")) -> int:
    """Bytes that can still be taken without swapping and within the limits of control groups.

    Where the system says nothing: a modest 2 GiB.
    """
    found = re.search(r"^MemAvailable: *([0-9]+) kB$", _read(root / "proc/meminfo"), re.M)
    machine = int(found[1]) * 1024 if found else 2 << 30
    return max(0, min([machine, *_memory_left_in_groups(root)]))


def usable_cores(root: Path = Path("/")) -> int:
    """Cores that the affinity allows, and no more than the CPU time that every group allows.

    A part of a core counts as one, since it is work for one more thread.
    """
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, min([cores, *(math.ceil(quota) for quota in _quotas(root))]))


def processor_name(root: Path = Path("/")) -> str:
    """As the system tells it; where it does not, the architecture."""
    if found := _NAME.search(_read(root / "proc/cpuinfo")):
        return found[1]
    import subprocess  # which an engine, for whom this module is read, can do without

    for command in _COMMANDS:
        try:
            said = subprocess.run(
                command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}
            ).stdout
        except OSError:  # no such command
            continue
        if found := _NAME.search(said):
            return found[1]
    return platform.processor() or platform.machine() or "unknown"


def instruction_set() -> str:
    """The one that the native engine computes with: the best, or what VGGNET_ISA names.

    Raises ImportError where the engine was not built and the variable names none.
    """
    if named := os.environ.get("VGGNET_ISA"):
        return named
    from vggnet import _native

    return _native.instruction_sets()[0]


def _memory_left_in_groups(root: Path) -> Iterator[int]:
    """Limit less use, of each group that has a limit."""
    for version, folder in _groups(root, "memory"):
        limit, use, cache = _MEMORY[version]
        try:
            most, used = int(_read(folder / limit)), int(_read(folder / use))
        except ValueError:  # no such group, or "max": no limit
            continue
        rows = [row.split() for row in _read(folder / "memory.stat").splitlines()]
        yield most - used + sum(int(number) for name, number in rows if name == cache)


def _quotas(root: Path) -> Iterator[float]:
    """CPU seconds a second, of each group that limits them."""
    for version, folder in _groups(root, "cpu"):
        if version == 1:
            limit = f"{_read(folder / 'cpu.cfs_quota_us')} {_read(folder / 'cpu.cfs_period_us')}"
        else:
            limit = _read(folder / "cpu.max")
        quota, _, period = limit.partition(" ")
        if quota.isdecimal() and period.isdecimal() and int(period):
            yield int(quota) / int(period)


def _groups(root: Path, controller: str) -> Iterator[tuple[int, Path]]:
    """The groups under `controller` that the process is in, and those around each: version, folder.

    Some of the folders may not be there: in a container the path of a group is often the host's,
    and the root of the mount is the group.
    """
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        version, mount = (1, controller) if controllers else (2, "")
        path = PurePosixPath(group.lstrip("/"))
        for part in (path, *path.parents):
            yield version, root / "sys/fs/cgroup" / mount / part


def _read(path: Path) -> str:
    """The text of a file, "" where it cannot be read."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""
