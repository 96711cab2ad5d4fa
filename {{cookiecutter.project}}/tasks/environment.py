"""Makes virtual environments that hold exactly what Pipfile.lock says, and keeps them."""

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from . import lock
from .console import TaskError, step
from .interpreter import Interpreter, InterpreterError, find
from .process import run
from .project import Project

_COMPLETE = "complete"


@dataclass(frozen=True)
class Environment:
    """A virtual environment that is whole."""

    folder: Path
    interpreter: Interpreter

    @property
    def python(self) -> Path:
        """The environment's own Python."""
        return self.command("python")

    def command(self, name: str) -> Path:
        """Give the path of a program in the environment."""
        if os.name == "nt":
            return self.folder / "Scripts" / f"{name}.exe"
        return self.folder / "bin" / name


def interpreter(project: Project, python: str = "") -> Interpreter:
    """Find the project's Python, or the supported one that the user asked for instead.

    Raises `TaskError` for a version that the project does not support or that is not here.
    """
    if python and python not in project.pythons:
        raise TaskError(f"--python is '{python}': expected one of {', '.join(project.pythons)}")
    try:
        return find(python or project.python, project.pythons)
    except InterpreterError as error:
        raise TaskError(str(error)) from error


def ensure(project: Project, python: Interpreter, *categories: str) -> Environment:
    """Give an environment with some categories of the lock, made now or kept from before.

    Raises `TaskError` where the lock or the installation fails.
    """
    try:
        pinned = lock.requirements(project.lock, categories)
    except lock.LockError as error:
        raise TaskError(str(error)) from error
    key = hashlib.sha256(f"{python.path}\n{python.build}\n{pinned}".encode()).hexdigest()
    name = f"{'-'.join(categories)}-{key[:12]}"
    made = Environment(project.build / "environments" / name, python)
    stamp = made.folder / _COMPLETE
    if stamp.exists():
        return made
    with step(f"environment of {', '.join(categories)} on Python {python.version}"):
        shutil.rmtree(made.folder, ignore_errors=True)
        made.folder.parent.mkdir(parents=True, exist_ok=True)
        listing = made.folder.with_suffix(".txt")
        listing.write_text(pinned, encoding="utf-8")
        _install(made, listing)
        listing.unlink()
        stamp.touch()
    return made


def _install(made: Environment, listing: Path) -> None:
    base = made.interpreter.path
    if uv := shutil.which("uv"):
        run([uv, "venv", "--quiet", "--no-python-downloads", "--python", base, made.folder])
        options = ("--require-hashes", "--compile-bytecode")
        run([uv, "pip", "sync", "--quiet", *options, "--python", made.python, listing])
        return
    run([base, "-m", "venv", "--without-pip", made.folder])
    pip: list[str | Path] = [
        base,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--python",
        made.python,
    ]
    run([*pip, "install", "--quiet", "--no-deps", "--require-hashes", "--requirement", listing])
