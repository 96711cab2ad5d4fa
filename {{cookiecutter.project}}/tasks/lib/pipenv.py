"""Makes the lock anew with Pipenv, for every Python of the project and without naming an index.

Pipenv locks for one Python: that of the Pipfile's `[requires]`. So it is given copies of the
Pipfile that require others, in a folder of their own, and what they give is put together.
"""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import files, lock, markers
from .console import TaskError, step
from .interpreter import Interpreter, InterpreterError, find
from .process import run
from .project import Project
from .pythons import asked, in_order, oldest, require_usable

_REQUIRES = re.compile(r"(?ms)^\[requires\][^\n]*\n.*?(?=^\[|\Z)")
Content = dict[str, dict[str, Any]]


def renewed(project: Project, only: Sequence[str] = ()) -> Content:
    """Return a lock that Pipenv made of the Pipfile: for the oldest Python, and what others add.

    `only` names packages of the Pipfile; what they do not need then stays as it is locked. Raises
    `TaskError` where a program or a Python is missing, or Pipenv fails.
    """
    pipenv = shutil.which("pipenv")
    if not pipenv:
        raise TaskError("pipenv is not here: install it, for example with `pipx install pipenv`")
    pipfile = lock.read_pipfile(project.lock.with_name("Pipfile"))
    upgrades = _upgrades(project, pipfile, only)
    python = _interpreter(project)
    made: Content = lock.read(project.lock) if only else {}
    for version in in_order(project):
        steps = upgrades.get(version, []) if only else [["lock"]] * _open(made, version)
        if steps:
            more = _locked(project, python, version, [[pipenv, *step] for step in steps])
            made = _joined(made, more, version) if version != oldest(project) else more
    made["_meta"]["requires"] = pipfile.get("requires", {})
    known = lock.fingerprint(pipfile, pipfile.get("source", lock.USUAL))
    made["_meta"]["hash"] = {"sha256": known}
    return made


def _upgrades(
    project: Project, pipfile: Mapping[str, Any], only: Sequence[str]
) -> dict[str, list[list[str]]]:
    """Return Pipenv's arguments for each Python that is the first to ask for some packages."""
    found: dict[str, list[list[str]]] = {}
    for name in only:
        places = lock.naming(pipfile, name)
        if not places:
            raise TaskError(f"--only is '{name}': expected a package that the Pipfile names")
        for category, given in places.items():
            first = next((v for v in in_order(project) if asked(given, v)), oldest(project))
            found.setdefault(first, []).append(["upgrade", "--categories", category, name])
    return found


def _interpreter(project: Project) -> Interpreter:
    try:
        return find(oldest(project))
    except InterpreterError as error:
        raise TaskError(f"a lock is made on the oldest Python it is for: {error}") from error


def keep(project: Project, content: Mapping[str, Any]) -> None:
    """Put a lock in the place of the project's, unless it does not serve each Python.

    Raises `LockError` in that case; the project's lock then is as it was.
    """
    folder = _room(project)
    made = folder / project.lock.name
    made.write_text(text(content), encoding="utf-8", newline="\n")
    shutil.copy(project.lock.with_name("Pipfile"), folder)
    try:
        require_usable(project, made)
    finally:
        shutil.rmtree(folder)
    files.replace(project.lock, text(content))


def text(content: Mapping[str, Any]) -> str:
    """Return a lock as Pipenv writes it."""
    return json.dumps(content, indent=4, sort_keys=True) + "\n"


def _locked(
    project: Project, python: Interpreter, version: str, commands: Sequence[Sequence[str]]
) -> Content:
    """Let Pipenv lock a copy of the Pipfile that requires Python `version`."""
    folder = _room(project)
    (folder / "temporary").mkdir()
    pipfile = project.lock.with_name("Pipfile").read_text(encoding="utf-8")
    required = f'\n[requires]\npython_version = "{version}"\n'
    (folder / "Pipfile").write_text(_REQUIRES.sub("", pipfile) + required, encoding="utf-8")
    if project.lock.exists():
        shutil.copy(project.lock, folder)
    with step(f"lock for Python {version}"):
        run([python.path, "-m", "venv", "--without-pip", folder / ".venv"])
        for command in commands:
            run(command, cwd=folder, env=_environment(project, folder))
    made = lock.read(folder / project.lock.name)
    shutil.rmtree(folder)
    return _neutral(made)


def _room(project: Project) -> Path:
    """Return an empty folder for a lock and the Pipfile that it is made of."""
    folder = project.build / "lock"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _environment(project: Project, folder: Path) -> dict[str, str]:
    found = {
        "PIPENV_PIPFILE": str(folder / "Pipfile"),
        "PIPENV_IGNORE_VIRTUALENVS": "1",
        "PIPENV_VENV_IN_PROJECT": "1",
        "PIPENV_NOSPIN": "1",
        "PIPENV_VERBOSITY": "-1",
        "PIPENV_YES": "1",
        "TMPDIR": str(folder / "temporary"),  # Pipenv leaves files there
    }
    settings = project.root / ".env"
    return {**found, "PIPENV_DOTENV_LOCATION": str(settings)} if settings.is_file() else found


def _neutral(content: Content) -> Content:
    """Remove the package index of this machine, with a password that may be in its URL."""
    content["_meta"]["sources"] = []
    for section in content.keys() - {"_meta"}:
        for entry in content[section].values():
            entry.pop("index", None)
    return content


def _open(content: Content, version: str) -> bool:
    """Return whether something is wanted on a Python that is not locked yet."""
    known = markers.values(version)
    return not content or any(
        not entry.get("hashes") and markers.holds(entry.get("markers", ""), known)
        for section in content.keys() - {"_meta"}
        for entry in content[section].values()
    )


def _joined(content: Content, more: Content, version: str) -> Content:
    """Add what is locked for a newer Python alone; its versions of other packages do not count."""
    for section in more.keys() - {"_meta"}:
        entries = content.setdefault(section, {})
        for name, entry in more[section].items():
            if name not in entries:
                condition = f"python_version >= '{version}'"
                own = entry.get("markers", condition)
                both = own if condition in own else f"{condition} and ({own})"
                entries[name] = {**entry, "markers": both}
            elif entry.get("hashes") and not entries[name].get("hashes"):
                entries[name] = entry
    return content
