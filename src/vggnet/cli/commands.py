"""The commands by name, each imported when it is asked for, so that every one starts quickly.

In: the name of a command. Out: the command. Which there are, in the order of the help, and what
each does in a line, stands in `COMMANDS`; `_WEIGHTS` has those of `vggnet weights`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from vggnet.cli.output import bold

# name -> the module in vggnet.cli that has a function of that name, and what the command does
COMMANDS = {
    "predict": ("predict", "Name what is on photographs."),
    "describe": ("describe", "Show what a network costs, layer by layer."),
    "draw": ("draw", "Draw networks as SVG, PNG or a page of HTML."),
    "stack": ("stack", "Compare a stack of small kernels with the one that sees as much."),
    "explain": ("explain", "Show what on a photograph made a network say so."),
    "serve": ("serve", "Show networks at work in a browser, and answer programs."),
    "labels": ("labels", "List the classes of a model, in the order of its outputs."),
    "weights": ("commands", "List, fetch, inspect and convert weight files."),
    "evaluate": ("evaluate", "Test a model on labelled pictures."),
    "report": ("report", "Say what saved scores show: classes, confusions, calibration."),
    "train": ("train", "Train a network."),
    "find-lr": ("find_lr", "Find the learning rate to train a network at."),
    "ladder": ("ladder", "Train all the nets of the paper, one after the other."),
    "features": ("features", "Write the activations of layers to a file."),
    "benchmark": ("benchmark", "Time the engines on this machine."),
    "completion": ("completion", "Print what makes a shell complete vggnet's commands."),
}
_WEIGHTS = {
    "list": ("weights", "Show the weights that have a name, and which of them are here."),
    "fetch": ("weights", "Download published weight files."),
    "inspect": (
        "weights_files",
        "Show what a weight file is taken for, how sure that is, and why.",
    ),
    "convert": ("weights_files", "Write a weight file as another library has it."),
}


class Commands(click.Group):
    """A group whose commands stand in a table and are imported one at a time."""

    def __init__(self, table: Mapping[str, tuple[str, str]], **attributes: Any) -> None:
        super().__init__(**attributes)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.table:
            return None
        module = import_module(f"vggnet.cli.{self.table[cmd_name][0]}")
        name = "list_files" if cmd_name == "list" else cmd_name.replace("-", "_")
        found: click.Command = getattr(module, name)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:  # which looks at none of the table
            raise click.exceptions.NoSuchCommand(
                error.command_name, possibilities=self.table, ctx=ctx
            ) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])


class _Formatter(click.HelpFormatter):
    """Help with headings that stand out on a terminal."""

    def write_heading(self, heading: str) -> None:
        super().write_heading(bold(heading))

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, bold("Usage: ") if prefix is None else prefix)


click.Context.formatter_class = _Formatter

SETTINGS = {
    "help_option_names": ["-h", "--help"],
    "show_default": True,
    "max_content_width": 100,
}


def _print_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    from vggnet import __version__
    from vggnet.engines import available, instruction_sets

    print(f"vggnet {__version__}")
    for name, absence in available().items():
        print(f"engine {name}: {absence or 'available'}")
    if sets := instruction_sets():
        print(f"instruction sets of the native engine: {', '.join(sets)}")
    context.exit()


@click.group(
    cls=Commands,
    table=COMMANDS,
    context_settings=SETTINGS,
    epilog="\b\nExamples:\n  vggnet predict cat.jpg\n  vggnet describe D\n  vggnet stack 3 3 3",
)
@click.option(
    "--version", "-V", is_flag=True, is_eager=True, expose_value=False, callback=_print_version,
    help="Show the version, the engines and why one is absent.",
)  # fmt: skip
def vggnet() -> None:
    """The whole VGG family: look at it, run it, train it, test it.

    `vggnet COMMAND -h` says more about a command.
    """


@click.group(
    cls=Commands,
    table=_WEIGHTS,
    epilog="\b\nExamples:\n  vggnet weights list\n  vggnet weights inspect net.pth",
)
def weights() -> None:
    """List, fetch, inspect and convert weight files.

    Published ones have names; any file can be inspected and converted.
    """
