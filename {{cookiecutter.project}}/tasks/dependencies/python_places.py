"""Changes the Python that the project ships with, in every file that names it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..lib import git, lock, pipenv
from ..lib.console import TaskError
from ..lib.end_of_life import LAST_DAYS
from ..lib.environment import require_lock
from ..lib.interpreter import InterpreterError, find
from ..lib.project import Project
from . import branch

_NOT_LOOKED_AT = [f":!{name}" for name in ("docs", "tasks", "tests", "Pipfile.lock")]
_NOT_LOOKED_AT += [":!src/*/runtime", ":!pyproject.toml"]  # which names all that are supported
SESSIONS = ("lint", "test", "security")


@dataclass(frozen=True)
class Place:
    """A line of a file that follows from the project's Python."""

    file: str
    pattern: str
    """What is replaced, wherever it stands in the file."""
    text: Callable[[str], str] = str
    """Returns what replaces it, for a version such as `3.13`."""


def _last_day(version: str) -> str:
    return LAST_DAYS[version].isoformat() if version in LAST_DAYS else "the end of that Python"


PLACES = (
    Place(".python-version", r"\A\S+"),
    Place("Pipfile", r'(?m)(?<=^python_version = ")[\d.]+(?="$)'),
    Place("README.md", r"(?<=\bone Python )\d+\.\d+\b"),
    Place("SECURITY.md", r"\b\d{4}-\d{2}-\d{2}\b(?=, when Python )", _last_day),
    Place("SECURITY.md", r"(?<=, when Python )\d+\.\d+\b"),
    # A bundle's Python of another version would be refused; empty means the newest that fits.
    Place("invoke.yaml", r'(?m)(?<=^    standalone_version: )"?\d+\.\d+[^\s#]*', lambda _: '""'),
)
"""Every place but the lock, whose hash is that of the Pipfile."""


def write(project: Project, version: str) -> list[str]:
    """Write a Python into every place that names the project's; return the files that changed.

    Packages and their versions stay as they are locked: the lock serves every Python.
    """
    changed = []
    for name in dict.fromkeys(place.file for place in PLACES):
        path, places = project.root / name, [place for place in PLACES if place.file == name]
        if path.is_file() and _write(path, version, places):
            changed.append(name)
    content = lock.read(project.lock)
    pipfile = lock.read_pipfile(project.lock.with_name("Pipfile"))
    content["_meta"]["requires"] = pipfile.get("requires", {})
    known = lock.fingerprint(pipfile, pipfile.get("source", lock.USUAL))
    content["_meta"]["hash"] = {"sha256": known}
    project.lock.write_text(pipenv.text(content), encoding="utf-8", newline="\n")
    return [*changed, project.lock.name]


def change(users: Project, version: str, sessions: Sequence[str] = ()) -> tuple[str, list[str]]:
    """Change the project's Python on a dependency branch, and check the project with it.

    Return the branch and the files that changed. Raises `TaskError` where that fails; everything is
    then as it was.
    """
    if version not in users.pythons:
        allowed = ", ".join(users.pythons)
        raise TaskError(f"the version is '{version}': expected one of {allowed} (pyproject.toml)")
    if version == users.python:
        raise TaskError(f"the project ships with Python {version} already")
    _require_here(version)
    with branch.work(users) as work:
        files = write(work.project, version)
        require_lock(work.project)
        work.check(tuple(sessions) or SESSIONS)
        message = f"build(python): ship with Python {version}\n\nIt was {users.python}."
        return work.finish(f"python-{version}", message, files), files


def _require_here(version: str) -> None:
    try:
        find(version)
    except InterpreterError as error:
        raise TaskError(f"the checks need it: {error}") from error


def still_named(root: Path, version: str) -> list[str]:
    """Return the user's files that still name a Python, for a person to look at."""
    word = rf"[Pp]ython *:? *[\"']?{re.escape(version)}\b"
    return git.answer(root, "grep", "-l", "-E", word, "--", ".", *_NOT_LOOKED_AT).splitlines()


def _write(path: Path, version: str, places: Sequence[Place]) -> bool:
    text = before = path.read_text(encoding="utf-8")
    for place in places:
        told = place.text(version)
        text = re.sub(place.pattern, told.replace("\\", r"\\"), text)
    if text == before:
        return False
    path.write_text(text, encoding="utf-8", newline="\n")
    return True
