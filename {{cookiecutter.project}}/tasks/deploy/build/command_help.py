"""Adds the completions and the man page that a command's own help gives."""

import datetime as dt
from pathlib import Path

from ...lib.environment import ensure
from ...lib.process import run
from . import SCRIPTS
from .plan import Plan


def add(tree: Path, plan: Plan) -> None:
    """Add to a release tree, in `share/`, what click or Typer tells of the project's command.

    Nothing is added for a command of another library.
    """
    project, command = plan.project, plan.project.command
    environment = ensure(project, plan.interpreter, "packages", keeper=plan.keeper)
    reference = f"{command.module}:{command.function}"
    date = dt.datetime.fromtimestamp(plan.revision.epoch, dt.UTC).date().isoformat()
    script: list[str | Path] = [environment.python, "-I", "-B", SCRIPTS / "command_help.py"]
    named = [reference, command.command, project.version, date]
    run([*script, project.source.parent, *named, tree / "share"])
