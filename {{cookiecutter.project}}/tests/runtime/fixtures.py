"""Fixtures that the tests of every kind of program share; conftest.py has the others."""

import importlib
import os
import pkgutil
import socket
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner, Result

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
def clean_environment(service: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the variables that the program would read."""
    for name in os.environ:
        if name.startswith((service.PREFIX, "LISTEN_", "NOTIFY_", "WATCHDOG_", "RUNTIME_")):
            monkeypatch.delenv(name)


@pytest.fixture
def run(service: ModuleType) -> Callable[..., Result]:
    """Run the command line in this process: ``run("check", "--url", url, LOG_LEVEL="debug")``."""

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
