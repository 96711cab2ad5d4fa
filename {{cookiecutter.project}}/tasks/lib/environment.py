"""Makes virtual environments that hold exactly what Pipfile.lock says, and keeps them."""

import hashlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from . import lock
from .console import TaskError, step
from .interpreter import Interpreter, InterpreterError, find, minor
from .process import run
from .project import Project
from .pythons import require_usable, require_whole

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

    @property
    def site(self) -> Path:
        """The folder of the packages."""
        if os.name == "nt":
            return self.folder / "Lib" / "site-packages"
        return self.folder / "lib" / f"python{minor(self.interpreter.version)}" / "site-packages"

    def command(self, name: str) -> Path:
        """Return the path of a program in the environment."""
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


def require_lock(project: Project) -> None:
    """Raise `TaskError` where the lock is missing, does not fit, or does not serve each Python."""
    try:
        require_usable(project)
    except lock.LockError as error:
        raise TaskError(str(error)) from error


def pinned(project: Project, *categories: str) -> str:
    """Return categories of the lock as hash-pinned requirements, or raise `TaskError`."""
    try:
        return lock.requirements(project.lock, categories)
    except lock.LockError as error:
        raise TaskError(str(error)) from error


def ensure(
    project: Project, python: Interpreter, *categories: str, keeper: Project | None = None
) -> Environment:
    """Return an environment with some categories of the lock, made now or kept from before.

    Where the project is a checkout that does not last, its `keeper` keeps the environment. Raises
    `TaskError` where the lock or the installation fails, and for a lock that lacks what this
    Python needs.
    """
    requirements = pinned(project, *categories)
    key = hashlib.sha256(f"{python.path}\n{python.build}\n{requirements}".encode()).hexdigest()
    name = f"{'-'.join(categories)}-{key[:12]}"
    made = Environment((keeper or project).build / "environments" / name, python)
    stamp = made.folder / _COMPLETE
    if stamp.exists():
        return made
    with step(f"environment of {', '.join(categories)} on Python {python.version}"):
        shutil.rmtree(made.folder, ignore_errors=True)
        made.folder.parent.mkdir(parents=True, exist_ok=True)
        listing = made.folder.with_suffix(".txt")
        listing.write_text(requirements, encoding="utf-8")
        _install(made, listing)
        listing.unlink()
        _require_whole(project, made, categories)
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
    pip = _pip(made)
    run([*pip, "install", "--quiet", "--no-deps", "--require-hashes", "--requirement", listing])


def _require_whole(project: Project, made: Environment, categories: Iterable[str]) -> None:
    try:
        require_whole(project, categories, made.site)
    except lock.LockError as error:
        raise TaskError(str(error)) from error


def _pip(made: Environment) -> list[str | Path]:
    base = made.interpreter.path
    return [base, "-m", "pip", "--disable-pip-version-check", "--python", made.python]
