"""Pictures of the explorer, for the docs and for whoever has changed it to look at.

    .venv-dev/bin/python scripts/screenshots.py /tmp/shots --tabs network --themes dark

writes TAB-WIDTH-THEME-LANGUAGE.png: by default each tab at 1300 x 900 and 390 x 844, in both themes
and both languages. Needs Chromium.
"""

from __future__ import annotations

import argparse
import sys
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "browser"))
from in_browser import CHROMIUM, Explorer, chromium, served

SIZES = {"wide": (1300, 900), "phone": (390, 844)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--tabs", nargs="+", default=["learn", "network", "principle", "look"])
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--themes", nargs="+", default=["light", "dark"])
    parser.add_argument("--languages", nargs="+", default=["en", "zh"])
    parser.add_argument("--whole", action="store_true", help="the whole length of the page")
    parser.add_argument("--state", nargs="*", default=[], metavar="KEY=VALUE")
    asked = parser.parse_args()
    if CHROMIUM is None:
        sys.exit("needs Chromium (on Debian: apt-get install chromium)")
    asked.out.mkdir(parents=True, exist_ok=True)
    state = dict(each.split("=", 1) for each in asked.state)
    with served() as address, chromium() as browser:
        for tab, size, theme, language in product(
            asked.tabs, asked.sizes, asked.themes, asked.languages
        ):
            width, height = SIZES[size]
            explorer = Explorer(browser, address, viewport={"width": width, "height": height})
            page = explorer.open(tab=tab, theme=theme, language=language, **state)
            page.wait_for_load_state("networkidle")
            path = asked.out / f"{tab}-{size}-{theme}-{language}.png"
            page.screenshot(path=path, full_page=asked.whole)
            print(path)
            explorer.close()


if __name__ == "__main__":
    main()
