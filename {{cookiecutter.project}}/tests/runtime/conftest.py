"""Fixtures that the tests share. Only this module looks up the package's name."""

import importlib
import io
import json
import logging
import os
import pkgutil
import socket
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result
from starlette.applications import Starlette
from starlette.testclient import TestClient

from .apps import ROUTES
from .program import Program

ROOT = Path(__file__).parents[2]
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
[(COMMAND, ENTRY)] = SCRIPTS.items()
PACKAGE = ENTRY.partition(".")[0]


@pytest.fixture(scope="session")
def service() -> ModuleType:
    """Return the package under test; its modules are its attributes."""
    package = importlib.import_module(f"{PACKAGE}.runtime")
    for module in pkgutil.iter_modules(package.__path__):
        if module.name != "__main__":
            importlib.import_module(f"{package.__name__}.{module.name}")
    return package


@pytest.fixture(scope="session")
def command() -> str:
    """Return the program's name on the command line."""
    return str(COMMAND)


@pytest.fixture(autouse=True)
def _clean_environment(service: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith((service.PREFIX, "LISTEN_", "NOTIFY_", "WATCHDOG_", "RUNTIME_")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _usual_program(service: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = service.facts.Facts(kind="service", app=f"{PACKAGE}.app:app")
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
        described = service.facts.Facts(kind="service", app="", **facts)
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
    handler, level = service.logs.handler(stream, "1.2.3+abc"), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.fixture
def run(service: ModuleType) -> Callable[..., Result]:
    """Run the command line in this process: ``run("check", "--url", url, PORT="8001")``."""

    def run(*words: str, **settings: str) -> Result:
        variables = {service.PREFIX + name: text for name, text in settings.items()}
        return CliRunner().invoke(service.cli.main, words, env=variables)

    return run


@pytest.fixture
def write(service: ModuleType, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Return a function that adds a module to the program's package, and returns its name."""
    package = sys.modules[service.PACKAGE]
    package.__path__.append(str(tmp_path))
    name = f"{service.PACKAGE}.written"

    def write(text: str) -> str:
        (tmp_path / "written.py").write_text(text)
        return name

    yield write
    package.__path__.remove(str(tmp_path))
    sys.modules.pop(name, None)
    vars(package).pop("written", None)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Hold a listening socket, as systemd would."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as sock:
        yield sock


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
