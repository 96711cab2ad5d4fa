"""Read what ``[tool.program]`` in pyproject.toml says. Standard library only."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import PACKAGE
from .check import READY_PATH
from .release import HERE, METADATA
from .settings import Rule

HEALTH_PATH = "/healthz"
METRICS_PATH = "/metrics"
_PROBES = ("health_path", "ready_path", "metrics_path")
OF_RUNTIME = ("before-switch", "check", "serve", "version")
"""The runtime's own commands."""
_COMMAND = re.compile("[a-z][a-z0-9-]*")
_MOST_SECONDS = 86400
KEYS = {
    "service": ("app", "ready", "before_switch", "commands", *_PROBES),
    "worker": ("run", "before_switch", "commands", "heartbeat_seconds"),
}
"""The kinds of programs, and what ``[tool.program]`` may say of each. The first key is needed."""


class ProgramError(Exception):
    """The program cannot be served as it is; the message is one line that says why."""


@dataclass(frozen=True)
class Facts:
    """What ``[tool.program]`` says; docs/your-program.md explains each."""

    kind: str
    app: str = ""
    """Where a service's app is: ``my_service.app:app``."""
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
    run: str = ""
    """Where the function is that a worker runs: ``my_worker.work:run``."""
    heartbeat_seconds: int = 60
    """How old a worker's last heartbeat may be while it is healthy."""


def _kind(text: str) -> str:
    if text not in KEYS:
        raise ValueError(text)
    return text


def _reference(text: str) -> str:
    module, _, name = text.partition(":")
    names = [*module.split("."), *name.split(".")]
    if names[0] != PACKAGE or not all(map(str.isidentifier, names)):
        raise ValueError(text)
    return text


def _path(text: str) -> str:
    if text and not (text.startswith("/") and text.isprintable() and not set(text) & set(" ?#%")):
        raise ValueError(text)
    return text


def _whole_number(value: int) -> int:
    if not 1 <= value <= _MOST_SECONDS:
        raise ValueError(value)
    return value


def _commands(table: Mapping[str, object]) -> Mapping[str, object]:
    for name, reference in table.items():
        if name in OF_RUNTIME or not _COMMAND.fullmatch(name):
            allowed = f"small letters, digits and hyphens, but not {', '.join(OF_RUNTIME)}"
            raise ProgramError(f"tool.program.commands has '{name}': expected {allowed}")
        try:
            _reference(reference if isinstance(reference, str) else "")
        except ValueError:
            wrong = f"tool.program.commands.{name} is {reference!r}"
            raise ProgramError(f"{wrong}: expected {_named('manage:main').allowed}") from None
    return table


def _named(like: str) -> Rule:
    return Rule(_reference, f"MODULE:NAME in {PACKAGE}, such as {PACKAGE}.{like}")


_PROBE = Rule(_path, "a path such as /probe, or nothing")
RULES = {
    "kind": Rule(_kind, " or ".join(KEYS)),
    "app": _named("app:app"),
    "ready": _named("app:ready"),
    "before_switch": _named("data:migrate"),
    "commands": Rule(_commands, f"a table such as {{ manage = '{PACKAGE}.manage:main' }}"),
    "health_path": _PROBE,
    "ready_path": _PROBE,
    "metrics_path": _PROBE,
    "run": _named("work:run"),
    "heartbeat_seconds": Rule(_whole_number, f"a whole number from 1 to {_MOST_SECONDS}"),
}
_TYPES = {"heartbeat_seconds": int, "commands": dict}
"""The types of those values that are no text."""


def read(package: Path = HERE) -> Facts:
    """Return the facts of the program in the folder `package`.

    A build has written them beside the release id; a source tree has pyproject.toml. Raise
    ProgramError if they are missing or wrong.
    """
    table = _table(package)
    kind = str(_value("kind", table["kind"])) if "kind" in table else ""
    known = ("kind", *(KEYS[kind] if kind else RULES))
    values = {key: _value(key, value, known) for key, value in table.items()}
    for needed in ("kind", *KEYS.get(kind, ())[:1]):
        if needed not in values:
            allowed = RULES[needed].allowed
            raise ProgramError(f"tool.program has no '{needed}': expected {allowed}")
    _require_different_paths(values)
    return Facts(**values)


def _require_different_paths(values: Mapping[str, Any]) -> None:
    used: dict[str, str] = {}
    for key in _PROBES:
        path = values.get(key, getattr(Facts, key))
        if path and path in used:
            raise ProgramError(f"tool.program.{key} is '{path}', as {used[path]} is")
        used[path] = key


def nearest(name: str, known: Iterable[str]) -> str:
    """Return which of the known names may have been meant, or all of them."""
    from difflib import get_close_matches  # slow to import

    near = get_close_matches(name, names := sorted(known), n=1)
    return f"did you mean '{near[0]}'?" if near else f"expected {', '.join(names)}"


def _value(key: str, value: object, known: Sequence[str] = ("kind",)) -> Any:
    if key not in known:
        others = [kind for kind, keys in KEYS.items() if key in keys]
        why = f"that is for a {others[0]}" if others else nearest(key, known)
        raise ProgramError(f"tool.program has '{key}': {why}")
    try:
        if type(value) is _TYPES.get(key, str):
            return RULES[key].read(value)
    except ValueError:
        pass
    raise ProgramError(f"tool.program.{key} is {value!r}: expected {RULES[key].allowed}")


def _table(package: Path) -> dict[str, object]:
    built, source = package / METADATA, package.parents[1] / "pyproject.toml"
    try:
        if built.exists():
            return dict(json.loads(built.read_text("utf-8"))["program"])
        import tomllib  # slow to import, and a built program never comes here

        return dict(tomllib.loads(source.read_text("utf-8"))["tool"]["program"])
    except FileNotFoundError:
        raise ProgramError(f"there is no {source}, which says what to run") from None
    except KeyError:
        expected = f"expected kind {RULES['kind'].allowed}"
        raise ProgramError(f"pyproject.toml has no [tool.program]: {expected}") from None
    except (TypeError, ValueError) as error:
        raise ProgramError(f"cannot read [tool.program]: {error}") from None
