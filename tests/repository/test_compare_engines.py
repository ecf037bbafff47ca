"""scripts/compare_engines.py: it measures, and it fails where engines differ."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from places import ROOT

SCRIPT = ROOT / "scripts" / "compare_engines.py"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("bound", "status"), [(1e-4, 0), (1e-12, 1)])
def test_numpy_against_torch(pictures: Path, bound: float, status: int) -> None:
    found = run(pictures, "--pictures", 3, "--engines", "numpy", "torch", "--bound", bound)
    assert found.returncode == status, found.stderr
    line = re.fullmatch(
        r"numpy against torch: relative error (\S+) .*on 3 of 3 pictures\n", found.stdout
    )
    assert line
    assert 1e-12 < float(line[1]) < 1e-5


def test_a_mistake_is_one_line(pictures: Path) -> None:
    found = run(pictures, "--engines", "numpy", "abacus")
    assert found.returncode == 2
    assert found.stderr.splitlines()[-1].endswith(
        "error: engine 'abacus' must be one of auto, native, torch, numpy"
    )
