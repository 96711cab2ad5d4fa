"""Runs Ansible on a target, and gives what each host came to."""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..lib.console import TaskError
from ..lib.environment import ensure, interpreter
from ..lib.process import first_line
from ..lib.project import Project
from .targets import Target

FOLDER = Path("deploy/ansible")
CATEGORY = "deploy"
Outcome = dict[str, dict[str, Any]]
"""By host: Ansible's counters, the `reason` of a failure, and what the playbook told."""


def play(
    project: Project, target: Target, playbook: str, variables: Mapping[str, Any], *options: str
) -> Outcome:
    """Run a playbook on every host of a target.

    Gives the outcome also where hosts failed: that is for the caller to judge. Raises `TaskError`
    where Ansible itself cannot work.
    """
    tools = ensure(project, interpreter(project), CATEGORY)
    with tempfile.TemporaryDirectory() as work:
        given, outcome = Path(work, "variables.json"), Path(work, "outcome.json")
        given.write_text(json.dumps(variables), encoding="utf-8")
        command: list[str | Path] = [
            tools.command("ansible-playbook"),
            "--inventory", target.inventory,
            "--extra-vars", f"@{given}",
            *options,
            project.root / FOLDER / playbook,
        ]  # fmt: skip
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(project.root / FOLDER / "ansible.cfg"),
            "ANSIBLE_STDOUT_CALLBACK": "outcome",
            "HOSTS_OUTCOME": str(outcome),
        }
        done = subprocess.run(command, env=environment, check=False, stderr=subprocess.PIPE)
        if not outcome.exists():
            said = done.stderr.decode(errors="replace")
            why = first_line(said, f"exit code {done.returncode}")
            raise TaskError(f"Ansible does not work here: {why}")
        hosts: Outcome = json.loads(outcome.read_text(encoding="utf-8"))
    if not hosts:
        raise TaskError(f"{target.inventory.name} names no hosts")
    return hosts
