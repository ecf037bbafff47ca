"""The fields of a Recipe as options of a command.

In: a command with a parameter `changes`. Out: the same command with one option a field, each None
where it was not given. So the dataclass is the only list of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

from vggnet.training.recipe import Recipe


def with_recipe_options(command: Callable[..., None]) -> Callable[..., None]:
    """Replace the parameter `changes` by the options; the command gets those given, as a dict."""
    hints = get_type_hints(Recipe)
    options = []
    for field in fields(Recipe):
        name = field.name.replace("_", "-")
        flags = (f"--{name}/--no-{name}",) if hints[field.name] is bool else (f"--{name}",)
        kind: Any = hints[field.name]
        annotation = Annotated[kind | None, typer.Option(*flags, help=field.metadata["help"])]
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
