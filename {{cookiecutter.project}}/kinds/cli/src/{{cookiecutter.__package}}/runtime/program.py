"""Find the command that ``[project.scripts]`` in pyproject.toml names.

    python -m my_command.runtime.program

finds it and ends; if it cannot be called, that prints one line, and the exit code is 1.
"""

import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from . import NAME, PACKAGE, reference
from .reference import ProgramError
from .release import HERE

KIND = "cli"


def find(pyproject: Path = HERE.parents[1] / "pyproject.toml") -> Callable[[], Any]:
    """Import the command, and return it. Raise ProgramError if it cannot be called."""
    settings = tomllib.loads(pyproject.read_text("utf-8"))
    _require_kind(settings.get("tool", {}).get("program"))
    named = _named(settings.get("project", {}).get("scripts", {}))
    command: Callable[[], Any] = reference.find(f"project.scripts.{NAME}", named)
    return command


def _require_kind(table: Mapping[str, object] | None) -> None:
    if table is None:
        raise ProgramError(f"pyproject.toml has no [tool.program]: expected kind {KIND}")
    for key, value in {"kind": None, **table}.items():
        if key != "kind":
            raise ProgramError(f"tool.program has '{key}': expected kind")
        if value != KIND:
            raise ProgramError(f"tool.program.kind is {value!r}: expected {KIND}")


def _named(scripts: Mapping[str, str]) -> str:
    if other := sorted(scripts.keys() - {NAME}):
        raise ProgramError(f"project.scripts has '{other[0]}': expected {NAME}, and nothing else")
    if NAME not in scripts:
        raise ProgramError(f"project.scripts has no '{NAME}': expected {PACKAGE}.cli:main, or such")
    if not reference.is_own(scripts[NAME]):
        expected = f"expected MODULE:FUNCTION in {PACKAGE}, such as {PACKAGE}.cli:main"
        raise ProgramError(f"project.scripts.{NAME} is '{scripts[NAME]}': {expected}")
    return scripts[NAME]


def main() -> int:
    """Look for the command; return the exit code."""
    return reference.look(find)


if __name__ == "__main__":
    sys.exit(main())
