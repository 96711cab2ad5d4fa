"""Find the program that ``[tool.program]`` names: a service as an ASGI app, a worker as a function.

    python -m my_service.runtime.program

finds it, its hooks and its commands, and ends; if it cannot be run, that prints one line, and the
exit code is 1.
"""

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from . import PACKAGE
from .asgi import App
from .facts import Facts, ProgramError, nearest, read

LIBRARY = "add it to [packages] of the Pipfile, and lock"
_ASGI = 3
"""The number of an ASGI app's arguments: scope, receive, send."""
_WSGI = 2
"""The number of a WSGI app's arguments: environ, start_response."""
_SHOWN = 60


Hook = Callable[[], Any]


@dataclass(frozen=True)
class Program:
    """A program that was found."""

    facts: Facts
    app: App
    ready: Hook | None = None


def find(facts: Facts) -> Program:
    """Import what `facts` name, and return it. Raise ProgramError if it cannot be served."""
    app = _asgi(facts.app, _named("app", facts.app))
    return Program(facts, app, _hook("ready", facts.ready))


def before_switch(facts: Facts) -> Hook | None:
    """Return the function that prepares the data for this release, if `facts` name one.

    Raise ProgramError if it cannot be called.
    """
    return _hook("before_switch", facts.before_switch)


def command(facts: Facts, name: str) -> Hook:
    """Return the function of one of the program's own commands.

    Raise ProgramError if it cannot be called without arguments.
    """
    found: Hook = _named(f"commands.{name}", facts.commands[name])
    if not _can_take(found, 0):
        wrong = f"tool.program.commands.{name} is '{facts.commands[name]}', {_shown(found)}"
        raise ProgramError(f"{wrong}: expected a function that needs no arguments")
    return found


def _hook(key: str, reference: str) -> Hook | None:
    if not reference:
        return None
    hook: Hook = _named(key, reference)
    if _arguments(hook) != 0:
        wrong = f"tool.program.{key} is '{reference}', {_shown(hook)}"
        raise ProgramError(f"{wrong}: expected a function without arguments")
    return hook


def find_run(facts: Facts) -> Callable[[Any], Any]:
    """Import the function that a worker runs. Raise ProgramError if it cannot be run."""
    found: Callable[[Any], Any] = _named("run", facts.run)
    wrong = f"tool.program.run is '{facts.run}', {_shown(found)}"
    if any(is_later(found) for is_later in _LATER):
        raise ProgramError(f"{wrong}: expected a plain function (it may call asyncio.run)")
    if inspect.isclass(found) or not _can_take(found, 1):
        raise ProgramError(f"{wrong}: expected a function that takes one argument, its stop")
    return found


_LATER = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
"""Tell functions that have done nothing when a call of them returns."""


def _can_take(found: Any, arguments: int) -> bool:
    try:
        inspect.signature(found).bind(*[None] * arguments)
    except TypeError:
        return False
    except ValueError:  # written in C, and it does not say
        return True
    return True


def _asgi(reference: str, found: Any) -> App:
    """Return the app as ASGI; how many arguments it takes tells what it is."""
    arguments = 0 if inspect.isclass(found) else _arguments(found)
    if arguments == _ASGI:
        made: App = found
        return made
    if arguments == _WSGI:
        return _from_wsgi(found)
    expected = "an ASGI app (scope, receive, send) or a WSGI app (environ, start_response)"
    raise ProgramError(
        f"tool.program.app is '{reference}', {_shown(found)}: expected {expected}, already made"
    )


def _from_wsgi(app: Any) -> App:
    try:
        from a2wsgi import WSGIMiddleware
    except ModuleNotFoundError:
        raise ProgramError(f"a WSGI app needs the module 'a2wsgi': {LIBRARY}") from None
    made: Any = WSGIMiddleware(app)
    return made  # type: ignore[no-any-return]


def _arguments(found: Any) -> int | None:
    """Return how many arguments `found` must get; None if that cannot be told."""
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return None
    positional = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    needed = sum(each.kind in positional and each.default is each.empty for each in parameters)
    if any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in parameters):
        return _ASGI if inspect.iscoroutinefunction(found) and not needed else None
    return needed


def _named(key: str, reference: str) -> Any:
    """Return what `reference` names, which can be called."""
    name, _, path = reference.partition(":")
    wrong = f"tool.program.{key} is '{reference}'"
    found: Any = _module(name, wrong)
    for attribute in path.split("."):
        if not hasattr(found, attribute):
            known = [each for each in dir(found) if not each.startswith("_")]
            why = f"there is no '{attribute}': {nearest(attribute, known)}"
            raise ProgramError(f"{wrong}, but {why}")
        found = getattr(found, attribute)
    if not callable(found):
        raise ProgramError(f"{wrong}, {_shown(found)}: expected something to call")
    return found


def _module(name: str, wrong: str) -> ModuleType:
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


def _shown(found: Any) -> str:
    text = " ".join(repr(found).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


_FINDERS: Mapping[str, Callable[[Facts], object]] = {"service": find, "worker": find_run}


def main() -> int:
    """Look for the program; return the exit code."""
    try:
        facts = read()
        _FINDERS[facts.kind](facts)
        before_switch(facts)
        for name in facts.commands:
            command(facts, name)
    except ProgramError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
