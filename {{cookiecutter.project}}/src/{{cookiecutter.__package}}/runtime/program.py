"""Find the service that ``[tool.program]`` names: an ASGI or a WSGI app.

    python -m my_service.runtime.program

finds it, its hooks and its commands, and ends; if it cannot be run, that prints one line, and the
exit code is 1.
"""

import inspect
import sys
from dataclasses import dataclass
from typing import Any

from . import commands, facts, hook, reference
from .asgi import App
from .reference import LIBRARY, ProgramError

_ASGI = 3
"""The number of an ASGI app's arguments: scope, receive, send."""
_WSGI = 2
"""The number of a WSGI app's arguments: environ, start_response."""


@dataclass(frozen=True)
class Program:
    """A program that was found."""

    facts: facts.Facts
    app: App
    ready: hook.Hook | None = None


def find(described: facts.Facts) -> Program:
    """Import what is described, and return it. Raise ProgramError if it cannot be served."""
    app = _asgi(described.app, reference.find("tool.program.app", described.app))
    return Program(described, app, hook.find("ready", described.ready))


def _asgi(named: str, found: Any) -> App:
    """Return the app as ASGI; how many arguments it takes tells what it is."""
    arguments = 0 if inspect.isclass(found) else _arguments(found)
    if arguments == _ASGI:
        made: App = found
        return made
    if arguments == _WSGI:
        return _from_wsgi(found)
    expected = "an ASGI app (scope, receive, send) or a WSGI app (environ, start_response)"
    wrong = f"tool.program.app is '{named}', {reference.shown(found)}"
    raise ProgramError(f"{wrong}: expected {expected}, already made")


def _from_wsgi(app: Any) -> App:
    try:
        from a2wsgi import WSGIMiddleware
    except ModuleNotFoundError:
        raise ProgramError(f"a WSGI app needs the module 'a2wsgi': {LIBRARY}") from None
    made: Any = WSGIMiddleware(app)
    return made  # type: ignore[no-any-return]


def _arguments(found: Any) -> int | None:
    """Return how many arguments `found` must get; a coroutine function may take any number."""
    if inspect.iscoroutinefunction(found):
        first = next(iter(inspect.signature(found).parameters.values()), None)
        if first and first.kind is inspect.Parameter.VAR_POSITIONAL:
            return _ASGI
    return hook.arguments(found)


def _look() -> None:
    described = facts.read()
    find(described)
    hook.find("before_switch", described.before_switch)
    for name in described.commands:
        commands.find(described, name)


def main() -> int:
    """Look for the program; return the exit code."""
    return reference.look(_look)


if __name__ == "__main__":
    sys.exit(main())
