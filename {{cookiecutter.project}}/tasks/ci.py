"""What pipelines do besides checking and building: deploy what a branch deploys, open requests."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from invoke.context import Context

from .branches import requests
from .branches.table import Kind, kind_of, load, names
from .hosts import access
from .lib import project
from .lib.console import TaskError, closing
from .lib.task import task


@task(
    help={
        "branch": "The branch that the pipeline runs for.",
        "dry-run": "Say what would be deployed where, and deploy nothing.",
    }
)
def deploy(context: Context, branch: str, *, dry_run: bool = False) -> None:
    """Deploy to the target that [tool.branches] names for a branch (DEPLOY_SSH_KEY: its key)."""
    this = project.load()
    target = _kind(this, branch).deploys
    if not target:
        raise TaskError(f"{branch} deploys nowhere: tool.branches names no target for it")
    known = context.config.get("deploy", {}).get("targets") or {}
    if target not in known:
        closing(f"{target} is not in invoke.yaml", {"deployed": "nothing", "next": "docs/ci.md"})
        return
    quadrant = dict(known[target] or {}).get("quadrant")
    if not quadrant:
        raise TaskError(f"deploy.targets.{target} has no 'quadrant': a pipeline must know it")
    command = [sys.executable, "-m", "invoke", f"deploy.{quadrant}", "--to", target]
    if dry_run:
        closing(f"{branch} deploys to {target}", {"by": " ".join(command[2:])})
        return
    with tempfile.TemporaryDirectory() as work:
        environ = access.environment(os.environ, Path(work))
        code = subprocess.run(command, cwd=this.root, env=environ, check=False).returncode
    if code:
        raise TaskError(f"{branch} was not deployed to {target}")


@task()
def request(_context: Context) -> None:
    """Push the current branch and request its merge (GITHUB_TOKEN or GITLAB_TOKEN)."""
    this = project.load()
    table = load(this.root)
    made = requests.current(this.root, table)
    if made is None:
        closing("There is nothing to request", {"branch": "no dependency branch was made"})
        return
    where = requests.send(this.root, made, os.environ)
    closing(f"{made.source} is to be merged into {made.target}", {"request": where})


def _kind(this: project.Project, branch: str) -> Kind:
    table = load(this.root)
    kind = kind_of(table, branch)
    if kind is None:
        raise TaskError(f"--branch is '{branch}': expected one of {names(table)}")
    return kind
