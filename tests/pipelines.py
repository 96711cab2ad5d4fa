"""What the tests of pipelines run them with: programs from npm, and stand-ins for actions."""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support import ROOT, cache, commit, missing, run

_NPM = ROOT / "tests" / "npm" / "package-lock.json"
_USES = re.compile(r"uses: (actions/([a-z-]+)@[0-9a-f]{40})")
_ACTION = """name: a stand-in
description: does here what the action of this name does on GitHub
inputs:
  name: {{description: the name}}
  path: {{description: the path}}
runs:
  using: composite
  steps:
    - shell: sh
      env:
        NAME: ${{{{ inputs.name }}}}
        FOLDER: ${{{{ inputs.path }}}}
      run: {command}
"""
_COMMANDS = {
    "upload-artifact": 'mkdir -p "$ARTIFACTS/$NAME"; cp -R "$FOLDER." "$ARTIFACTS/$NAME"',
    "download-artifact": 'mkdir -p "$FOLDER"; cp -R "$ARTIFACTS"/reports-*/. "$FOLDER"',
}
"""What stand-ins do; those of other actions do nothing: act checks out, and no cache is kept."""


def from_npm(program: str) -> Path:
    """Return a program's path, installed once per machine as the lock in tests/npm says."""
    for needed in ("node", "npm"):
        if not shutil.which(needed):
            missing(needed)
    folder = cache() / f"npm-{hashlib.sha256(_NPM.read_bytes()).hexdigest()[:12]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    run(["sh", ROOT / "tests" / "install-npm.sh", folder], cwd=ROOT)
    return folder / "node_modules" / ".bin" / program


def stand_ins(project: Path, folder: Path) -> list[str]:
    """Make an action in `folder` for each that a project's workflows use; return act's options."""
    options = []
    text = "".join(path.read_text() for path in (project / ".github/workflows").iterdir())
    for used, name in sorted(set(_USES.findall(text))):
        action = folder / name
        action.mkdir(parents=True)
        content = _ACTION.format(command=_COMMANDS.get(name, '"true"'))
        (action / "action.yml").write_text(content)
        commit(action)
        options.append(f"--local-repository={used}={action}")
    return options


def ended(command: list[str | Path], project: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a project, whatever its exit status is."""
    given: Mapping[str, str] = {**os.environ, **env}
    return subprocess.run(
        command, cwd=project, env=given, capture_output=True, text=True, check=False
    )
