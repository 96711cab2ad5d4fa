"""Tells whether known vulnerabilities affect what was published, as machines tell it."""

import json
import sys
from pathlib import Path

from ...lib.console import TaskError
from ...lib.process import run
from ...lib.project import Project
from . import SCRIPTS, publish

_AUDIT = SCRIPTS / "audit.py"
_ENGINE = Path("deploy")


class Affected(TaskError):  # noqa: N818 (it says what it is)
    """Published artefacts have known vulnerabilities; the code 2 stands for what cannot be told."""

    def __init__(self, text: str, exit_code: int) -> None:
        """Keep the code for the end of the task."""
        super().__init__(text)
        self.exit_code = exit_code


def require_clean(project: Project, folder: Path, advisories: Path) -> str:
    """Return the age of a file of advisories in which nothing is about a published folder.

    Raises `Affected` with a line for each finding (code 1), or where the file does not tell (2).
    """
    bill = folder / publish.SBOM
    said = run([sys.executable, "-I", "-B", _AUDIT, project.root / _ENGINE, advisories, bill])
    verdict = json.loads(said)
    if verdict["code"]:
        told = "".join(f"\n  {line}" for line in verdict["lines"])
        age = f" ({verdict['age']})" if verdict["age"] else ""
        what = "is affected" if verdict["code"] == 1 else "cannot be judged"
        raise Affected(f"{folder} {what}{age}:{told}", verdict["code"])
    return str(verdict["age"])
