"""Which state of the source a build is made from: commit, dirty or not, and the release id."""

import fnmatch
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import git
from .process import EARLIEST
from .project import Project

# What a build reads; any change here is another release.
INPUTS = ("src", "deploy", "tasks", "pyproject.toml", "Pipfile.lock", ".python-version",
          "invoke.yaml", "LICENSE")  # fmt: skip
# No part of a program: what Python, its tools and editors leave behind, and a developer's own
# secrets. Everything else is a part, also data whose name begins with a dot (`.well-known/`).
LEFTOVERS = ("__pycache__", "*.py[co]", "*.egg-info", ".*_cache", ".coverage*", ".env", ".git",
             ".idea", ".vscode", ".DS_Store", ".*.sw?", ".#*", "*~")  # fmt: skip


@dataclass(frozen=True)
class Revision:
    """One state of the source tree."""

    version: str
    commit: str | None
    """The full commit id; None outside a Git repository."""
    dirty: bool
    epoch: int
    """The source date in seconds since 1970 (https://reproducible-builds.org/specs/source-date-epoch/)."""
    inputs: str
    """SHA-256 over the names and contents of everything that a build reads."""

    @property
    def release(self) -> str:
        """The release id, unique for each content: `0.1.0+3f2a9c1d2e4f`."""
        if self.commit is None:
            return f"{self.version}+src.{self.inputs[:12]}"
        suffix = f".dirty.{self.inputs[:8]}" if self.dirty else ""
        return f"{self.version}+{self.commit[:12]}{suffix}"

    def stamp(self, serves: Mapping[str, Any]) -> str:
        """Return the text of release.json, by which the program knows its release.

        It also has what `[tool.program]` says: a release has no pyproject.toml.
        """
        facts = {"version": self.version, "commit": self.commit, "release": self.release}
        return json.dumps({**facts, "program": dict(serves)}, indent=2, default=str) + "\n"


def current(project: Project) -> Revision:
    """Return the revision of the work tree as it is now."""
    commit = git.answer(project.root, "rev-parse", "--verify", "HEAD")
    if not git.answer(project.root, "ls-files", "pyproject.toml"):
        commit = ""  # a repository around the project that does not track it does not count
    shown = git.answer(project.root, "log", "-1", "--format=%ct") if commit else ""
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or shown or EARLIEST
    return Revision(
        version=project.version,
        commit=commit or None,
        dirty=bool(commit and git.answer(project.root, "status", "--porcelain", "--", ".")),
        epoch=int(epoch),
        inputs=digest(project.root),
    )


def digest(root: Path) -> str:
    """Return the SHA-256 over names, modes and contents of the files that a build reads."""
    total = hashlib.sha256()
    for path in sorted(files(root)):
        executable = "x" if os.access(path, os.X_OK) else "-"
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(root).as_posix()} {executable} {content}\n".encode())
    return total.hexdigest()


def files(root: Path) -> Iterator[Path]:
    """Yield every file that a build reads, without what Python and editors leave behind."""
    for start in (root / name for name in INPUTS):
        found = start.rglob("*") if start.is_dir() else [start]
        for path in found:
            if path.is_file() and not any(map(_is_leftover, path.relative_to(start).parts)):
                yield path


def _is_leftover(name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in LEFTOVERS)
