"""The parameters of a request, declared once: what parses them also says what they are.

In: a query, or an object of JSON. Out: values by name, or a Problem of one sentence; and the schema
of each parameter for the OpenAPI document.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from reprlib import repr as short_repr
from typing import Any, Literal

from vggnet.web.problems import Problem

Kind = Literal["string", "integer", "number", "boolean"]


@dataclass(frozen=True)
class Parameter:
    """One parameter. `most` is how many values it may have; with `joined` they stand in one text.

    Numbers lie from `low` to `high`; texts have at most `longest` characters, are one of `choices`
    where there are some, and match `pattern` where there is one. A value is a list where `most` is
    more than 1.
    """

    name: str
    meaning: str
    kind: Kind = "string"
    default: Any = None
    required: bool = False
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    pattern: str | None = None
    longest: int = 200
    most: int = 1
    joined: bool = False

    def of_texts(self, given: Sequence[str]) -> Any:
        """The value of the texts that a query has for it."""
        if self.joined:
            self._once(given)
            given = given[0].split(",")
        self._count(given)
        found = [self._of_text(text) for text in given]
        return found if self.most > 1 else found[0]

    def of_json(self, given: Any) -> Any:
        """The value of what an object of JSON has for it."""
        values = given if isinstance(given, list) and self.most > 1 else [given]
        self._count(values)
        found = [self._of_json(value) for value in values]
        return found if self.most > 1 else found[0]

    def schema(self) -> dict[str, Any]:
        """As JSON Schema has it."""
        one: dict[str, Any] = {"type": self.kind}
        bounds = {"minimum": self.low, "maximum": self.high, "pattern": self.pattern}
        one |= {key: value for key, value in bounds.items() if value is not None}
        if self.choices:
            one["enum"] = list(self.choices)
        elif self.kind == "string":
            one |= {"minLength": 1, "maxLength": self.longest}
        if self.default is not None:
            one["default"] = self.default
        if self.most == 1:
            return one
        return {"type": "array", "items": one, "minItems": 1, "maxItems": self.most}

    def _count(self, values: Sequence[Any]) -> None:
        if self.most == 1:
            self._once(values)
        elif not 1 <= len(values) <= self.most:
            raise self._problem(f"{len(values)} of them: there may be 1 to {self.most}")

    def _once(self, values: Sequence[Any]) -> None:
        if len(values) != 1:
            raise self._problem(f"it is given {len(values)} times: give it once")

    def _of_text(self, text: str) -> Any:
        if self.kind == "string":
            return self._checked_text(text)
        if self.kind == "boolean":
            if text.lower() not in ("true", "false"):
                raise self._problem(f"{short_repr(text)}: give true or false")
            return text.lower() == "true"
        # No more digits than a bound has: beyond 4300 Python refuses to read them.
        whole = re.fullmatch(r"[+-]?[0-9]{1,15}", text)
        if self.kind == "integer":
            if not whole:
                raise self._problem(f"{short_repr(text)}: give a whole number")
            return self._bounded(int(text))
        try:
            return self._bounded(float(text))
        except ValueError:
            raise self._problem(f"{short_repr(text)}: give a number") from None

    def _of_json(self, value: Any) -> Any:
        if self.kind == "string" and isinstance(value, str | int) and not isinstance(value, bool):
            return self._checked_text(value if isinstance(value, str) else str(value)[:20])
        if self.kind == "boolean" and isinstance(value, bool):
            return value
        if self.kind in ("integer", "number") and not isinstance(value, bool):
            if isinstance(value, float) and self.kind == "integer" and value.is_integer():
                value = int(value)
            if isinstance(value, int) or (self.kind == "number" and isinstance(value, float)):
                return self._bounded(value)
        raise self._problem(f"{short_repr(value)}: give a {self.kind}")

    def _bounded(self, number: float) -> float:
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        if not low <= number <= high:
            asked = f"from {low:g} to {high:g}"
            if high == math.inf:
                asked = f"of {low:g} or more"
            raise self._problem(
                f"{short_repr(number)}: give a number {asked}", least=self.low, most=self.high
            )
        return number

    def _checked_text(self, text: str) -> str:
        if not text:
            raise self._problem("it is empty")
        if len(text) > self.longest:
            raise self._problem(f"{len(text):,} characters are more than {self.longest:,}")
        if self.choices and text not in self.choices:
            raise self._problem(f"{short_repr(text)}: give {' or '.join(self.choices)}")
        if self.pattern and not re.fullmatch(self.pattern.strip("^$"), text):
            raise self._problem(f"{short_repr(text)}: {self.meaning[:1].lower()}{self.meaning[1:]}")
        return text

    def _problem(self, fault: str, **values: float | None) -> Problem:
        told = {"parameter": self.name, **values}
        return Problem(422, f"parameter {self.name}, {fault}", "parameter", values=told)


def of_query(parameters: Iterable[Parameter], given: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The value of each parameter, by name with _ for -. Raises Problem for one that is not known.

    `given` are the pairs of the query, in their order.
    """
    texts: dict[str, list[str]] = {}
    for name, text in given:
        texts.setdefault(name, []).append(text)
    known = _known(parameters, texts)
    return _complete(known, {name: known[name].of_texts(values) for name, values in texts.items()})


def of_object(parameters: Iterable[Parameter], given: Any) -> dict[str, Any]:
    """The same of an object of JSON."""
    if not isinstance(given, dict):
        raise Problem(422, 'the body is no object of JSON such as {"config": "D"}')
    known = _known(parameters, given)
    return _complete(
        known,
        {name: known[name].of_json(value) for name, value in given.items() if value is not None},
    )


def _known(parameters: Iterable[Parameter], given: Iterable[str]) -> dict[str, Parameter]:
    known = {each.name: each for each in parameters}
    for name in given:
        if name not in known:
            there = ", ".join(known) or "none"
            raise Problem(422, f"no parameter {short_repr(name)} is known here: there are {there}")
    return known


def _complete(known: Mapping[str, Parameter], values: Mapping[str, Any]) -> dict[str, Any]:
    for name, each in known.items():
        if each.required and name not in values:
            raise Problem(422, f"parameter {name} is missing: {each.meaning}")
    return {name: values.get(name, each.default) for name, each in known.items()}
