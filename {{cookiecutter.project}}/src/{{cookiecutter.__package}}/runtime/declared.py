"""Read what ``[tool.program]`` in pyproject.toml says. Standard library only."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .reference import ProgramError, nearest
from .release import METADATA
from .rules import Rule


def values(package: Path, rules: Mapping[str, Rule], needed: tuple[str, ...]) -> dict[str, Any]:
    """Return what is said of the program in the folder `package`, in which `needed` is said first.

    A build has written it beside the release id; a source tree has pyproject.toml. Raise
    ProgramError if something is missing or wrong.
    """
    table = _table(package, rules["kind"].allowed)
    found = {}
    for key in needed[:1] + tuple(table) + needed[1:]:
        if key not in table:
            raise ProgramError(f"tool.program has no '{key}': expected {rules[key].allowed}")
        found[key] = _value(key, table[key], rules)
    return found


def _value(key: str, value: object, rules: Mapping[str, Rule]) -> Any:
    if key not in rules:
        raise ProgramError(f"tool.program has '{key}': {nearest(key, rules)}")
    rule = rules[key]
    try:
        if type(value) is rule.given:
            return rule.read(value)
    except ValueError:
        pass
    raise ProgramError(f"tool.program.{key} is {value!r}: expected {rule.allowed}")


def _table(package: Path, kind: str) -> dict[str, object]:
    built, source = package / METADATA, package.parents[1] / "pyproject.toml"
    try:
        if built.exists():
            return dict(json.loads(built.read_text("utf-8"))["program"])
        import tomllib  # slow to import, and a built program never comes here

        return dict(tomllib.loads(source.read_text("utf-8"))["tool"]["program"])
    except FileNotFoundError:
        raise ProgramError(f"there is no {source}, which says what to run") from None
    except KeyError:
        raise ProgramError(f"pyproject.toml has no [tool.program]: expected kind {kind}") from None
    except (TypeError, ValueError) as error:
        raise ProgramError(f"cannot read [tool.program]: {error}") from None
