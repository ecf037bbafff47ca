"""The engine's team of threads, alone: native/team.h in the parts of team_on_this_machine.cc.

What only a sanitizer sees is for scripts/sanitize_team, which runs the same parts.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from compiler import compiled, needs_compiler

pytestmark = needs_compiler


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("team") / "team"
    sources = ("tests/engines/team_on_this_machine.cc", "native/team.cc", "native/placement.cc")
    ran = compiled("-O1", *sources, "-o", str(program), "-ldl")
    assert ran.returncode == 0, ran.stderr
    return program


@pytest.mark.parametrize(
    ("part", "times"),
    [("loops", 500), ("ends", 200), ("callers", 200), ("forks", 10)],
)
def test_every_piece_is_done_once(driver: Path, part: str, times: int) -> None:
    run(driver, part, times)


@pytest.mark.skipif(sys.platform != "linux", reason="takes the place of glibc's pthread_create")
def test_threads_that_cannot_be_started_are_done_without(driver: Path) -> None:
    run(driver, "refused", 5)


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs Linux and two cores",
)
def test_a_thread_that_somebody_else_has_placed_stays_there(driver: Path) -> None:
    run(driver, "placement", 3)


def run(driver: Path, part: str, times: int) -> None:
    ran = subprocess.run(
        [driver, part, str(times)], capture_output=True, text=True, timeout=600, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("word", ["noexcept ", ""])
def test_a_body_that_might_throw_is_not_compiled(word: str) -> None:
    source = f"""
        #include "native/team.h"
        void loop(vggnet::Team& team) {{ team.parallel(2, [](int, int) {word}{{}}); }}
    """
    ran = compiled("-fsyntax-only", "-I.", "-x", "c++", "-", source=source)
    assert (ran.returncode == 0) == bool(word), ran.stderr
    assert word or "the body of a parallel loop must be noexcept" in ran.stderr
