"""Pipenv works in a project as its users know it, whatever package index pip has here."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from tasks.lib import project
from tasks.lib.pythons import require_usable

from tests.conftest import Bake
from tests.support import commit, offered_here, run

Pipenv = Callable[..., CompletedProcess[str]]
PACKAGE = "itsdangerous"
MOST_LINES = 40
"""How many lines of the lock may change for one package that needs no other."""


@pytest.fixture(scope="module")
def folder(bake: Bake) -> Path:
    """Return a project whose Pipfile names the index that pip has here."""
    folder = bake(git=True, python_version=offered_here())
    invoke(folder, "deps.index")
    commit(folder)
    return folder


@pytest.fixture(scope="module")
def pipenv(folder: Path) -> Pipenv:
    """Return a function that calls Pipenv in the project."""
    (folder / "temporary").mkdir()
    env = os.environ | {
        "PIPENV_IGNORE_VIRTUALENVS": "1",
        "PIPENV_VENV_IN_PROJECT": "1",
        "PIPENV_NOSPIN": "1",
        "TMPDIR": str(folder / "temporary"),
    }
    return lambda *words: run([sys.executable, "-m", "pipenv", *words], cwd=folder, env=env)


def invoke(folder: Path, *words: str) -> str:
    """Call invoke in a project; Pipenv is found beside the Python that runs this."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = run(
        [sys.executable, "-m", "invoke", *words], cwd=folder, env=os.environ | {"PATH": path}
    )
    return done.stdout


def changed_lines(folder: Path, name: str) -> int:
    counted = run(["git", "diff", "--numstat", name], cwd=folder).stdout.split()
    return sum(map(int, counted[:2]))


def test_the_lock_is_taken_and_the_program_runs(folder: Path, pipenv: Pipenv) -> None:
    pipenv("verify")
    pipenv("install", "--deploy")
    pipenv("sync")
    assert changed_lines(folder, "Pipfile.lock") == 0
    python = pipenv("run", "python", "--version").stdout
    assert python.startswith(f"Python {offered_here()}.")
    said = pipenv("run", "my-service", "version").stdout
    assert re.fullmatch(r"my-service 0\.1\.0\+\w+\n", said)


def test_a_package_comes_and_goes(folder: Path, pipenv: Pipenv) -> None:
    here = project.load(folder)
    pipenv("install", PACKAGE)
    assert f'{PACKAGE} = "*"' in (folder / "Pipfile").read_text("utf-8")
    assert 0 < changed_lines(folder, "Pipfile.lock") < MOST_LINES
    require_usable(here)
    pipenv("run", "python", "-c", f"import {PACKAGE}")
    said = invoke(folder, "deps.lock", "--only", PACKAGE)
    assert f"serves Python {', '.join(here.pythons)}" in said
    pipenv("verify")
    pipenv("uninstall", PACKAGE)
    assert PACKAGE not in (folder / "Pipfile.lock").read_text("utf-8")
    require_usable(here)
    pipenv("verify")
