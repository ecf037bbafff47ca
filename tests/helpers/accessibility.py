"""What axe-core finds in the page that is shown."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from in_browser import Explorer


def faults(explorer: Explorer) -> list[str]:
    """Serious and critical ones: which rule, and where."""
    found = Axe().run(explorer.page).response["violations"]
    return [
        f"{each['id']}: {node['html']}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]
