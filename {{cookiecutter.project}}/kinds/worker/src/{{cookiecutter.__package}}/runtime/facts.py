"""What ``[tool.program]`` in pyproject.toml may say of a worker. Standard library only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from . import declared
from .release import HERE
from .rules import Rule, commands, exactly, reference

KIND = "worker"
_MOST_SECONDS = 86400


@dataclass(frozen=True)
class Facts:
    """What ``[tool.program]`` says; docs/your-program.md explains each."""

    kind: str
    run: str = ""
    """Where the function is that works: ``my_worker.work:run``."""
    before_switch: str = ""
    """Where the function is that prepares the data for a new release, if there is one."""
    commands: Mapping[str, str] = field(default_factory=dict)
    """The program's own commands: where the function of each is, by its name."""
    heartbeat_seconds: int = 60
    """How old the last heartbeat may be while the worker is healthy."""


def _seconds(value: int) -> int:
    if not 1 <= value <= _MOST_SECONDS:
        raise ValueError(value)
    return value


RULES = {
    "kind": exactly(KIND),
    "run": reference("work:run"),
    "before_switch": reference("data:migrate"),
    "commands": commands(),
    "heartbeat_seconds": Rule(_seconds, f"a whole number from 1 to {_MOST_SECONDS}", int),
}


def read(package: Path = HERE) -> Facts:
    """Return the facts of the program in the folder `package`.

    Raise ProgramError if they are missing or wrong.
    """
    return Facts(**declared.values(package, RULES, ("kind", "run")))
