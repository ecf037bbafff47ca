"""Which commit the running code is.

In: a file of the package. Out: the commit of the checkout that tracks it, if one does.
"""

from __future__ import annotations

import subprocess
from pathlib import Path


def commit_of(file: Path) -> str | None:
    """The commit of the checkout that tracks `file`, "+" where its package was changed since.

    `file` lies in a folder of the package. None where no checkout does, although one may lie
    around it.
    """
    package = file.parent.parent
    try:
        _git(package, "ls-files", "--error-unmatch", str(file))
        commit = _git(package, "rev-parse", "HEAD")
        return commit + ("+" if _git(package, "status", "--porcelain", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
