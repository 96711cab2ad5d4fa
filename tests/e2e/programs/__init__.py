"""Real programs, each as the folder of what its author writes; a bake needs nothing else.

    fastapi/
        src/, tests/            laid over the project's own folders
        Pipfile, Pipfile.lock   what is added to the project's: `nox -s locks` renews the lock
        edits.toml              lines that replace others, and files of the sample to remove

Each is of a project that is called my-service.
"""

import json
import re
import shutil
import tomllib
from pathlib import Path

from tasks.lib import lock

from tests.support import contents

HERE = Path(__file__).parent
NAMES = sorted(path.parent.name for path in HERE.glob("*/edits.toml"))
"""All programs."""
_FOLDERS = ("src", "tests")
_YOURS = re.compile(
    r"src/\w+/(?!runtime/)|tests/(?!runtime/|tasks/)|deploy/(inventory|units)/|tasks/own\.py$"
    r"|(pyproject\.toml|Pipfile|Pipfile\.lock|\.python-version|invoke\.yaml|[A-Z]+\.md|LICENSE)$"
)
"""The files of a project that are its author's; the README's table says the same."""


def overlay(project: Path, name: str) -> None:
    """Make a bake of a service called my-service the project of a program.

    Check that no file of the template's has changed.
    """
    before = contents(project)
    program = HERE / name
    edits = tomllib.loads((program / "edits.toml").read_text("utf-8"))
    for path in edits.get("remove", ()):
        (project / path).unlink()
    for folder in _FOLDERS:
        shutil.copytree(program / folder, project / folder, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("__pycache__"))  # fmt: skip
    for edit in edits.get("edit", ()):
        _replace(project / edit["file"], edit["before"], edit["after"])
    add_packages(project, program)
    touched(before, contents(project))


def touched(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    """Return the files that differ; check that each is its author's."""
    names = {name for name in before | after if before.get(name) != after.get(name)}
    foreign = sorted(name for name in names if not _YOURS.match(name))
    assert not foreign, f"these are the template's: {', '.join(foreign)}"
    return names


def _replace(path: Path, before: str, after: str) -> None:
    text = path.read_text("utf-8")
    assert text.count(before) == 1, f"{path.name} has no line {before!r} to replace"
    path.write_text(text.replace(before, after), "utf-8")


def add_packages(project: Path, program: Path) -> None:
    """Add to the Pipfile and its lock what `pipenv install` and `invoke deps.lock` would add."""
    wanted = re.sub(r"(?m)^#.*\n", "", (program / "Pipfile").read_text("utf-8"))
    assert wanted.strip().startswith("[packages]\n")
    _replace(project / "Pipfile", "[packages]\n", f"{wanted.strip()}\n")
    locked = json.loads((program / "Pipfile.lock").read_text("utf-8"))["default"]
    path = project / "Pipfile.lock"
    content = json.loads(path.read_text("utf-8"))
    content["default"] = locked | content["default"]
    pipfile = lock.read_pipfile(project / "Pipfile")
    content["_meta"]["hash"]["sha256"] = lock.fingerprint(pipfile, lock.USUAL)
    path.write_text(json.dumps(content, indent=4, sort_keys=True) + "\n", "utf-8")
    lock.require_fitting(path)
