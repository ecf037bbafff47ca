"""`vggnet completion SHELL`: what makes a shell complete commands, options and their values.

In: the name of a shell. Out: a script for it.
"""

from __future__ import annotations

import click

from vggnet.cli.options import command

VARIABLE = "_VGGNET_COMPLETE"  # with which a shell asks what may follow


@command(
    'eval "$(vggnet completion bash)"                         # in ~/.bashrc',
    'eval "$(vggnet completion zsh)"                          # in ~/.zshrc',
    "vggnet completion fish > ~/.config/fish/completions/vggnet.fish",
)
@click.argument("shell", metavar="bash|zsh|fish", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes a shell complete vggnet's commands."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    root = click.get_current_context().find_root().command
    print(found(root, {}, "vggnet", VARIABLE).source(), end="")
