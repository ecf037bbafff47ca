"""The explorer's page: small, all of it in use, of the package's own colours, in both languages."""

import ast
import posixpath
import re
from importlib import resources
from pathlib import Path

import pytest
from places import ROOT

import vggnet
from vggnet.analysis import analyze
from vggnet.configurations import configuration
from vggnet.drawing.network import network_scene
from vggnet.drawing.page import page
from vggnet.drawing.scales import _STEPS
from vggnet.drawing.svg import svg

PAGE = resources.files("vggnet") / "web" / "page"
DRAWING = resources.files("vggnet") / "drawing" / "page"
TABS = ("learn", "network", "principle", "look")


def read(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")


def files(folder: resources.abc.Traversable) -> list[resources.abc.Traversable]:
    inside = [each for each in folder.iterdir() if not each.name.startswith("__")]
    found = [each for each in inside if each.is_file()]
    return found + [file for each in inside if each.is_dir() for file in files(each)]


def test_the_page_is_small() -> None:
    served = [each for each in files(PAGE) + files(DRAWING) if not each.name.endswith(".jpg")]
    assert sum(len(each.read_bytes()) for each in served) < 300_000


def test_each_file_holds_one_idea() -> None:
    long = {each.name: len(each.read_text().splitlines()) for each in files(PAGE)
            if each.name.endswith((".js", ".css"))}  # fmt: skip
    assert {name: lines for name, lines in long.items() if lines > 300} == {}


def test_nothing_is_written_that_the_page_may_not_do() -> None:
    """Its rules (CSP) allow no style, script or handler within the HTML."""
    html = read("index.html")
    assert re.findall(r"style=|<style|\son\w+=|<script(?![^>]*src=)", html) == []
    assert re.findall(r"https?://", html) == []


def test_colours_are_those_of_the_files() -> None:
    steps = read("shared/colours.js")
    for name, hexadecimals in _STEPS.items():
        shown = re.search(rf'{name}:\s+((?:"[0-9a-f ]+"[\s+]*)+)', steps)
        assert shown is not None
        assert re.findall("[0-9a-f]{6}", shown[1]) == hexadecimals.split()


def modules() -> dict[str, str]:
    """Their texts by where the page finds them: what is drawn elsewhere lies below drawing/."""
    return {
        f"{below}{file.relative_to(str(folder)).as_posix()}": file.read_text(encoding="utf-8")
        for folder, below in ((PAGE, ""), (DRAWING, "drawing/"))
        for file in map(Path, map(str, files(folder)))
        if file.suffix == ".js"
    }


def test_what_a_module_exports_is_imported_somewhere() -> None:
    exported, imported = set(), {(f"{tab}/{tab}.js", "mount") for tab in TABS}
    for name, text in modules().items():
        exported |= {(name, each) for each in re.findall(
            r"^export (?:async )?(?:function|const|class) (\w+)", text, re.MULTILINE)}  # fmt: skip
        for names, whole, other in re.findall(
            r'^import (?:\{([^}]*)\}|\* as (\w+)) from "([^"]*)"', text, re.MULTILINE
        ):
            used = re.findall(rf"\b{whole}\.(\w+)", text) if whole else re.findall(r"\w+", names)
            imported |= {(posixpath.normpath(f"{name}/../{other}"), each) for each in used}
    assert ("elements.js", "element") in exported
    assert exported - imported == set()


def quoted(text: str) -> set[str]:
    """The words of whatever stands in quotes; of what is put together, "kind-{}"."""
    templates = " ".join(re.findall(r"`([^`]*)`", text))
    plain = " ".join(re.findall(r'"([^"\n]*)"', text))
    return set(f"{plain} {re.sub(r'[$]{[^}]*}', '{}', templates)}".split())


def test_what_a_style_sheet_styles_stands_in_the_page() -> None:
    both = [analyze(configuration(name)) for name in ("A", "A-LRN")]
    drawn = page(
        svg(network_scene([each.drawn() for each in both])), [each.to_json() for each in both]
    )
    given = set().union(*map(quoted, [read("index.html"), *modules().values(), drawn]))
    for file in files(PAGE) + files(DRAWING):
        if file.name.endswith(".css"):
            rules = re.sub(r"/\*.*?\*/", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
            selectors = " ".join(re.findall(r"([^{};]*)\{", rules))
            styled = set(re.findall(r"\.([a-z][\w-]*)", selectors))
            for name in styled:
                first, _, last = name.rpartition("-")
                assert given & {name, f"{first}-{{}}", f"{{}}-{last}"}, f"{file.name}: {name}"


def codes() -> set[str]:
    """The names that the package gives to a user's mistakes, wherever a problem is raised."""
    where = {"Problem": 2, "busy": 1, "checking": 0, "SpecError": 2, "_error": 2}
    found = set()
    package = Path(vggnet.__file__).parent
    for path in [*(package / "web").glob("*.py"), package / "spec.py"]:
        for call in ast.walk(ast.parse(path.read_text())):
            if not isinstance(call, ast.Call):
                continue
            name = getattr(call.func, "id", getattr(call.func, "attr", ""))
            if name in where:
                named = [each.value for each in call.keywords if each.arg == "code"]
                given = [*call.args[where[name] :][:1], *named]
                found |= {each.value for each in given if isinstance(each, ast.Constant)}
    return {each for each in found if isinstance(each, str)}


def told_in_chinese() -> set[str]:
    return set(re.findall(r'^  "?([a-z-]+)"?: \(', read("faults.js"), re.MULTILINE))


@pytest.mark.parametrize("page", ["serve.md", "serve.zh-CN.md"])
def test_the_table_of_mistakes_has_those_that_the_page_knows(page: str) -> None:
    _, _, table = (ROOT / "docs" / page).read_text(encoding="utf-8").partition("| `code` |")
    rows = table.partition("\n\n")[0].splitlines()[2:]
    listed = [code for row in rows for code in re.findall("`([a-z-]+)`", row.split("|")[1])]
    assert len(listed) == len(set(listed))
    assert set(listed) - {"network"} == told_in_chinese()


def test_every_mistake_that_has_a_name_is_told_in_chinese() -> None:
    # "network" is any fault of a network that has no name of its own: it is told as it is.
    assert {"bad-token", "picture", "stopping"} < codes()
    assert (codes() | {"busy"}) - {"network"} <= told_in_chinese()
