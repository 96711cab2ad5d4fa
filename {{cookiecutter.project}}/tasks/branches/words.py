"""Has commit-check look at branch names and commit messages.

The names come from the table, the rules for messages from cchk.toml in the project's folder.
"""

import json
import subprocess
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..lib import git
from ..lib.console import TaskError
from ..lib.environment import ensure, interpreter
from ..lib.process import last_line
from ..lib.project import Project, load
from .local import Local
from .table import Table

_SCRIPT = Path(__file__).with_name("scripts") / "words.py"
_FILE = "cchk.toml"
_SCISSORS = "# ------------------------ >8 ------------------------"


def said(here: Local, branch: str, messages: Sequence[str] | None = None) -> list[str]:
    """Return what commit-check finds in a branch's name (if it has one) and in messages.

    Without `messages`, those of the commits that the branch brings into a request.
    """
    if messages is None:
        shown = ["log", "--no-walk", "--no-show-signature", "--format=%B%x00"]
        commits = here.own(branch)
        text = git.run(here.root, *shown, *commits) if commits else ""
        messages = [each.strip() for each in text.split("\0") if each.strip()]
    return problems(load(here.root), here.table, [branch] if branch else [], messages)


def problems(
    project: Project, table: Table, branches: Sequence[str] = (), messages: Sequence[str] = ()
) -> list[str]:
    """Return what commit-check finds, one line each."""
    environment = ensure(project, interpreter(project), "branches")
    asked = {
        "branches": list(branches),
        "messages": list(messages),
        "config": config(project, table),
    }
    done = subprocess.run(
        [environment.python, "-I", _SCRIPT],
        input=json.dumps(asked),
        cwd=project.root,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise TaskError(f"commit-check failed: {last_line(done.stderr, 'it does not say why')}")
    return [str(line) for line in json.loads(done.stdout)]


def config(project: Project, table: Table) -> dict[str, Any]:
    """Return commit-check's configuration: cchk.toml, with the branch names of the table."""
    path = project.root / _FILE
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise TaskError(f"cannot read {_FILE}: {error}") from error
    names = {
        "conventional_branch": True,
        "allow_branch_names": [kind.name for kind in table.values() if kind.fixed],
        "allow_branch_types": [
            kind.name.partition("/")[0] for kind in table.values() if not kind.fixed
        ],
    }
    return {**given, "branch": {**given.get("branch", {}), **names}}


def written(text: str) -> str:
    """Return the message in a file that Git has an editor open, without Git's own remarks."""
    kept = text.partition(_SCISSORS)[0].splitlines()
    return "\n".join(line for line in kept if not line.startswith("#")).strip()
