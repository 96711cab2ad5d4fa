"""Find the worker that ``[tool.program]`` names: a function.

    python -m my_worker.runtime.program

finds it, its hook and its commands, and ends; if it cannot be run, that prints one line, and the
exit code is 1.
"""

import inspect
import sys
from collections.abc import Callable
from typing import Any

from . import commands, facts, hook, reference
from .reference import ProgramError


def find(described: facts.Facts) -> Callable[[Any], Any]:
    """Import the function that works, and return it. Raise ProgramError if it cannot be run."""
    found: Callable[[Any], Any] = reference.find("tool.program.run", described.run)
    wrong = f"tool.program.run is '{described.run}', {reference.shown(found)}"
    if any(is_later(found) for is_later in _LATER):
        raise ProgramError(f"{wrong}: expected a plain function (it may call asyncio.run)")
    if inspect.isclass(found) or not _can_take(found, 1):
        raise ProgramError(f"{wrong}: expected a function that takes one argument, its stop")
    return found


_LATER = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
"""Tell functions that have done nothing when a call of them returns."""


def _can_take(found: Any, arguments: int) -> bool:
    try:
        inspect.signature(found).bind(*[None] * arguments)
    except TypeError:
        return False
    except ValueError:  # written in C, and it does not say
        return True
    return True


def _look() -> None:
    described = facts.read()
    find(described)
    hook.find("before_switch", described.before_switch)
    for name in described.commands:
        commands.find(described, name)


def main() -> int:
    """Look for the program; return the exit code."""
    return reference.look(_look)


if __name__ == "__main__":
    sys.exit(main())
