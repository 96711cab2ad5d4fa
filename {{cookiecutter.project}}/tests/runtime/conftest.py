"""Fixtures of a service's tests."""

import io
import json
import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from .apps import ROUTES
from .fixtures import PACKAGE, ROOT, clean_environment, command, listener, run, service, write
from .program import Program

__all__ = ["clean_environment", "command", "listener", "run", "service", "write"]
SAMPLE = "def main(environ, start_response): ..."
"""A program that can be run."""


@pytest.fixture(autouse=True)
def _usual_program(service: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = service.facts.Facts(service.facts.KIND, app=f"{PACKAGE}.app:app")
    monkeypatch.setattr(service.facts, "read", lambda: usual)


@pytest.fixture
def app() -> Starlette:
    """Make a program; tests add routes to it."""
    return Starlette(routes=list(ROUTES))


@pytest.fixture
def serving(service: ModuleType) -> Callable[..., Any]:
    """Return a function that makes a service of a program, as release 1.2.3+abc.

    Other arguments are what [tool.program] says, and `hook` is its ready hook.
    """

    def serving(app: Any, hook: Any = None, **facts: str) -> Any:
        described = service.facts.Facts(service.facts.KIND, app="", **facts)
        program = service.program.Program(described, app, hook)
        release = service.release.Release("1.2.3", "abc", "1.2.3+abc")
        return service.service.Service(program, release)

    return serving


@pytest.fixture
def served(app: Starlette, serving: Callable[..., Any]) -> Any:
    """Make a service of `app`."""
    return serving(app)


@pytest.fixture
def client(served: Any) -> Iterator[TestClient]:
    """Start `served`, and yield its client."""
    with TestClient(served) as client:
        yield client


@pytest.fixture
def logged(service: ModuleType) -> Iterator[Callable[[], list[Any]]]:
    """Collect everything logged in the test, as it would be written."""
    stream, root = io.StringIO(), logging.getLogger()
    handler, level = service.access_log.handler(stream, "1.2.3+abc"), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.fixture
def start(service: ModuleType, tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Start the program as a process of its own: ``start("serve", PORT=8001)``.

    It listens on `listener` if one is given, and runs `program`, as ``start.py`` reads it.
    """
    search = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    module = f"{__package__}.start"
    with ExitStack() as started:

        def start(
            *words: str,
            listener: socket.socket | None = None,
            program: str = "app",
            **settings: Any,
        ) -> Program:
            command = [sys.executable, "-m", module, PACKAGE, program, *words]
            variables = {service.PREFIX + name: str(value) for name, value in settings.items()}
            environment = os.environ | {"PYTHONPATH": search} | variables
            log = tmp_path / f"{len(list(tmp_path.iterdir()))}.log"
            return started.enter_context(Program(command, environment, log, listener))

        yield start
