"""Checks that the program which `[tool.program]` names can be served.

The project's own runtime looks for it, in an environment that has the program's packages.
"""

import os
import subprocess
from pathlib import Path

from ..lib.console import TaskError
from ..lib.process import last_line
from ..lib.project import Project


def question(project: Project) -> list[str]:
    """Return the arguments with which a Python that finds `src/` looks for the program.

    Where it cannot be served, that prints one line and exits with code 1.
    """
    return ["-B", "-m", f"{project.runtime}.program"]


def require(project: Project, python: Path) -> None:
    """Raise `TaskError` where the program cannot be served by an environment's Python."""
    search = {**os.environ, "PYTHONPATH": str(project.source.parent)}
    command: list[str | Path] = [python, *question(project)]
    done = subprocess.run(
        command, env=search, cwd=project.root, capture_output=True, text=True, check=False
    )
    if done.returncode:
        otherwise = f"its import ended with exit code {done.returncode}"
        raise TaskError(last_line(done.stderr, otherwise))
