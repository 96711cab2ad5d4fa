"""The settings under `deploy` in invoke.yaml, checked."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..lib.console import TaskError


@dataclass(frozen=True)
class Settings:
    """How releases are built and kept; the defaults hold where invoke.yaml says nothing."""

    keep_releases: int = 3
    """Releases that a machine keeps, the active one included."""
    health_seconds: int = 30
    """How long a new release may take to become healthy, in seconds."""
    trial_seconds: int = 60
    """How long after a switch a release that fails still goes back by itself, in seconds."""
    overlap: bool = True
    """Whether a new release starts beside the old one; false where it must not run twice."""
    hidden_imports: tuple[str, ...] = ()
    collect_data: tuple[str, ...] = ()
    signing_key: str = ""
    """Path of the OpenSSH private key that signs checksums; its public half is beside it."""
    package_signing_key: str = ""
    """Path of the armoured OpenPGP private key that signs the .deb and the .rpm."""
    end_of_life: str = "warn"
    """What becomes of a build with a Python past its end of life, one of `_CHOICES`."""
    interpreter: str = "auto"
    """Where a bundle's interpreter comes from, one of `_CHOICES`."""
    standalone_version: str = ""
    """The version of python-build-standalone, such as `3.13.5`; empty: the project's newest."""
    standalone_mirror: str = ""
    """Where uv gets python-build-standalone from instead of its own place, a URL."""


_LEAST = {"keep_releases": 2, "health_seconds": 1, "trial_seconds": 0}
_SWITCHES = ("overlap",)
_SPELLED = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_LISTS = ("hidden_imports", "collect_data")
_KEYS = ("signing_key", "package_signing_key")
_CHOICES = {
    "end_of_life": ("warn", "refuse"),
    "offline_source.interpreter": ("auto", "standalone", "local"),
}
_PATTERNS = {
    "offline_source.standalone_version": (r"\d+\.\d+(\.\d+)?", "a version such as 3.13.5"),
    "offline_source.standalone_mirror": (r"[a-z]+://\S+", "a URL"),
}


def read(deploy: Mapping[str, Any]) -> Settings:
    """Check the values and give them as settings.

    Raises `TaskError` that names the setting, its value, and what is allowed.
    """
    given: dict[str, Any] = {}
    for name, least in _LEAST.items():
        if name in deploy:
            given[name] = _number(name, deploy[name], least)
    given |= {name: _switch(name, deploy[name]) for name in _SWITCHES if name in deploy}
    given |= {name: _path(name, deploy.get(name) or "") for name in _KEYS}
    for name, allowed in _CHOICES.items():
        value = _value(deploy, name)
        if value is not None:
            given[name.rpartition(".")[2]] = _choice(name, value, allowed)
    for name, (pattern, meaning) in _PATTERNS.items():
        if value := _value(deploy, name):
            given[name.rpartition(".")[2]] = _text(name, value, pattern, meaning)
    packed = deploy.get("offline_binary") or {}
    for name in _LISTS:
        given[name] = _names(f"offline_binary.{name}", packed.get(name) or ())
    return Settings(**given)


def _value(deploy: Mapping[str, Any], name: str) -> object:
    """Give the value of a setting, whose name may have the name of its group before it."""
    group, _, last = name.rpartition(".")
    return (deploy.get(group) or {} if group else deploy).get(last)


def _text(name: str, value: object, pattern: str, meaning: str) -> str:
    if not re.fullmatch(pattern, str(value)):
        raise TaskError(f"deploy.{name} is '{value}': expected {meaning}, or nothing")
    return str(value)


def _number(name: str, value: object, least: int) -> int:
    try:
        number = int(str(value))
    except ValueError:
        number = least - 1
    if number < least:
        raise TaskError(f"deploy.{name} is '{value}': expected a whole number from {least} on")
    return number


def _switch(name: str, value: object) -> bool:
    """Read true or false; the environment spells them as text."""
    spelled = str(value).lower()
    if spelled not in _SPELLED:
        raise TaskError(f"deploy.{name} is '{value}': expected true or false")
    return _SPELLED[spelled]


def _path(name: str, value: object) -> str:
    try:
        path = Path(str(value)).expanduser()
    except RuntimeError:  # there is no such user
        path = Path()
    if value and not path.is_absolute():
        raise TaskError(f"deploy.{name} is '{value}': expected a path from / or ~")
    return str(path) if value else ""


def _choice(name: str, value: object, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise TaskError(f"deploy.{name} is '{value}': expected {' or '.join(allowed)}")
    return str(value)


def _names(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise TaskError(f"deploy.{name} is '{value}': expected a list of module names")
    return tuple(value)
