"""What scripts/emulate runs on a machine that has no Python, run on this one: it is still right."""

import subprocess
from pathlib import Path

from compiler import compiled, needs_compiler

PARTS = ("memory", "placement", "team", "plan", "cpu", "target/target")


@needs_compiler
def test_plans_are_those_of_plain_loops(tmp_path: Path) -> None:
    program = tmp_path / "plan"
    ran = compiled(
        "-O1", "-fno-math-errno", "-DVGGNET_TARGET=portable",
        *(f"native/{part}.cc" for part in PARTS), "tests/engines/plan_on_this_machine.cc",
        "-o", str(program),
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    found = subprocess.run([program], capture_output=True, text=True, check=False)
    assert found.stdout.startswith("portable: largest error "), found.stdout
    assert found.returncode == 0, found.stdout
