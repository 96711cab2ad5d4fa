"""Fixtures that the tests share. Only this module looks up the package's name."""

import importlib
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
[(COMMAND, ENTRY)] = SCRIPTS.items()
PACKAGE = ENTRY.partition(".")[0]


@pytest.fixture(scope="session")
def runtime() -> ModuleType:
    """Return the package under test; its modules are its attributes."""
    package = importlib.import_module(f"{PACKAGE}.runtime")
    for name in ("program", "release"):
        importlib.import_module(f"{package.__name__}.{name}")
    return package


@pytest.fixture(scope="session")
def command() -> str:
    """Return the program's name on the command line."""
    return str(COMMAND)


@pytest.fixture(scope="session")
def python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs a module of the package under test."""

    def run(module: str, *words: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", f"{PACKAGE}.{module}", *words]
        search = {**os.environ, "PYTHONPATH": str(folder / "src")}
        return subprocess.run(
            command, cwd=folder, env=search, capture_output=True, text=True, check=False
        )

    return run
