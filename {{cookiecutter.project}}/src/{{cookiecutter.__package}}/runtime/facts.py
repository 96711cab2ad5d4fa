"""What ``[tool.program]`` in pyproject.toml may say of a service. Standard library only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import declared
from .check import HEALTH_PATH, READY_PATH
from .reference import ProgramError
from .release import HERE
from .rules import Rule, commands, exactly, reference

KIND = "service"
METRICS_PATH = "/metrics"
_PROBES = ("health_path", "ready_path", "metrics_path")


@dataclass(frozen=True)
class Facts:
    """What ``[tool.program]`` says; docs/your-program.md explains each."""

    kind: str
    app: str = ""
    """Where the app is: ``my_service.app:app``."""
    ready: str = ""
    """Where the function is that says whether the program is ready, if there is one."""
    before_switch: str = ""
    """Where the function is that prepares the data for a new release, if there is one."""
    commands: Mapping[str, str] = field(default_factory=dict)
    """The program's own commands: where the function of each is, by its name."""
    health_path: str = HEALTH_PATH
    """Where the service says that it is alive. An empty path switches a probe off."""
    ready_path: str = READY_PATH
    """Where it says whether it is ready."""
    metrics_path: str = METRICS_PATH
    """Where it gives its metrics."""


def _path(text: str) -> str:
    if text and not (text.startswith("/") and text.isprintable() and not set(text) & set(" ?#%")):
        raise ValueError(text)
    return text


_PROBE = Rule(_path, "a path such as /probe, or nothing")
RULES = {
    "kind": exactly(KIND),
    "app": reference("app:app"),
    "ready": reference("app:ready"),
    "before_switch": reference("data:migrate"),
    "commands": commands(),
    "health_path": _PROBE,
    "ready_path": _PROBE,
    "metrics_path": _PROBE,
}


def read(package: Path = HERE) -> Facts:
    """Return the facts of the program in the folder `package`.

    Raise ProgramError if they are missing or wrong.
    """
    values = declared.values(package, RULES, ("kind", "app"))
    _require_different_paths(values)
    return Facts(**values)


def _require_different_paths(values: Mapping[str, Any]) -> None:
    used: dict[str, str] = {}
    for key in _PROBES:
        path = values.get(key, getattr(Facts, key))
        if path and path in used:
            raise ProgramError(f"tool.program.{key} is '{path}', as {used[path]} is")
        used[path] = key
