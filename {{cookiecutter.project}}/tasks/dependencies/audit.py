"""Asks pip-audit which locked packages have known vulnerabilities."""

import json
import re
import subprocess
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..checks import findings
from ..lib import lock
from ..lib.console import TaskError
from ..lib.environment import Environment, pinned
from ..lib.process import last_line
from ..lib.project import Project
from .osv import NoAnswer, service

CATEGORY = "security"
_MARKER = re.compile(r" ; .*?(?= --hash=|$)")
_CHECK = "pip-audit"


@dataclass(frozen=True, order=True)
class Vulnerability:
    """One advisory about one locked package."""

    package: str
    id: str
    version: str
    aliases: tuple[str, ...] = ()
    fixes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name by which the allow-list in pyproject.toml knows it."""
        return f"{self.id}:{self.package}"

    def __str__(self) -> str:
        """Return it as one line."""
        others = f" ({', '.join(self.aliases)})" if self.aliases else ""
        cure = f"fixed in {' or '.join(self.fixes)}" if self.fixes else "no version fixes it yet"
        return f"{self.package} {self.version}: {self.id}{others}; {cure}"


def run(project: Project, tools: Environment) -> list[Vulnerability]:
    """Return what the advisory service knows of everything in the project's lock.

    `tools` has pip-audit. Raises `NoAnswer` where the service does not answer, and `TaskError`
    where pip-audit fails.
    """
    url = service(project)
    text = pinned(project, *lock.categories(project.lock))
    # pip-audit leaves out what markers keep from the Python that runs it; the lock serves others.
    plain = "".join(f"{_MARKER.sub('', line)}\n" for line in text.splitlines())
    with tempfile.TemporaryDirectory() as folder:
        audited = Path(folder, "requirements.txt")
        audited.write_text(plain, encoding="utf-8")
        command: list[str | Path] = [tools.command(_CHECK), *findings.audit(audited, url)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return _read(json.loads(done.stdout))
    except (ValueError, KeyError, TypeError) as error:
        if findings.unreachable(_CHECK, done.stderr):
            raise NoAnswer(f"{url} does not answer") from error
        why = last_line(done.stderr, "it does not say why")
        raise TaskError(f"{_CHECK} failed with exit code {done.returncode}: {why}") from error


def accepted(project: Project, found: Iterable[Vulnerability]) -> list[Vulnerability]:
    """Return those that pyproject.toml accepts; `nox -s security` judges until when."""
    settings = tomllib.loads((project.root / "pyproject.toml").read_text(encoding="utf-8"))
    entries = settings["tool"]["security"].get("allow", ())
    allowed = {entry.get("finding") for entry in entries if entry.get("check") == _CHECK}
    return [each for each in found if each.name in allowed]


def _read(report: Mapping[str, Any]) -> list[Vulnerability]:
    return sorted(
        Vulnerability(
            package["name"], found["id"], package["version"],
            tuple(sorted(found.get("aliases", ()))), tuple(found.get("fix_versions", ())),
        )
        for package in report["dependencies"]
        for found in package.get("vulns", ())
    )  # fmt: skip
