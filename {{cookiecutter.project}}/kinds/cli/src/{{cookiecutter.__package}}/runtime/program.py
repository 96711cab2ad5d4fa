"""Find the command that ``[project.scripts]`` in pyproject.toml names.

    python -m my_command.runtime.program

finds it and ends; if it cannot be called, that prints one line, and the exit code is 1.
"""

import importlib
import sys
import tomllib
import traceback
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from . import NAME, PACKAGE
from .release import HERE

KIND = "cli"
LIBRARY = "add it to [packages] of the Pipfile, and lock"


class ProgramError(Exception):
    """The command cannot be called as it is; the message is one line that says why."""


def find(pyproject: Path = HERE.parents[1] / "pyproject.toml") -> Callable[[], Any]:
    """Import the command, and return it. Raise ProgramError if it cannot be called."""
    settings = tomllib.loads(pyproject.read_text("utf-8"))
    _require_kind(settings.get("tool", {}).get("program"))
    reference = _reference(settings.get("project", {}).get("scripts", {}))
    wrong = f"project.scripts.{NAME} is '{reference}'"
    name, _, path = reference.partition(":")
    found: Any = _module(name, wrong)
    for attribute in path.split("."):
        if not hasattr(found, attribute):
            near = get_close_matches(attribute, dir(found), n=1)
            hint = f": did you mean '{near[0]}'?" if near else ""
            raise ProgramError(f"{wrong}, but there is no '{attribute}'{hint}")
        found = getattr(found, attribute)
    if not callable(found):
        raise ProgramError(f"{wrong}, {found!r:.60}: expected something to call")
    command: Callable[[], Any] = found
    return command


def _require_kind(table: Mapping[str, object] | None) -> None:
    if table is None:
        raise ProgramError(f"pyproject.toml has no [tool.program]: expected kind {KIND}")
    for key, value in {"kind": None, **table}.items():
        if key != "kind":
            raise ProgramError(f"tool.program has '{key}': expected kind")
        if value != KIND:
            raise ProgramError(f"tool.program.kind is {value!r}: expected {KIND}")


def _reference(scripts: Mapping[str, str]) -> str:
    if other := sorted(scripts.keys() - {NAME}):
        raise ProgramError(f"project.scripts has '{other[0]}': expected {NAME}, and nothing else")
    if NAME not in scripts:
        raise ProgramError(f"project.scripts has no '{NAME}': expected {PACKAGE}.cli:main, or such")
    module, _, name = scripts[NAME].partition(":")
    names = [*module.split("."), *name.split(".")]
    if names[0] != PACKAGE or not all(map(str.isidentifier, names)):
        expected = f"expected MODULE:FUNCTION in {PACKAGE}, such as {PACKAGE}.cli:main"
        raise ProgramError(f"project.scripts.{NAME} is '{scripts[NAME]}': {expected}")
    return scripts[NAME]


def _module(name: str, wrong: str) -> Any:
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
    said = traceback.format_exception_only(error)[-1].strip().splitlines()[-1]
    return f"{name} cannot be imported: {said}{_where(error)}"


def _where(error: BaseException) -> str:
    """Return the last line of the program's own code that led to `error`."""
    own = [
        f" ({module}, line {line})"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if (module := str(frame.f_globals.get("__name__"))).startswith(f"{PACKAGE}.")
        and not module.startswith(f"{PACKAGE}.runtime.")
    ]
    return own[-1] if own else ""


def main() -> int:
    """Look for the command; return the exit code."""
    try:
        find()
    except ProgramError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
