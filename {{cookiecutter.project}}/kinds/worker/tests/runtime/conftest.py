"""Fixtures of a worker's tests."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from .fixtures import PACKAGE, ROOT, clean_environment, command, listener, run, service, write
from .process import PATIENCE, Process, short_folder

__all__ = ["clean_environment", "command", "listener", "run", "service", "write"]
SAMPLE = "def main(stop): ..."
"""A program that can be run."""


@pytest.fixture(autouse=True)
def _usual_program(service: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = service.facts.Facts(service.facts.KIND, run=f"{PACKAGE}.work:run")
    monkeypatch.setattr(service.facts, "read", lambda: usual)


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make the folder that systemd gives a worker while it runs."""
    with short_folder() as folder:
        monkeypatch.setenv("RUNTIME_DIRECTORY", str(folder))
        yield folder


@pytest.fixture
def manager(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Listen as systemd does, which asks for a sign of life every 0.4 s."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(folder / "notify"))
        sock.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", str(folder / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "400000")
        yield sock


@pytest.fixture
def start(service: ModuleType, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Start the program as a process of its own: ``start("steady", "serve", LOG_LEVEL="debug")``.

    It runs the function of workers.py that is named first.
    """
    search = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    module = f"{__package__}.start"
    with ExitStack() as started:

        def start(function: str, *words: str, **settings: Any) -> Process:
            command = [sys.executable, "-m", module, PACKAGE, function, *words]
            variables = {service.PREFIX + name: str(value) for name, value in settings.items()}
            environment = os.environ | {"PYTHONPATH": search} | variables
            log = tmp_path / f"{len(list(tmp_path.iterdir()))}.log"
            return started.enter_context(Process(command, environment, log, subprocess.DEVNULL))

        yield start
