"""How much memory a run may still take.

In: what Linux says of the machine and of the control group (container) that the process is in. Out:
bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

# Where the groups of a version are, then the names of limit, use, and file cache that can be freed.
_VERSION_1 = ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_VERSION_2 = ("", "memory.max", "memory.current", "inactive_file")


def available_memory(root: Path = Path("/")) -> int:
    """Bytes that can still be taken without swapping and within the limits of control groups.

    `root` is the folder that holds proc and sys. Where they say nothing: a modest 2 GiB.
    """
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        machine = next(
            int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")
        )
    except (OSError, StopIteration):  # not Linux
        machine = 2 << 30
    return max(0, min([machine, *_left_in_groups(root)]))


def _left_in_groups(root: Path) -> Iterator[int]:
    """Limit less use, for the process's group and for each that it is part of, where it has one."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        mount, limit, use, cache = _VERSION_1 if controllers else _VERSION_2
        path = PurePosixPath(group.lstrip("/"))
        # In a container the path may be the host's, and only the mount itself is there.
        for part in (path, *path.parents):
            folder = root / "sys/fs/cgroup" / mount / part
            try:
                most = int((folder / limit).read_text())
                used = int((folder / use).read_text())
                rows = (folder / "memory.stat").read_text().splitlines()
            except (OSError, ValueError):  # no such group, or "max": no limit
                continue
            yield most - used + sum(int(row.split()[1]) for row in rows if row.split()[0] == cache)
