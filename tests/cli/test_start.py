"""How a command starts: what it imports, in fresh interpreters, and what its help says."""

import json
import re
import subprocess
import sys
from importlib import import_module

import click
import pytest
from places import EXAMPLES

from vggnet import cli
from vggnet.cli.commands import _WEIGHTS, COMMANDS

EXAMPLE = EXAMPLES / "cat.jpg"
HEAVY = ("numpy", "PIL", "rich", "torch", "httpx2", "httpx", "huggingface_hub", "safetensors")
# What only other libraries' files need.
OTHER_FILES = (
    "rich", "torch", "httpx2", "httpx", "huggingface_hub", "vggnet.progress",
    "vggnet.weights.overrides", "vggnet.weights.recognition.recognise",
    "vggnet.weights.containers.keras_files", "vggnet.weights.containers.torch_files",
)  # fmt: skip


def imported(*arguments: str, watched: tuple[str, ...]) -> set[str]:
    """Those of `watched` that a new interpreter has imported which has run the command."""
    program = (
        "import json, sys\n"
        "from vggnet.cli import main\n"
        f"try: main({list(arguments)!r})\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "json.dump(list(sys.modules), sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(watched) & set(json.loads(done.stderr))


@pytest.mark.parametrize(
    "arguments",
    ["--version", "--help", "-V", "-h", "predict -h", "weights --help", "completion bash"],
)
def test_nothing_heavy_is_imported_for_help(arguments: str) -> None:
    assert imported(*arguments.split(), watched=HEAVY) == set()


def test_predict_imports_nothing_of_other_libraries_files() -> None:
    assert imported("predict", str(EXAMPLE), watched=OTHER_FILES) == set()


def test_the_tests_can_fail() -> None:
    assert imported("describe", "A", watched=HEAVY) == {"rich"}
    found = imported("predict", str(EXAMPLE), "--std", "1,1,1", watched=OTHER_FILES)
    assert found == {"vggnet.weights.overrides"}


def output(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as end:
        cli.main(list(arguments))
    out, err = capsys.readouterr()
    assert (end.value.code, err) == (0, "")
    return out


def every_command() -> list[tuple[str, ...]]:
    return [*((name,) for name in COMMANDS), *(("weights", name) for name in _WEIGHTS)]


@pytest.mark.parametrize("command", every_command(), ids=" ".join)
def test_every_help_has_an_example_and_no_raw_types(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    text = output(capsys, *command, "-h")
    assert text == output(capsys, *command, "--help")
    assert re.search(rf"Examples?:\n +.*vggnet {' '.join(command)}\b", text)
    assert not re.search(r"\b(INTEGER|TEXT|PATH|FLOAT|FILENAME|RANGE)\b", text)
    assert "-h, --help" in text


@pytest.mark.parametrize("command", every_command(), ids=" ".join)
def test_every_line_of_help_is_a_sentence(command: tuple[str, ...]) -> None:
    module, _ = COMMANDS[command[0]] if len(command) == 1 else _WEIGHTS[command[1]]
    name = command[-1].replace("-", "_") if command[-1] != "list" else "list_files"
    found: click.Command = getattr(import_module(f"vggnet.cli.{module}"), name)
    texts = {
        option.name: option.help for option in found.params if isinstance(option, click.Option)
    }
    for name, text in texts.items():
        assert text, name
        sentence = text.partition("  [default:")[0]
        assert re.match(r"[A-Z/\d]|auto|tiny-imagenet", sentence), text
        assert sentence.endswith("."), text


def test_the_overview_says_what_each_command_says_of_itself(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for command in every_command():
        line = (COMMANDS if len(command) == 1 else _WEIGHTS)[command[-1]][1]
        assert line in output(capsys, *command[:-1], "-h")
        assert line in " ".join(output(capsys, *command, "-h").split())


def test_version_is_one_of_the_first_things_that_a_user_asks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert output(capsys, "-V") == output(capsys, "--version")


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        ("predct a.jpg", "'predict'"),
        ("weights lst", "'list'"),
        ("predict a.jpg --wieghts vgg16", "'--weights'"),
        ("train DATA --learning-rat 1", "'--learning-rate'"),
        ("describe AlxNet", "AlexNet"),
        ("predict a.jpg --weights tiny-imagnet", "tiny-imagenet"),
    ],
)
def test_what_was_meant_is_named(
    arguments: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(arguments.split())
    assert end.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert re.search(rf"[Dd]id you mean (one of: )?.*{meant}", err)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    script = output(capsys, "completion", shell)
    assert "_VGGNET_COMPLETE" in script
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("vggnet pre", {"predict"}),
        ("vggnet weights ", set(_WEIGHTS)),
        ("vggnet predict --prec", {"--precision"}),
        ("vggnet predict --format ", {"table", "json", "jsonl", "csv"}),
        ("vggnet predict cat", {"file,cat"}),  # whatever file begins so
        ("vggnet train pho", {"file,pho"}),
        ("vggnet describe A", {"file,A", "A", "A-LRN", "AlexNet"}),
        ("vggnet predict --weights ti", {"file,ti", "tiny-imagenet"}),
    ],
)
def test_what_a_shell_is_offered(
    typed: str,
    offered: set[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("_VGGNET_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split(" ")) - 1))
    lines = output(capsys).splitlines()
    assert {line.removeprefix("plain,") for line in lines} == offered


@pytest.mark.parametrize(
    ("words", "name"),
    [("predict", "IMAGE-OR-FOLDER..."), ("train", "DATA"), ("weights fetch", "NAME...")],
)
def test_a_command_without_its_argument_is_told_of_it(
    words: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(words.split())
    line = f"vggnet: Missing argument '{name}'; vggnet {words} -h has examples\n"
    assert (end.value.code, *capsys.readouterr()) == (2, "", line)


def test_a_group_without_a_command_shows_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["weights"])
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (2, "")
    assert "x1b" not in err
    assert "  inspect  " in err
