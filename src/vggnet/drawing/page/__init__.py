"""One HTML page of a network that stands alone: no other file, no other host, no build step.

In: a drawing and what the networks cost. Out: HTML. The style sheet and the ES modules lie beside
this file, where a server may serve them as they are; here they are put into the page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from typing import Any

from vggnet.drawing.costs import costs_table
from vggnet.drawing.language import Language, said
from vggnet.printable import printable

MODULES = ("selection.js", "sorting.js", "copying.js")
_HINT = "Point at a layer, or go through them with the arrow keys."
_START = """
const details = document.querySelector(".details");
linkSelection(document, (row) => (details.textContent = row.dataset.details));
document.querySelectorAll(".costs table").forEach(makeSortable);
copyPlainly(document);
"""


def page(drawing: str, described: Sequence[Mapping[str, Any]], language: Language = "en") -> str:
    """The page of networks that are drawn as the SVG `drawing`, in the order of `described`.

    `described` is what `Analysis.to_json` gives of each. Without scripts it shows the same, but
    neither sorts nor lights up.
    """
    names = [escape(printable(str(each["name"]))) for each in described]
    title = said(f"{' and '.join(names)}, layer by layer", language)
    headings = [f"<h2>{name}</h2>\n" if len(names) > 1 else "" for name in names]
    tables = "\n".join(
        f'{headings[number]}<div class="costs">{costs_table(each, number, language)}</div>'
        for number, each in enumerate(described)
    )
    return f"""<!DOCTYPE html>
<html lang="{"zh-Hans" if language == "zh" else "en"}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{asset("page.css")}{asset("layers.css")}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<div class="drawing" data-drawing tabindex="0" role="group"
     aria-label="{said("The layers; the arrow keys go from one to the next", language)}">
{drawing}</div>
<p class="details" aria-live="polite">{said(_HINT, language)}</p>
{tables}
</main>
<script type="module">
{"".join(map(_without_exports, MODULES))}{_START}</script>
</body>
</html>
"""


def asset(name: str) -> str:
    """The text of a style sheet or module beside this file."""
    return (resources.files(__name__) / name).read_text(encoding="utf-8")


def _without_exports(name: str) -> str:
    """A module as a part of another one; those here import nothing."""
    return re.sub(r"^export (?=function|const)", "", asset(name), flags=re.MULTILINE)
