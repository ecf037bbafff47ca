"""The fields of a Recipe as options of a command.

In: a command with a parameter `changes`. Out: the same command with one option a field, and
--epochs; it gets those that were given, as a dict that `recipes.vary` takes. So the dataclass is
the only list of them. The help is of the recipes that the command starts from.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import Field, fields
from functools import wraps
from typing import Any, Literal, get_args, get_origin, get_type_hints

import click

from vggnet.cli.model_options import with_options
from vggnet.cli.options import Decorator, Real, Whole
from vggnet.training.recipe import Recipe
from vggnet.training.recipes import RECIPES


def recipe_options(
    recipes: Mapping[str, Recipe] = RECIPES, refused: Collection[str] = ()
) -> Decorator:
    """Give a command --epochs and an option for each field, in their order.

    Of the `refused` ones the help says nothing, and the command, where they are given, why.
    """
    hints = get_type_hints(Recipe)

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def wrapped(**values: Any) -> Any:
            names = ["epochs", *(field.name for field in fields(Recipe))]
            given = {name: values.pop(name) for name in names}
            changes = {name: value for name, value in given.items() if value is not None}
            return command(changes=changes, **values)

        options = [
            _option(field, hints[field.name], recipes, hidden=field.name in refused)
            for field in fields(Recipe)
        ]
        return with_options([_epochs, *options], wrapped)

    return decorate


_epochs = click.option(
    "--epochs",
    type=Whole(1, 10**6),
    help="Epochs in all, spread over the recipe's picture sizes in proportion; see --sizes.",
)


def _option(field: Field[Any], hint: Any, recipes: Mapping[str, Recipe], hidden: bool) -> Decorator:
    names = [field.name.replace("_", "-"), *filter(None, [field.metadata["alias"]])]
    flags = [f"--{name}/--no-{name}" if hint is bool else f"--{name}" for name in names]
    kind: Any = None
    if get_origin(hint) is Literal:
        kind = click.Choice(get_args(hint))
    elif hint in (int, float):
        kind = (Whole if hint is int else Real)(*field.metadata["range"])
    metavar = field.name.upper().replace("_", "-") if hint is str else None
    return click.option(
        *flags, field.name, type=kind, default=None, metavar=metavar,
        help=_help(field, recipes), hidden=hidden,
    )  # fmt: skip


def _help(field: Field[Any], recipes: Mapping[str, Recipe]) -> str:
    """What the option is for and its default, in each recipe where they differ."""
    defaults = {name: _shown(getattr(recipe, field.name)) for name, recipe in recipes.items()}
    if len(set(defaults.values())) == 1:
        shown = next(iter(defaults.values()))
    else:
        shown = ", ".join(f"{name} {value}" for name, value in defaults.items())
    return f"{field.metadata['help']}  [default: {shown}]" if shown else field.metadata["help"]


def _shown(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
