"""Reads settings by a table of rules: which values each may have, and how a message says so.

A name without a rule is refused, and the nearest known name suggested: a misspelt setting must not
seem to be applied.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .console import TaskError

_SPELLED = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class Rule:
    """How the value of one setting is read, and how to say what is allowed."""

    read: Callable[[Any], Any]
    """Returns the value; raises ValueError for one that is not allowed."""
    allowed: str


Rules = Mapping[str, "Rule | Rules"]
"""A setting's name maps to its rule, a group's name to the rules of its settings."""


def read(where: str, given: Mapping[str, Any], rules: Rules) -> dict[str, Any]:
    """Return the given settings in one mapping; those in groups keep their own names.

    A setting that is empty in YAML counts as not given. Raises `TaskError` for the first one that
    is wrong, with its name (after `where`), its value and what is allowed.
    """
    values: dict[str, Any] = {}
    for name in given:
        rule, value = rules.get(name), given[name]
        if rule is None:
            raise TaskError(f"{where} has '{name}': {_expected(name, rules)}")
        if value is None:
            continue
        if isinstance(rule, Rule):
            values[name] = _value(f"{where}.{name}", value, rule)
        else:
            values |= read(f"{where}.{name}", _group(f"{where}.{name}", value), rule)
    return values


def require_known(prefix: str, given: Mapping[str, Any], environ: Mapping[str, str]) -> None:
    """Check that each environment variable with a prefix overrides a given setting.

    invoke silently ignores variables that do not. Raises `TaskError` with the name of the first.
    """
    known = set(_variables(prefix, given))
    for name in sorted(environ):
        if name.startswith(prefix) and name not in known:
            raise TaskError(f"{name} overrides nothing in invoke.yaml: {_expected(name, known)}")


def whole_number(least: int) -> Rule:
    """Return the rule of a whole number that is not below `least`."""

    def read(value: object) -> int:
        number = int(str(value))
        if number < least:
            raise ValueError(value)
        return number

    return Rule(read, f"a whole number of at least {least}")


def choice(*allowed: str) -> Rule:
    """Return the rule of one word out of several."""
    return Rule(lambda value: allowed[allowed.index(value)], " or ".join(allowed))


def text(pattern: str, allowed: str, *, empty: bool = False) -> Rule:
    """Return the rule of a text that matches `pattern`, or that may also be `empty`."""

    def read(value: object) -> str:
        if not (re.fullmatch(pattern, str(value)) or (empty and value == "")):
            raise ValueError(value)
        return str(value)

    return Rule(read, f"{allowed}, or nothing" if empty else allowed)


def texts(pattern: str, allowed: str) -> Rule:
    """Return the rule of a list of texts that match `pattern` each."""

    def read(value: object) -> tuple[str, ...]:
        listed = value if isinstance(value, list | tuple) else [None]
        if not all(isinstance(item, str) and re.fullmatch(pattern, item) for item in listed):
            raise ValueError(value)
        return tuple(str(item) for item in listed)

    return Rule(read, f"a list of {allowed}")


def _switch(value: object) -> bool:
    if str(value).lower() not in _SPELLED:  # the environment spells true and false as text
        raise ValueError(value)
    return _SPELLED[str(value).lower()]


def _path(value: object) -> str:
    try:
        path = Path(str(value)).expanduser()
    except RuntimeError:  # there is no such user
        raise ValueError(value) from None
    if value and not path.is_absolute():
        raise ValueError(value)
    return str(path) if value else ""


def _modules(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise ValueError(value)
    return tuple(value)


SWITCH = Rule(_switch, "true or false")
PATH = Rule(_path, "a path from / or ~")
MODULES = Rule(_modules, "a list of module names")
ELSEWHERE = Rule(lambda value: value, "")
"""The rule of a group that another module reads, by rules of its own."""


def _value(name: str, value: object, rule: Rule) -> Any:
    try:
        return rule.read(value)
    except ValueError:
        raise TaskError(f"{name} is '{value}': expected {rule.allowed}") from None


def _group(name: str, value: Any) -> Mapping[str, Any]:
    if not hasattr(value, "keys"):  # invoke's mappings are no collections.abc.Mapping
        raise TaskError(f"{name} is '{value}': expected a group of settings")
    return dict(value)


def _expected(name: str, known: Mapping[str, object] | set[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean '{near[0]}'?" if near else f"expected {', '.join(sorted(known))}"


def _variables(prefix: str, given: Mapping[str, Any]) -> Iterator[str]:
    for name in given:
        variable = f"{prefix}{name.upper()}"
        yield variable
        if hasattr(given[name], "keys"):
            yield from _variables(f"{variable}_", given[name])
