"""How many threads this process may keep busy.

In: the process's affinity and the quota of its control groups. Out: a whole number from 1 on.
"""

from __future__ import annotations

import math
import os
from pathlib import Path


def default_threads(root: Path = Path("/")) -> int:
    """Cores that the affinity allows, and no more than the CPU time that every group allows.

    `root` is where the file systems of the kernel are looked for.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, min([cores, *(math.ceil(quota) for quota in _quotas(root))]))


def _quotas(root: Path) -> list[float]:
    """CPU seconds a second that each control group of this process allows, where it limits them."""
    quotas = []
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if controllers not in ("", "cpu", "cpu,cpuacct"):
            continue
        mount = root / "sys/fs/cgroup" / ("cpu" if controllers else "")
        folder = mount / group.strip("/")
        for place in [folder, *folder.parents]:
            if controllers:
                limit = f"{_read(place / 'cpu.cfs_quota_us')} {_read(place / 'cpu.cfs_period_us')}"
            else:
                limit = _read(place / "cpu.max")
            quota, _, period = limit.partition(" ")
            if quota.isdecimal() and period.isdecimal() and int(period):
                quotas.append(int(quota) / int(period))
            if place == mount:
                break
    return quotas


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
