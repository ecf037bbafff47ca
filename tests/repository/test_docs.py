"""The READMEs and the pages of docs/ name what there is, and their code does what it says."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from command_line import run
from places import ROOT

from vggnet.cli.commands import vggnet

PACKAGE = ROOT / "src" / "vggnet"
PAGES = sorted(
    str(path.relative_to(ROOT))
    for folder in (".", "docs", "docs/tiny-imagenet", "experiments")
    for path in (ROOT / folder).glob("*.md")
)
READMES = ["README.md", "README.zh-CN.md"]
# Folders whose modules the READMEs name one by one; of the others they say what is in them.
NAMED_WHOLE = ["data", "engines", "evaluation", "torch_native", "training", "training/batches",
               "training/record", "weights"]  # fmt: skip
NAMES = {
    "python": ("without-torch", "perceptual-loss", "training", "gradients"),
    "explain": ("explain", "unit"),
}


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", text(f"docs/{page}"), re.DOTALL | re.MULTILINE)


@pytest.fixture
def beside_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working folder has the photographs that the pages speak of."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("beside_examples")
@pytest.mark.parametrize(
    "code",
    [
        pytest.param(code, id=name)
        for page, names in NAMES.items()
        for name, code in zip(names, blocks(f"{page}.md"), strict=True)
    ],
)
def test_a_block_prints_what_stands_beside_it(
    code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(compile(code, "a page of docs/", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    expected = re.findall(r"print\(.*\)  # (.+)", code)
    assert expected
    assert printed[: len(expected)] == expected


def test_the_block_about_protocols(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cats = tmp_path / "DATA" / "Egyptian cat"
    cats.mkdir(parents=True)
    (cats / "cat.jpg").symlink_to(ROOT / "examples" / "cat.jpg")
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("testing.md")
    exec(compile(code, "testing.md", "exec"), {})
    assert capsys.readouterr().out.splitlines() == re.findall(r"print\(.*\)  # (.+)", code)


@pytest.mark.parametrize("page", [*NAMES, "testing"])
def test_the_pages_have_the_same_code(page: str) -> None:
    def bare(name: str) -> list[str]:
        return [re.sub(r'# .*|""".*"""', "", code) for code in blocks(name)]

    assert bare(f"{page}.md") == bare(f"{page}.zh-CN.md")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text(page)):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        there = (ROOT / page).parent / name if name else ROOT / page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            broken.append(link)
    assert broken == []


def anchors(page: Path) -> list[str]:
    """What GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings]


def test_anchors_are_those_of_github(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("# Why 3x3, `twice`?\n\n## 1.38 亿参数在哪里\n", "utf-8")
    assert anchors(tmp_path / "page.md") == ["why-3x3-twice", "138-亿参数在哪里"]


@pytest.mark.parametrize("page", PAGES)
def test_commands_have_the_options_that_are_named(page: str) -> None:
    """Of lines in blocks, and of what stands between backticks."""
    fenced = re.findall(r"^```\w*\n(.*?)^```$", text(page), re.DOTALL | re.MULTILINE)
    lines = re.findall(r"(?:^(?:\$ )?|&& |-m )(vggnet .+)", "".join(fenced), re.MULTILINE)
    lines += re.findall(r"`(?:[^`\n]* )?(vggnet [^`]+)`", text(page))
    wrong = []
    for line in lines:
        words = re.split(r"\s#|[<>|]|&&", line)[0].split()
        known, options = known_options(words[1:])
        wrong += [line] if not known or not set(options) <= known else []
    assert wrong == []


def known_options(words: list[str]) -> tuple[set[str], list[str]]:
    """Those of the command that the words begin with, and those among the words."""
    command: click.Command | None = vggnet
    for word in words:
        if isinstance(command, click.Group) and not word.startswith("-"):
            command = command.get_command(click.Context(command), word)
    known = {"-h", "--help"} if command else set()
    for parameter in command.params if command else ():
        known.update(parameter.opts, parameter.secondary_opts)
    return known, [word for word in words if re.fullmatch(r"-[a-zA-Z]|--[a-z][a-z-]*", word)]


@pytest.mark.parametrize("page", PAGES)
def test_options_are_of_some_program(page: str) -> None:
    """Those that stand alone in a sentence, too."""
    known = {
        "--nproc-per-node", "--nnodes", "--rdzv-backend", "--rdzv-endpoint",  # of torchrun
        "--inplace", "--data-binary",  # of rsync and curl
    }  # fmt: skip
    for command in commands(vggnet):
        for parameter in command.params:
            known.update(parameter.opts, parameter.secondary_opts)
    for folder in ("scripts", "benchmarks", "experiments"):
        for path in (ROOT / folder).rglob("*.py"):
            known.update(re.findall(r'"(--[a-z][\w-]*)"', path.read_text(encoding="utf-8")))
    named = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", text(page)))
    # The log tells of what was tried and is gone.
    assert named <= known or page == "docs/log.md", named - known


def commands(group: click.Group) -> Iterator[click.Command]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield command
        if isinstance(command, click.Group):
            yield from commands(command)


@pytest.mark.parametrize("page", READMES)
def test_the_tree_is_that_of_the_files(page: str) -> None:
    entries = tree(page)
    for path, said in entries.items():
        assert path.exists(), f"{path} is gone"
        within = path if path.is_dir() else path.parent
        for name in re.findall(r"(?<![\w>])[\w.-]+\.(?:py|cc|h|md)\b|[\w-]+/", said):
            assert any(within.rglob(name.rstrip("/"))), f"{name} is gone from {within}"
    told = " ".join([*entries.values(), *(path.name for path in entries)])
    for module in PACKAGE.glob("[!_]*"):
        if module.suffix == ".py" or module.is_dir():
            assert module.name in told, f"{module} is not named"
    for folder in NAMED_WHOLE:
        for module in (PACKAGE / folder).glob("[!_]*.py"):
            assert module.name in entries[PACKAGE / folder], f"{module} is not named"


def tree(page: str) -> dict[Path, str]:
    """Each entry of a README's list of files, and all that is said there of it."""
    (listed,) = re.findall(r"^```\n(src/vggnet/\n.*?)^```$", text(page), re.DOTALL | re.MULTILINE)
    entries: dict[Path, str] = {}
    folders = {-2: ROOT}  # by how far what lies in them is moved to the right
    for line in listed.splitlines():
        indent = len(line) - len(line.lstrip())
        if indent <= 4:
            name, _, said = line.strip().partition(" ")
            folders[indent] = path = folders[indent - 2] / name
            entries[path] = said
        else:  # goes on with the entry above it
            entries[path] += line
    return entries


@pytest.mark.usefixtures("beside_examples")
@pytest.mark.parametrize("page", [*READMES, "docs/explain.md", "docs/explain.zh-CN.md"])
def test_a_transcript_is_what_is_printed(
    page: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = re.findall(
        r"^```\n\$ (vggnet [^\n]*)\n(.*?)^```$", text(page), re.DOTALL | re.MULTILINE
    )
    assert shown
    for command, transcript in shown:
        words = shlex.split(command, comments=True)
        if words[-1].endswith(".onnx"):  # of a file that is not here
            continue
        status, out, err = run(capsys, *words[1:])
        assert status == 0
        assert [line.rstrip() for line in (out + err).splitlines()] == transcript.splitlines()
