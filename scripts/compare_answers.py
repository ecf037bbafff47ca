"""Says for each example whether its class, from SOURCES.md, is among the five that vggnet names.

In: examples/SOURCES.md and `vggnet predict`. Out: a line a picture on standard output; hits and
misses alike, since a miss is an answer too.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parent.parent / "examples"


def main() -> None:
    command = [sys.executable, "-m", "vggnet", "predict", str(EXAMPLES), "--format", "json"]
    answers = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    rows = (EXAMPLES / "SOURCES.md").read_text().splitlines()
    for answer in answers:
        name = Path(answer["image"]).name
        row = next(row for row in rows if row.startswith(f"| {name} "))
        expected = re.findall(r"n\d{8}", row)
        ranks = [
            rank for rank, each in enumerate(answer["predictions"], 1) if each["wnid"] in expected
        ]
        verdict = f"hit, at place {ranks[0]} of 5" if ranks else "miss"
        print(f"{name}: {' or '.join(expected)}: {verdict}")


if __name__ == "__main__":
    main()
