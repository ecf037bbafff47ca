"""Programs of C++ beside the package: what is compiled, and the mark of tests that need it."""

import os
import shutil
import subprocess

import pytest
from places import ROOT

COMPILER = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="there is no C++ compiler")


def compiled(*arguments: str, source: str = "") -> subprocess.CompletedProcess[str]:
    """Run the compiler at the root of the checkout."""
    return subprocess.run(
        [str(COMPILER), "-std=gnu++20", "-pthread", *arguments],
        input=source,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
