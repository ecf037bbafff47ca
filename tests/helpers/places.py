"""Where the checkout is, and what the tests use of it."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
HELPERS = ROOT / "tests" / "helpers"
