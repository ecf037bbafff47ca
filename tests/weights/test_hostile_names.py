"""Names in weight files that are made to hang a reader or to spoil a terminal."""

import subprocess
import sys
from pathlib import Path

import hostile_names

MINUTES = 10  # what takes seconds; a pattern that tries 2^40 ways would take years


def test_hostile_names_end_in_one_printable_line_and_soon(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, hostile_names.__file__, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60 * MINUTES,
    )
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")
    assert len(list(tmp_path.iterdir())) > 5 * len(hostile_names.NAMES)
