"""The fields of a Recipe as options of a command.

In: a command with a parameter `changes`. Out: the same command with one option a field, each None
where it was not given. So the dataclass is the only list of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import Field, fields
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

from vggnet.training.recipe import RECIPES, Recipe


def with_recipe_options(command: Callable[..., None]) -> Callable[..., None]:
    """Replace the parameter `changes` by the options; the command gets those given, as a dict."""
    hints = get_type_hints(Recipe)
    options = []
    for field in fields(Recipe):
        kind: Any = hints[field.name]
        names = [field.name.replace("_", "-"), *filter(None, [field.metadata["alias"]])]
        flags = [f"--{name}/--no-{name}" if kind is bool else f"--{name}" for name in names]
        annotation = Annotated[kind | None, typer.Option(*flags, help=_help(field))]
        options.append(
            inspect.Parameter(
                field.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
            )
        )
    signature = inspect.signature(command, eval_str=True)
    kept = [each for each in signature.parameters.values() if each.name != "changes"]

    @wraps(command)
    def wrapped(*arguments: Any, **values: Any) -> None:
        given = {field.name: values.pop(field.name, None) for field in fields(Recipe)}
        changes = {name: value for name, value in given.items() if value is not None}
        command(*arguments, changes=changes, **values)

    wrapped.__signature__ = signature.replace(parameters=[*kept, *options])  # type: ignore[attr-defined]
    wrapped.__annotations__ = {each.name: each.annotation for each in [*kept, *options]}
    return wrapped


def _help(field: Field[Any]) -> str:
    """What the option is for and its default, in each recipe where they differ."""
    defaults = {name: _shown(getattr(recipe, field.name)) for name, recipe in RECIPES.items()}
    if len(set(defaults.values())) == 1:
        shown = next(iter(defaults.values()))
    else:
        shown = ", ".join(f"{name} {value}" for name, value in defaults.items())
    return f"{field.metadata['help']} [default: {shown}]" if shown else field.metadata["help"]


def _shown(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
