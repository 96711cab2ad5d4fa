"""Versions and their tags: which is the newest, and which one the commits ask for next."""

import re
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

from ..lib import environment, git
from ..lib.console import TaskError
from ..lib.process import last_lines
from ..lib.project import Project
from . import branches

CATEGORY = "release"
"""The category of the lock with commitizen, which reads commits."""
ALLOWED = "a version such as 1.2.0 or 1.2.0rc1"
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:(a|b|rc)(\d+))?")
_NOTHING_TO_RELEASE = (3, 21)  # commitizen: no commits, none of a type that makes a version


@dataclass(frozen=True)
class Tags:
    """How the tags of releases are written: `tag_format` in `[tool.commitizen]`."""

    root: Path
    format: str = "v$version"

    def name(self, version: str) -> str:
        """Return the tag of a version."""
        return self.format.replace("$version", version)

    def commit(self, version: str) -> str:
        """Return the id of the commit that a version's tag names; empty where there is no tag."""
        name = f"refs/tags/{self.name(version)}^{{commit}}"
        return git.answer(self.root, "rev-parse", "--verify", "--quiet", name)

    def last(self) -> str:
        """Return the newest version with a tag in the checked-out history; empty if it has none."""
        listed = git.run(self.root, "tag", "--merged", "HEAD", "--list", self.name("*"))
        before, _, after = self.format.partition("$version")
        versions = [tag.removeprefix(before).removesuffix(after) for tag in listed.splitlines()]
        return max(filter(is_version, versions), key=rank, default="")


def is_version(text: str) -> bool:
    """Return whether a text is a version that can be released."""
    return bool(_VERSION.fullmatch(text))


def rank(version: str) -> tuple[int, int, int, str, int]:
    """Return what sorts versions; a pre-release comes before its release."""
    found = _VERSION.fullmatch(version)
    if not found:
        raise TaskError(f"'{version}' in pyproject.toml: expected {ALLOWED}")
    major, minor, patch, phase, number = found.groups()
    return int(major), int(minor), int(patch), phase or "z", int(number or 0)


def tags(project: Project) -> Tags:
    """Return how this project writes its tags; raise `TaskError` for a format without a version."""
    text = (project.root / "pyproject.toml").read_text(encoding="utf-8")
    written = tomllib.loads(text).get("tool", {}).get("commitizen", {}).get("tag_format", "")
    if written and str(written).count("$version") != 1:
        raise TaskError(f"tag_format in pyproject.toml is '{written}': expected one $version in it")
    return Tags(project.root, written or Tags.format)


def wanted(project: Project, given: str) -> str:
    """Return the version to release: the given one, or the one that the commits ask for.

    The version in pyproject.toml is the next one itself while it has no tag. Raises `TaskError` for
    a given version that cannot be the next one, and where the commits ask for none.
    """
    known = tags(project)
    if given:
        _require_next(given, known)
        return given
    rank(project.version)
    return _next(project, known) if known.commit(project.version) else project.version


def commitizen(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run commitizen in the project's folder and return the result, whatever its exit code is."""
    tools = environment.ensure(project, environment.interpreter(project), CATEGORY)
    return subprocess.run(
        [str(tools.command("cz")), "--config", "pyproject.toml", *arguments],
        cwd=project.root,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def _require_next(given: str, known: Tags) -> None:
    if not is_version(given):
        raise TaskError(f"--version is '{given}': expected {ALLOWED}")
    if known.commit(given):
        raise TaskError(f"--version is '{given}': {known.name(given)} is released already")
    last = known.last()
    if last and rank(given) <= rank(last):
        raise TaskError(f"--version is '{given}': expected a version after {last}")


def _next(project: Project, known: Tags) -> str:
    # Before 1.0 a change that breaks something makes 0.3.0 of 0.2.0; later commitizen refuses this.
    young = ["--major-version-zero"] if project.version.startswith("0.") else []
    asked = commitizen(project, "bump", "--get-next", "--yes", *young)
    tag = known.name(project.version)
    if asked.returncode in _NOTHING_TO_RELEASE:
        raise TaskError(
            f"no commit since {tag} asks for a new version (feat, fix or perf): "
            f"merge what is to be released into {branches.load(project.root).main}, "
            "or give --version"
        )
    version = asked.stdout.strip()
    if asked.returncode or not is_version(version):
        said = last_lines(asked.stdout + asked.stderr)
        raise TaskError(f"commitizen finds no version after {tag}:{said}")
    return version
