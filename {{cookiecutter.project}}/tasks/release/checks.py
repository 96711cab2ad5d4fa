"""Runs nox for a release, once for each content of the project."""

import shutil

from ..lib import git
from ..lib.console import TaskError, step
from ..lib.process import run
from ..lib.project import Project

_RECORD = "checked"


def passed(project: Project) -> bool:
    """Return whether nox has passed for the commit that is checked out."""
    record = project.build / "release" / _RECORD
    return record.is_file() and _content(project) in record.read_text(encoding="utf-8").split()


def check(project: Project) -> None:
    """Run nox; raise `TaskError` with its last lines where it finds something."""
    nox = shutil.which("nox")
    if not nox:
        raise TaskError("nox is not here: install it, for example with `pipx install nox`")
    with step("lint, test, security"):
        run([nox], cwd=project.root)
    record = project.build / "release" / _RECORD
    record.parent.mkdir(parents=True, exist_ok=True)
    with record.open("a", encoding="utf-8") as file:
        file.write(f"{_content(project)}\n")


def _content(project: Project) -> str:
    return git.run(project.root, "rev-parse", "HEAD^{tree}")
