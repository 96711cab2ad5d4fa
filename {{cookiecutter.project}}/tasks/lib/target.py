"""What every kind of target is given, and what it reports."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Rollout:
    """A release on its way to a target."""

    release: str
    """The release id that every place must have; places that have it already are left alone."""
    quadrant: str
    way: str
    """How a place gets it; for hosts a role under deploy/ansible/roles/."""
    means: Mapping[str, Any]
    """The variables that this way needs."""
    health_seconds: int
    check: bool = False
    """Whether only to show what would change."""
    compare: Callable[[str], str] | None = None
    """Returns what differs from a commit that a place has; called in a check only."""


@dataclass(frozen=True)
class Report:
    """What one place of a target, such as a host, says of itself."""

    lines: tuple[str, ...]
    problem: str = ""
    """What is wrong there in two words, such as `not healthy`; empty where all is well."""
