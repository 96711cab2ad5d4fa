"""Import what MODULE:NAME names, or say in one line why that cannot be. Standard library only."""

import importlib
import sys
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from . import PACKAGE

LIBRARY = "add it to [packages] of the Pipfile, and lock"
_SHOWN = 60


class ProgramError(Exception):
    """The program cannot be run as it is; the message is one line that says why."""


def is_own(text: str) -> bool:
    """Return whether `text` is a MODULE:NAME in the program's package."""
    module, _, name = text.partition(":")
    names = [*module.split("."), *name.split(".")]
    return names[0] == PACKAGE and all(map(str.isidentifier, names))


def find(key: str, reference: str) -> Any:
    """Return what the `reference` of `key` names, which can be called; else raise ProgramError."""
    name, _, path = reference.partition(":")
    wrong = f"{key} is '{reference}'"
    found: Any = _module(name, wrong)
    for attribute in path.split("."):
        if not hasattr(found, attribute):
            known = [each for each in dir(found) if not each.startswith("_")]
            why = f"there is no '{attribute}': {nearest(attribute, known)}"
            raise ProgramError(f"{wrong}, but {why}")
        found = getattr(found, attribute)
    if not callable(found):
        raise ProgramError(f"{wrong}, {shown(found)}: expected something to call")
    return found


def look(finding: Callable[[], object]) -> int:
    """Call `finding`, print a ProgramError as one line, and return the exit code."""
    try:
        finding()
    except ProgramError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def nearest(name: str, known: Iterable[str]) -> str:
    """Return which of the known names may have been meant, or all of them."""
    from difflib import get_close_matches  # slow to import

    near = get_close_matches(name, names := sorted(known), n=1)
    return f"did you mean '{near[0]}'?" if near else f"expected {', '.join(names)}"


def shown(found: object) -> str:
    """Return what to call `found` in a line."""
    text = " ".join(repr(found).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _module(name: str, wrong: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        lacking = error.name or ""
        if f"{name}.".startswith(f"{lacking}."):
            raise ProgramError(f"{wrong}, but there is no module {lacking}") from None
        if lacking.partition(".")[0] == PACKAGE:
            raise ProgramError(_failure(name, error)) from None
        needed = f"{name} needs the module '{lacking}'{_where(error)}, which is not installed"
        raise ProgramError(f"{needed}: {LIBRARY}") from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module may also exit while it is imported
        raise ProgramError(_failure(name, error)) from None


def _failure(name: str, error: BaseException) -> str:
    from traceback import format_exception_only  # slow to import, like the one below

    said = format_exception_only(error)[-1].strip().splitlines()[-1]
    return f"{name} cannot be imported: {said}{_where(error)}"


def _where(error: BaseException) -> str:
    """Return the last line of the program's own code that led to `error`."""
    from traceback import walk_tb

    own = [
        f" ({module}, line {line})"
        for frame, line in walk_tb(error.__traceback__)
        if (module := str(frame.f_globals.get("__name__"))).startswith(f"{PACKAGE}.")
        and not module.startswith(f"{PACKAGE}.runtime.")
    ]
    return own[-1] if own else ""
