"""HDF5 that our own reader does not read: h5py reads it, in a process of its own.

In: a file. Out: the same as HDF5 of the plainest form, mapped, for our own reader. libhdf5 is C and
has had faults of memory safety on damaged files; what they end is the other process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from vggnet.printable import printable
from vggnet.weights.containers.storage.mapped import map_file

# By its path: `python -m` would look for modules in the working directory first.
_PROGRAM = (str(Path(__file__).with_name("h5py_program.py")),)
_LONGEST_REPORT = 10_000  # bytes of the process's standard error that are looked at


def rewritten(
    path: Path,
    form: Literal["hdf5", "matlab"],
    why: str,
    data: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """What h5py_program makes of the file, or of `data`, which lies in it.

    `why` says, after the path, why h5py is needed. Raises ValueError, in one line that begins with
    the path, where h5py is missing or does not read the file. The result lies in a file of the
    folder for temporary files, which is gone once it is no longer used.
    """
    if find_spec("h5py") is None:
        raise ValueError(f"{path}: {why}; h5py reads it: pip install 'vggnet[keras]'")
    with TemporaryDirectory(prefix="vggnet-", ignore_cleanup_errors=True) as folder:
        source, target = path, Path(folder, "plain.h5")
        if data is not None:
            source = Path(folder, "source.h5")
            data.tofile(source)
        with Path(folder, "report").open("w+b") as report:
            ended = subprocess.run(
                [sys.executable, *_PROGRAM, form, os.fspath(source), os.fspath(target)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=report,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                     "HDF5_PLUGIN_PRELOAD": "::"},  # no code that the file asks for
            )  # fmt: skip
            if ended.returncode:
                raise ValueError(f"{path}: {why}; h5py: {_fault(ended.returncode, report)}")
        return map_file(target)


def _fault(status: int, report: BinaryIO) -> str:
    if status < 0:
        return f"ended by signal {-status}; the file may be damaged"
    report.seek(max(0, report.tell() - _LONGEST_REPORT))
    lines = report.read().decode(errors="replace").splitlines()
    return printable(lines[-1]) if lines else f"ended with status {status}"
