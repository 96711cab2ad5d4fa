"""Says how a release was made: an in-toto statement with SLSA's provenance.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md, https://slsa.dev/spec/v1.0/provenance
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..deploy.build import publish
from ..lib import git, lock
from ..lib.project import Project

FILE = publish.PROVENANCE
BUILD_TYPE = "urn:cookiecutter-quadrant:release:1"
"""How a release is built: docs/releases.md says which parameters it has."""
_CREDENTIALS = re.compile(r"//[^/@]*@")
_BY_SSH = re.compile(r"(?P<host>[\w.-]+@?[\w.-]+):(?P<path>(?!//).+)")  # as scp(1) writes addresses


def write(folder: Path, project: Project, facts: Mapping[str, Any], builder: str) -> None:
    """Write the statement about all files in a folder; the same release gives the same bytes."""
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": name, "digest": {"sha256": publish.sha256(folder / name)}}
            for name in publish.names(folder)
        ],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": _definition(project, facts),
            "runDetails": {"builder": {"id": builder or f"mailto:{project.email}"}},
        },
    }
    text = json.dumps(statement, indent=2, ensure_ascii=False) + "\n"
    (folder / FILE).write_text(text, encoding="utf-8", newline="\n")


def source(project: Project) -> str:
    """Return the URI of the repository that the project is fetched from; empty if it has none."""
    address = git.answer(project.root, "remote", "get-url", "origin")
    if "://" in address:
        return "" if address.startswith("file:") else f"git+{_CREDENTIALS.sub('//', address)}"
    by_ssh = _BY_SSH.fullmatch(address)
    return f"git+ssh://{by_ssh['host']}/{by_ssh['path'].lstrip('/')}" if by_ssh else ""


def _definition(project: Project, facts: Mapping[str, Any]) -> dict[str, Any]:
    uri = source(project)
    commit = {"name": "source", "digest": {"gitCommit": facts["commit"]}}
    locked = {"name": project.lock.name, "digest": {"sha256": lock.digest(project.lock)}}
    return {
        "buildType": BUILD_TYPE,
        "externalParameters": {"tag": facts["tag"], "quadrants": facts["quadrants"]},
        "internalParameters": {"python": facts["python"], "platform": facts["platform"]},
        "resolvedDependencies": [{**commit, "uri": uri} if uri else commit, locked],
    }
