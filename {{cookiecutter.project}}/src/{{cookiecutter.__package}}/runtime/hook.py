"""Find the functions of the program that are called at certain moments."""

import inspect
from collections.abc import Callable
from typing import Any

from . import reference

Hook = Callable[[], Any]


def find(key: str, named: str) -> Hook | None:
    """Return the function that ``tool.program.KEY`` names, if it names one.

    Raise ProgramError if it cannot be called without arguments.
    """
    if not named:
        return None
    key = f"tool.program.{key}"
    found: Hook = reference.find(key, named)
    if arguments(found) != 0:
        wrong = f"{key} is '{named}', {reference.shown(found)}"
        raise reference.ProgramError(f"{wrong}: expected a function without arguments")
    return found


def arguments(found: Any) -> int | None:
    """Return how many arguments `found` must get; None if that cannot be told."""
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in parameters):
        return None
    positional = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    return sum(each.kind in positional and each.default is each.empty for each in parameters)
