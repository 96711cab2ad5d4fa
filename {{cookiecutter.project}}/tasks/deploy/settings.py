"""The settings under `deploy` in invoke.yaml, checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..console import TaskError


@dataclass(frozen=True)
class Settings:
    """How releases are built and kept; the defaults hold where invoke.yaml says nothing."""

    keep_releases: int = 3
    """Releases that a machine keeps, the active one included."""
    health_seconds: int = 30
    """How long a new release may take to become healthy, in seconds."""
    hidden_imports: tuple[str, ...] = ()
    collect_data: tuple[str, ...] = ()


_LEAST = {"keep_releases": 2, "health_seconds": 1}
_LISTS = ("hidden_imports", "collect_data")


def read(deploy: Mapping[str, Any]) -> Settings:
    """Check the values and give them as settings.

    Raises `TaskError` that names the setting, its value, and what is allowed.
    """
    given: dict[str, Any] = {}
    for name, least in _LEAST.items():
        if name in deploy:
            given[name] = _number(name, deploy[name], least)
    packed = deploy.get("offline_binary") or {}
    for name in _LISTS:
        given[name] = _names(f"offline_binary.{name}", packed.get(name) or ())
    return Settings(**given)


def _number(name: str, value: object, least: int) -> int:
    try:
        number = int(str(value))
    except ValueError:
        number = least - 1
    if number < least:
        raise TaskError(f"deploy.{name} is '{value}': expected a whole number from {least} on")
    return number


def _names(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise TaskError(f"deploy.{name} is '{value}': expected a list of module names")
    return tuple(value)
