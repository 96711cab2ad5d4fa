"""Runs Ansible on a target, and returns the outcome of each host."""

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
from .outcome import HostOutcome, Outcome
from .settings import HostSettings

FOLDER = Path("deploy/ansible")
CATEGORY = "deploy"


def play(
    settings: HostSettings, playbook: str, variables: Mapping[str, Any], *options: str
) -> Outcome:
    """Run a playbook on every host of a target and return the outcome.

    The caller judges hosts that failed. Raises `TaskError` where Ansible itself cannot work.
    """
    project = settings.project
    tools = ensure(project, interpreter(project), CATEGORY)
    with tempfile.TemporaryDirectory() as work:
        given, outcome = Path(work, "variables.json"), Path(work, "outcome.json")
        given.write_text(json.dumps(variables), encoding="utf-8")
        command: list[str | Path] = [
            tools.command("ansible-playbook"),
            "--inventory", settings.inventory,
            "--extra-vars", f"@{given}",
            *options,
            project.root / FOLDER / playbook,
        ]  # fmt: skip
        environ = {
            **os.environ,
            "ANSIBLE_CONFIG": str(project.root / FOLDER / "ansible.cfg"),
            "ANSIBLE_STDOUT_CALLBACK": "outcome",
            "HOSTS_OUTCOME": str(outcome),
        }
        done = subprocess.run(command, env=environ, check=False, stderr=subprocess.PIPE)
        if not outcome.exists():
            said = done.stderr.decode(errors="replace")
            why = first_line(said, f"exit code {done.returncode}")
            raise TaskError(f"Ansible does not work here: {why}")
        told = json.loads(outcome.read_text(encoding="utf-8"))
    if not told:
        raise TaskError(f"{settings.inventory.name} names no hosts")
    return {host: HostOutcome.of(facts) for host, facts in told.items()}
