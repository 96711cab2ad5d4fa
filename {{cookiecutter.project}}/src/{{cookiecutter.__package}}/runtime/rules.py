"""Rules for what can be set: how a value is read, and what is allowed. Standard library only."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from . import PACKAGE
from .reference import ProgramError, is_own

OF_RUNTIME = ("before-switch", "check", "serve", "version")
"""The runtime's own commands."""
_COMMAND = re.compile("[a-z][a-z0-9-]*")
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")


@dataclass(frozen=True)
class Rule:
    """How one value is read, and how to say what is allowed."""

    read: Callable[[Any], Any]
    """Return the value, or raise ValueError."""
    allowed: str
    given: type = str
    """What is read; the environment has text only."""


def log_level() -> Rule:
    """Return the rule of a log level, in whatever case."""
    levels = LOG_LEVELS
    return Rule(lambda text: levels[levels.index(text.lower())], f"one of {', '.join(levels)}")


def exactly(word: str) -> Rule:
    """Return the rule of what can only be `word`."""
    return Rule(_only(lambda text: text == word), word)


def reference(like: str) -> Rule:
    """Return the rule of a reference to something in the program's package, such as `like`."""
    return Rule(_only(is_own), f"MODULE:NAME in {PACKAGE}, such as {PACKAGE}.{like}")


def commands() -> Rule:
    """Return the rule of a table of commands; a mistake in it is named as ProgramError."""
    allowed = f"a table such as {{ manage = '{PACKAGE}.manage:main' }}"
    return Rule(_commands, allowed, dict)


def whole_number(least: int, most: int, what: str = "a whole number") -> Rule:
    """Return the rule of a number that stands in a text."""

    def read(text: str) -> int:
        # int() alone would also take "1_000", " 80" and other alphabets' digits
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise ValueError(text)
        return int(text)

    return Rule(read, f"{what} from {least} to {most}")


def seconds(least: int) -> Rule:
    """Return the rule of a time, as a text."""
    return whole_number(least, 3600, "a whole number of seconds")


def _only(is_allowed: Callable[[str], bool]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not is_allowed(text):
            raise ValueError(text)
        return text

    return read


def _commands(table: Mapping[str, object]) -> Mapping[str, object]:
    for name, named in table.items():
        if name in OF_RUNTIME or not _COMMAND.fullmatch(name):
            allowed = f"small letters, digits and hyphens, but not {', '.join(OF_RUNTIME)}"
            raise ProgramError(f"tool.program.commands has '{name}': expected {allowed}")
        if not (isinstance(named, str) and is_own(named)):
            wrong = f"tool.program.commands.{name} is {named!r}"
            raise ProgramError(f"{wrong}: expected {reference('manage:main').allowed}")
    return table
